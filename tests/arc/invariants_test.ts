import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import { applyToTask } from "../../arc/augment.ts";
import { features } from "../../arc/features.ts";
import { departures, doubt, invariants } from "../../arc/invariants.ts";
import { readTasks } from "../../arc/read.ts";
import type { Grid, Pair } from "../../arc/task.ts";
import { augmentations, tasks } from "./arbitraries.ts";
import { dataFolder } from "./data.ts";

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
  assert.equal(found.get("become: cells of 0"), "8");
  assert.equal(found.get("new colours"), "8");
  assert.equal(found.get("differs from the input"), true);
  assert.equal(found.get("symmetry 2"), true, "half a turn");
  assert.equal(found.get("occurs in the input"), false);
  // Different in the two, or not to be said of both.
  for (const name of ["colours", "coloured cells", "cells of 4", "symmetry 4", "stay: cells of 3", "parts"]) {
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

Deno.test("nothing is known from one demonstration", () => assert.deepEqual(invariants(beside.slice(1)), []));

Deno.test("no demonstration departs from what all have in common", () => {
  fc.assert(fc.property(tasks(6, 4), ({ train }) => {
    for (const { input, output } of train) assert.deepEqual(departures(invariants(train), input, output), []);
  }));
});

Deno.test("an answer is doubted as much in any other look of its task", () => {
  fc.assert(
    fc.property(tasks(5, 3), augmentations, (task, augmentation) => {
      const doubtIn = ({ train, test: [{ input, output }] }: typeof task) =>
        // Of colours that are equally frequent the lowest is taken, which a renaming changes.
        doubt(departures(invariants(train), input, output!).filter(({ name }) => name !== "most frequent colour kept"));
      const [own, turned] = [doubtIn(task), doubtIn(applyToTask(augmentation, task) as typeof task)];
      assert(Math.abs(own - turned) < 1e-9, `${own} and ${turned}`);
    }),
    { numRuns: 500 },
  );
});

Deno.test("features know how often right answers depart from them", { ignore: !dataFolder() }, async () => {
  const kind = (name: string) => name.replace(/ [1-9]$/, "").replace(/^(row|column)s/, "lines");
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
