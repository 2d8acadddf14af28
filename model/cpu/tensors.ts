/**
 * A tfjs backend whose values live in the heap: the stock CPU backend with another home for the numbers. Stock kernels see ordinary typed arrays.
 * Knows no operation.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import type { Block, Heap } from "./heap.ts";

type Values = Float32Array | Int32Array | Uint8Array;
type Shape = readonly number[];
type DataId = tf.TensorInfo["dataId"];

/** What the backend keeps of a tensor's data. */
interface Entry {
  values: Values;
  dtype: tf.DataType;
  refCount: number;
  /** Where the values live in the heap; absent while they are an ordinary array. */
  block?: Block;
}

/** What is used here of the stock CPU backend, whose class tfjs does not export by name. */
interface StockBackend extends tf.KernelBackend {
  data: { get(dataId: DataId): Entry; has(dataId: DataId): boolean };
  write(values: Values, shape: number[], dtype: tf.DataType): DataId;
  readSync(dataId: DataId): Values;
}

/** The heap as a tfjs backend, and what kernels need of it. */
export interface TensorHeap extends StockBackend {
  /** Byte offset of a tensor's values; the first time, they are moved into the heap. */
  address(tensor: tf.TensorInfo): number;
  /** The values themselves, for the few kernels that look at a number. */
  values(tensor: tf.TensorInfo): Values;
  /** A fresh tensor with arbitrary contents. */
  output(shape: Shape, dtype?: "float32" | "int32"): tf.TensorInfo;
  /** Another tensor over the same data. */
  alias(tensor: tf.TensorInfo, shape: Shape): tf.TensorInfo;
}

/**
 * A backend over `heap`. Reading gives copies, so that what was read outlives the tensor.
 *
 * @param heap where tensors live
 */
export function createTensorHeap(heap: Heap): TensorHeap {
  const Stock = tf.findBackend("cpu").constructor as new () => StockBackend;

  class HeapBackend extends Stock implements TensorHeap {
    address(tensor: tf.TensorInfo): number {
      const entry = this.data.get(tensor.dataId);
      const { values, block } = entry;
      // A cast that loses nothing hands on the same data under another type: flags and whole numbers may be asked for as f32.
      if (!block || !(values instanceof arrayOf(tensor.dtype))) {
        entry.block = heap.allocate(values.length * 4);
        entry.values = view(entry.block, tensor.dtype, values.length);
        entry.values.set(values);
        if (block) heap.free(block);
      }
      return entry.block!.address;
    }

    values(tensor: tf.TensorInfo): Values {
      return this.data.get(tensor.dataId).values;
    }

    output(shape: Shape, dtype: "float32" | "int32" = "float32"): tf.TensorInfo {
      const size = tf.util.sizeFromShape(shape as number[]);
      const block = heap.allocate(size * 4);
      const dataId = super.write(view(block, dtype, size), shape as number[], dtype);
      this.data.get(dataId).block = block;
      return { dataId, shape: shape as number[], dtype };
    }

    alias({ dataId, dtype }: tf.TensorInfo, shape: Shape): tf.TensorInfo {
      this.incRef(dataId);
      return { dataId, shape: shape as number[], dtype };
    }

    // A stock kernel may hand on a part of its input's array (a slice does); that part must not share the input's fate.
    override write(values: Values, shape: number[], dtype: tf.DataType): DataId {
      return super.write(owned(values), shape, dtype);
    }

    override readSync(dataId: DataId): Values {
      return owned(super.readSync(dataId));
    }

    override disposeData(dataId: DataId, force = false): boolean {
      const block = this.data.has(dataId) ? this.data.get(dataId).block : undefined;
      const gone = super.disposeData(dataId, force);
      if (gone && block) heap.free(block);
      return gone;
    }
  }

  function view(block: Block, dtype: tf.DataType, length: number): Values {
    return new (arrayOf(dtype) as new (buffer: ArrayBufferLike, at: number, length: number) => Values)(
      heap.buffer,
      block.address,
      length,
    );
  }

  return new HeapBackend();
}

/** How values of a type are kept. */
function arrayOf(dtype: tf.DataType) {
  if (dtype === "float32") return Float32Array;
  if (dtype === "int32") return Int32Array;
  if (dtype === "bool") return Uint8Array;
  throw new Error(`Cannot keep ${dtype} values in the CPU backend's heap`);
}

/** The values, copied if they are the heap's. */
function owned(values: Values): Values {
  return values?.buffer instanceof SharedArrayBuffer ? values.slice() : values;
}
