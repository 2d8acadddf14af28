/** The heap's allocator, and tensors that live in it. */
import * as tf from "@tensorflow/tfjs";
import fc from "fast-check";
import assert from "node:assert/strict";
import { CPU_BACKEND, startCpu } from "../../model/cpu/backend.ts";
import { type Block, Heap } from "../../model/cpu/heap.ts";
import { createTensorHeap } from "../../model/cpu/tensors.ts";

Deno.test("Heap.allocate() gives aligned blocks that are large enough and never overlap", () => {
  const steps = fc.array(
    fc.oneof(
      fc.record({ bytes: fc.integer({ min: 0, max: 200_000 }) }),
      fc.record({ free: fc.nat(100) }),
    ),
    { maxLength: 200 },
  );
  fc.assert(
    fc.property(steps, (list) => {
      const heap = new Heap(2048);
      const live: Block[] = [];
      for (const step of list) {
        if ("free" in step) {
          if (live.length) heap.free(live.splice(step.free % live.length, 1)[0]);
          continue;
        }
        const block = heap.allocate(step.bytes);
        assert.ok(block.bytes >= step.bytes && block.address % 64 === 0 && block.address >= 2048);
        assert.ok(block.address + block.bytes <= heap.buffer.byteLength);
        for (const other of live) {
          assert.ok(block.address + block.bytes <= other.address || other.address + other.bytes <= block.address);
        }
        live.push(block);
      }
      assert.equal(heap.used, live.reduce((sum, { bytes }) => sum + bytes, 0));
    }),
    { numRuns: 50 },
  );
});

Deno.test("Heap.extent does not grow while the same sizes come and go", () => {
  const heap = new Heap(2048);
  const cycle = () => [100, 5000, 64, 70_000, 5000].map((bytes) => heap.allocate(bytes)).forEach((b) => heap.free(b));
  cycle();
  const extent = heap.extent;
  for (let i = 0; i < 1000; i++) cycle();
  assert.equal(heap.extent, extent);
  assert.equal(heap.used, 0);
});

Deno.test("Heap.allocate() wastes at most a quarter", () => {
  const heap = new Heap(0);
  for (let bytes = 257; bytes < 1e6; bytes = Math.ceil(bytes * 1.07)) {
    const block = heap.allocate(bytes);
    assert.ok(block.bytes < bytes * 1.25 + 64, `${block.bytes} for ${bytes}`);
  }
});

Deno.test("Heap.allocate() throws when the memory is full, naming the size", () => {
  const heap = new Heap(2048, 32);
  heap.allocate(1_000_000);
  assert.throws(() => heap.allocate(3_000_000), /RangeError: Cannot allocate 3145728 bytes.*1048576 bytes in use/);
  heap.allocate(500_000);
});

async function native() {
  startCpu();
  await tf.setBackend(CPU_BACKEND);
}

Deno.test("what tensor.dataSync() gave survives the tensor", async () => {
  await native();
  const values = tf.tidy(() => tf.add(tf.ones([100]), tf.ones([100])).dataSync());
  tf.tidy(() => tf.mul(tf.ones([100]), 7));
  assert.deepEqual([...values], Array(100).fill(2));
});

Deno.test("a stock slice of a heap tensor survives it", async () => {
  await native();
  const sum = tf.tidy(() => tf.add(tf.ones([4, 5, 6]), tf.ones([4, 5, 6])));
  const part = tf.slice(sum, [1, 2, 0], [1, 2, 6]);
  sum.dispose();
  const others = Array.from({ length: 5 }, () => tf.mul(tf.ones([4, 5, 6]), 9));
  assert.deepEqual([...part.dataSync()], Array(12).fill(2));
  tf.dispose([part, others]);
});

Deno.test("a reshaped tensor keeps its values when the original is disposed", async () => {
  await native();
  const sum = tf.tidy(() => tf.add(tf.ones([4, 5]), tf.ones([4, 5])));
  const flat = tf.reshape(sum, [20]);
  sum.dispose();
  const other = tf.mul(tf.ones([4, 5]), 9);
  assert.deepEqual([...flat.dataSync()], Array(20).fill(2));
  tf.dispose([flat, other]);
});

for (const dtype of ["bool", "int32"] as const) {
  Deno.test(`a cast from ${dtype} to float32 is numbers to the kernels, within a block of its own`, async () => {
    await native();
    const flags = Array.from({ length: 64 }, (_, i) => i % 3 === 0 ? 1 : 0);
    const whole = tf.tensor1d(flags, dtype);
    const cast = tf.cast(whole, "float32");
    const others = Array.from({ length: 8 }, (_, i) => tf.mul(tf.ones([64]), i));
    const sum = tf.add(cast, tf.ones([64]));
    assert.deepEqual([...sum.dataSync()], flags.map((flag) => flag + 1));
    others.forEach((other, i) => assert.deepEqual([...other.dataSync()], Array(64).fill(i)));
    assert.deepEqual([...whole.dataSync()], flags, "the original reads as before");
    tf.dispose([whole, cast, sum, ...others]);
  });
}

Deno.test("a tensor's block returns to the heap when its last reference is disposed", () => {
  const heap = new Heap(2048);
  const tensors = createTensorHeap(heap);
  const first = tensors.output([1000]);
  tensors.incRef(first.dataId);
  tensors.disposeData(first.dataId);
  assert.ok(heap.used >= 4000);
  tensors.disposeData(first.dataId);
  assert.equal(heap.used, 0);
});
