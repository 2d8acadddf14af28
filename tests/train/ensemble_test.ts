/** Adaptations pooled: whose guesses they are, and what becomes of time that is left. */
import assert from "node:assert/strict";
import type { UnansweredTask } from "../../arc/task.ts";
import { rolesWidth } from "../../model/config.ts";
import { adapt, type Adaptation, type Prior } from "../../train/adapt.ts";
import { makeConfig } from "../../train/config.ts";
import { Ensemble } from "../../train/ensemble.ts";
import { eachBackend } from "../backends.ts";

const task: UnansweredTask = {
  id: "swap",
  train: [{ input: [[1, 2]], output: [[2, 1]] }, { input: [[3, 4]], output: [[4, 3]] }],
  test: [{ input: [[5, 6]] }, { input: [[7, 8]] }],
};

const size = { vocabulary: 11, prefix: 1, width: 16 };
const tiny: Prior = {
  config: makeConfig("loop", 2, {
    model: { ...size, heads: 1, feedForward: 16, hLayers: 1, puzzleWidth: rolesWidth(size), maxSegments: 2 },
    adaptation: { batchSize: 2 },
  }),
};

/** Seconds that an adaptation of so many steps takes, its guesses included, after a first one. */
async function secondsOf(task: UnansweredTask, prior: Prior, steps: number): Promise<number> {
  const run = async () => {
    const started = performance.now();
    await adapt(task, prior, { budget: { steps }, views: 8, seed: 0 });
    return (performance.now() - started) / 1000;
  };
  await run();
  return await run();
}

eachBackend("Ensemble.adapt() pools the guesses of as many seeds as it is told", async () => {
  const ensemble = new Ensemble(tiny, 0);
  const options = { budget: { steps: 4 }, views: 8, seed: 5 };
  const heard: number[] = [];
  const pooled = await ensemble.adapt(task, { ...options, members: 3, onStep: ({ spent }) => heard.push(spent) });
  const alone: Adaptation[] = [];
  for (const seed of [5, 6, 7]) alone.push(await adapt(task, tiny, { ...options, seed }));
  task.test.forEach((_, test) => {
    assert.deepEqual(pooled.guesses[test], alone.flatMap(({ guesses }) => guesses[test]));
  });
  assert.equal(pooled.steps, 12);
  assert.deepEqual(heard, heard.toSorted((a, b) => a - b), "what is spent only grows");
  assert.equal(heard.at(-1), 1);
}, ["cpu"]);

eachBackend("Ensemble.adapt() gives time that the first adaptation leaves to further seeds", async () => {
  const ensemble = new Ensemble(tiny, 0, 5);
  const seconds = 20 * await secondsOf(task, tiny, 5);
  const { steps, guesses } = await ensemble.adapt(task, { budget: { seconds }, views: 8, seed: 0 });
  assert.ok(steps > 5, `${steps} steps`);
  const snapshots = guesses[0].length / 8;
  assert.ok(snapshots > 6, `${snapshots} snapshots, three of an adaptation`);
}, ["cpu"]);

eachBackend("Ensemble.adapt() asks no further seeds once two agree", async () => {
  const black: UnansweredTask = {
    id: "black",
    train: [{ input: [[1, 2]], output: [[0, 0]] }, { input: [[3, 4]], output: [[0, 0]] }],
    test: [{ input: [[5, 6]] }],
  };
  const ensemble = new Ensemble(tiny, 0, 400);
  const { guesses } = await ensemble.adapt(black, { budget: { seconds: 600 }, views: 8, seed: 0 });
  assert.ok(guesses[0].length > 24 && guesses[0].length <= 48, `${guesses[0].length} guesses, not of two members`);
  assert.ok(guesses[0].every(({ grid }) => String(grid) === "0,0"));
}, ["cpu"]);

eachBackend(
  "Ensemble.adapt() gives those that follow twice the time where nobody has learned the demonstrations",
  async () => {
    const contradictory: UnansweredTask = {
      id: "contradictory",
      train: [{ input: [[1, 2]], output: [[1, 1]] }, { input: [[1, 2]], output: [[2, 2]] }],
      test: [{ input: [[1, 2]] }],
    };
    const lengths: number[] = [];
    const onStep = ({ steps }: { steps: number }) => {
      if (steps === 1) lengths.push(0);
      lengths[lengths.length - 1] = steps;
    };
    const seconds = 100 * await secondsOf(contradictory, tiny, 5);
    await new Ensemble(tiny, 0, 5).adapt(contradictory, { budget: { seconds }, views: 8, seed: 0, onStep });
    // Twice as much each time soon uses up all there is; rounds of one length would be some hundred.
    assert.ok(lengths.length > 3 && lengths.length < 20, `${lengths}`);
    assert.ok(Math.max(...lengths) > 5 * lengths[1], `${lengths}`);
  },
  ["cpu"],
);

