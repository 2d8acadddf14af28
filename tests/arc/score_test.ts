import assert from "node:assert/strict";
import { equalGrids, score } from "../../arc/score.ts";
import type { Task } from "../../arc/task.ts";

function task(id: string, ...outputs: number[]): Task {
  const pair = { input: [[0]], output: [[0]] };
  return { id, train: [pair], test: outputs.map((colour) => ({ input: [[0]], output: [[colour]] })) };
}

const answered = [
  { task: task("both", 1, 2), answers: [[[[1]]], [[[2]], [[9]]]] },
  { task: task("half", 1, 2), answers: [[[[1]]], [[[9]], [[8]], [[2]]]] },
  { task: task("second", 1), answers: [[[[9]], [[1]]]] },
  { task: task("silent", 1), answers: [] },
];

Deno.test("score() counts outputs, shares of tasks and whole tasks at k attempts", () => {
  assert.deepEqual(score(answered, 1), {
    k: 1,
    outputs: { solved: 3, total: 6 },
    meanTask: (1 + 0.5) / 4,
    tasks: { solved: 1, total: 4 },
  });
  assert.deepEqual(score(answered, 2), {
    k: 2,
    outputs: { solved: 4, total: 6 },
    meanTask: (1 + 0.5 + 1) / 4,
    tasks: { solved: 2, total: 4 },
  });
  assert.deepEqual(score(answered, 3).tasks, { solved: 3, total: 4 });
});

Deno.test("score() of nothing is nothing", () => {
  assert.deepEqual(score([], 2), {
    k: 2,
    outputs: { solved: 0, total: 0 },
    meanTask: 0,
    tasks: { solved: 0, total: 0 },
  });
});

Deno.test("score() refuses a task without answers", () => {
  const blind = { ...task("blind", 1), test: [{ input: [[0]] }] };
  assert.throws(() => score([{ task: blind, answers: [[[[1]]]] }], 1), {
    name: "TaskError",
    message: "Cannot score task blind: test[0] has no output; use a file with answers",
  });
});

Deno.test("equalGrids() compares size and every cell", () => {
  assert(equalGrids([[1, 2], [3, 4]], [[1, 2], [3, 4]]));
  assert(!equalGrids([[1, 2], [3, 4]], [[1, 2], [3, 5]]));
  assert(!equalGrids([[1, 2]], [[1], [2]]));
  assert(!equalGrids([[1]], [[1, 0]]));
  assert(!equalGrids([], [[1]]));
});
