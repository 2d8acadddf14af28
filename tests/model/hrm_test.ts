import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs";
import { createRandom } from "../../arc/random.ts";
import { answer, call, embed, haltValues, initialState, rotary, settle, type State, step } from "../../model/hrm.ts";
import { linear } from "../../model/kernels/linear.ts";
import { withoutGradient } from "../../model/kernels/operation.ts";
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
  rowsOf,
  stateOf,
  weightsOf,
} from "../relatives.ts";

/** A random network of a kind with three samples in the middle of their thoughts. */
async function setUp(name: string) {
  const { relative, config: { model } } = relativeNamed(name);
  const network = randomNetwork(model, 7);
  const samples = randomSamples(model, 3, 2);
  const states = randomStates(model, 3, 3);
  const rotations = rotary(model, model.tokens);
  return {
    relative,
    model,
    network,
    samples,
    states,
    parameters: network.parameters,
    weights: await weightsOf(network.parameters),
    state: stateOf(states),
    embedded: embed(network.parameters, inputOf(samples, model), model, rotations),
  };
}

async function assertState(state: State, expected: oracle.SampleState[], what: string): Promise<void> {
  await assertTensor(state.zH, expected.map(({ zH }) => zH), `${what}: zH`);
  assert.equal(state.zL !== undefined, expected[0].zL !== undefined, `${what}: zL is there where there is a low level`);
  if (state.zL) await assertTensor(state.zL, expected.map(({ zL }) => zL), `${what}: zL`);
}

eachBackend("linear() is x Wᵀ over the last axis, of any rank", async () => {
  const [x, W] = [rowsOf(randomVector(6 * 5, createRandom(1)), 5), rowsOf(randomVector(3 * 5, createRandom(2)), 5)];
  const y = linear(tf.tensor(x.flat(), [2, 3, 5]), tf.tensor2d(W));
  assert.deepEqual(y.shape, [2, 3, 3]);
  await assertTensor(y, x.map((row) => oracle.linear(row, W)), "y");
});

for (const { name, config: { model } } of relatives) {
  eachBackend(`rotary() of ${name} turns each position by its angles`, async () => {
    const turns = oracle.angles(model, model.tokens);
    const { cos, sin } = rotary(model, model.tokens);
    await assertTensor(cos, turns.map((row) => [...row, ...row].map(Math.cos)), "cos");
    await assertTensor(sin, turns.map((row) => [...row, ...row].map(Math.sin)), "sin");
  });

  eachBackend(`embed() of ${name} follows the equations`, async () => {
    const { samples, weights, embedded } = await setUp(name);
    const expected = samples.map((sample) => oracle.embed(weights, sample, model));
    await assertTensor(embedded.x, expected.map(({ x }) => x), "x");
    assert.equal(embedded.vectors !== undefined, model.conditioning === "roles");
    if (embedded.vectors) await assertTensor(embedded.vectors, expected.map(({ vectors }) => vectors), "vectors");
  });

  eachBackend(`call() of ${name} updates one level and leaves the other`, async () => {
    const { parameters, weights, states, state, embedded, samples } = await setUp(name);
    const high = call("H", state, parameters, model, embedded);
    assert.equal(high.zL, state.zL);
    const expected = states.map(({ zH, zL }, b) => {
      const injected = zL ?? oracle.embed(weights, samples[b], model).x;
      return oracle.network(zH.map((row, t) => row.map((value, i) => value + injected[t][i])), weights, "H", model);
    });
    await assertTensor(high.zH, expected, "zH");
    if (state.zL) assert.equal(call("L", state, parameters, model, embedded).zH, state.zH);
  });

  eachBackend(`settle() and step() of ${name} are the segment's two parts`, async () => {
    const { relative, parameters, weights, states, state, embedded, samples } = await setUp(name);
    const settled = settle(parameters, state, embedded, model);
    const expected = states.map((own, b) => oracle.settle(relative, weights, samples[b], own, model));
    await assertState(settled, expected, "settled");
    const next = step(parameters, settled, embedded, model);
    await assertState(next, expected.map((own, b) => oracle.step(relative, weights, samples[b], own, model)), "next");
  });

  eachBackend(`step() of ${name} for the first position alone gives the halting values of all positions`, async () => {
    const { parameters, state, embedded } = await setUp(name);
    const first = step(parameters, state, embedded, model, true);
    if (model.mixer === "attention" && !model.neighbourShift) assert.equal(first.zH.shape[1], 1);
    if (model.halting === "fixed") return;
    const whole = await haltValues(parameters, step(parameters, state, embedded, model).zH).data();
    const ahead = await haltValues(parameters, first.zH).data();
    whole.forEach((value, i) => assert.ok(Math.abs(value - ahead[i]) < 1e-5, `${value} and ${ahead[i]}`));
  });

  eachBackend(`answer() and haltValues() of ${name} read the high level`, async () => {
    const { parameters, weights, states, state, embedded, samples } = await setUp(name);
    const logits = answer(parameters, state.zH, embedded, model);
    assert.deepEqual(logits.shape, [3, model.tokens, model.vocabulary]);
    await assertTensor(logits, states.map((own, b) => oracle.answer(weights, samples[b], own, model)), "logits");
    if (model.halting === "fixed") return;
    await assertTensor(
      haltValues(parameters, state.zH),
      states.map((own) => oracle.haltValues(weights, own)),
      "halting values",
    );
  });

  eachBackend(`settle() of ${name} leaves its result and nothing else, and its input alone`, async () => {
    const { parameters, state, embedded } = await setUp(name);
    const before = tf.memory().numTensors;
    const settled = settle(parameters, state, embedded, model);
    const count = settled.zL ? 2 : 1;
    assert.equal(tf.memory().numTensors, before + count);
    tf.dispose([settled.zH, settled.zL] as tf.TensorContainer);
    assert.equal(state.zH.isDisposed, false);
    assert.equal(tf.memory().numTensors, before);
  });
}

eachBackend("settle() inside withoutGradient() is a constant, and outside it is not", async () => {
  const { model, parameters, state, embedded } = await setUp("hrm");
  const sum = (x: tf.Tensor) => tf.sum(settle(parameters, state, { ...embedded, x }, model).zH);
  // Without the constant the sum of the input itself is left, whose gradient is one.
  const held = tf.grad((x) => tf.add(tf.sum(x), withoutGradient(() => sum(x))))(embedded.x);
  assert.ok((await held.data()).every((slope) => slope === 1));
  const whole = tf.grad((x) => tf.add(tf.sum(x), sum(x)))(embedded.x);
  assert.ok((await whole.data()).some((slope) => Math.abs(slope - 1) > 0.01));
});

eachBackend("initialState() repeats the initial vectors at every position", async () => {
  for (const name of ["hrm", "loop"]) {
    const { model, network } = await setUp(name);
    const buffers = await weightsOf(network.buffers);
    const state = initialState(network, 2, model.tokens);
    const expected = oracle.initialState(buffers, model.prefix + model.tokens);
    await assertState(state, [expected, expected], name);
  }
});

eachBackend("embed() pads a short puzzle row with zeros after it", async () => {
  const { model, embedded, samples } = await setUp("trm");
  const prefix = tf.slice(embedded.x, [0, 0, 0], [3, model.prefix, model.width]);
  const padded = samples.map(({ row }) => [
    ...row.map((value) => value * Math.sqrt(model.width)),
    ...Array(model.prefix * model.width - model.puzzleWidth).fill(0),
  ]);
  await assertTensor(prefix, padded, "prefix");
});
