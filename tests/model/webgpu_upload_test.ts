/** How values reach the GPU: in the queue's order, exactly, and through no buffer that the host maps. */
import * as tf from "@tensorflow/tfjs";
import type { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import assert from "node:assert/strict";
import { hrmOf, loopOf, startTraining } from "../bench/step.ts";
import { replaceMethod } from "../bench/device.ts";
import { eachBackend } from "../backends.ts";

/** What is used here of tfjs' backend and is not declared public there. */
interface Internals {
  commandQueueOwnedIds: WeakSet<object>;
  tensorMap: { get(dataId: tf.DataId): { resource?: GPUBuffer } };
  uploadToGPU(dataId: tf.DataId): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
}

const internals = () => tf.backend() as WebGPUBackend as unknown as Internals;

const bufferOf = ({ dataId }: tf.Tensor) => internals().tensorMap.get(dataId).resource;

/** A length that no other test's buffers have. */
const LENGTH = 4099;

const numbers = (from: number) => Float32Array.from({ length: LENGTH }, (_, i) => from + i);

/**
 * Uploads `first`, records a command that negates it, calls `between` and disposes it; then uploads `second`, negates it, and reads both. Tells,
 * too, whether the second lay in the buffer of the first.
 */
async function negateBoth(first: Float32Array, second: Float32Array, between: () => void) {
  const x = tf.tensor1d(first);
  const negativeX = tf.neg(x);
  const buffer = bufferOf(x);
  between();
  x.dispose();
  const y = tf.tensor1d(second);
  // A kernel would take a buffer for its result first.
  internals().uploadToGPU(y.dataId);
  const reused = bufferOf(y) === buffer;
  const negativeY = tf.neg(y);
  const values = [await negativeX.data(), await negativeY.data()];
  tf.dispose([negativeX, y, negativeY]);
  return { values, reused };
}

const negative = (values: Float32Array) => values.map((value) => -value);

eachBackend(
  "an upload leaves the buffer alone that a disposed tensor's commands, not yet handed in, read",
  async () => {
    const [first, second] = [numbers(1), numbers(7)];
    const { values, reused } = await negateBoth(first, second, () => {});
    assert.equal(reused, false);
    assert.deepEqual(values, [negative(first), negative(second)]);

    // What would become of it if tfjs gave such a buffer back at once: the queue writes before it runs what is recorded.
    const forgotten = await negateBoth(first, second, () => {
      internals().commandQueueOwnedIds = new WeakSet();
    });
    assert.equal(forgotten.reused, true);
    assert.deepEqual(forgotten.values, [negative(second), negative(second)]);
  },
  ["webgpu"],
);

eachBackend("an upload into the buffer of a tensor whose commands were handed in comes after these", async () => {
  const [first, second] = [numbers(3), numbers(11)];
  const { values, reused } = await negateBoth(first, second, () => {
    internals().endComputePassEncoder();
    internals().submitQueue();
  });
  assert.equal(reused, true);
  assert.deepEqual(values, [negative(first), negative(second)]);
}, ["webgpu"]);

/** A tensor's elements as they were on the device, once a kernel has needed them there. */
async function there(x: tf.Tensor): Promise<tf.TypedArray> {
  tf.neg(x).dispose();
  assert.ok(bufferOf(x));
  const values = await x.data();
  x.dispose();
  return values;
}

const bits = (values: tf.TypedArray) => [...new Uint32Array(values.slice().buffer)];

eachBackend(
  "values of every type arrive bit by bit, views into longer arrays, plain arrays and none included",
  async () => {
    const floats = new Float32Array([0, -0, 1.5, -3e38, 1e-45, Infinity, -Infinity, NaN, Math.PI]);
    assert.deepEqual(bits(await there(tf.tensor1d(floats))), bits(floats));
    assert.deepEqual(bits(await there(tf.tensor1d(floats.subarray(2, 5)))), bits(floats.slice(2, 5)));
    assert.deepEqual([...await there(tf.tensor2d([[1, 2], [3, 4.5]]))], [1, 2, 3, 4.5]);
    assert.deepEqual([...await there(tf.scalar(7.25))], [7.25]);

    const whole = new Int32Array([0, 1, -1, 2 ** 31 - 1, -(2 ** 31), 16777217, 5]);
    assert.deepEqual(await there(tf.tensor1d(whole, "int32")), whole);
    assert.deepEqual(await there(tf.tensor1d(whole.subarray(3), "int32")), whole.slice(3));
    assert.deepEqual(await there(tf.tensor1d([3, -4], "int32")), new Int32Array([3, -4]));

    // Booleans are of one byte on the host and of four on the device.
    const flags = [true, false, true, true, false];
    assert.deepEqual([...await there(tf.tensor1d(flags, "bool"))].map(Boolean), flags);
    const as = new Uint8Array([1, 0, 1]);
    assert.deepEqual([...await there(tf.tensor1d(as, "bool"))], [1, 0, 1]);
    const [bool, one] = [tf.tensor1d(flags, "bool"), tf.ones([5])];
    const chosen = tf.where(bool, one, tf.zerosLike(one));
    assert.deepEqual([...await chosen.data()], flags.map(Number));

    const none = tf.concat([tf.tensor2d([], [0, 3]), tf.tensor2d([[1, 2, 3]])]);
    assert.deepEqual([...await none.data()], [1, 2, 3]);
    tf.dispose([bool, one, chosen, none]);
  },
  ["webgpu"],
);

eachBackend(
  "a training step makes no buffer that is mapped at its creation, and none at all once it has settled",
  async () => {
    for (const config of [hrmOf({ width: 32, heads: 2, layers: 1, tokens: 9, batch: 3 }), loopOf(3, 4)]) {
      const made: GPUBufferDescriptor[] = [];
      const undo = replaceMethod(
        GPUDevice.prototype,
        "createBuffer",
        (original) =>
          function (this: GPUDevice, descriptor: GPUBufferDescriptor) {
            made.push(descriptor);
            return original.call(this, descriptor);
          },
      );
      const training = startTraining(config);
      try {
        await training.step();
        assert.ok(made.length > 0);
        assert.deepEqual(
          made.filter(({ mappedAtCreation }) => mappedAtCreation),
          [],
        );
        for (let i = 0; i < 3; i++) await training.step();
        made.length = 0;
        await training.step();
        assert.deepEqual(made, []);
      } finally {
        undo();
        training.dispose();
      }
    }
  },
  ["webgpu"],
);
