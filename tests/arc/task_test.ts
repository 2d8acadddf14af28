import assert from "node:assert/strict";
import fc from "fast-check";
import { parseTask, TaskError, withoutAnswers } from "../../arc/task.ts";
import { tasks } from "./arbitraries.ts";

const grid = [[1, 2], [3, 4]];
const good = { train: [{ input: grid, output: grid }], test: [{ input: grid }] };

function message(json: unknown, id?: string): string {
  try {
    parseTask(json, id);
  } catch (error) {
    assert(error instanceof TaskError);
    return error.message;
  }
  assert.fail("parsed");
}

Deno.test("parseTask() gives back every task that is one", () => {
  fc.assert(fc.property(tasks(), (task) => {
    assert.deepEqual(parseTask(JSON.parse(JSON.stringify(task))), task);
  }));
});

Deno.test("parseTask() takes the id from the caller, then from the document, and drops a name", () => {
  assert.deepEqual(parseTask({ ...good, name: "x" }, "007bbfb7"), { id: "007bbfb7", ...good });
  assert.equal(parseTask({ ...good, id: "a", name: "b" }).id, "a");
  assert.equal(parseTask({ ...good, id: "a" }, "b").id, "b");
  assert.equal(parseTask(good).id, "task");
});

Deno.test("parseTask() shares no grid with the document", () => {
  const task = parseTask(good);
  task.train[0].input[0][0] = 9;
  assert.equal(grid[0][0], 1);
});

const faults: [string, unknown, string][] = [
  ["a document that is no object", "x", 'the document is "x", must be an object with train, test, id, name'],
  ["null", null, "the document is null, must be an object with train, test, id, name"],
  ["a missing part", { train: good.train }, "test is missing, must be a list of pairs"],
  ["no train pair", { ...good, train: [] }, "train has 0 pairs, must be >= 1"],
  ["no test pair", { ...good, test: [] }, "test has 0 pairs, must be >= 1"],
  [
    "an unknown key",
    { ...good, hint: 1 },
    'the document has the unknown key "hint", must have only train, test, id, name',
  ],
  [
    "an unknown key of a pair",
    { ...good, test: [{ input: grid, in: 1 }] },
    'test[0] has the unknown key "in", must have only input, output',
  ],
  [
    "a demonstration without output",
    { ...good, train: [{ input: grid }] },
    "train[0].output is missing, must be a list of rows",
  ],
  ["an empty grid", { ...good, test: [{ input: [] }] }, "test[0].input has 0 rows, must be >= 1"],
  ["an empty row", { ...good, test: [{ input: [[]] }] }, "test[0].input[0] has 0 columns, must be >= 1"],
  ["31 columns", { ...good, test: [{ input: [Array(31).fill(0)] }] }, "test[0].input[0] has 31 columns, must be <= 30"],
  [
    "a ragged grid",
    { ...good, test: [{ input: [[1, 2], [3]] }] },
    "test[0].input[1] has 1 columns, must be 2 as in the first row",
  ],
  ["a colour above 9", { ...good, test: [{ input: [[3, 10]] }] }, "test[0].input[0][1] is 10, must be an integer 0..9"],
  ["a negative colour", { ...good, test: [{ input: [[-1]] }] }, "test[0].input[0][0] is -1, must be an integer 0..9"],
  ["a broken colour", { ...good, test: [{ input: [[1.5]] }] }, "test[0].input[0][0] is 1.5, must be an integer 0..9"],
  [
    "a colour in quotes",
    { ...good, test: [{ input: [["1"]] }] },
    'test[0].input[0][0] is "1", must be an integer 0..9',
  ],
  [
    "a null output",
    { ...good, test: [{ input: grid, output: null }] },
    "test[0].output is null, must be a list of rows",
  ],
];
for (const [what, document, complaint] of faults) {
  Deno.test(`parseTask() rejects ${what}`, () => {
    assert.equal(message(document), `Cannot parse task: ${complaint}`);
  });
}

Deno.test("parseTask() rejects 31 rows and names the task", () => {
  const document = { ...good, train: [{ input: Array(31).fill([1]), output: grid }] };
  assert.equal(message(document), "Cannot parse task: train[0].input has 31 rows, must be <= 30");
  assert.equal(message(document, "007bbfb7"), "Cannot parse task 007bbfb7: train[0].input has 31 rows, must be <= 30");
});

Deno.test("parseTask() rejects a task spoiled in any one cell", () => {
  const spoiled = fc.tuple(tasks(5), fc.constantFrom(-1, 10, 0.5, NaN, null, "0", true, [1]), fc.nat(), fc.nat());
  fc.assert(fc.property(spoiled, ([task, value, row, column]) => {
    const grid = task.train[0].output as unknown[][];
    const cells = grid[row % grid.length];
    cells[column % cells.length] = value;
    assert.match(
      message(task),
      /^Cannot parse task: train\[0\]\.output\[\d+\]\[\d+\] is .*, must be an integer 0\.\.9$/,
    );
  }));
});

Deno.test("withoutAnswers() keeps all but the test outputs", () => {
  fc.assert(fc.property(tasks(5), (task) => {
    const blind = withoutAnswers(task);
    assert.deepEqual(blind.train, task.train);
    assert.deepEqual(blind.test, task.test.map(({ input }) => ({ input })));
    assert(task.test[0].output !== undefined);
  }));
});
