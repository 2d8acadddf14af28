/** Tasks on one thread and on several. */
import assert from "node:assert/strict";
import { Heap } from "../../model/cpu/heap.ts";
import { createMachine, PACKING_BYTES, type TaskName } from "../../model/cpu/machine.ts";
import { createThreads, RESERVED_BYTES } from "../../model/cpu/threads.ts";

/** A heap whose first `floats` floats of `area` are some numbers, and threads over it. */
function machinery(count: number, floats: number) {
  const heap = new Heap(RESERVED_BYTES);
  const packing = heap.allocate(PACKING_BYTES * count).address;
  const machine = createMachine(heap.memory, 0, packing);
  const threads = createThreads(heap.memory, machine, count, (index) => ({
    memory: heap.memory,
    index,
    packing: packing + index * PACKING_BYTES,
  }));
  const area = heap.allocate(floats * 4).address;
  const values = new Float32Array(heap.buffer, area, floats);
  for (let i = 0; i < floats; i++) values[i] = Math.sin(i * 1.37) * 2;
  return { threads, area, values };
}

/** Rows, multiples at which they may be cut, and arguments of a task over an area of numbers. */
type Case = [task: TaskName, total: number, align: number, values: (area: number) => number[]];

const [ROWS, WIDTH, FLOATS] = [203, 42, 400_000];
/** Where scratch memory begins, which is each thread's own. */
const SCRATCH = 300_000;
const at = (area: number, index: number) => area + index * 4;
const cases: Case[] = [
  ["rmsNorm", ROWS, 1, (a) => [a, at(a, 50_000), at(a, 100_000), at(a, 200_000), WIDTH, 1e-5]],
  ["swiGlu", ROWS, 1, (a) => [a, at(a, 100_000), WIDTH]],
  ["attention", 12, 1, (a) => [a, a, a, at(a, 100_000), at(a, 200_000), 33, 3, 14, at(a, SCRATCH)]],
  ["add", 50_001, 16, (a) => [a, at(a, 50_001), at(a, 120_000), 1, 50_001]],
  ["sumSlices", 501, 16, (a) => [a, at(a, 250_000), 300, 501]],
  ["productRows", ROWS, 16, (a) => [a, at(a, 50_000), at(a, 250_000), ROWS, 42, 37, 0, 1, 37, 37]],
];

Deno.test("Threads.run() gives the same bits on one, two and three threads, whoever takes which part", () => {
  for (const [task, total, align, given] of cases) {
    const results = [1, 2, 3].map((count) => {
      const { threads, area, values } = machinery(count, FLOATS);
      // The first jobs meet workers that are still starting; later ones share.
      for (let i = 0; i < 30; i++) threads.run(task, total, align, 4, given(area));
      return new Uint32Array(values.slice(0, SCRATCH).buffer);
    });
    for (const bits of results) assert.equal(bits.findIndex((word, i) => word !== results[0][i]), -1, task);
  }
});

Deno.test("Threads.run() covers every row once, however they divide", () => {
  const { threads, area, values } = machinery(3, 4000);
  for (const [total, align] of [[1, 1], [5, 16], [17, 16], [1000, 1], [999, 16]]) {
    values.fill(1);
    threads.run("scale", total, align, 4, [area, area, 2, 0]);
    assert.deepEqual([...values], Array.from(values, (_, i) => i < total ? 2 : 1), `${total} rows`);
  }
});
