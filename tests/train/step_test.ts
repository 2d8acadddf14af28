import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs";
import type { Sampler } from "../../arc/dataset.ts";
import type { Batch } from "../../arc/examples.ts";
import { createRandom } from "../../arc/random.ts";
import type { Config } from "../../train/config.ts";
import { rateFactor } from "../../train/schedule.ts";
import type { SegmentResult } from "../../train/segment.ts";
import {
  createTrainingState,
  disposeTrainingState,
  mergeBatch,
  metricsOf,
  nextBatch,
  type TrainingState,
  trainStep,
} from "../../train/step.ts";
import { eachBackend } from "../backends.ts";
import * as oracle from "../oracle.ts";
import {
  assertNumbers,
  assertTensor,
  randomNetwork,
  relativeNamed,
  relatives,
  rowsOf,
  weightsOf,
} from "../relatives.ts";
import { B, randomBatch, randomTable, samplesOf } from "./batches.ts";

function trainingState(config: Config, seed = 1): TrainingState {
  return createTrainingState(randomNetwork(config.model, seed), randomTable(config), config);
}

/** A configuration with other values for training. */
const withTraining = (config: Config, training: Partial<Config["training"]>): Config => ({
  ...config,
  training: { ...config.training, ...training },
});

Deno.test("mergeBatch() takes the fresh rows where halted and keeps the held ones elsewhere", () => {
  const { config } = relativeNamed("loop");
  const [held, fresh] = [randomBatch(config, 1), randomBatch(config, 2)];
  assert.equal(mergeBatch(undefined, fresh, Uint8Array.of(1, 1, 1)), fresh);
  const merged = mergeBatch(held, fresh, Uint8Array.of(0, 1, 0));
  for (const key of ["inputs", "labels", "weights", "rows", "dihedral", "colours", "roles"] as const) {
    const [old, young, mixed] = [held, fresh, merged].map((batch) => rowsOf(batch[key], batch[key].length / B));
    assert.deepEqual(mixed, [old[0], young[1], old[2]], key);
  }
  assert.deepEqual(held, randomBatch(config, 1), "the held batch is left alone");
  assert.deepEqual(fresh, randomBatch(config, 2), "the fresh batch is left alone");
});

Deno.test("metricsOf() sums over the rows that halted and have labels", () => {
  const [size, tokens] = [4, 2];
  const batch = {
    ...randomBatch(relativeNamed("hrm").config, 1),
    size,
    tokens,
    labels: Int32Array.of(1, 2, 1, -100, 3, 3, -100, -100),
    weights: Float32Array.of(1, 1, 1, 1, 1, 0.1, 1, 1),
  };
  const segments = Int32Array.of(3, 4, 2, 9);
  // Right: one of two; the only one; the only one that weighs; nothing is asked for.
  const right = Float32Array.of(1, 2, 2, 2);
  const qHalt = Float32Array.of(-1, -1, 0, 5);
  assert.deepEqual(metricsOf(batch, Uint8Array.of(1, 1, 1, 1), segments, right, qHalt), {
    count: 3,
    accuracy: 0.5 + 1 + 1,
    exactAccuracy: 2,
    // Row 0 is wrong and said so; row 1 is right and denied it; row 2 is right and said so.
    qHaltAccuracy: 2,
    segments: 3 + 4 + 2,
  });
  assert.equal(metricsOf(batch, Uint8Array.of(0, 1, 0, 1), segments, right, qHalt).count, 1);
});

/** Numbers of the optimiser, by parameter. */
type Numbers = Record<string, oracle.AdamNumber[]>;

