/**
 * Matrix products on the CPU, all transpositions, batched or not.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { allFloat, type Cpu, type Kernel, sizeOf } from "./kernel.ts";

/** Multiplications above which a product is split over threads. */
const LEAST_PRODUCT = 400_000;

/** c ← op(a) op(b), row-major matrices at these addresses, on as many threads as that pays for. op(a) is m x k, op(b) k x n. */
export function multiply(
  cpu: Cpu,
  [a, b, c]: number[],
  [m, n, k]: number[],
  transposeA: boolean,
  transposeB: boolean,
): void {
  const rest = [k, +transposeA, +transposeB, transposeA ? m : k, transposeB ? k : n];
  const byRows = m >= n;
  const large = m * n * k > LEAST_PRODUCT;
  cpu.threads.run(byRows ? "productRows" : "productColumns", byRows ? m : n, 16, +large, [a, b, c, m, n, ...rest]);
}

/** Kernels by tfjs kernel name. */
export function productKernels(cpu: Cpu): Record<string, Kernel> {
  const { tensors } = cpu;
  const at = (tensor: tf.TensorInfo) => tensors.address(tensor);
  return {
    BatchMatMul({ a, b }, { transposeA, transposeB }) {
      if (!allFloat(a, b)) return cpu.stock("BatchMatMul", { a, b }, { transposeA, transposeB });
      const [rankA, rankB] = [a.shape.length, b.shape.length];
      const [k, m] = transposeA ? a.shape.slice(-2) : a.shape.slice(-2).reverse();
      const [n, kB] = transposeB ? b.shape.slice(-2) : b.shape.slice(-2).reverse();
      if (k !== kB) {
        throw new Error(`Cannot multiply [${a.shape}] by [${b.shape}]: inner lengths ${k} and ${kB} differ`);
      }
      const outerA = a.shape.slice(0, rankA - 2);
      const outerB = b.shape.slice(0, rankB - 2);
      const outer = tf.broadcast_util.assertAndGetBroadcastShape(outerA, outerB);
      const [batchA, batchB] = [outerA, outerB].map(tf.util.sizeFromShape);
      const batch = tf.util.sizeFromShape(outer);
      const c = tensors.output([...outer, m, n]);
      if (sizeOf(c) === 0) return c;
      if (k === 0) {
        tensors.values(c).fill(0);
        return c;
      }
      const places = [at(a), at(b), at(c)];
      // One matrix on the right of all: the batch is nothing but more rows.
      const rows = batchB === 1 && !transposeA ? batch * m : m;
      if (batch === 1 || rows > m) multiply(cpu, places, [rows, n, k], transposeA, transposeB);
      else {
        const rest = [k, +transposeA, +transposeB, transposeA ? m : k, transposeB ? k : n, batchA, batchB];
        cpu.threads.run("products", batch, 1, +(batch * m * n * k > LEAST_PRODUCT), [...places, m, n, ...rest]);
      }
      return c;
    },
  };
}
