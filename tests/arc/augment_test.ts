import assert from "node:assert/strict";
import fc from "fast-check";
import {
  apply,
  applyToTask,
  compose,
  contentKey,
  dihedral,
  identityAugmentation,
  invert,
  sample,
  sampleDistinct,
  sampleShift,
  swapsSides,
} from "../../arc/augment.ts";
import { createRandom } from "../../arc/random.ts";
import { readTasks } from "../../arc/read.ts";
import type { Task } from "../../arc/task.ts";
import official from "../fixtures/arc-pipeline/dihedral.json" with { type: "json" };
import sequences from "../fixtures/arc-pipeline/sequences.json" with { type: "json" };
import { augmentations, grids, tasks } from "./arbitraries.ts";
import { dataFolder } from "./data.ts";

const asymmetric = [[1, 2], [3, 4], [5, 6]];

Deno.test("dihedral() is the official eight symmetries in the official order", () => {
  for (const { grid, forward } of official.cases) {
    assert.deepEqual([0, 1, 2, 3, 4, 5, 6, 7].map((k) => dihedral(grid, k)), forward);
  }
});

Deno.test("invert() is the official inverse", () => {
  const symmetry = (dihedral: number) => ({ ...identityAugmentation(), dihedral });
  for (const { grid, inverse } of official.cases) {
    assert.deepEqual([0, 1, 2, 3, 4, 5, 6, 7].map((k) => apply(invert(symmetry(k)), grid)), inverse);
  }
  assert.deepEqual([0, 1, 2, 3, 4, 5, 6, 7].map((k) => invert(symmetry(k)).dihedral), official.inverse_of);
});

Deno.test("dihedral() keeps the empty grid, shares no row with its argument and rejects an eighth turn", () => {
  for (let k = 0; k < 8; k++) {
    assert.deepEqual(dihedral([], k), []);
    const grid = structuredClone(asymmetric);
    dihedral(grid, k)[0][0] = 9;
    assert.deepEqual(grid, asymmetric);
  }
  assert.throws(() => dihedral(asymmetric, 8), {
    message: "Cannot turn a grid: the symmetry is 8, must be an integer 0..7",
  });
});

Deno.test("swapsSides() tells which symmetries exchange height and width", () => {
  for (let k = 0; k < 8; k++) assert.equal(swapsSides(k), dihedral(asymmetric, k).length === 2);
});

Deno.test("apply() renames the colours and turns the grid", () => {
  const colours = [0, 2, 3, 4, 5, 6, 7, 8, 9, 1];
  assert.deepEqual(apply({ dihedral: 1, colours }, [[0, 1], [8, 9]]), [[2, 1], [0, 9]]);
});

Deno.test("apply() of invert() gives the grid back", () => {
  fc.assert(fc.property(augmentations, grids(6), (augmentation, grid) => {
    assert.deepEqual(apply(invert(augmentation), apply(augmentation, grid)), grid);
    assert.deepEqual(apply(augmentation, apply(invert(augmentation), grid)), grid);
  }));
});

Deno.test("compose() does the one after the other", () => {
  fc.assert(fc.property(augmentations, augmentations, grids(6), (second, first, grid) => {
    assert.deepEqual(apply(compose(second, first), grid), apply(second, apply(first, grid)));
  }));
});

Deno.test("compose() of an augmentation and its inverse is the identity", () => {
  fc.assert(fc.property(augmentations, (augmentation) => {
    assert.deepEqual(compose(invert(augmentation), augmentation), identityAugmentation());
    assert.deepEqual(compose(augmentation, invert(augmentation)), identityAugmentation());
  }));
});

Deno.test("sample() keeps black and draws every symmetry and every colour", () => {
  const random = createRandom(1);
  const drawn = Array.from({ length: 500 }, () => sample(random));
  for (const { colours } of drawn) assert.deepEqual(colours.toSorted(), identityAugmentation().colours);
  assert(drawn.every(({ colours }) => colours[0] === 0));
  assert.equal(new Set(drawn.map(({ dihedral }) => dihedral)).size, 8);
  for (let c = 1; c < 10; c++) assert.equal(new Set(drawn.map(({ colours }) => colours[c])).size, 9);
});