for (const name of ["hrm", "loop"]) {
  eachBackend(`trainStep() of ${name} moves parameters, average and table by their rules`, async () => {
    // Rates at which a step is far above the tolerance.
    const config = withTraining(relativeNamed(name).config, {
      learningRate: 0.05,
      weightDecay: 0.5,
      puzzleLearningRate: 0.1,
      puzzleWeightDecay: 0.5,
      warmup: 2,
      finalRate: 0.1,
      clipNorm: name === "hrm" ? 0 : 0.5,
      ema: 0.3,
    });
    const { training } = config;
    const state = trainingState(config);
    const weights = await weightsOf(state.network.parameters);
    const flat = (matrix: oracle.Matrix) => matrix.flat().map((p) => ({ p, m: 0, v: 0 }));
    const numbers: Numbers = Object.fromEntries(Object.entries(weights).map(([key, value]) => [key, flat(value)]));
    const averages = Object.fromEntries(Object.entries(weights).map(([key, value]) => [key, value.flat()]));
    const table = randomTable(config);
    const totalSteps = 4;
    for (let t = 1; t <= 3; t++) {
      const seen: Record<string, tf.Tensor> = {};
      const observe = (result: SegmentResult) => {
        for (const [key, gradient] of Object.entries(result.gradients)) seen[key] = tf.clone(gradient);
        seen.rowGradient = tf.clone(result.rowGradient);
      };
      const batch = randomBatch(config, t);
      const report = await trainStep(state, batch, config, totalSteps, createRandom(1), { observe });
      const gradients: Record<string, number[]> = {};
      for (const [key, gradient] of Object.entries(seen)) gradients[key] = Array.from(await gradient.data());
      tf.dispose(seen);
      const norm = Math.sqrt(Object.values(gradients).flat().reduce((sum, value) => sum + value * value, 0));
      const scale = training.clipNorm ? Math.min(1, training.clipNorm / norm) : 1;
      assertNumbers([report.gradientNorm], [training.clipNorm ? norm : 0], "norm");
      const rate = training.learningRate * rateFactor(t, { ...training, totalSteps });
      const decay = training.emaRamp ? Math.min(training.ema, (1 + t) / (10 + t)) : training.ema;
      for (const [key, parameter] of Object.entries(state.network.parameters)) {
        const embedding = ["embed_tokens", "positions", "rows", "columns"].includes(key);
        const weightDecay = embedding && !training.decayEmbeddings ? 0 : training.weightDecay;
        const { rule, beta1, beta2 } = training;
        numbers[key] = numbers[key].map((number, i) =>
          oracle.adam(number, scale * gradients[key][i], rule, rate, weightDecay, beta1, beta2, t)
        );
        averages[key] = averages[key].map((value, i) => value * decay + numbers[key][i].p * (1 - decay));
        await assertTensor(parameter, numbers[key].map(({ p }) => p), `${key} at step ${t}`);
        await assertTensor(state.average![key], averages[key], `average of ${key} at step ${t}`);
      }
      table.update(state.held!.rows, Float32Array.from(gradients.rowGradient, (g) => g * scale), {
        rule: training.puzzleRule,
        learningRate: training.puzzleLearningRate * rateFactor(t, { ...training, totalSteps }),
        weightDecay: training.puzzleWeightDecay,
        beta1: training.beta1,
        beta2: training.beta2,
      });
      assertNumbers(state.table.values, table.values, `table at step ${t}`);
    }
    disposeTrainingState(state);
  });
}

for (const name of ["hrm", "loop"]) {
  eachBackend(`trainStep() of ${name} in parts is the step in one`, async () => {
    const config = withTraining(relativeNamed(name).config, { learningRate: 1e-3, puzzleRule: "adamw" });
    const run = async (parts: number) => {
      const state = trainingState(config);
      const reports = [];
      for (let t = 1; t <= 2; t++) {
        reports.push(await trainStep(state, randomBatch(config, t), config, 4, createRandom(1), { parts }));
      }
      const weights = await weightsOf(state.network.parameters);
      const [zH, table] = [await state.carry!.state.zH.data(), state.table.values.slice()];
      disposeTrainingState(state);
      return { reports, weights, zH, table };
    };
    const whole = await run(1);
    for (const parts of [2, 3]) {
      const before = tf.memory().numTensors;
      const split = await run(parts);
      assert.equal(tf.memory().numTensors, before);
      for (const [t, report] of whole.reports.entries()) {
        assert.deepEqual(split.reports[t].metrics, report.metrics);
        assertNumbers(Object.values(split.reports[t].losses), Object.values(report.losses), `losses of step ${t + 1}`);
      }
      for (const [key, weight] of Object.entries(whole.weights)) {
        assertNumbers(split.weights[key].flat(), weight.flat(), key);
      }
      assertNumbers(split.zH, whole.zH, "zH");
      assertNumbers(split.table, whole.table, "table");
    }
  });
}

