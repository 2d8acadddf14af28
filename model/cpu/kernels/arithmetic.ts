/**
 * Sums and products of elements, and sums over axes. What is not covered here goes on to the stock kernel.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { allFloat, type Cpu, type Kernel, sizeOf } from "./kernel.ts";

/** Whether `small`, without leading ones, is the end of `large`: then it repeats along the leading axes. */
function repeats(small: number[], large: number[]): boolean {
  const own = small.slice(small.findIndex((length) => length !== 1));
  return own.every((length, i) => length === large[large.length - own.length + i]);
}

/** Kernels by tfjs kernel name. */
export function arithmeticKernels(cpu: Cpu): Record<string, Kernel> {
  const { tensors } = cpu;
  const at = (tensor: tf.TensorInfo) => tensors.address(tensor);

  /** a and b, the larger first, where one repeats in the other; whether they changed places. */
  function ordered(a: tf.TensorInfo, b: tf.TensorInfo): [tf.TensorInfo, tf.TensorInfo, boolean] | undefined {
    if (!allFloat(a, b) || sizeOf(a) === 0 || sizeOf(b) === 0) return;
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
      if (!pair) return cpu.stock("Add", { a, b });
      const [x, y] = pair;
      return sizeOf(y) === 1 ? scaled(x, 1, tensors.values(y)[0]) : sum(x, y, 1);
    },
    Sub({ a, b }) {
      const pair = ordered(a, b);
      if (!pair) return cpu.stock("Sub", { a, b });
      const [x, y, swapped] = pair;
      if (sizeOf(y) === 1) return scaled(x, swapped ? -1 : 1, tensors.values(y)[0] * (swapped ? 1 : -1));
      return swapped ? cpu.stock("Sub", { a, b }) : sum(x, y, -1);
    },
    Multiply({ a, b }) {
      const pair = ordered(a, b);
      if (!pair) return cpu.stock("Multiply", { a, b });
      const [x, y] = pair;
      if (sizeOf(y) === 1) return scaled(x, tensors.values(y)[0], 0);
      const product = tensors.output(x.shape);
      cpu.run("multiply", sizeOf(x), 16, 0.3, [at(x), at(y), at(product), sizeOf(y)]);
      return product;
    },
    AddN(inputs) {
      const terms = Object.values(inputs);
      if (!allFloat(...terms) || terms.length < 2) return cpu.stock("AddN", terms);
      let total = sum(terms[0], terms[1], 1);
      for (const term of terms.slice(2)) {
        const next = sum(total, term, 1);
        tensors.disposeData(total.dataId);
        total = next;
      }
      return total;
    },
    Square({ x }) {
      if (!allFloat(x)) return cpu.stock("Square", { x });
      const y = tensors.output(x.shape);
      cpu.run("multiply", sizeOf(x), 16, 0.3, [at(x), at(x), at(y), sizeOf(x)]);
      return y;
    },
    /** Sums over leading axes or over trailing ones. */
    Sum({ x }, { axis, keepDims }) {
      const rank = x.shape.length;
      const axes = tf.util.parseAxisParam(axis, x.shape).toSorted((a, b) => a - b);
      const leading = axes.every((a, i) => a === i);
      const trailing = axes.every((a, i) => a === rank - axes.length + i);
      if (!allFloat(x) || sizeOf(x) === 0 || axes.length === 0 || !(leading || trailing)) {
        return cpu.stock("Sum", { x }, { axis, keepDims });
      }
      const [, reduced] = tf.backend_util.computeOutAndReduceShapes(x.shape, axes);
      const count = tf.util.sizeFromShape(reduced);
      const rest = sizeOf(x) / count;
      const shape = x.shape.flatMap((length, i) => axes.includes(i) ? (keepDims ? [1] : []) : [length]);
      const y = tensors.output(shape);
      if (trailing) cpu.run("sumRows", rest, 1, count / 2, [at(x), at(y), count]);
      else cpu.run("sumSlices", rest, 16, count / 3, [at(x), at(y), count, rest]);
      return y;
    },
  };
}
