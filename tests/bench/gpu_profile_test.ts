import * as tf from "@tensorflow/tfjs";
import assert from "node:assert/strict";
import { eachBackend } from "../backends.ts";
import { watchMemory } from "./device.ts";
import { profileGpu, showGpuProfile } from "./gpu_profile.ts";

eachBackend("profileGpu() names and times every dispatch and call, and leaves the interface as it was", async () => {
  const [a, b] = [tf.ones([3, 8]), tf.ones([8, 5])];
  const step = async () => {
    const [product, negative] = tf.tidy(() => {
      const product = tf.matMul(a, b);
      return [product, tf.neg(product)];
    });
    await negative.data();
    tf.dispose([product, negative]);
  };
  await step();
  const before = [GPUCommandEncoder.prototype.beginComputePass, GPUQueue.prototype.submit];
  const profile = await profileGpu(step, 3);
  assert.deepEqual([GPUCommandEncoder.prototype.beginComputePass, GPUQueue.prototype.submit], before);
  tf.dispose([a, b]);

  const counts = Object.fromEntries(profile.dispatches.map(({ name, count }) => [name, count]));
  assert.deepEqual(counts, { "BatchMatMul: product ab 3x5x8, stored → [3,5]": 3, "Neg: UnaryOpProgram → [3,5]": 3 });
  const calls = Object.fromEntries(profile.host.map(({ name, count }) => [name, count]));
  assert.deepEqual([calls.mapAsync, calls.submit, calls.dispatchWorkgroups], [3, 3, 6]);
  assert.equal(profile.bytes.read, 3 * 4 * 15);
  const sum = (numbers: number[]) => numbers.reduce((a, b) => a + b, 0);
  assert.ok(profile.busyMs > 0);
  assert.ok(Math.abs(sum(profile.dispatches.flatMap(({ ms, gapMs }) => [ms, gapMs])) - profile.spanMs) < 1e-6);
  assert.match(showGpuProfile(profile), /^.* % .* ms .* ms +1.0 +Neg: UnaryOpProgram → \[3,5\]$/m);
}, ["webgpu"]);

eachBackend("watchMemory() tells the most bytes that were in use at a time", () => {
  const memory = watchMemory();
  const { numBytesInGPU } = tf.memory() as tf.MemoryInfo & { numBytesInGPU: number };
  tf.tidy(() => tf.neg(tf.zeros([1000])));
  const { used, held } = memory.end();
  assert.ok(used >= numBytesInGPU + 4000 && used < numBytesInGPU + 12000, `${used} after ${numBytesInGPU}`);
  assert.ok(held >= used);
}, ["webgpu"]);
