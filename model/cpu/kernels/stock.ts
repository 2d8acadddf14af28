/**
 * Faster kernels for stock tfjs operations that a training step spends time in. What they do not cover goes on to the stock kernel.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import type { Attributes } from "../../kernels/operation.ts";
import { type Cpu, type Infos, type Kernel, sizeOf } from "./kernel.ts";

/** Multiplications and additions above which a product is split over threads. */
const LEAST_PRODUCT = 400_000;

/** Whether `small`, without leading ones, is the end of `large`: then it repeats along the leading axes. */
function repeats(small: number[], large: number[]): boolean {
  const own = small.slice(small.findIndex((length) => length !== 1));
  return own.every((length, i) => length === large[large.length - own.length + i]);
}

/** Kernels by tfjs kernel name. */
export function stockKernels(cpu: Cpu): Record<string, Kernel> {
  const { tensors } = cpu;
  const at = (tensor: tf.TensorInfo) => tensors.address(tensor);
  const f32 = (...infos: tf.TensorInfo[]) => infos.every(({ dtype }) => dtype === "float32");

  function stock(name: string, inputs: Infos | tf.TensorInfo[], attributes: Attributes = {}) {
    return tf.getKernel(name, "cpu").kernelFunc({
      inputs: inputs as Infos,
      attrs: attributes as tf.NamedAttrMap,
      backend: tensors,
    }) as tf.TensorInfo;
  }

  /** a and b, the larger first, where one repeats in the other; whether they changed places. */
  function ordered(a: tf.TensorInfo, b: tf.TensorInfo): [tf.TensorInfo, tf.TensorInfo, boolean] | undefined {
    if (!f32(a, b) || sizeOf(a) === 0 || sizeOf(b) === 0) return;
    if (a.shape.length >= b.shape.length && repeats(b.shape, a.shape)) return [a, b, false];
    if (b.shape.length >= a.shape.length && repeats(a.shape, b.shape)) return [b, a, true];
  }

  function scaled(x: tf.TensorInfo, factor: number, offset: number): tf.TensorInfo {
    const y = tensors.output(x.shape);
    cpu.run("scale", sizeOf(x), 16, 0.2, [at(x), at(y), factor, offset]);
    return y;
  }

  function sum(a: tf.TensorInfo, b: tf.TensorInfo, sign: number): tf.TensorInfo {
    const y = tensors.output(a.shape);
    cpu.run("add", sizeOf(a), 16, 0.3, [at(a), at(b), at(y), sign, sizeOf(b)]);
    return y;
  }

  return {
    Add({ a, b }) {
      const pair = ordered(a, b);
      if (!pair) return stock("Add", { a, b });
      const [x, y] = pair;
      return sizeOf(y) === 1 ? scaled(x, 1, tensors.values(y)[0]) : sum(x, y, 1);
    },
    Sub({ a, b }) {
      const pair = ordered(a, b);
      if (!pair) return stock("Sub", { a, b });
      const [x, y, swapped] = pair;
      if (sizeOf(y) === 1) return scaled(x, swapped ? -1 : 1, tensors.values(y)[0] * (swapped ? 1 : -1));
      return swapped ? stock("Sub", { a, b }) : sum(x, y, -1);
    },
    Multiply({ a, b }) {
      const pair = ordered(a, b);
      if (!pair) return stock("Multiply", { a, b });
      const [x, y] = pair;
      if (sizeOf(y) === 1) return scaled(x, tensors.values(y)[0], 0);
      const product = tensors.output(x.shape);
      cpu.run("multiply", sizeOf(x), 16, 0.3, [at(x), at(y), at(product), sizeOf(y)]);
      return product;
    },
    AddN(inputs) {
      const terms = Object.values(inputs);
      if (!f32(...terms) || terms.length < 2) return stock("AddN", terms);
      let total = sum(terms[0], terms[1], 1);
      for (const term of terms.slice(2)) {
        const next = sum(total, term, 1);
        tensors.disposeData(total.dataId);
        total = next;
      }
      return total;
    },
    /** Products of matrices, with broadcasting over the leading axes. */
    BatchMatMul({ a, b }, { transposeA, transposeB }) {
      if (!f32(a, b)) return stock("BatchMatMul", { a, b }, { transposeA, transposeB });
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
      const [lda, ldb] = [transposeA ? m : k, transposeB ? k : n];
      const rest = [k, +transposeA, +transposeB, lda, ldb];
      const places = [at(a), at(b), at(c)];
      const large = batch * m * n * k > LEAST_PRODUCT;
      // One matrix on the right of all: the batch is nothing but more rows.
      const rows = batchB === 1 && !transposeA ? batch * m : m;
      if (batch === 1 || rows > m) {
        const byRows = rows >= n;
        cpu.threads.run(byRows ? "productRows" : "productColumns", byRows ? rows : n, 16, +large, [
          ...places,
          ...[rows, n, ...rest],
        ]);
      } else {
        cpu.threads.run("products", batch, 1, +large, [...places, m, n, ...rest, batchA, batchB]);
      }
      return c;
    },
  };
}
