/**
 * What a training step asks of a WebGPU device: counts that hold on any adapter, however slow.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import "@tensorflow/tfjs-backend-webgpu";
import { registerCompositions } from "../../model/kernels/operation.ts";
import type { Config } from "../../train/config.ts";
import { startTraining } from "./step.ts";

/** What one step asks for. */
export interface StepCounts {
  /** Compute dispatches. */
  dispatches: number;
  /** Command buffers handed in. */
  submissions: number;
  /** Bytes of buffers newly made, once buffers are reused. */
  newBytes: number;
  /** Buffers mapped to be read by the host. */
  readBacks: number;
  /** The most bytes that the backend held in buffers, freed ones that wait for reuse included. */
  peakBytes: number;
}

// deno-lint-ignore no-explicit-any
type Method = (...values: any[]) => any;

/** Puts what `make` makes of a method in its place; returns what undoes it. */
export function replaceMethod(owner: object, name: string, make: (original: Method) => Method): () => void {
  const methods = owner as Record<string, Method>;
  const original = methods[name];
  const own = Object.hasOwn(owner, name);
  methods[name] = make(original);
  return () => own ? methods[name] = original : delete methods[name];
}

/** Calls `tell` with the first argument of every call of a method; returns what undoes it. */
function listen<Value>(prototype: object, name: string, tell: (value: Value) => void): () => void {
  return replaceMethod(prototype, name, (original) =>
    function (this: unknown, ...values: Value[]) {
      tell(values[0]);
      return original.apply(this, values);
    });
}

/** Follows the bytes of buffers of the started backend; `end` returns the most in use at a time, and the most held, freed ones included. */
export function watchMemory(): { end(): { used: number; held: number } } {
  const { bufferManager } = tf.backend() as unknown as {
    bufferManager: { numBytesUsed: number; numBytesAllocated: number };
  };
  const most = { used: bufferManager.numBytesUsed, held: bufferManager.numBytesAllocated };
  const undo = replaceMethod(
    bufferManager,
    "acquireBuffer",
    (original) =>
      function (this: unknown, ...values: unknown[]) {
        const buffer = original.apply(this, values);
        most.used = Math.max(most.used, bufferManager.numBytesUsed);
        most.held = Math.max(most.held, bufferManager.numBytesAllocated);
        return buffer;
      },
  );
  return { end: () => (undo(), most) };
}

/** Counts over one step, after two that fill the pool of buffers. */
export async function countStep(config: Config): Promise<StepCounts> {
  const training = startTraining(config);
  const counts: StepCounts = { dispatches: 0, submissions: 0, newBytes: 0, readBacks: 0, peakBytes: 0 };
  for (let i = 0; i < 2; i++) await training.step();
  const undo = [
    listen(GPUComputePassEncoder.prototype, "dispatchWorkgroups", () => counts.dispatches++),
    listen(GPUQueue.prototype, "submit", () => counts.submissions++),
    listen(GPUBuffer.prototype, "mapAsync", () => counts.readBacks++),
    listen(GPUDevice.prototype, "createBuffer", ({ size }: GPUBufferDescriptor) => counts.newBytes += size),
  ];
  try {
    await training.step();
  } finally {
    undo.forEach((restore) => restore());
  }
  const memory = tf.memory() as tf.MemoryInfo & { numBytesAllocatedInGPU: number };
  counts.peakBytes = memory.numBytesAllocatedInGPU;
  training.dispose();
  return counts;
}

/** tfjs' own kernels by name, as importing it registers them: before a backend is started that puts others in their place. */
const stock = new Map(tf.getKernelsForBackend("webgpu").map((kernel) => [kernel.kernelName, kernel]));

/** Whether the started backend multiplies matrices with a kernel of this project's. */
export function hasOwnProducts(): boolean {
  return tf.getKernel("BatchMatMul", "webgpu") !== stock.get("BatchMatMul");
}

/** Runs `f` on stock tfjs: its own kernels, and compositions of them in place of this project's operations. */
export async function withoutShaders<T>(f: () => Promise<T>): Promise<T> {
  const own = tf.getKernelsForBackend("webgpu").filter((kernel) => stock.get(kernel.kernelName) !== kernel);
  const remove = () => own.forEach(({ kernelName }) => tf.unregisterKernel(kernelName, "webgpu"));
  remove();
  own.flatMap(({ kernelName }) => stock.get(kernelName) ?? []).forEach(tf.registerKernel);
  registerCompositions("webgpu");
  try {
    return await f();
  } finally {
    remove();
    own.forEach(tf.registerKernel);
  }
}
