/**
 * Slices, joins, choices and repetitions along one axis, as copies of rows. What is not covered here goes on to the stock kernel.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { allFloat, type Cpu, type Kernel, sizeOf } from "./kernel.ts";

/** A tensor seen along one axis: [outer, length, inner]. */
function along(shape: readonly number[], axis: number): { outer: number; inner: number } {
  const product = (lengths: readonly number[]) => lengths.reduce((a, b) => a * b, 1);
  return { outer: product(shape.slice(0, axis)), inner: product(shape.slice(axis + 1)) };
}

/** The only axis for which `differs`; the first axis if there is none; undefined if there are several. */
function onlyAxis(shape: readonly number[], differs: (axis: number) => boolean): number | undefined {
  const axes = shape.map((_, axis) => axis).filter(differs);
  return axes.length > 1 || shape.length === 0 ? undefined : axes[0] ?? 0;
}

/** Kernels by tfjs kernel name. */
export function rearrangeKernels(cpu: Cpu): Record<string, Kernel> {
  const { tensors } = cpu;
  const at = (tensor: tf.TensorInfo) => tensors.address(tensor);

  function copyRows(x: number, fromStride: number, y: number, toStride: number, width: number, rows: number) {
    if (rows * width) cpu.run("copyRows", rows, 1, 2 + width / 4, [x, fromStride, y, toStride, width]);
  }

  /** Positions [begin, begin + size) of an axis. */
  function part(x: tf.TensorInfo, axis: number, begin: number, size: number): tf.TensorInfo {
    const { outer, inner } = along(x.shape, axis);
    const y = tensors.output(x.shape.map((length, i) => i === axis ? size : length));
    copyRows(at(x) + begin * inner * 4, x.shape[axis] * inner, at(y), size * inner, size * inner, outer);
    return y;
  }

  return {
    Slice({ x }, { begin, size }) {
      const [begins, sizes] = tf.slice_util.parseSliceParams(x as tf.Tensor, begin, size);
      tf.slice_util.assertParamsValid(x as tf.Tensor, begins, sizes);
      const axis = onlyAxis(x.shape, (i) => sizes[i] !== x.shape[i]);
      if (!allFloat(x) || axis === undefined) return cpu.stock("Slice", { x }, { begin, size });
      return part(x, axis, begins[axis], sizes[axis]);
    },
    SplitV({ x }, { numOrSizeSplits, axis }) {
      if (!allFloat(x)) return cpu.stock("SplitV", { x }, { numOrSizeSplits, axis });
      const own = tf.util.parseAxisParam(axis, x.shape)[0];
      let begin = 0;
      return tf.backend_util.prepareSplitSize(x as tf.Tensor, numOrSizeSplits, own).map((size) => {
        begin += size;
        return part(x, own, begin - size, size);
      });
    },
    Concat(inputs, { axis }) {
      const parts = Object.values(inputs).filter((part) => sizeOf(part));
      if (!allFloat(...parts) || parts.length < 2) return cpu.stock("Concat", Object.values(inputs), { axis });
      const own = tf.util.parseAxisParam(axis, parts[0].shape)[0];
      tf.backend_util.assertParamsConsistent(parts.map(({ shape }) => shape), own);
      const y = tensors.output(tf.backend_util.computeOutShape(parts.map(({ shape }) => shape), own));
      const { outer, inner } = along(y.shape, own);
      let begin = 0;
      for (const x of parts) {
        const width = x.shape[own] * inner;
        copyRows(at(x), width, at(y) + begin * 4, y.shape[own] * inner, width, outer);
        begin += width;
      }
      return y;
    },
    PadV2({ x }, { paddings, constantValue }) {
      const axis = onlyAxis(x.shape, (i) => paddings[i][0] !== 0 || paddings[i][1] !== 0);
      if (!allFloat(x) || axis === undefined) return cpu.stock("PadV2", { x }, { paddings, constantValue });
      const [before, after] = paddings[axis];
      const y = tensors.output(x.shape.map((length, i) => i === axis ? before + length + after : length));
      const { outer, inner } = along(x.shape, axis);
      const width = x.shape[axis] * inner;
      tensors.values(y).fill(constantValue);
      copyRows(at(x), width, at(y) + before * inner * 4, width + (before + after) * inner, width, outer);
      return y;
    },
    /** A vector repeated over the leading axes. */
    Tile({ x }, { reps }) {
      const width = x.shape[x.shape.length - 1];
      if (!allFloat(x) || sizeOf(x) !== width || reps[reps.length - 1] !== 1) return cpu.stock("Tile", { x }, { reps });
      const y = tensors.output(x.shape.map((length, i) => length * reps[i]));
      copyRows(at(x), 0, at(y), width, width, sizeOf(y) / width);
      return y;
    },
    /** Entries of the first axis. */
    GatherV2({ x, indices }, { axis, batchDims }) {
      const chosen = tensors.values(indices);
      const inner = sizeOf(x) / x.shape[0];
      const outside = chosen.some((i) => i < 0 || i >= x.shape[0]);
      if (!allFloat(x) || axis !== 0 || batchDims !== 0 || sizeOf(x) === 0 || outside) {
        return cpu.stock("GatherV2", { x, indices }, { axis, batchDims });
      }
      const y = tensors.output([...indices.shape, ...x.shape.slice(1)]);
      chosen.forEach((from: number, to: number) =>
        copyRows(at(x) + from * inner * 4, inner, at(y) + to * inner * 4, inner, inner, 1)
      );
      return y;
    },
    /** Matrices transposed one by one. */
    Transpose({ x }, { perm }) {
      const rank = x.shape.length;
      const swapsLast = rank >= 2 &&
        perm.every((from: number, i: number) => from === (i < rank - 2 ? i : 2 * rank - 3 - i));
      if (!allFloat(x) || !swapsLast) return cpu.stock("Transpose", { x }, { perm });
      const [rows, columns] = x.shape.slice(-2);
      const y = tensors.output([...x.shape.slice(0, -2), columns, rows]);
      if (sizeOf(x)) {
        const size = rows * columns;
        cpu.run("transpose", sizeOf(x) / size, 1, size, [at(x), at(y), rows, columns]);
      }
      return y;
    },
  };
}
