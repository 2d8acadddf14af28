import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import { applyToTask } from "../../arc/augment.ts";
import { features } from "../../arc/features.ts";
import { departures, doubt, invariants } from "../../arc/invariants.ts";
import { readTasks } from "../../arc/read.ts";
import type { Grid, Pair } from "../../arc/task.ts";
import { augmentations, grids } from "./arbitraries.ts";
import { dataFolder } from "./data.ts";

/** What features are counted together: those of all colours but black, of all symmetries, of rows and columns. */
const kind = (name: string) => name.replace(/ [1-9]$/, "").replace(/^(rows|columns) /, "lines ");

/** What is known of demonstrations, by the features' names. */
const known = (demonstrations: Pair[]) =>
  new Map(invariants(demonstrations).map(({ feature, value }) => [feature.name, value]));

/** Names of what an answer departs from. */
const departs = (demonstrations: Pair[], input: Grid, answer: Grid) =>
  departures(invariants(demonstrations), input, answer).map(({ name }) => name);

// Black beside a colour becomes 8; the rest stays. Inputs have different numbers of cells and colours.
const beside: Pair[] = [
  { input: [[0, 0, 0], [0, 3, 0], [0, 0, 0]], output: [[0, 8, 0], [8, 3, 8], [0, 8, 0]] },
  { input: [[4, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 4]], output: [[4, 8, 0, 0], [8, 0, 0, 8], [0, 0, 8, 4]] },
];

Deno.test("invariants() tells what all demonstrations have in common, and nothing else", () => {
  const found = known(beside);
  assert.equal(found.get("coloured cells stay"), true);
  assert.equal(found.get("coloured cells added"), 4);
  assert.equal(found.get("cells of 8"), 4);
  assert(!found.has("cells of 5"), "a colour that no demonstration has");
  assert.equal(found.get("colours of changed cells"), "8");
  assert.equal(found.get("become: 0"), "8");
  assert.equal(found.get("new colours"), "8");
  assert.equal(found.get("differs from the input"), true);
  assert.equal(found.get("symmetry 2"), true, "half a turn");
  assert.equal(found.get("occurs in the input"), false);
  // Different in the two, or not to be said of both.
  for (const name of ["colours", "coloured cells", "cells of 4", "symmetry 4", "stay: 3", "parts"]) {
    assert(!found.has(name), name);
  }
});

Deno.test("departures() names what a wrong answer breaks, and nothing for the right one", () => {
  const input = [[0, 0, 0, 0, 0], [0, 0, 5, 0, 0], [0, 0, 0, 0, 0]];
  const right = [[0, 0, 8, 0, 0], [0, 8, 5, 8, 0], [0, 0, 8, 0, 0]];
  assert.deepEqual(departs(beside, input, right), []);
  const [otherColour, missing, overwritten] = [right, right, right].map((grid) => grid.map((row) => row.slice()));
  otherColour[0][2] = 7;
  missing[1][1] = 0;
  overwritten[1][2] = 8;
  const names = [otherColour, missing, overwritten].map((answer) => departs(beside, input, answer));
  assert(
    names[0].includes("new colours") && names[0].includes("cells of 8") && !names[0].includes("coloured cells added"),
  );
  assert(names[1].includes("coloured cells added") && names[1].includes("symmetry 2"));
  assert(names[2].includes("coloured cells stay") && !names[1].includes("coloured cells stay"));
  const answers = [right, otherColour, missing, overwritten];
  const doubts = answers.map((answer) => doubt(departures(invariants(beside), input, answer)));
  assert.equal(doubts[0], 0);
  assert(doubts.slice(1).every((own) => own > 1));
});