Deno.test("sampleShift() reaches the official limits and not beyond", () => {
  const random = createRandom(2);
  for (const { input_grid, output_grid, pad_limits } of sequences.cases.filter(({ translate }) => translate)) {
    const height = Math.max(input_grid.length, output_grid.length);
    const width = Math.max(input_grid[0].length, output_grid[0].length);
    const shifts = Array.from({ length: 1000 }, () => sampleShift(height, width, 30, random));
    assert.deepEqual([0, 1].map((axis) => Math.max(...shifts.map((shift) => shift[axis]))), pad_limits);
    assert.deepEqual([0, 1].map((axis) => Math.min(...shifts.map((shift) => shift[axis]))), [0, 0]);
  }
  assert.deepEqual(sampleShift(10, 9, 9, random), [0, 0]);
});

Deno.test("contentKey() does not see the order of the pairs", () => {
  fc.assert(fc.property(tasks(4), (task) => {
    const reversed = { ...task, train: task.train.toReversed(), test: task.test.toReversed() };
    assert.equal(contentKey(reversed), contentKey(task));
  }));
});

Deno.test("contentKey() tells grids of other shapes and swapped inputs and outputs apart", () => {
  const key = (input: number[][], output: number[][]) => contentKey({ id: "t", train: [{ input, output }], test: [] });
  const keys = [
    key([[1, 2]], [[3]]),
    key([[1], [2]], [[3]]),
    key([[3]], [[1, 2]]),
    key([[1]], [[2, 3]]),
    key([[1, 2]], [[4]]),
  ];
  assert.equal(new Set(keys).size, keys.length);
});

Deno.test("sampleDistinct() starts with the original and repeats no content", () => {
  fc.assert(
    fc.property(tasks(3, 3), fc.integer({ min: 0, max: 40 }), fc.nat(), (task, count, seed) => {
      const drawn = sampleDistinct(task, count, createRandom(seed));
      assert.deepEqual(drawn[0], identityAugmentation());
      assert(drawn.length <= count + 1);
      const keys = drawn.map((augmentation) => contentKey(applyToTask(augmentation, task)));
      assert.equal(new Set(keys).size, drawn.length);
    }),
    { numRuns: 50 },
  );
});

Deno.test("sampleDistinct() finds all looks of a symmetric task and then gives up", () => {
  const task: Task = { id: "t", train: [{ input: [[1]], output: [[1]] }], test: [{ input: [[1]] }] };
  assert.equal(sampleDistinct(task, 100, createRandom(0)).length, 9);
  assert.equal(
    sampleDistinct({ ...task, train: [{ input: asymmetric, output: [[7]] }] }, 100, createRandom(0)).length,
    101,
  );
});

Deno.test({
  name: "contentKey() joins the puzzles that the official duplicate test joins, and no others",
  ignore: dataFolder() === undefined,
  fn: async () => {
    const keys = new Map<string, string>();
    for (const { task: id, subset, dihedral, colours, puzzle_hash } of sequences.puzzle_hashes) {
      const [task] = await readTasks(`${dataFolder()}/arc-agi-1/${subset}/${id}.json`);
      const key = contentKey(applyToTask({ dihedral, colours }, task));
      assert.equal(keys.get(puzzle_hash) ?? key, key);
      keys.set(puzzle_hash, key);
    }
    assert.equal(new Set(keys.values()).size, keys.size);
  },
});

Deno.test({
  name: "apply() makes the official builder's grids of the tasks",
  ignore: dataFolder() === undefined,
  fn: async () => {
    for (const { task: id, subset, part, index, dihedral, colours, ...official } of sequences.cases) {
      const [task] = await readTasks(`${dataFolder()}/arc-agi-1/${subset}/${id}.json`);
      const { input, output } = task[part as "train" | "test"][index];
      assert.deepEqual(apply({ dihedral, colours }, input), official.input_grid);
      assert.deepEqual(apply({ dihedral, colours }, output!), official.output_grid);
    }
  },
});