for (const name of ["hrm", "trm", "loop"]) {
  eachBackend(`trainStep() of ${name} carries on rows that go on and starts halted ones afresh`, async () => {
    const { relative, config } = relativeNamed(name);
    const { model } = config;
    const state = trainingState(config, 3);
    const fresh = oracle.initialState(await weightsOf(state.network.buffers), model.prefix + model.tokens);
    let before = Array(B).fill(fresh);
    let segments = Array(B).fill(0);
    let halted = Array(B).fill(1);
    let held: Batch | undefined;
    let [started, went] = [0, 0];
    for (let t = 1; t <= 6; t++) {
      const batch = randomBatch(config, t);
      held = mergeBatch(held, batch, Uint8Array.from(halted));
      const weights = await weightsOf(state.network.parameters);
      const samples = samplesOf(held, state.table, config);
      const expected = samples.map((sample, b) =>
        oracle.segment(relative, weights, sample, halted[b] ? fresh : before[b], model)
      );
      started += halted.filter(Boolean).length;
      went += halted.filter((h) => !h).length;
      await trainStep(state, batch, config, 100, createRandom(1));
      const carry = state.carry!;
      assert.deepEqual(state.held, held);
      await assertTensor(carry.state.zH, expected.map(({ zH }) => zH), `zH after step ${t}`, { tolerance: 1e-4 });
      segments = segments.map((count, b) => halted[b] ? 1 : count + 1);
      halted = segments.map((count, b) => {
        if (count >= model.maxSegments) return 1;
        if (model.halting === "fixed") return 0;
        const [halt, going] = oracle.haltValues(weights, expected[b]);
        return halt > (model.halting === "q" ? going : 0) ? 1 : 0;
      });
      assert.deepEqual([...carry.segments], segments);
      assert.deepEqual([...carry.halted], halted);
      // Each step is judged from the state that the network itself came to.
      const [zH, zL] = await Promise.all([carry.state.zH, carry.state.zL].map((tensor) => tensor?.data()));
      const sample = (values: ArrayLike<number>, b: number) =>
        rowsOf(values, model.width).slice(b * (model.prefix + model.tokens), (b + 1) * (model.prefix + model.tokens));
      before = before.map((_, b) => ({ zH: sample(zH!, b), zL: zL && sample(zL, b) }));
    }
    assert.ok(started > B && went > B, `rows must both start and go on to be a test: ${started}, ${went}`);
    disposeTrainingState(state);
  }, ["cpu"]);
}

eachBackend(
  "trainStep() lets no row halt at its first segment where all explore, and every row where none does",
  async () => {
    for (const exploration of [0, 1]) {
      const config = withTraining(relativeNamed("hrm").config, { exploration, learningRate: 0, weightDecay: 0 });
      const state = trainingState(config);
      // Every row wants to halt, always.
      const { parameters } = state.network;
      tf.dispose([parameters["q_head.weight"], parameters["q_head.bias"]]);
      parameters["q_head.weight"] = tf.zeros([2, config.model.width]);
      parameters["q_head.bias"] = tf.tensor1d([5, -5]);
      const random = createRandom(3);
      const spent = new Set<number>();
      for (let t = 0; t < 12; t++) {
        await trainStep(state, randomBatch(config, t), config, 100, random);
        const { segments, halted } = state.carry!;
        segments.forEach((count, row) => halted[row] && spent.add(count));
      }
      // A draw of each step decides, so a row that may not halt yet may halt at the next.
      assert.deepEqual([...spent].sort(), exploration ? [2, 3, 4] : [1]);
      disposeTrainingState(state);
    }
  },
  ["cpu"],
);

eachBackend("nextBatch() asks for a batch, of any size, only when all rows have ended", async () => {
  const { config } = relativeNamed("loop");
  const side = Math.sqrt(config.model.tokens);
  const state = trainingState(config);
  const asked: number[] = [];
  const sampler = {
    next() {
      asked.push(state.steps);
      const tokens = (side + asked.length % 2) ** 2;
      return randomBatch({ ...config, model: { ...config.model, tokens } }, 3);
    },
  } as Sampler;
  for (let i = 0; i < 3 * config.model.maxSegments; i++) {
    const report = await trainStep(state, nextBatch(state, sampler, config), config, 100, createRandom(1));
    assert(Number.isFinite(report.losses.total));
  }
  assert.deepEqual(asked, [0, 1, 2].map((i) => i * config.model.maxSegments));
  disposeTrainingState(state);
});

