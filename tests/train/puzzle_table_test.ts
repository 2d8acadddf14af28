import assert from "node:assert/strict";
import { createRandom } from "../../arc/random.ts";
import { meanRow, PuzzleTable, type RowRule } from "../../train/puzzle_table.ts";
import * as oracle from "../oracle.ts";
import { assertNumbers, randomVector } from "../relatives.ts";

const sign: RowRule = { rule: "sign", learningRate: 0.1, weightDecay: 0.5, beta1: 0.9, beta2: 0.95 };
const adamw: RowRule = { ...sign, rule: "adamw" };

/** A table of 5 rows of 3 numbers: 1, 2, … 15. */
function counting(rule: "sign" | "adamw"): PuzzleTable {
  const table = new PuzzleTable(5, 3, rule);
  table.values.set(Array.from({ length: 15 }, (_, i) => i + 1));
  return table;
}

Deno.test("PuzzleTable starts at zero, with moments for AdamW alone", () => {
  const [plain, moving] = [new PuzzleTable(5, 3, "sign"), new PuzzleTable(5, 3, "adamw")];
  assert.deepEqual([...plain.values], Array(15).fill(0));
  assert.deepEqual([plain.first.length, plain.second.length, plain.updates.length], [0, 0, 0]);
  assert.deepEqual([moving.first.length, moving.second.length, moving.updates.length], [15, 15, 5]);
});

Deno.test("PuzzleTable.row() is a view, and gather() copies rows in the order asked for", () => {
  const table = counting("sign");
  const gathered = table.gather([4, 0, 4]);
  assert.deepEqual([...gathered], [13, 14, 15, 1, 2, 3, 13, 14, 15]);
  gathered.fill(0);
  assert.deepEqual([...table.row(4)], [13, 14, 15]);
  table.row(4)[1] = -1;
  assert.equal(table.values[13], -1);
});

Deno.test("PuzzleTable.mean() is the mean of the rows from the first one asked for", () => {
  assertNumbers(counting("sign").mean(), [7, 8, 9], "mean");
  assertNumbers(counting("sign").mean(3), [11.5, 12.5, 13.5], "mean");
});

Deno.test("PuzzleTable.update() by sign decays touched rows, then moves them by the rate against the sign", () => {
  const table = counting("sign");
  table.update([3, 1], Float32Array.of(1e-9, -1e9, 0, 2, -2, 5), sign);
  assertNumbers(table.row(3), [10 * 0.95 - 0.1, 11 * 0.95 + 0.1, 12 * 0.95], "row 3");
  assertNumbers(table.row(1), [4 * 0.95 - 0.1, 5 * 0.95 + 0.1, 6 * 0.95 - 0.1], "row 1");
});

for (const rule of [sign, adamw]) {
  Deno.test(`PuzzleTable.update() by ${rule.rule} neither moves nor decays rows not named`, () => {
    const table = counting(rule.rule);
    table.update([1, 3, 1], new Float32Array(9).fill(1), rule);
    for (const row of [0, 2, 4]) assert.deepEqual([...table.row(row)], [...counting(rule.rule).row(row)]);
  });

  Deno.test(`PuzzleTable.update() by ${rule.rule} sums the gradients of equal rows before it moves them once`, () => {
    const [apart, summed] = [counting(rule.rule), counting(rule.rule)];
    apart.update([2, 0, 2], Float32Array.of(3, 1, -1, 9, 9, 9, -2, -1, -1), rule);
    summed.update([2, 0], Float32Array.of(1, 0, -2, 9, 9, 9), rule);
    assert.deepEqual(apart.values, summed.values);
  });
}

Deno.test("PuzzleTable.update() leaves the gradient alone", () => {
  const gradient = Float32Array.of(1, 2, 3, 4, 5, 6);
  counting("sign").update([2, 2], gradient, sign);
  assert.deepEqual([...gradient], [1, 2, 3, 4, 5, 6]);
});

Deno.test("PuzzleTable.update() by adamw follows the rule, each row by its own count of updates", () => {
  const table = counting("adamw");
  const random = createRandom(1);
  const numbers = Array.from(table.values, (p) => ({ p, m: 0, v: 0 }));
  const counts = Array(5).fill(0);
  for (const rows of [[1], [1, 3], [3, 1], [4]]) {
    const gradient = Float32Array.from(randomVector(rows.length * 3, random));
    table.update(rows, gradient, adamw);
    rows.forEach((row, i) => {
      counts[row]++;
      for (let j = 0; j < 3; j++) {
        const at = row * 3 + j;
        numbers[at] = oracle.adam(numbers[at], gradient[i * 3 + j], "adamw", 0.1, 0.5, 0.9, 0.95, counts[row]);
      }
    });
  }
  assertNumbers(table.values, numbers.map(({ p }) => p), "values");
  assertNumbers(table.first, numbers.map(({ m }) => m), "first moments");
  assertNumbers(table.second, numbers.map(({ v }) => v), "second moments");
  assert.deepEqual([...table.updates], counts);
});

Deno.test("meanRow() is the mean of the puzzles' rows, or the one row that an import keeps where rows are added as they are", () => {
  const table = counting("sign");
  assert.deepEqual([...meanRow(table, { conditioning: "roles" })!], [8.5, 9.5, 10.5]);
  const one = new PuzzleTable(1, 3, "sign");
  one.values.set([7, 8, 9]);
  const row = meanRow(one, { conditioning: "prefix" })!;
  assert.deepEqual([...row], [7, 8, 9]);
  row[0] = 0;
  assert.deepEqual([...one.values], [7, 8, 9], "a copy");
  assert.equal(meanRow(one, { conditioning: "roles" }), undefined);
});
