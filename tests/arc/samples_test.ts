import assert from "node:assert/strict";
import { dihedral } from "../../arc/augment.ts";
import { identify } from "../../arc/identity.ts";
import { readTasks, samplesFolder } from "../../arc/read.ts";
import { equalGrids } from "../../arc/score.ts";
import type { Grid, Task } from "../../arc/task.ts";

const samples = new Map((await readTasks(samplesFolder())).map((task) => [task.id, task]));

function pairs(task: Task) {
  return [...task.train, ...task.test.map(({ input, output }) => ({ input, output: output! }))];
}

Deno.test("samplesFolder() holds eighteen small tasks with answers, no two alike", () => {
  assert.equal(samples.size, 18);
  for (const task of samples.values()) {
    assert(task.train.length >= 3 && task.train.length <= 4, task.id);
    assert(task.test.length >= 1 && task.test.length <= 2, task.id);
    for (const { input, output } of pairs(task)) {
      assert(Math.max(input.length, input[0].length, output.length, output[0].length) <= 10, task.id);
      assert(!equalGrids(input, output), task.id);
    }
    const inputs = pairs(task).map(({ input }) => JSON.stringify(input));
    assert.equal(new Set(inputs).size, inputs.length, task.id);
  }
  assert.equal(new Set([...samples.values()].map((task) => identify(task).key)).size, 18);
});

const cells = (grid: Grid, colour: number) => grid.flat().filter((cell) => cell === colour).length;
const columns = (grid: Grid) => dihedral(grid, 6);

const rules: Record<string, (grid: Grid) => Grid> = {
  recolour: (grid) => grid.map((row) => row.map((colour) => ({ 1: 4, 2: 3, 3: 8, 6: 1 })[colour] ?? 0)),
  mirror: (grid) => dihedral(grid, 4),
  rotate: (grid) => dihedral(grid, 3),
  gravity: (grid) => columns(columns(grid).map((column) => column.toSorted((a, b) => Number(a > 0) - Number(b > 0)))),
  draw_border: (grid) =>
    grid.map((row, r) =>
      row.map((colour, c) => r % (grid.length - 1) === 0 || c % (row.length - 1) === 0 ? 8 : colour)
    ),
  count_to_bar: (grid) => [[1, 2, 3, 4, 5].map((n) => n <= cells(grid, 1) ? 1 : 0)],
  copy_pattern: (grid) => grid.map((row) => [...row.slice(0, 4), ...row.slice(0, 3)]),
  sort_columns: (grid) => columns(columns(grid).sort((a, b) => cells([b], 0) - cells([a], 0))),
  scale_up: (grid) => grid.flatMap((row) => [row, row].map((it) => it.flatMap((colour) => [colour, colour]))),
  tile: (grid) => [...grid, ...grid].map((row) => [...row, ...row]),
  extend_lines: (grid) => grid.map((row) => row.map(() => row[0])),
  majority_colour: (
    grid,
  ) => [[Array.from({ length: 10 }, (_, c) => c).sort((a, b) => cells(grid, b) - cells(grid, a))[0]]],
  both_halves: (grid) => grid.map((row) => [0, 1, 2, 3].map((c) => row[c] && row[c + 5] ? 3 : 0)),
  shift_right: (grid) => grid.map((row) => [0, ...row.slice(0, -1)]),
};
for (const [name, rule] of Object.entries(rules)) {
  Deno.test(`samples/${name}.json follows one rule throughout`, () => {
    for (const { input, output } of pairs(samples.get(name)!)) assert.deepEqual(rule(input), output);
  });
}
