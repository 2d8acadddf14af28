/**
 * What one thread computes with: the WebAssembly kernels, a matrix product and scratch memory, and the tasks made of them.
 * A task works on a range of rows, so that threads can share it. Knows no tensors, only addresses in the heap.
 *
 * @module
 */
import { type Gemm, openBlas } from "./blas.ts";
import { kernelsBase64 } from "./kernels_wasm.ts";

/** The functions of the WebAssembly module; see assembly/ for their arguments. */
export type Kernels = Record<
  | "rotate"
  | "rowProducts"
  | "scaleRows"
  | "softmaxGradientRows"
  | "softmaxRows"
  | "transposeRows"
  | "adam"
  | "add"
  | "blend"
  | "copyRows"
  | "multiply"
  | "scale"
  | "sumRows"
  | "sumSlices"
  | "transpose"
  | "gemm"
  | "gemmScratch"
  | "rmsNorm"
  | "rmsNormGradient"
  | "swiGlu"
  | "swiGluGradient"
  | "correctTokens"
  | "crossEntropy"
  | "crossEntropyGradient"
  | "neighbourShift"
  | "tokenEmbedding"
  | "tokenEmbeddingGradient",
  (...values: number[]) => number
>;

/** One thread's means. */
export interface Machine {
  /** Which thread this is, 0 the main one. */
  index: number;
  /** The kernels. */
  kernels: Kernels;
  /** The matrix product, by BLAS or by the kernels. */
  gemm: Gemm;
}

/** Bytes of each thread's area for packing matrices. */
export const PACKING_BYTES: number = 640 * 1024;

/** The kernels, instantiated over a memory. */
export function instantiate(memory: WebAssembly.Memory): Kernels {
  const module = new WebAssembly.Module(Uint8Array.fromBase64(kernelsBase64));
  const instance = new WebAssembly.Instance(module, { env: { memory }, host: { log: Math.log, exp: Math.exp } });
  return instance.exports as Kernels;
}

/**
 * A thread's machine.
 *
 * @param packing byte offset of PACKING_BYTES of this thread's own
 * @param blasPath the library to use, already judged; without it the kernels' own product
 */
export function createMachine(
  memory: WebAssembly.Memory,
  index: number,
  packing: number,
  blasPath?: string,
): Machine {
  const kernels = instantiate(memory);
  const own: Gemm = (transposeA, transposeB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) => {
    kernels.gemm(+transposeA, +transposeB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, packing);
  };
  return { index, kernels, gemm: blasPath ? openBlas(blasPath, memory).gemm : own };
}

/** The part [from, to) of a task; its arguments are those that the kernel's caller gave. */
export type Task = (machine: Machine, values: ArrayLike<number> & Iterable<number>, from: number, to: number) => void;

const FLOAT = 4;

/** Query rows that attention works on at a time, so that their scores stay in the cache. */
const TILE = 128;

/** Floats of scratch memory that one thread needs for attention over `length` tokens of head width `width`. */
export function attentionScratch(length: number, width: number): number {
  return 6 * length * width + 2 * length + 2 * Math.min(TILE, length) * length + 64;
}

/** Splits scratch memory into the arrays of attention. */
function attentionAreas(scratch: number, length: number, width: number) {
  const matrix = length * width * FLOAT;
  const scores = scratch + 6 * matrix + 2 * length * FLOAT;
  return {
    q: scratch,
    k: scratch + matrix,
    dq: scratch + 2 * matrix,
    dk: scratch + 3 * matrix,
    turnedK: scratch + 4 * matrix,
    turnedV: scratch + 5 * matrix,
    products: scratch + 6 * matrix,
    scores,
    slopes: scores + Math.min(TILE, length) * length * FLOAT,
  };
}

/** Addresses of the row `from` of matrices, given their width. */
function rowsFrom(from: number): (matrix: number, width: number) => number {
  return (matrix, width) => matrix + from * width * FLOAT;
}

