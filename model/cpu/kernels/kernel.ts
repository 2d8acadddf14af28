/**
 * How a tfjs kernel over the heap is written: tensors to addresses, a task, fresh outputs. Knows no operation.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import type { Attributes } from "../../kernels/operation.ts";
import type { TaskName } from "../machine.ts";
import type { TensorHeap } from "../tensors.ts";
import type { Threads } from "../threads.ts";
import type { Heap } from "../heap.ts";

/** Named inputs of a kernel. */
export type Infos = Record<string, tf.TensorInfo>;

/** A kernel: its value from its inputs. */
export type Kernel = (inputs: Infos, attributes: Attributes) => tf.TensorInfo | tf.TensorInfo[];

/** Work, in element operations of about a nanosecond, below which a second thread costs more than it brings. */
const LEAST_WORK = 20000;

/** What kernels are written with. */
export class Cpu {
  /** Scratch memory that grows with the largest need, for all threads. */
  #scratch: { address: number; bytes: number } = { address: 0, bytes: 0 };

  /** The tfjs backend, the allocator below it, and the threads over it. */
  constructor(readonly tensors: TensorHeap, readonly heap: Heap, readonly threads: Threads) {}

  /**
   * Runs a task on as many threads as its work pays for.
   *
   * @param total rows; @param align multiples at which they may be cut; @param cost element operations a row
   */
  run(task: TaskName, total: number, align: number, cost: number, values: number[]): void {
    this.threads.run(task, total, align, total * cost < LEAST_WORK ? 0 : 4, values);
  }

  /** What the stock kernel gives, for cases that a kernel here does not cover. */
  stock(name: string, inputs: Infos | tf.TensorInfo[], attributes: Attributes = {}): tf.TensorInfo | tf.TensorInfo[] {
    return tf.getKernel(name, "cpu").kernelFunc({
      inputs: inputs as Infos,
      attrs: attributes as tf.NamedAttrMap,
      backend: this.tensors,
    });
  }

  /** Byte offset of `bytes` of scratch memory for each thread, valid until the next call. */
  scratch(bytes: number): number {
    const all = bytes * this.threads.count;
    if (all > this.#scratch.bytes) {
      if (this.#scratch.bytes) this.heap.free(this.#scratch);
      this.#scratch = this.heap.allocate(all);
    }
    return this.#scratch.address;
  }
}

/** The number of elements. */
export function sizeOf({ shape }: tf.TensorInfo): number {
  let size = 1;
  for (const length of shape) size *= length;
  return size;
}

/** The length of the last axis, 1 for a scalar. */
export function widthOf({ shape }: tf.TensorInfo): number {
  return shape.length ? shape[shape.length - 1] : 1;
}

/** Whether all are f32: what the kernels of this folder work on. */
export function allFloat(...infos: tf.TensorInfo[]): boolean {
  return infos.every(({ dtype }) => dtype === "float32");
}
