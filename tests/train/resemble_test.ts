/** Which known task an unseen one resembles, and what starts from it. */
import assert from "node:assert/strict";
import { apply, applyToTask, invert } from "../../arc/augment.ts";
import { createRandom } from "../../arc/random.ts";
import { ruleTasks } from "../../arc/rules.ts";
import { taskCanvas } from "../../arc/size.ts";
import type { UnansweredTask } from "../../arc/task.ts";
import { rolesWidth } from "../../model/config.ts";
import { adapt, type Adaptation } from "../../train/adapt.ts";
import { loadWeights } from "../../train/checkpoint.ts";
import { makeConfig } from "../../train/config.ts";
import { Ensemble } from "../../train/ensemble.ts";
import { initialise, initialRow } from "../../model/parameters.ts";
import { PuzzleTable } from "../../train/puzzle_table.ts";
import { resemblances } from "../../train/resemble.ts";
import { eachBackend } from "../backends.ts";

const defaults = new URL("../../weights/default.safetensors", import.meta.url).pathname;

eachBackend("resemblances() finds the family of a known rule again, turned and renamed", async () => {
  const { network, table, tasks } = await loadWeights(defaults);
  const augmentation = { dihedral: 3, colours: [0, 4, 7, 1, 9, 2, 5, 8, 3, 6] };
  // Rules drawn anew, of a size that the weights have learned: they know others of these families.
  const drawn = ruleTasks(6, 4, 99).filter((task) => taskCanvas(task, "outside").side <= 10);
  for (const family of ["enlarge", "surround", "hollow"]) {
    const asked = applyToTask(augmentation, drawn.find(({ id }) => id.split(" ")[0] === family)!);
    const found = await resemblances(asked, network, table, { count: 3, random: createRandom(0) });
    assert.equal(tasks[found[0].row - 1].id.split(" ")[0], family);
    assert.deepEqual(found.map(({ loss }) => loss), found.map(({ loss }) => loss).toSorted((a, b) => a - b));
    assert.equal(new Set(found.map(({ row }) => row)).size, 3);
    for (const { augmentation: { colours } } of found) {
      assert.deepEqual(colours.toSorted(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
      assert.equal(colours[0], 0);
    }
  }
}, ["cpu"]);

const task: UnansweredTask = {
  id: "swap",
  train: [{ input: [[1, 2]], output: [[2, 1]] }, { input: [[3, 4]], output: [[4, 3]] }],
  test: [{ input: [[5, 6]] }, { input: [[7, 8]] }],
};
const size = { vocabulary: 11, prefix: 1, width: 16 };
const config = makeConfig("loop", 2, {
  model: { ...size, heads: 1, feedForward: 16, hLayers: 1, puzzleWidth: rolesWidth(size), maxSegments: 2 },
  adaptation: { batchSize: 2 },
});
const options = { budget: { steps: 4 }, views: 8, seed: 5 };

eachBackend("adapt() from a start learns the augmented task and turns the guesses back", async () => {
  const row = initialRow(config.model, createRandom(8));
  const augmentation = { dihedral: 1, colours: [0, 9, 8, 7, 6, 5, 4, 3, 2, 1] };
  const turned = await adapt(applyToTask(augmentation, task), { config, row }, options);
  const found = await adapt(task, { config }, { ...options, start: { row, augmentation } });
  const back = invert(augmentation);
  assert.deepEqual(
    found.guesses.map((own) => own.map(({ grid }) => grid)),
    turned.guesses.map((own) => own.map(({ grid }) => apply(back, grid))),
  );
}, ["cpu"]);

eachBackend("members start from what the task resembles and from the prior's row in turn", async () => {
  const network = initialise(config.model, createRandom(1));
  const table = new PuzzleTable(4, config.model.puzzleWidth, "adamw");
  for (let row = 1; row < 4; row++) table.row(row).set(initialRow(config.model, createRandom(row)));
  const prior = { config, network, table, row: table.mean(1) };
  const alike = await resemblances(task, network, table, {
    count: 4,
    random: createRandom(options.seed).fork("resemblances"),
  });
  assert.equal(alike.length, 3, "there are no more known tasks");
  const starts = alike.flatMap(({ row, augmentation }) => [{ row: table.row(row).slice(), augmentation }, undefined]);
  const pooled = await new Ensemble(prior, 0).adapt(task, { ...options, members: 3 });
  const alone: Adaptation[] = [];
  for (const member of [0, 1, 2]) {
    alone.push(await adapt(task, prior, { ...options, seed: options.seed + member, start: starts[member] }));
  }
  task.test.forEach((_, test) => assert.deepEqual(pooled.guesses[test], alone.flatMap(({ guesses }) => guesses[test])));
}, ["cpu"]);