/** Tasks by name. `from` and `to` count rows of the output unless a line says otherwise. */
export const tasks = {
  rmsNorm: ({ kernels }, v, from, to) => kernels.rmsNorm(v[0], v[1], v[2], v[3], v[4], v[5], from, to),
  rmsNormGradient: ({ kernels }, v, from, to) => kernels.rmsNormGradient(v[0], v[1], v[2], v[3], v[4], from, to),
  swiGlu: ({ kernels }, v, from, to) => kernels.swiGlu(v[0], v[1], v[2], from, to),
  swiGluGradient: ({ kernels }, v, from, to) => kernels.swiGluGradient(v[0], v[1], v[2], v[3], from, to),
  add: ({ kernels }, v, from, to) => kernels.add(v[0], v[1], v[2], v[3], v[4], from, to),
  multiply: ({ kernels }, v, from, to) => kernels.multiply(v[0], v[1], v[2], v[3], from, to),
  scale: ({ kernels }, v, from, to) => kernels.scale(v[0], v[1], v[2], v[3], from, to),
  blend: ({ kernels }, v, from, to) => kernels.blend(v[0], v[1], v[2], v[3], from, to),
  adam: ({ kernels }, v, from, to) =>
    kernels.adam(
      v[0],
      v[1],
      v[2],
      v[3],
      v[4],
      v[5],
      v[6],
      v[7],
      v[8],
      v[9],
      v[10],
      v[11],
      v[12],
      v[13],
      v[14],
      from,
      to,
    ),
  sumSlices: ({ kernels }, v, from, to) => kernels.sumSlices(v[0], v[1], v[2], v[3], from, to),
  sumRows: ({ kernels }, v, from, to) => kernels.sumRows(v[0], v[1], v[2], from, to),
  transpose: ({ kernels }, v, from, to) => kernels.transpose(v[0], v[1], v[2], v[3], from, to),
  copyRows: ({ kernels }, v, from, to) => kernels.copyRows(v[0], v[1], v[2], v[3], v[4], from, to),
  correctTokens: ({ kernels }, v, from, to) => kernels.correctTokens(v[0], v[1], v[2], v[3], from, to),
  crossEntropy: ({ kernels }, v, from, to) => kernels.crossEntropy(v[0], v[1], v[2], v[3], v[4], v[5], from, to),
  crossEntropyGradient: ({ kernels }, v, from, to) =>
    kernels.crossEntropyGradient(v[0], v[1], v[2], v[3], v[4], v[5], v[6], from, to),
  neighbourShift: ({ kernels }, v, from, to) =>
    kernels.neighbourShift(v[0], v[1], v[2], v[3], v[4], v[5], v[6], from, to),
  tokenEmbedding: ({ kernels }, v, from, to) => kernels.tokenEmbedding(v[0], v[1], v[2], v[3], v[4], v[5], from, to),
  /** A range of columns. */
  tokenEmbeddingGradient: ({ kernels }, v, from, to) =>
    kernels.tokenEmbeddingGradient(v[0], v[1], v[2], v[3], v[4], v[5], from, to),
  /** A range of samples, each with a table of its own. */
  sampleEmbeddingGradient({ kernels }, [dy, tokens, table, rows, width, vocabulary], from, to) {
    for (let sample = from; sample < to; sample++) {
      kernels.tokenEmbeddingGradient(
        dy + sample * rows * width * FLOAT,
        tokens + sample * rows * FLOAT,
        table + sample * vocabulary * width * FLOAT,
        rows,
        width,
        vocabulary,
        0,
        width,
      );
    }
  },
  /** A range of rows of one product. */
  productRows({ gemm }, [a, b, c, , n, k, transposeA, transposeB, lda, ldb], from, to) {
    const start = a + from * (transposeA ? 1 : lda) * FLOAT;
    gemm(!!transposeA, !!transposeB, to - from, n, k, 1, start, lda, b, ldb, 0, c + from * n * FLOAT, n);
  },
  /** A range of columns of one product. */
  productColumns({ gemm }, [a, b, c, m, n, k, transposeA, transposeB, lda, ldb], from, to) {
    const start = b + from * (transposeB ? ldb : 1) * FLOAT;
    gemm(!!transposeA, !!transposeB, m, to - from, k, 1, a, lda, start, ldb, 0, c + from * FLOAT, n);
  },
  /** A range of products of a batch; an operand of a smaller batch repeats. */
  products({ gemm }, [a, b, c, m, n, k, transposeA, transposeB, lda, ldb, batchA, batchB], from, to) {
    for (let i = from; i < to; i++) {
      const left = a + (i % batchA) * m * k * FLOAT;
      const right = b + (i % batchB) * k * n * FLOAT;
      gemm(!!transposeA, !!transposeB, m, n, k, 1, left, lda, right, ldb, 0, c + i * m * n * FLOAT, n);
    }
  },
  /** A range of (sample, head) pairs. */
  attention(
    { index, kernels, gemm },
    [qkv, cos, sin, output, logSumExp, T, N, K, scratch],
    from,
    to,
  ) {
    const wide = 3 * N * K;
    const area = attentionAreas(scratch + index * attentionScratch(T, K) * FLOAT, T, K);
    for (let item = from; item < to; item++) {
      const sample = Math.floor(item / N);
      const head = item - sample * N;
      const q = qkv + (sample * T * wide + head * K) * FLOAT;
      const k = q + N * K * FLOAT;
      const v = k + N * K * FLOAT;
      const out = output + (sample * T * N * K + head * K) * FLOAT;
      const lse = logSumExp + item * T * FLOAT;
      kernels.rotate(q, wide, area.q, K, cos, sin, T, K, Math.LOG2E / Math.sqrt(K), 1);
      kernels.rotate(k, wide, area.k, K, cos, sin, T, K, 1, 1);
      kernels.transposeRows(area.k, K, area.turnedK, T, K);
      for (let row = 0; row < T; row += TILE) {
        const rows = Math.min(TILE, T - row);
        const o = out + row * N * K * FLOAT;
        gemm(false, false, rows, T, K, 1, area.q + row * K * FLOAT, K, area.turnedK, T, 0, area.scores, T);
        kernels.softmaxRows(area.scores, area.products, lse + row * FLOAT, rows, T);
        gemm(false, false, rows, K, T, 1, area.scores, T, v, wide, 0, o, N * K);
        kernels.scaleRows(o, N * K, area.products, rows, K);
      }
    }
  },
  /** A range of (sample, head) pairs. The scores are computed again, not kept. */
  attentionGradient(
    { index, kernels, gemm },
    [dy, qkv, cos, sin, output, logSumExp, dqkv, T, N, K, scratch],
    from,
    to,
  ) {
    const [wide, narrow] = [3 * N * K, N * K];
    const area = attentionAreas(scratch + index * attentionScratch(T, K) * FLOAT, T, K);
    const scale = 1 / Math.sqrt(K);
    for (let item = from; item < to; item++) {
      const sample = Math.floor(item / N);
      const head = item - sample * N;
      const ofQ = (sample * T * wide + head * K) * FLOAT;
      const [ofK, ofV] = [ofQ + narrow * FLOAT, ofQ + 2 * narrow * FLOAT];
      const ofO = (sample * T * narrow + head * K) * FLOAT;
      kernels.rotate(qkv + ofQ, wide, area.q, K, cos, sin, T, K, scale * Math.LOG2E, 1);
      kernels.rotate(qkv + ofK, wide, area.k, K, cos, sin, T, K, 1, 1);
      kernels.transposeRows(area.k, K, area.turnedK, T, K);
      kernels.transposeRows(qkv + ofV, wide, area.turnedV, T, K);
      for (let row = 0; row < T; row += TILE) {
        const rows = Math.min(TILE, T - row);
        const q = area.q + row * K * FLOAT;
        const [dO, o] = [dy, output].map((address) => address + ofO + row * narrow * FLOAT);
        const lse = logSumExp + (item * T + row) * FLOAT;
        const more = row ? 1 : 0;
        gemm(false, false, rows, T, K, 1, q, K, area.turnedK, T, 0, area.scores, T);
        gemm(false, false, rows, T, K, 1, dO, narrow, area.turnedV, T, 0, area.slopes, T);
        kernels.rowProducts(dO, o, narrow, area.products, rows, K);
        kernels.softmaxGradientRows(area.scores, area.slopes, lse, area.products, rows, T);
        gemm(true, false, T, K, rows, 1, area.scores, T, dO, narrow, more, dqkv + ofV, wide);
        gemm(true, false, T, K, rows, 1, area.slopes, T, q, K, more, area.dk, K);
        gemm(false, false, rows, K, T, 1, area.slopes, T, area.k, K, 0, area.dq + row * K * FLOAT, K);
      }
      kernels.rotate(area.dq, K, dqkv + ofQ, wide, cos, sin, T, K, scale, -1);
      kernels.rotate(area.dk, K, dqkv + ofK, wide, cos, sin, T, K, Math.LN2, -1);
    }
  },
  /** A range of rows through SwiGLU between its two layers, residual and norm: what a thread makes it also uses. */
  feedForward(
    { kernels, gemm },
    [x, residual, gateUp, down, both, inner, y, inverse, D, F, epsilon],
    from,
    to,
  ) {
    const [rows, own] = [to - from, rowsFrom(from)];
    gemm(false, true, rows, 2 * F, D, 1, own(x, D), D, gateUp, D, 0, own(both, 2 * F), 2 * F);
    kernels.swiGlu(both, inner, F, from, to);
    gemm(false, true, rows, D, F, 1, own(inner, F), F, down, F, 0, own(y, D), D);
    kernels.rmsNorm(residual, y, y, inverse, D, epsilon, from, to);
  },
  /** A range of rows; the layers' own gradients are products over all rows. */
  feedForwardGradient(
    { kernels, gemm },
    [dy, y, inverse, gateUp, down, both, dSum, dInner, dBoth, dx, D, F, one],
    from,
    to,
  ) {
    const [rows, own] = [to - from, rowsFrom(from)];
    kernels.rmsNormGradient(dy, y, inverse, dSum, D, from, to);
    gemm(false, false, rows, F, D, 1, own(dSum, D), D, down, F, 0, own(dInner, F), F);
    kernels.swiGluGradient(dInner, both, dBoth, F, from, to);
    if (one) kernels.copyRows(dSum, D, dx, D, D, from, to);
    gemm(false, false, rows, D, 2 * F, 1, own(dBoth, 2 * F), 2 * F, gateUp, D, one, own(dx, D), D);
  },
  /** A range of samples through attention between its two layers, residual and norm. */
  selfAttention(
    machine,
    [x, qkv, o, cos, sin, packed, mixed, logSumExp, y, inverse, T, N, K, D, epsilon, scratch],
    from,
    to,
  ) {
    const { kernels, gemm } = machine;
    const [rows, own] = [(to - from) * T, rowsFrom(from * T)];
    const [wide, narrow] = [3 * N * K, N * K];
    gemm(false, true, rows, wide, D, 1, own(x, D), D, qkv, D, 0, own(packed, wide), wide);
    tasks.attention(machine, [packed, cos, sin, mixed, logSumExp, T, N, K, scratch], from * N, to * N);
    gemm(false, true, rows, D, narrow, 1, own(mixed, narrow), narrow, o, narrow, 0, own(y, D), D);
    kernels.rmsNorm(x, y, y, inverse, D, epsilon, from * T, to * T);
  },
  /** A range of samples; the layers' own gradients are products over all rows. */
  selfAttentionGradient(
    machine,
    [dy, qkv, o, cos, sin, y, inverse, packed, mixed, logSumExp, dSum, dMixed, dPacked, dx, T, N, K, D, scratch],
    from,
    to,
  ) {
    const { kernels, gemm } = machine;
    const [rows, own] = [(to - from) * T, rowsFrom(from * T)];
    const [wide, narrow] = [3 * N * K, N * K];
    kernels.rmsNormGradient(dy, y, inverse, dSum, D, from * T, to * T);
    gemm(false, false, rows, narrow, D, 1, own(dSum, D), D, o, narrow, 0, own(dMixed, narrow), narrow);
    const places = [dMixed, packed, cos, sin, mixed, logSumExp, dPacked];
    tasks.attentionGradient(machine, [...places, T, N, K, scratch], from * N, to * N);
    kernels.copyRows(dSum, D, dx, D, D, from * T, to * T);
    gemm(false, false, rows, D, wide, 1, own(dPacked, wide), wide, qkv, D, 1, own(dx, D), D);
  },
} satisfies Record<string, Task>;

/** The name of a task. */
export type TaskName = keyof typeof tasks;

/** Task names in the order by which threads tell them. */
export const taskNames = Object.keys(tasks) as TaskName[];