eachBackend(
  "Ensemble.adapt() takes no agreement for an answer where nobody has learned the demonstrations",
  async () => {
    const black = [[1, 2], [3, 4], [5, 6]].map((row) => ({ input: [row], output: [[0, 0]] }));
    const odd = { input: [[1, 2]], output: [[1, 1]] };
    const task: UnansweredTask = { id: "nearly black", train: [...black, odd], test: [{ input: [[7, 8]] }] };
    // So many rows that a batch without the odd one is rare.
    const prior = { config: { ...tiny.config, adaptation: { ...tiny.config.adaptation, batchSize: 16 } } };
    const seconds = 8 * await secondsOf(task, prior, 100);
    const { guesses } = await new Ensemble(prior, 0, 100).adapt(task, { budget: { seconds }, views: 8, seed: 0 });
    assert.ok(guesses[0].slice(0, 48).every(({ grid }) => String(grid) === "0,0"), "the first two agree");
    assert.ok(guesses[0].length > 48, `${guesses[0].length} guesses`);
  },
  ["cpu"],
);

eachBackend("Ensemble.adapt() refuses a budget without an end, and an ensemble of none", async () => {
  const ensemble = new Ensemble(tiny, 0);
  await assert.rejects(ensemble.adapt(task, { budget: { steps: 4 }, views: 8, seed: 0 }), {
    message: "Cannot adapt: the budget needs seconds, or a number of members",
  });
  for (const members of [0, NaN]) {
    await assert.rejects(ensemble.adapt(task, { budget: { steps: 4 }, views: 8, seed: 0, members }), {
      name: "RangeError",
      message: `Cannot adapt with ${members} members: there must be one at least`,
    });
  }
}, ["cpu"]);

eachBackend("Ensemble.close() ends adaptations at work, and Ensemble.adapt() begins anew afterwards", async () => {
  const ensemble = new Ensemble(tiny, 1);
  const options = { views: 8, seed: 0, members: 1 };
  const begun = Promise.withResolvers<void>();
  const going = ensemble.adapt(task, { ...options, budget: { seconds: 600 }, onStep: () => begun.resolve() });
  await begun.promise;
  await Promise.all([assert.rejects(going, /the adaptation's thread was ended/), ensemble.close()]);
  const again = await ensemble.adapt(task, { ...options, budget: { steps: 4 } });
  assert.deepEqual(again.guesses, (await adapt(task, tiny, { ...options, budget: { steps: 4 } })).guesses);
  await ensemble.close();
}, ["cpu"]);

eachBackend("Ensemble.adapt() stops a member in a thread when it is aborted, with what it has found", async () => {
  const ensemble = new Ensemble(tiny, 1);
  const aborter = new AbortController();
  const { guesses } = await ensemble.adapt(task, {
    budget: { seconds: 600 },
    views: 8,
    seed: 0,
    members: 1,
    signal: aborter.signal,
    onStep: () => aborter.abort(),
  });
  assert.deepEqual(guesses.map(({ length }) => length), [8, 8]);
  await ensemble.close();
}, ["cpu"]);

eachBackend(
  "Ensemble.adapt() fails with its members, and the next task gets its own answers",
  async () => {
    const ensemble = new Ensemble(tiny, 2);
    const broken = { ...task, test: [{ input: [] }] };
    await assert.rejects(ensemble.adapt(broken, { budget: { steps: 4 }, views: 8, seed: 0, members: 2 }), /undefined/);
    const options = { budget: { steps: 4 }, views: 8, seed: 5, members: 2 };
    const { guesses } = await ensemble.adapt(task, options);
    const alone = [await adapt(task, tiny, options), await adapt(task, tiny, { ...options, seed: 6 })];
    task.test.forEach((_, test) => assert.deepEqual(guesses[test], alone.flatMap((one) => one.guesses[test])));
    await ensemble.close();
  },
  ["cpu"],
);

eachBackend("Ensemble.adapt() keeps what was found before a member of a later round fails", async () => {
  const ensemble = new Ensemble(tiny, 0);
  const options = { budget: { steps: 4 }, views: 8, seed: 5 };
  let begun = 0;
  const onStep = ({ steps }: { steps: number }) => {
    if (steps === 1 && ++begun === 2) throw new Error("the second fails");
  };
  const { guesses } = await ensemble.adapt(task, { ...options, members: 3, onStep });
  assert.deepEqual(guesses, (await adapt(task, tiny, options)).guesses);
}, ["cpu"]);
