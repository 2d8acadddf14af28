import assert from "node:assert/strict";
import { apply, applyToTask, type Augmentation } from "../../arc/augment.ts";
import { createSampler, trainingTasks } from "../../arc/dataset.ts";
import { identify } from "../../arc/identity.ts";
import { createRandom } from "../../arc/random.ts";
import type { Task } from "../../arc/task.ts";
import { rolesWidth } from "../../model/config.ts";
import { disposeNetwork } from "../../model/parameters.ts";
import type { KnownTask, Weights } from "../../train/checkpoint.ts";
import { type ConfigOverrides, makeConfig } from "../../train/config.ts";
import { guessKnown, recognise } from "../../train/known.ts";
import { knownTasks } from "../../train/loop.ts";
import { PuzzleTable } from "../../train/puzzle_table.ts";
import { eachBackend } from "../backends.ts";
import { randomNetwork } from "../relatives.ts";

// Every colour is in the demonstrations, so that a look can be told from them in full.
const task: Task = {
  id: "task",
  train: [{ input: [[1, 2, 0]], output: [[2, 3, 0]] }, { input: [[5, 6], [4, 0]], output: [[7, 8], [4, 9]] }],
  test: [{ input: [[2, 0, 1]] }, { input: [[4], [2]] }],
};
const other: Task = { ...task, id: "other", train: [task.train[0]] };
const looks: Augmentation[] = Array.from({ length: 8 }, (_, dihedral) => ({
  dihedral,
  colours: [0, ...createRandom(dihedral).permutation(9).map((colour) => colour + 1)],
}));
const trained = trainingTasks([{ tasks: [other, task], useTest: false }]);

const small = { width: 8, heads: 2, headWidth: 4, feedForward: 8, hLayers: 1, maxSegments: 2 };
const size = { vocabulary: 11, prefix: 1, width: 8 };
const overrides: Record<"mini" | "loop", ConfigOverrides> = {
  mini: { model: { ...small, lLayers: 1, puzzleWidth: 8 }, training: { augmentations: 5 } },
  loop: { model: { ...small, ...size, puzzleWidth: rolesWidth(size) } },
};

/** Weights that know `other` and `task`: a random network, and random rows for what a run would have trained. */
function weightsOf(preset: "mini" | "loop", side: number, model: ConfigOverrides["model"] = {}): Weights {
  const own = overrides[preset];
  const config = makeConfig(preset, side, { ...own, model: { ...own.model, ...model } });
  const { marking, identity, augmentations } = config.training;
  const options = { batchSize: 1, canvas: { side, marking }, identity, augmentations, seed: 0 };
  const sampler = createSampler(trained, options);
  const table = new PuzzleTable(sampler.rows, config.model.puzzleWidth, "sign");
  const random = createRandom(1);
  table.values.forEach((_, i) => table.values[i] = random.normal());
  const network = randomNetwork(config.model, 2);
  return { network, table, tasks: knownTasks(trained, sampler), config, steps: 0, side };
}

Deno.test("recognise() finds a task in every look and order of its demonstrations, and what makes it the one known", () => {
  const tasks = [other, task].map((one): KnownTask => {
    const { key, augmentation } = identify(one);
    return { id: one.id, key, canonical: augmentation, views: [] };
  });
  for (const look of looks) {
    const asked = applyToTask(look, task);
    const { known, augmentation } = recognise({ ...asked, train: asked.train.toReversed() }, tasks)!;
    assert.equal(known.id, "task");
    assert.deepEqual(applyToTask(augmentation, asked), task);
  }
  assert.equal(recognise({ ...task, train: [task.train[1]] }, tasks), undefined);
});

for (const preset of ["mini", "loop"] as const) {
  eachBackend(`guessKnown() guesses the same at a known task in every look, turned as it is: ${preset}`, async () => {
    const weights = weightsOf(preset, 4);
    const guessesAt = (asked: Task) =>
      guessKnown(weights, asked, recognise(asked, weights.tasks), { views: 9, seed: 3, trace: true });
    const plain = await guessesAt(task);
    assert.ok(new Set(plain[0].map(({ grid }) => JSON.stringify(grid))).size > 1, "the views differ");
    for (const look of looks) {
      const turned = plain.map((own) =>
        own.map((one) => ({ ...one, grid: apply(look, one.grid), trace: one.trace.map((grid) => apply(look, grid)) }))
      );
      assert.deepEqual(await guessesAt(applyToTask(look, task)), turned);
    }
    disposeNetwork(weights.network);
  }, ["cpu"]);
}

eachBackend("guessKnown() makes room for predicted answers that are larger than the weights' canvas", async () => {
  const weights = weightsOf("loop", 4);
  const three = (colour: number) => Array.from({ length: 3 }, () => Array(3).fill(colour));
  const enlarge: Task = {
    id: "enlarge",
    train: [
      { input: [[1]], output: three(1) },
      { input: [[1, 2]], output: three(1).map((row) => [...row, 2, 2, 2]) },
    ],
    test: [{ input: [[1, 2], [3, 4]] }],
  };
  const [guesses] = await guessKnown(weights, enlarge, undefined, { views: 2, seed: 0 });
  assert.deepEqual(guesses.map(({ grid }) => [grid.length, grid[0].length]), [[6, 6], [6, 6]]);
  disposeNetwork(weights.network);
}, ["cpu"]);

eachBackend("guessKnown() keeps to the canvas of weights that work on no other", async () => {
  const weights = weightsOf("mini", 4, { positions: "learned" });
  const long = [[1, 2, 3, 4, 5, 6]];
  const wide: Task = { id: "wide", train: [{ input: long, output: long }], test: [{ input: [[1, 2]] }] };
  const [guesses] = await guessKnown(weights, wide, undefined, { views: 2, seed: 0 });
  assert.equal(guesses.length, 2);
  disposeNetwork(weights.network);
}, ["cpu"]);
