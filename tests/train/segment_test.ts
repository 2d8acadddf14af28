import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs";
import { createRandom } from "../../arc/random.ts";
import type { ModelInput } from "../../model/hrm.ts";
import { disposeNetwork, type Network } from "../../model/parameters.ts";
import type { Targets } from "../../train/loss.ts";
import { modelInput, segmentGradients, type SegmentResult, targetsOf } from "../../train/segment.ts";
import { eachBackend } from "../backends.ts";
import * as oracle from "../oracle.ts";
import {
  assertTensor,
  inputOf,
  randomNetwork,
  randomSamples,
  randomStates,
  randomVector,
  relativeNamed,
  relatives,
  stateOf,
  type TinyRelative,
  weightsOf,
} from "../relatives.ts";
import { B, randomBatch, randomTable, samplesOf } from "./batches.ts";

/** Rounding of up to a dozen blocks with gradient, in units of the numbers' size; a mistake of 1 % shows at 1e-2. */
const ROUNDING = { tolerance: 3e-5 };

/** What samples are judged by, [B][S] each. */
interface Judgement {
  labels: oracle.Matrix;
  weights: oracle.Matrix;
  checked: oracle.Matrix;
  /** 1 where a row's last segment is worked on, [B]. */
  last: oracle.Vector;
}

/** Random labels; some ignored, some light and not checked, one row without any. */
function randomJudgement(vocabulary: number, tokens: number, seed: number): Judgement {
  const random = createRandom(seed);
  const labels = Array.from(
    { length: B },
    (_, row) =>
      Array.from({ length: tokens }, () => row === 1 || random.next() < 0.2 ? -100 : random.integer(vocabulary)),
  );
  const weights = labels.map((row) => row.map(() => Math.fround(random.next() / tokens)));
  const checked = labels.map((row) => row.map((label) => random.next() < 0.3 ? -1 : label));
  return { labels, weights, checked, last: [1, 0, 0] };
}

function judgementTensors({ labels, weights, checked, last }: Judgement): { targets: Targets; last: tf.Tensor } {
  return {
    targets: {
      labels: tf.tensor1d(labels.flat(), "int32"),
      weights: tf.tensor1d(weights.flat()),
      checked: tf.tensor1d(checked.flat(), "int32"),
    },
    last: tf.tensor1d(last),
  };
}

/** What the oracle makes of one segment of every sample. */
interface OracleSegment {
  state: oracle.SampleState[];
  logits: oracle.Matrix[];
  q: oracle.Matrix;
  target: oracle.Vector;
  losses: { total: number; answer: number; halt: number; continue: number };
}

/** One segment of every sample from states that have settled, and its loss; targets are given where they are to be constants. */
function oracleSegment(
  { relative, config: { model, training } }: TinyRelative,
  weights: oracle.Weights,
  samples: oracle.Sample[],
  settled: oracle.SampleState[],
  judgement: Judgement,
  constant?: oracle.Vector,
): OracleSegment {
  const result: OracleSegment = {
    state: [],
    logits: [],
    q: [],
    target: [],
    losses: { total: 0, answer: 0, halt: 0, continue: 0 },
  };
  const { losses } = result;
  samples.forEach((sample, b) => {
    const state = oracle.step(relative, weights, sample, settled[b], model);
    const logits = oracle.answer(weights, sample, state, model);
    result.state.push(state);
    result.logits.push(logits);
    logits.forEach((row, s) => {
      losses.answer += oracle.crossEntropy(row, judgement.labels[b][s], judgement.weights[b][s], training.likelihood);
    });
    if (model.halting === "fixed") return;
    const [halt, going] = oracle.haltValues(weights, state);
    result.q.push([halt, going]);
    const right = logits.every((row, s) =>
      judgement.checked[b][s] < 0 || oracle.argMax(row) === judgement.checked[b][s]
    );
    losses.halt += oracle.binaryCrossEntropy(halt, right ? 1 : 0);
    if (model.halting === "halt") return;
    const target = constant?.[b] ??
      oracle.continueTarget(relative, weights, sample, state, model, judgement.last[b] === 1);
    result.target.push(target);
    losses.continue += oracle.binaryCrossEntropy(going, target);
  });
  losses.total = losses.answer + (losses.halt + losses.continue) / 2;
  return result;
}

/** A direction in which a tensor is moved, and the slope of the oracle's loss along it. */
interface Slope {
  direction: oracle.Matrix;
  slope: number;
}

