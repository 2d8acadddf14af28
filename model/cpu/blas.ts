/**
 * The system's BLAS through Deno's foreign function interface: found, limited to one thread and judged before it is trusted.
 * Knows no tensors; its products work on addresses of the heap.
 *
 * @module
 */

import { chooseCore } from "./blas_core.ts";

/**
 * c ← alpha · op(a) op(b) + beta · c, row-major f32; a, b, c are byte offsets in the heap. op(a) is m x k, op(b) k x n.
 */
export type Gemm = (
  transposeA: boolean,
  transposeB: boolean,
  m: number,
  n: number,
  k: number,
  alpha: number,
  a: number,
  lda: number,
  b: number,
  ldb: number,
  beta: number,
  c: number,
  ldc: number,
) => void;

/** An opened library. */
export interface Blas {
  /** Its name and, where it tells, version. */
  name: string;
  /** What was opened, for another thread to open. */
  path: string;
  /** The product. */
  gemm: Gemm;
}

const CANDIDATES: Partial<Record<typeof Deno.build.os, string[]>> = {
  linux: ["libopenblas.so.0", "libopenblas.so", "libblis.so.4", "libblis.so", "libmkl_rt.so.2", "libmkl_rt.so"],
  darwin: ["/System/Library/Frameworks/Accelerate.framework/Accelerate"],
  windows: ["libopenblas.dll", "openblas.dll"],
};

const ROW_MAJOR = 101;
const PLAIN = 111;
const TRANSPOSED = 112;

const symbols = {
  cblas_sgemm: {
    parameters: [
      "i32",
      "i32",
      "i32",
      "i32",
      "i32",
      "i32",
      "f32",
      "usize",
      "i32",
      "usize",
      "i32",
      "f32",
      "usize",
      "i32",
    ],
    result: "void",
  },
  openblas_set_num_threads: { parameters: ["i32"], result: "void", optional: true },
  openblas_get_config: { parameters: [], result: "pointer", optional: true },
  bli_thread_set_num_threads: { parameters: ["i64"], result: "void", optional: true },
  bli_info_get_version_str: { parameters: [], result: "pointer", optional: true },
  MKL_Set_Num_Threads: { parameters: ["i32"], result: "void", optional: true },
} as const;

/**
 * Opens a library for products inside `memory`; the calling thread's products run on that thread alone.
 *
 * @throws Error if it cannot be opened, lacks cblas_sgemm, or its threads cannot be limited
 */
export function openBlas(path: string, memory: WebAssembly.Memory): Blas {
  const library = Deno.dlopen(path, symbols);
  const f = library.symbols;
  const limited = f.openblas_set_num_threads ?? f.MKL_Set_Num_Threads;
  limited?.(1);
  f.bli_thread_set_num_threads?.(1n);
  if (!limited && !f.bli_thread_set_num_threads && !path.includes("Accelerate")) {
    throw new Error(`${path} is no OpenBLAS, BLIS, MKL or Accelerate`);
  }
  // The address stays the same while the memory grows: the whole range is reserved at the start.
  const base = Number(Deno.UnsafePointer.value(Deno.UnsafePointer.of(new Uint8Array(memory.buffer))));
  const sgemm = f.cblas_sgemm;
  return {
    name: nameOf(f.openblas_get_config?.() ?? null, f.bli_info_get_version_str?.() ?? null, path),
    path,
    gemm: (transposeA, transposeB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) =>
      sgemm(
        ROW_MAJOR,
        transposeA ? TRANSPOSED : PLAIN,
        transposeB ? TRANSPOSED : PLAIN,
        m,
        n,
        k,
        alpha,
        // usize takes plain numbers, which fast calls pass without a bigint; an address has at most 48 bits.
        base + a as unknown as bigint,
        lda,
        base + b as unknown as bigint,
        ldb,
        beta,
        base + c as unknown as bigint,
        ldc,
      ),
  };
}

function nameOf(config: Deno.PointerValue, version: Deno.PointerValue, path: string): string {
  if (config) return Deno.UnsafePointerView.getCString(config).split(" ").slice(0, 2).join(" ");
  if (version) return `BLIS ${Deno.UnsafePointerView.getCString(version)}`;
  return path.includes("Accelerate") ? "Accelerate" : path;
}

/**
 * The first library that works: $HRM_BLAS if set ("none" for none), else the usual ones. What is broken is left aside with a warning.
 *
 * @param scratch byte offset of 4 KiB in the memory, for the judgement
 */
export function findBlas(memory: WebAssembly.Memory, scratch: number): Blas | undefined {
  if (typeof Deno.dlopen !== "function") return;
  const wish = environment("HRM_BLAS");
  if (wish === "none") return;
  for (const path of wish ? [wish] : CANDIDATES[Deno.build.os] ?? []) {
    if (Deno.permissions.querySync({ name: "ffi", path }).state !== "granted") continue;
    try {
      chooseCore(path);
      const blas = openBlas(path, memory);
      judgeGemm(blas.gemm, memory, scratch);
      return blas;
    } catch (error) {
      // That one of the usual names is absent is no news; anything else is.
      const { message } = error as Error;
      if (wish || !/Could not open library/.test(message)) {
        console.warn(`The matrix library ${path} is left aside: ${message.split("\n")[0]}`);
      }
    }
  }
}

/** An environment variable, or undefined where it is unset or may not be read. */
export function environment(name: string): string | undefined {
  if (Deno.permissions.querySync({ name: "env", variable: name }).state !== "granted") return;
  return Deno.env.get(name) || undefined;
}

/**
 * Compares products of small matrices, every transposition, with plain loops.
 *
 * @param scratch byte offset of 4 KiB in the memory
 * @throws Error if a product is wrong
 */
export function judgeGemm(gemm: Gemm, memory: WebAssembly.Memory, scratch: number): void {
  const [m, n, k] = [5, 7, 9];
  const [a, b, c] = [scratch, scratch + 1024, scratch + 2048];
  const [A, B, C] = [a, b, c].map((address) => new Float32Array(memory.buffer, address, 64));
  for (let i = 0; i < 64; i++) [A[i], B[i]] = [(i * 37 % 19 - 9) / 8, (i * 23 % 17 - 8) / 8];
  for (const transposeA of [false, true]) {
    for (const transposeB of [false, true]) {
      C.fill(1);
      gemm(transposeA, transposeB, m, n, k, 2, a, transposeA ? m : k, b, transposeB ? k : n, 3, c, n);
      for (let i = 0; i < m; i++) {
        for (let j = 0; j < n; j++) {
          let sum = 0;
          for (let l = 0; l < k; l++) {
            sum += A[transposeA ? l * m + i : i * k + l] * B[transposeB ? j * k + l : l * n + j];
          }
          // Multiples of 1/64 below 2¹⁵: any order of summation gives these exactly.
          if (C[i * n + j] !== 2 * sum + 3) throw new Error(`cblas_sgemm gives wrong products`);
        }
      }
    }
  }
}
