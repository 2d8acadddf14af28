/** Which matrix library is taken, and what happens without one. */
import assert from "node:assert/strict";
import { coreOf } from "../../model/cpu/blas_core.ts";
import { judgeGemm } from "../../model/cpu/blas.ts";
import { Heap } from "../../model/cpu/heap.ts";
import { createMachine, PACKING_BYTES } from "../../model/cpu/machine.ts";

const OPENBLAS = "libopenblas.so.0";

const PRODUCT = `
import * as tf from "@tensorflow/tfjs";
import { CPU_BACKEND, startCpu } from "${new URL("../../model/cpu/backend.ts", import.meta.url)}";
console.log(startCpu().description);
await tf.setBackend(CPU_BACKEND);
const square = tf.ones([200, 200]);
console.log(tf.sum(tf.matMul(square, square)).dataSync()[0]);
`;

const REPORT = `
import { coreOf } from "${new URL("../../model/cpu/blas_core.ts", import.meta.url)}";
import { startCpu } from "${new URL("../../model/cpu/backend.ts", import.meta.url)}";
startCpu();
console.log(coreOf("${OPENBLAS}"));
`;

function openBlasIsHere(): boolean {
  try {
    return Deno.build.os === "linux" && Deno.build.arch === "x86_64" && coreOf(OPENBLAS) !== undefined;
  } catch {
    return false;
  }
}

/** A process that runs a program: without another, one that starts the backend and multiplies. */
async function start(env: Record<string, string>, permissions: string[], program = PRODUCT) {
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(file, program);
  const config = new URL("../../deno.json", import.meta.url).pathname;
  try {
    const { stdout, stderr, code } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-check", "--no-prompt", "--config", config, "--frozen", ...permissions, file],
      env,
      stdin: "null",
    }).output();
    const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
    return { out, err, code };
  } finally {
    await Deno.remove(file);
  }
}

const ALL = ["--allow-read", "--allow-env", "--allow-ffi"];

Deno.test("startCpu() with HRM_BLAS=none multiplies by the kernels, without a warning", async () => {
  const { out, err } = await start({ HRM_BLAS: "none" }, ALL);
  assert.match(out, /^cpu: WebAssembly only; .*\n8000000\n$/);
  assert.doesNotMatch(err, /left aside/);
});

Deno.test("startCpu() leaves a library without cblas_sgemm aside, with a warning", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  const { out, err } = await start({ HRM_BLAS: "libm.so.6" }, ALL);
  assert.match(err, /The matrix library libm\.so\.6 is left aside: .*cblas_sgemm/);
  assert.match(out, /^cpu: WebAssembly only; .*\n8000000\n$/);
});

Deno.test("startCpu() leaves a library that does not exist aside, with a warning", async () => {
  const { out, err } = await start({ HRM_BLAS: "/nowhere/libblas.so" }, ALL);
  assert.match(err, /The matrix library \/nowhere\/libblas\.so is left aside/);
  assert.match(out, /^cpu: WebAssembly only; .*\n8000000\n$/);
});

Deno.test("startCpu() without any permission works on one thread, without a prompt", async () => {
  const { out, code } = await start({}, []);
  assert.equal(code, 0);
  assert.match(out, /^cpu: WebAssembly only; .*, 1 thread\n8000000\n$/);
});

Deno.test("startCpu() rejects HRM_THREADS=0 and HRM_THREADS=many", async () => {
  for (const wish of ["0", "many"]) {
    const { err, code } = await start({ HRM_THREADS: wish }, ALL);
    assert.equal(code, 1);
    assert.match(err, new RegExp(`HRM_THREADS must be a whole number from 1 to 256, is "${wish}"`));
  }
});

Deno.test("startCpu() leaves OpenBLAS no kernels older than the processor, unless it is asked to", {
  ignore: !openBlasIsHere() || !/ avx2 /.test(Deno.readTextFileSync("/proc/cpuinfo")),
}, async () => {
  const core = async (env: Record<string, string>) => (await start(env, ALL, REPORT)).out;
  assert.match(await core({}), /^(?!Prescott)\w+\n$/);
  assert.equal(await core({ OPENBLAS_CORETYPE: "PRESCOTT" }), "Prescott\n");
});

Deno.test("judgeGemm() accepts the kernels' product and rejects one that ignores a transposition or the old values", () => {
  const heap = new Heap(2048);
  const packing = heap.allocate(PACKING_BYTES).address;
  const scratch = heap.allocate(4096).address;
  const { gemm } = createMachine(heap.memory, 0, packing);
  judgeGemm(gemm, heap.memory, scratch);
  for (const broken of ["transposeA", "transposeB", "beta"]) {
    assert.throws(() =>
      judgeGemm(
        (transposeA, transposeB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) =>
          gemm(
            transposeA && broken !== "transposeA",
            transposeB && broken !== "transposeB",
            ...[m, n, k, alpha, a, lda, b, ldb] as const,
            broken === "beta" ? 0 : beta,
            c,
            ldc,
          ),
        heap.memory,
        scratch,
      ), /wrong products/);
  }
});
