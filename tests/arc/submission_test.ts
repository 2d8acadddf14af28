import assert from "node:assert/strict";
import fc from "fast-check";
import { benchmarkFile, buildSubmission, validateSubmission } from "../../arc/submission.ts";
import type { Grid, Task } from "../../arc/task.ts";
import { grids } from "./arbitraries.ts";

function task(id: string, tests: number): Task {
  const pair = { input: [[0]], output: [[0]] };
  return { id, train: [pair], test: Array.from({ length: tests }, () => ({ input: [[0]] })) };
}

const tasks = [task("007bbfb7", 1), task("0a1b2c3d", 2)];
const two: [Grid, Grid] = [[[1]], [[2, 3]]];
const whole = buildSubmission([{ task: tasks[0], attempts: [two] }, { task: tasks[1], attempts: [two, two] }]);

Deno.test("buildSubmission() writes Kaggle's form", () => {
  const entry = { attempt_1: [[1]], attempt_2: [[2, 3]] };
  assert.deepEqual(whole, { "007bbfb7": [entry], "0a1b2c3d": [entry, entry] });
});

Deno.test("validateSubmission() finds nothing wrong with what buildSubmission() makes of any grids", () => {
  const attempts = fc.array(fc.tuple(grids(), grids()), { minLength: 2, maxLength: 2 });
  fc.assert(fc.property(attempts, (attempts) => {
    const submission = buildSubmission([{ task: tasks[0], attempts: [two] }, { task: tasks[1], attempts }]);
    assert.deepEqual(validateSubmission(JSON.parse(JSON.stringify(submission)), tasks), []);
  }));
});

const faults: [string, (submission: Record<string, unknown>) => void, string[]][] = [
  ["a missing task", (it) => delete it["007bbfb7"], ["007bbfb7 is missing."]],
  ["a stranger", (it) => it.ffffffff = it["007bbfb7"], ["ffffffff is not a task of this set."]],
  ["no list", (it) => it["007bbfb7"] = {}, ["007bbfb7 must be a list with one entry for each test input."]],
  [
    "too few test inputs",
    (it) => (it["0a1b2c3d"] as unknown[]).pop(),
    ["0a1b2c3d has 1 entries, must have 2, one for each test input."],
  ],
  ["an entry that is no object", (it) => it["007bbfb7"] = [[[1]]], [
    "007bbfb7[0] must be an object with attempt_1 and attempt_2.",
  ]],
  ["a missing attempt", (it) => it["007bbfb7"] = [{ attempt_1: [[1]] }], ["007bbfb7[0].attempt_2 is missing."]],
  [
    "a third attempt",
    (it) => it["007bbfb7"] = [{ attempt_1: [[1]], attempt_2: [[1]], attempt_3: [[1]] }],
    ["007bbfb7[0] has the unknown key attempt_3."],
  ],
];
const badGrids: [unknown, string][] = [
  [null, " must be a non-empty list of rows."],
  [[], " must be a non-empty list of rows."],
  [[1], " must be a non-empty list of rows."],
  [[[]], " has 0 columns, must have 1 to 30."],
  [Array(31).fill([1]), " has 31 rows, must have at most 30."],
  [[Array(31).fill(1)], " has 31 columns, must have 1 to 30."],
  [[[1, 2], [3]], "[1] has 1 columns, must have 2 as the first row."],
  [[[1, 10]], "[0][1] is 10, must be an integer 0 to 9."],
  [[[1, "2"]], '[0][1] is "2", must be an integer 0 to 9.'],
];
for (const [grid, fault] of badGrids) {
  const attempts = [{ attempt_1: [[1]], attempt_2: grid }];
  faults.push([`a bad grid, ${JSON.stringify(grid).slice(0, 30)}`, (it) => it["007bbfb7"] = attempts, [
    `007bbfb7[0].attempt_2${fault}`,
  ]]);
}
for (const [what, spoil, expected] of faults) {
  Deno.test(`validateSubmission() names ${what}`, () => {
    const spoiled = structuredClone(whole) as Record<string, unknown>;
    spoil(spoiled);
    assert.deepEqual(validateSubmission(spoiled, tasks), expected);
  });
}

Deno.test("validateSubmission() lists all faults at once and takes any document", () => {
  assert.deepEqual(validateSubmission({ "0a1b2c3d": [], x: 1 }, tasks), [
    "007bbfb7 is missing.",
    "0a1b2c3d has 0 entries, must have 2, one for each test input.",
    "x is not a task of this set.",
  ]);
  for (const json of [null, [], 1, "x"]) {
    assert.deepEqual(validateSubmission(json, tasks), [
      "The submission must be an object {task id: [{attempt_1, attempt_2}, …]}.",
    ]);
  }
});

Deno.test("benchmarkFile() numbers the test inputs and carries all that the scorer requires", () => {
  const start = new Date("2026-01-02T03:04:05Z"), end = new Date("2026-01-02T03:05:05Z");
  const file = benchmarkFile(tasks[1], [two, [[[4]], [[5]]]], {
    model: "hrm",
    provider: "local",
    start,
    end,
    cost: 0.08,
  });
  assert.deepEqual(file.map(({ attempt_1, attempt_2 }) => [attempt_1.answer, attempt_2.answer]), [two, [[[4]], [[5]]]]);
  assert.deepEqual(file[1].attempt_2.metadata, {
    model: "hrm",
    provider: "local",
    start_timestamp: "2026-01-02T03:04:05.000Z",
    end_timestamp: "2026-01-02T03:05:05.000Z",
    choices: [{ index: 0, message: { role: "assistant", content: "[[5]]" } }],
    kwargs: {},
    usage: {
      prompt_tokens: 0,
      completion_tokens: 0,
      total_tokens: 0,
      completion_tokens_details: { reasoning_tokens: 0, accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
    },
    cost: { prompt_cost: 0, completion_cost: 0.02, total_cost: 0.02 },
    task_id: "0a1b2c3d",
    pair_index: 1,
  });
  assert.deepEqual(file.map(({ attempt_1 }) => attempt_1.metadata.pair_index), [0, 1]);
});
