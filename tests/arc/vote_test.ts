import assert from "node:assert/strict";
import fc from "fast-check";
import { apply, invert } from "../../arc/augment.ts";
import { decode } from "../../arc/tokens.ts";
import { attempts, vote } from "../../arc/vote.ts";
import voting from "../fixtures/arc-pipeline/voting.json" with { type: "json" };
import { grids } from "./arbitraries.ts";

function augmentation(name: string) {
  const [, k = "0", digits = "0123456789"] = name.match(/_t(\d)_(\d{10})$/) ?? [];
  return { dihedral: Number(k), colours: [...digits].map(Number) };
}

for (const { task, votes, ranking } of voting.cases) {
  Deno.test(`vote() ranks the answers to ${task} as the official evaluation does`, () => {
    const guesses = votes.map(({ name, q_halt_logit, answer_tokens, answer_grid }) => {
      const tokens = answer_tokens.flatMap((row) => [...row].map((digit) => parseInt(digit, 16)));
      const grid = apply(invert(augmentation(name)), decode(tokens, { side: 30, marking: "eos" }));
      assert.deepEqual(grid, answer_grid);
      return { grid, halt: 1 / (1 + Math.exp(-q_halt_logit)) };
    });
    const candidates = vote(guesses);
    assert.deepEqual(
      candidates.map(({ grid, votes }) => ({ grid, votes })),
      ranking.map(({ grid, votes }) => ({ grid, votes })),
    );
    // The official sigmoid is in single precision.
    candidates.forEach(({ halt }, i) => assert(Math.abs(halt - ranking[i].mean_q) < 1e-6));
  });
}

Deno.test("vote() weighs votes against doubts, a nat of doubt against e times as many", () => {
  const guesses = [[1, 9], [2, 5], [3, 1]].flatMap(([colour, count]) =>
    Array(count).fill({ grid: [[colour]], halt: 1 })
  );
  const ranked = (doubts: number[]) =>
    vote(guesses, ([[colour]]) => doubts[colour]).map(({ grid: [[colour]] }) => colour);
  assert.deepEqual(ranked([0, 0, 0, 0]), [1, 2, 3]);
  // 9/e^0.55 and 9/e^0.65 beside 5
  assert.deepEqual(ranked([0, 0.55, 0, 0]), [1, 2, 3]);
  assert.deepEqual(ranked([0, 0.65, 0, 0]), [2, 1, 3]);
  assert.deepEqual(ranked([0, 3, 3, 0]), [3, 1, 2]);
  assert.deepEqual(vote(guesses, ([[colour]]) => colour).map(({ doubt }) => doubt), [1, 2, 3]);
  // No answer at all is not doubted, and worth less than any.
  const withNone = vote(
    [...Array(9).fill({ grid: [], halt: 1 }), { grid: [[4]], halt: 1 }],
    ([[colour]]) => 3 * colour,
  );
  assert.deepEqual(withNone.map(({ grid, doubt }) => [grid, doubt]), [[[[4]], 12], [[], 0]]);
});

Deno.test("vote() doubts the sixty most voted, and leaves those behind them where they are", () => {
  const guesses = Array.from({ length: 62 }, (_, i) => Array(i < 60 ? 2 : 1).fill({ grid: [[0], [i]], halt: 1 }))
    .flat();
  const asked: number[] = [];
  const ranked = vote(guesses, ([, [i]]) => (asked.push(i), 100 - i)).map(({ grid: [, [i]] }) => i);
  assert.deepEqual(asked, Array.from({ length: 60 }, (_, i) => i));
  assert.deepEqual(ranked, [...Array.from({ length: 60 }, (_, i) => 59 - i), 60, 61]);
});

Deno.test("vote() counts every guess once and sorts", () => {
  const guesses = fc.array(fc.record({ grid: grids(2, 2), halt: fc.double({ min: 0, max: 1, noNaN: true }) }));
  fc.assert(fc.property(guesses, (guesses) => {
    const candidates = vote(guesses);
    assert.equal(candidates.reduce((sum, { votes }) => sum + votes, 0), guesses.length);
    assert.equal(new Set(candidates.map(({ grid }) => JSON.stringify(grid))).size, candidates.length);
    for (let i = 1; i < candidates.length; i++) {
      const [a, b] = [candidates[i - 1], candidates[i]];
      assert(a.votes > b.votes || a.votes === b.votes && a.halt >= b.halt);
    }
  }));
});

Deno.test("vote() keeps the order of first appearance in a full tie", () => {
  const guess = (colour: number) => ({ grid: [[colour]], halt: 0.5 });
  assert.deepEqual(vote([guess(3), guess(1), guess(2)]).map(({ grid }) => grid[0][0]), [3, 1, 2]);
});

Deno.test("attempts() pads with the best answer and leaves out empty grids", () => {
  const candidate = (grid: number[][]) => ({ grid, votes: 1, halt: 0.5 });
  assert.deepEqual(attempts([candidate([[1]]), candidate([[2]]), candidate([[3]])]), [[[1]], [[2]]]);
  assert.deepEqual(attempts([candidate([[1]])]), [[[1]], [[1]]]);
  assert.deepEqual(attempts([candidate([]), candidate([[2]])]), [[[2]], [[2]]]);
  assert.deepEqual(attempts([]), [[[0]], [[0]]]);
});
