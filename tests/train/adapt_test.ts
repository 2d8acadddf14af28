import assert from "node:assert/strict";
import type { UnansweredTask } from "../../arc/task.ts";
import { createRandom } from "../../arc/random.ts";
import { rolesWidth } from "../../model/config.ts";
import { initialise } from "../../model/parameters.ts";
import { adapt, type Prior, segmentsOn, Snapshots } from "../../train/adapt.ts";
import { type ConfigOverrides, makeConfig } from "../../train/config.ts";
import { guess, toldViews } from "../../train/guess.ts";
import { PuzzleTable } from "../../train/puzzle_table.ts";
import { eachBackend } from "../backends.ts";

Deno.test("segmentsOn() gives fewer rows fewer segments in proportion, at least one, but as many as the model's where none are named", () => {
  const { adaptation, training } = makeConfig("loop", 10);
  const sides = [5, 10, 11, 20, 30];
  assert.deepEqual(sides.map((side) => segmentsOn(side, adaptation)), [2, 2, 1, 1, 1]);
  assert.deepEqual(sides.map((side) => segmentsOn(side, { ...adaptation, maxSegments: 8 })), [8, 8, 6, 2, 1]);
  assert.deepEqual(sides.map((side) => segmentsOn(side, { ...adaptation, maxSegments: 0 })), [0, 0, 0, 0, 0]);
  assert.deepEqual(sides.map((side) => segmentsOn(side, training)), [0, 0, 0, 0, 0]);
});

/** Trains in steps of a hundredth of the budget, from what is spent; tells what was spent before each guesses and at the end. */
function simulate(cost: number, spent = 0): { at: number[]; end: number } {
  const snapshots = new Snapshots();
  const at: number[] = [];
  while (!snapshots.over) {
    const before = spent;
    if (snapshots.due(spent)) {
      at.push(before);
      snapshots.taken(before, spent += cost);
    } else spent += 0.01;
  }
  return { at: at.map((x) => Math.round(100 * x)), end: spent };
}

Deno.test("Snapshots come after 75, 90 and 100 % of the training, keep time for the last, and none is taken twice", () => {
  assert.deepEqual(simulate(0).at, [75, 90, 100]);
  const cheap = simulate(0.03);
  assert.deepEqual(cheap.at, [75, 88, 97]);
  assert(cheap.end < 1.01);
  // After guesses of a tenth of the budget 94 % of the training is over: 90 % is left out, for nothing was learned since.
  const dear = simulate(0.1);
  assert.deepEqual(dear.at, [75, 90]);
  assert(dear.end < 1.01);
  assert.deepEqual(simulate(0.1, 0.95).at.length, 1, "one that starts late guesses once");
  assert.deepEqual(simulate(0.4).at, [75], "there is no time for more");
});

const task: UnansweredTask = {
  id: "swap",
  train: [{ input: [[1, 2]], output: [[2, 1]] }, { input: [[3, 4]], output: [[4, 3]] }],
  test: [{ input: [[5, 6]] }, { input: [[7, 8]] }],
};

const size = { vocabulary: 11, prefix: 1, width: 16 };
const tiny = (adaptation: ConfigOverrides["adaptation"] = {}): Prior => ({
  config: makeConfig("loop", 2, {
    model: { ...size, heads: 1, feedForward: 16, hLayers: 1, puzzleWidth: rolesWidth(size), maxSegments: 2 },
    adaptation: { batchSize: 2, ...adaptation },
  }),
});

eachBackend("adapt() says so when the loss is no number any more", async () => {
  await assert.rejects(
    adapt(task, tiny({ learningRate: 1e38, warmup: 0 }), { budget: { steps: 20 }, views: 4, seed: 0 }),
    /Cannot adapt: the loss is (NaN|Infinity) at step \d+; use a lower adaptation.learningRate/,
  );
}, ["cpu"]);

eachBackend(
  "adapt() trains on a row for as many segments as its recipe says, fewer where cells leave few rows",
  async () => {
    const curve = async (adaptation: ConfigOverrides["adaptation"]) =>
      (await adapt(task, tiny(adaptation), { budget: { steps: 12 }, views: 4, seed: 0 })).curve.map(({ loss }) => loss);
    const oneRow = { batchCells: 4 };
    assert.deepEqual(await curve({ maxSegments: 0 }), await curve({ maxSegments: 2 }));
    assert.notDeepEqual(await curve({ maxSegments: 1 }), await curve({ maxSegments: 2 }));
    assert.deepEqual(await curve({ ...oneRow, maxSegments: 2 }), await curve({ ...oneRow, maxSegments: 1 }));
    assert.notDeepEqual(await curve({ ...oneRow, maxSegments: 2 }), await curve({ ...oneRow, maxSegments: 0 }));
  },
  ["cpu"],
);

eachBackend("adapt() tells of every step how many rows were right when they were last done", async () => {
  const contradictory = { ...task, train: [task.train[0], { ...task.train[0], output: [[3, 4]] }] };
  const exact: number[] = [];
  const onStep = (progress: { exact: number }) => exact.push(progress.exact);
  await adapt(contradictory, tiny(), { budget: { steps: 200 }, views: 4, seed: 0, onStep });
  // Rows are done after two steps.
  exact.forEach((own, i) => i % 2 === 0 && assert.equal(own, exact[i - 1] ?? 0, `step ${i + 1}`));
  assert.ok(new Set(exact).size > 1, "they change");
}, ["cpu"]);

eachBackend("adapt() keeps to the canvas of a network that works on no other", async () => {
  const config = makeConfig("mini", 4, {
    model: {
      width: 16,
      heads: 2,
      headWidth: 8,
      feedForward: 32,
      puzzleWidth: 16,
      maxSegments: 2,
      positions: "learned",
    },
    adaptation: { batchSize: 2, augmentations: 2 },
  });
  const prior: Prior = { config, network: initialise(config.model, createRandom(0)) };
  const options = { budget: { steps: 2 }, views: 2, seed: 0 };
  const { guesses } = await adapt(task, prior, options);
  assert.deepEqual(guesses.map(({ length }) => length), [2, 2]);
  const long = { ...task, test: [{ input: [[1, 2, 3, 4, 5]] }] };
  await assert.rejects(adapt(long, prior, options), {
    message: "Cannot solve task swap: it needs a canvas of side 6, these weights work on one of side 4 only",
  });
}, ["cpu"]);

eachBackend("guess() looks at every test input in turn, at each at least once, and stops when it is late", async () => {
  const { config } = tiny();
  const canvas = { side: 30, marking: "outside" } as const;
  const model = { ...config.model, tokens: 900 };
  const network = initialise(model, createRandom(0));
  const table = new PuzzleTable(2, model.puzzleWidth, "adamw");
  const views = toldViews(1, 5, createRandom(1));
  const counts = async (late: () => boolean) =>
    (await guess(network, table, task, views, { canvas, identity: "task", late })).map((own) => own.length);
  assert.deepEqual(await counts(() => false), [5, 5]);
  // Seven rows of 900 cells are a batch.
  assert.deepEqual(await counts(() => true), [4, 3]);
}, ["cpu"]);