Deno.test("an answer that leaves out all of it departs as one that leaves out some", () => {
  const input = [[0, 0, 0], [0, 5, 0], [0, 0, 0]];
  assert.deepEqual(departs(beside, input, [[0, 8, 0], [8, 5, 8], [0, 8, 0]]), []);
  const unchanged = departs(beside, input, input);
  for (const name of ["cells of 8", "cells added of 8", "become: 0", "colours of changed cells", "new colours"]) {
    assert(unchanged.includes(name), name);
  }
  // Of another size.
  assert(departs(beside, input, [[0, 8], [8, 5]]).includes("size kept"));
  // One coloured cell in every row, and then not.
  const oneEach: Pair[] = [[1, 0], [0, 0, 2]].map((row) => ({ input: [row, row], output: [row, row.toReversed()] }));
  assert(departs(oneEach, [[0, 3], [0, 3]], [[0, 3], [3, 3]]).includes("rows coloured cells in each"));
});

Deno.test("nothing is known from one demonstration, however often it is given", () => {
  assert.deepEqual(invariants([beside[1], beside[1]]), []);
});

Deno.test("any two demonstrations and any answer have a doubt, grids of one cell and of thirty by thirty included", () => {
  const blank = (height: number, width: number, colour = 0) =>
    Array.from({ length: height }, () => Array(width).fill(colour));
  const shapes = [blank(1, 1), blank(1, 30), blank(30, 30), blank(30, 30, 9), blank(3, 2, 1)];
  for (const input of shapes) {
    const known = invariants([{ input, output: input }, { input, output: blank(2, 2, 4) }]);
    for (const answer of shapes) assert(doubt(departures(known, input, answer)) >= 0);
  }
});

/** Two pairs of one size with few colours, mirrored, recoloured or changed in a cell, so that features often agree. */
const twoPairs = fc.record({
  first: grids(4, 3),
  second: grids(4, 3),
  how: fc.integer({ min: 0, max: 7 }),
  cell: fc.nat(15),
})
  .map(({ first, second, how, cell }): Pair[] =>
    [first, second].map((input, i) => {
      const output = (how < 4 ? input.toReversed() : input).map((row) => how % 2 ? row.toReversed() : row.slice());
      if (how & 2) output[cell % output.length][cell % output[0].length] = i + (how & 4);
      return { input, output };
    })
  );

Deno.test("a feature of two pairs agrees in any other look of them as often", () => {
  // Features of one kind may change places: what is said of rows is said of columns of the turned pair.
  const agreeing = (pairs: Pair[]) => {
    const kinds: Record<string, number> = {};
    for (const { feature: { name } } of invariants(pairs)) kinds[kind(name)] = (kinds[kind(name)] ?? 0) + 1;
    return kinds;
  };
  fc.assert(
    fc.property(twoPairs, augmentations, (train, augmentation) => {
      const turned = applyToTask(augmentation, { id: "", train, test: [] }).train;
      assert.deepEqual(agreeing(turned), agreeing(train));
    }),
    { numRuns: 1000 },
  );
});

Deno.test("doubt() adds three tenths of how rare the departures are", () => {
  const departing = [0.1, 0.01].map((departs) => ({ name: "", departs, of: () => 0 }));
  assert(Math.abs(doubt(departing) - 0.3 * Math.log(1000)) < 1e-12);
  assert.equal(new Set(features.map(({ name }) => name)).size, features.length);
  for (const { name, departs } of features) assert(departs > 0 && departs < 0.5, name);
});

Deno.test("features know how often right answers depart from them", { ignore: !dataFolder() }, async () => {
  const [held, departed] = [new Map<string, number>(), new Map<string, number>()];
  const count = (counts: typeof held, name: string) => counts.set(kind(name), (counts.get(kind(name)) ?? 0) + 1);
  for (const set of ["arc-agi-1/training", "concept-arc"]) {
    for (const { train, test } of await readTasks(join(dataFolder()!, set))) {
      const own = invariants(train);
      for (const { input, output } of test) {
        for (const { feature } of own) count(held, feature.name);
        for (const { name } of departures(own, input, output!)) count(departed, name);
      }
    }
  }
  for (const { name, departs } of features) {
    // Between never and always, as if there had been ten more answers, one of which departs.
    const counted = ((departed.get(kind(name)) ?? 0) + 1) / ((held.get(kind(name)) ?? 0) + 10);
    assert(Math.abs(departs - counted) <= 0.0005001, `${name}: ${departs}, counted ${counted}`);
  }
});