interface OracleGradients {
  segment: OracleSegment;
  /** Slopes by parameter, and of the puzzles' rows under `rows of the table`. */
  slopes: Record<string, Slope[]>;
}

const ROWS = "rows of the table";
/** A wrong element escapes a random direction only where the direction is all but zero; it cannot escape all. */
const DIRECTIONS = 4;

const networkOf = ({ config: { model } }: TinyRelative) => randomNetwork(model, 7);
const setUp = ({ config: { model } }: TinyRelative) => ({
  samples: randomSamples(model, B, 2),
  states: randomStates(model, B, 3),
  judgement: randomJudgement(model.vocabulary, model.tokens, 4),
});

const computed = new Map<string, OracleGradients>();

/** The oracle's segment with slopes of its loss / B in random directions of every tensor; each kind is computed once. */
async function oracleGradients(tiny: TinyRelative): Promise<OracleGradients> {
  const known = computed.get(tiny.name);
  if (known) return known;
  const { relative, config: { model } } = tiny;
  const { samples, states, judgement } = setUp(tiny);
  const network = networkOf(tiny);
  const weights = await weightsOf(network.parameters);
  // What has no gradient stays as it is while the weights are moved: the settled state and the targets.
  const settled = samples.map((sample, b) => oracle.settle(relative, weights, sample, states[b], model));
  const segment = oracleSegment(tiny, weights, samples, settled, judgement);
  const loss = () => oracleSegment(tiny, weights, samples, settled, judgement, segment.target).losses.total / B;
  const random = createRandom(5);
  const slopes: Record<string, Slope[]> = {};
  for (const [name, tensor] of Object.entries({ ...weights, [ROWS]: samples.map(({ row }) => row) })) {
    slopes[name] = Array.from({ length: DIRECTIONS }, () => {
      const direction = tensor.map((row) => randomVector(row.length, random));
      return { direction, slope: oracle.slope(loss, tensor, direction) };
    });
  }
  const result = { segment, slopes };
  computed.set(tiny.name, result);
  return result;
}

/** Asserts that a gradient has the slopes, within a rounding of its own norm. */
async function assertSlopes(gradient: tf.Tensor, slopes: Slope[], what: string): Promise<void> {
  const values = Array.from(await gradient.data());
  const norm = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  for (const { direction, slope } of slopes) {
    const own = direction.flat().reduce((sum, value, i) => sum + value * values[i], 0);
    assert.ok(
      Math.abs(own - slope) <= ROUNDING.tolerance * Math.max(norm, 1e-3),
      `${what}: its slope is ${own}, expected ${slope}; its norm is ${norm}`,
    );
  }
}

/** segmentGradients() of a network and what {@link setUp} made. */
function runSegment(tiny: TinyRelative, network: Network): SegmentResult {
  const { samples, states, judgement } = setUp(tiny);
  const { targets, last } = judgementTensors(judgement);
  const [input, state] = [inputOf(samples, tiny.config.model), stateOf(states)];
  const result = segmentGradients(network, input, state, targets, tiny.config, last);
  tf.dispose([input, state, targets, last] as unknown as tf.TensorContainer);
  return result;
}

function disposeResult(result: SegmentResult): void {
  tf.dispose(result as unknown as tf.TensorContainer);
}

for (const tiny of relatives) {
  const { name, config: { model } } = tiny;

  eachBackend(`segmentGradients() of ${name} gives the oracle's segment, loss and gradients`, async () => {
    const expected = await oracleGradients(tiny);
    const network = networkOf(tiny);
    const result = runSegment(tiny, network);
    const { segment } = expected;
    await assertTensor(result.state.zH, segment.state.map(({ zH }) => zH), "zH", ROUNDING);
    if (result.state.zL) await assertTensor(result.state.zL, segment.state.map(({ zL }) => zL), "zL", ROUNDING);
    await assertTensor(result.logits, segment.logits, "logits", ROUNDING);
    await assertTensor(result.losses.total, segment.losses.total, "loss", ROUNDING);
    await assertTensor(result.losses.answer, segment.losses.answer, "loss of the answers", ROUNDING);
    assert.equal(result.q !== undefined, model.halting !== "fixed");
    assert.equal(result.target !== undefined, model.halting === "q");
    if (result.q) {
      await assertTensor(result.q, segment.q, "q", ROUNDING);
      await assertTensor(result.losses.halt!, segment.losses.halt, "loss of halting", ROUNDING);
    }
    if (result.target) {
      await assertTensor(result.target, segment.target, "target", ROUNDING);
      await assertTensor(result.losses.continue!, segment.losses.continue, "loss of continuing", ROUNDING);
    }
    assert.deepEqual(Object.keys(result.gradients), Object.keys(network.parameters));
    for (const [parameter, gradient] of Object.entries(result.gradients)) {
      await assertSlopes(gradient, expected.slopes[parameter], `gradient of ${parameter}`);
    }
    await assertSlopes(result.rowGradient, expected.slopes[ROWS], "gradient of the rows");
  });
}