eachBackend("trainStep() computes the target of continuing at every n-th step only", async () => {
  const config = withTraining(relativeNamed("hrm").config, { targetEvery: 3 });
  const state = trainingState(config);
  const learned: boolean[] = [];
  for (let t = 0; t < 7; t++) {
    const { losses } = await trainStep(state, randomBatch(config, t), config, 100, createRandom(1));
    assertNumbers([losses.total], [losses.answer + (losses.halt + losses.continue) / 2], "total");
    learned.push(losses.continue > 0);
  }
  assert.deepEqual(learned, [false, false, true, false, false, true, false]);
  disposeTrainingState(state);
}, ["cpu"]);

for (const { name, config } of relatives) {
  eachBackend(`trainStep() of ${name} holds no more tensors later than after step 3`, async (backend) => {
    const before = tf.memory().numTensors;
    const state = trainingState(config);
    // A software adapter takes seconds for what the processor does at once.
    const steps = backend.name === "cpu" ? 20 : 7;
    let third = 0;
    for (let t = 1; t <= steps; t++) {
      await trainStep(state, randomBatch(config, t), config, steps, createRandom(1));
      if (t === 3) third = tf.memory().numTensors;
    }
    assert.equal(tf.memory().numTensors, third);
    disposeTrainingState(state);
    assert.equal(tf.memory().numTensors, before);
  }, name === "hrm" || name === "loop" ? ["cpu", "webgpu"] : ["cpu"]);
}

for (const name of ["hrm", "loop"]) {
  eachBackend(`trainStep() of ${name} gives the same bits for the same seed`, async () => {
    const runs = [];
    for (let run = 0; run < 2; run++) {
      const config = withTraining(relativeNamed(name).config, { exploration: 0.5 });
      const state = trainingState(config);
      const random = createRandom(4);
      const reports = [];
      for (let t = 1; t <= 5; t++) reports.push(await trainStep(state, randomBatch(config, t), config, 20, random));
      runs.push({ reports, weights: await weightsOf(state.network.parameters), table: state.table.values.slice() });
      disposeTrainingState(state);
    }
    assert.deepEqual(runs[0], runs[1]);
  }, ["cpu"]);

  eachBackend(
    `trainStep() of ${name} with fewer segments trains as a model of so few does, and as its own with 0`,
    async () => {
      const trained = async (segments: number, models: number) => {
        const base = withTraining(relativeNamed(name).config, { maxSegments: segments, exploration: 0 });
        const config = { ...base, model: { ...base.model, maxSegments: models } };
        const state = trainingState(config);
        const reports = [];
        for (let t = 1; t <= 6; t++) {
          reports.push(await trainStep(state, randomBatch(config, t), config, 20, createRandom(4)));
        }
        const weights = await weightsOf(state.network.parameters);
        disposeTrainingState(state);
        return { reports, weights };
      };
      for (const segments of [1, 2]) assert.deepEqual(await trained(segments, 4), await trained(0, segments));
      assert.notDeepEqual(await trained(1, 4), await trained(0, 4));
    },
    ["cpu"],
  );

  eachBackend(`trainStep() of ${name} learns one batch by heart`, async () => {
    const config = withTraining(relativeNamed(name).config, { learningRate: 5e-3, ema: 0 });
    const state = trainingState(config);
    assert.equal(state.average, undefined);
    const losses = [];
    const steps = 300;
    for (let t = 1; t <= steps; t++) {
      const report = await trainStep(state, randomBatch(config, 1), config, steps, createRandom(1));
      losses.push(report.losses.answer);
    }
    const worst = Math.max(...losses.slice(-config.model.maxSegments));
    assert.ok(worst < losses[0] / 2, `the loss went from ${losses[0]} to ${worst}`);
    disposeTrainingState(state);
  }, ["cpu"]);
}
