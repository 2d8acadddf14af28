import assert from "node:assert/strict";
import { rowsOn } from "../../train/adapt.ts";
import { makeConfig } from "../../train/config.ts";

Deno.test("rowsOn() keeps a batch within its cells, but never without a row", () => {
  const { adaptation, training } = makeConfig("loop", 10);
  const sides = [5, 10, 11, 20, 28, 30];
  assert.deepEqual(sides.map((side) => rowsOn(side, adaptation)), [8, 8, 6, 2, 1, 1]);
  assert.deepEqual(sides.map((side) => rowsOn(side, { ...adaptation, batchCells: 100 })), [4, 1, 1, 1, 1, 1]);
  assert.deepEqual(sides.map((side) => rowsOn(side, training)), Array(6).fill(training.batchSize), "0: no bound");
});