Deno.test("the oracle's gradient would differ were settling and the target not constant", async () => {
  const tiny = relativeNamed("hrm");
  const { relative, config: { model } } = tiny;
  const { samples, states, judgement } = setUp(tiny);
  const network = networkOf(tiny);
  const weights = await weightsOf(network.parameters);
  const settle = () => samples.map((sample, b) => oracle.settle(relative, weights, sample, states[b], model));
  const { segment, slopes } = await oracleGradients(tiny);
  const settled = settle();
  const whole = () => oracleSegment(tiny, weights, samples, settle(), judgement, segment.target).losses.total / B;
  const withTarget = () => oracleSegment(tiny, weights, samples, settled, judgement).losses.total / B;
  const [{ direction, slope }] = slopes["H.0.qkv"];
  assert.ok(Math.abs(oracle.slope(whole, weights["H.0.qkv"], direction) - slope) > 1e-3);
  assert.ok(Math.abs(oracle.slope(withTarget, weights["H.0.qkv"], direction) - slope) > 1e-3);
});

eachBackend("segmentGradients() without a target learns nothing of continuing", async () => {
  const tiny = relativeNamed("hrm");
  const { samples, states, judgement } = setUp(tiny);
  const network = networkOf(tiny);
  const result = segmentGradients(
    network,
    inputOf(samples, tiny.config.model),
    stateOf(states),
    judgementTensors(judgement).targets,
    tiny.config,
    undefined,
    false,
  );
  assert.equal(result.target, undefined);
  assert.equal(result.losses.continue, undefined);
  const bias = await result.gradients["q_head.bias"].data();
  assert.notEqual(bias[0], 0);
  assert.equal(bias[1], 0);
});

for (const tiny of relatives) {
  eachBackend(`segmentGradients() of ${tiny.name} leaves its result and nothing else`, () => {
    const network = networkOf(tiny);
    const before = tf.memory().numTensors;
    for (let i = 0; i < 2; i++) {
      const result = runSegment(tiny, network);
      assert.ok(Object.values(network.parameters).every((tensor) => !tensor.isDisposed));
      disposeResult(result);
      assert.equal(tf.memory().numTensors, before);
    }
    disposeNetwork(network);
  });
}

for (const name of ["hrm", "loop"]) {
  eachBackend(`modelInput() of ${name} shows each row its tokens, its puzzle and how it is told`, async () => {
    const { config } = relativeNamed(name);
    const [batch, table] = [randomBatch(config, 1), randomTable(config)];
    const input = modelInput(batch, table, config.model);
    const expected = inputOf(samplesOf(batch, table, config), config.model);
    assert.deepEqual(Object.keys(input), Object.keys(expected));
    for (const [key, tensor] of Object.entries(input) as [keyof ModelInput, tf.Tensor][]) {
      assert.deepEqual([tensor.shape, tensor.dtype], [expected[key]!.shape, expected[key]!.dtype], key);
      await assertTensor(tensor, await expected[key]!.data(), key, { tolerance: 0 });
    }
  });
}

eachBackend("targetsOf() makes each row's weights sum to 1 and checks no light token", async () => {
  const batch = {
    ...randomBatch(relativeNamed("hrm").config, 1),
    labels: Int32Array.of(1, 2, 3, -100, 5, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1),
    weights: Float32Array.of(1, 1, 0.1, 0, 0.5, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1),
  };
  const { labels, weights, checked } = targetsOf(batch);
  await assertTensor(labels, batch.labels, "labels", { tolerance: 0 });
  await assertTensor(
    weights,
    [1, 1, 0.1, 0, 0.5].map((w) => w / 2.6).concat(Array(5).fill(0), Array(5).fill(0.2)),
    "w",
  );
  await assertTensor(checked, [1, 2, -1, -1, 5, -1, -1, -1, -1, -1, 1, 1, 1, 1, 1], "checked", { tolerance: 0 });
});
