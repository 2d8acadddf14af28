/**
 * What a training step asks of a WebGPU device: counts that hold on any adapter, however slow.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { registerCompositions } from "../../model/kernels/operation.ts";
import { shaders, stockKernels } from "../../model/webgpu/backend.ts";
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

/** Calls `tell` with the first argument of every call of a method; returns what undoes it. */
function listen<Value>(prototype: object, name: string, tell: (value: Value) => void): () => void {
  const methods = prototype as Record<string, (...values: Value[]) => unknown>;
  const original = methods[name];
  methods[name] = function (...values) {
    tell(values[0]);
    return original.apply(this, values);
  };
  return () => methods[name] = original;
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

/** Runs `f` with stock operations and the compositions of them in place of this project's shaders. */
export async function withoutShaders<T>(f: () => Promise<T>): Promise<T> {
  const names = [...Object.keys(shaders), ...stockKernels.map(({ kernelName }) => kernelName)];
  const own = names.map((name) => tf.getKernel(name, "webgpu"));
  const remove = () => names.forEach((name) => tf.unregisterKernel(name, "webgpu"));
  remove();
  stockKernels.forEach(tf.registerKernel);
  registerCompositions("webgpu");
  try {
    return await f();
  } finally {
    remove();
    own.forEach(tf.registerKernel);
  }
}
