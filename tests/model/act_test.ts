import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs";
import {
  argMax,
  type Carry,
  haltAfter,
  initialCarry,
  resetHalted,
  think,
  type Thought,
  wantsHalt,
} from "../../model/act.ts";
import type { ModelConfig } from "../../model/config.ts";
import { eachBackend } from "../backends.ts";
import * as oracle from "../oracle.ts";
import {
  assertNumbers,
  assertTensor,
  inputOf,
  randomNetwork,
  randomSamples,
  randomStates,
  relativeNamed,
  relatives,
  stateOf,
  weightsOf,
} from "../relatives.ts";

const q = relativeNamed("hrm").config.model;
const halt = relativeNamed("trm").config.model;
const fixed = relativeNamed("loop").config.model;

/** haltAfter() of one row. */
const halts = (config: ModelConfig, qHalt: number, qContinue: number, segments: number, minimum?: number) =>
  haltAfter(config, [qHalt], [qContinue], Int32Array.of(segments), minimum === undefined ? undefined : [minimum])[0] ===
    1;

Deno.test("wantsHalt() compares halt with continue under Q-learning, with zero without, and never where halting is fixed", () => {
  assert.deepEqual([[1, 0], [0, 1], [0, 0], [-1, -2]].map(([h, c]) => wantsHalt(q, h, c)), [true, false, false, true]);
  assert.deepEqual([[1, 2], [-1, -2], [0, -1]].map(([h, c]) => wantsHalt(halt, h, c)), [true, false, false]);
  assert.equal(wantsHalt(fixed, 9, -9), false);
});

Deno.test("haltAfter() halts every row at its last segment, whatever it asks for", () => {
  for (const config of [q, halt, fixed]) {
    assert.equal(halts(config, -5, 5, config.maxSegments), true);
    assert.equal(halts(config, -5, 5, config.maxSegments, config.maxSegments), true);
    assert.equal(halts(config, -5, 5, config.maxSegments - 1), false);
  }
});

Deno.test("haltAfter() halts a row that asks for it, but not before exploration allows", () => {
  assert.equal(halts(q, 1, 0, 1), true);
  assert.equal(halts(q, 1, 0, 1, 0), true);
  assert.equal(halts(q, 1, 0, 1, 2), false);
  assert.equal(halts(q, 1, 0, 2, 2), true);
  assert.equal(halts(q, 0, 1, 3, 2), false);
  assert.equal(halts(halt, 1, 2, 1), true);
  assert.equal(halts(fixed, 1, 0, 3), false);
});

Deno.test("haltAfter() judges every row by its own values", () => {
  const halted = haltAfter(q, [1, 1, 0, 0], [0, 0, 1, 1], Int32Array.of(1, 1, 1, 4), [0, 3, 0, 0]);
  assert.deepEqual([...halted], [1, 0, 0, 1]);
});

Deno.test("argMax() takes the largest logit's token, the first of equals", () => {
  assert.deepEqual([...argMax(Float32Array.of(0, 2, 1, -3, -4, -3, 5, 5, 5), 3)], [1, 0, 0]);
});

eachBackend("initialCarry() has every row halted and no segment spent", async () => {
  const network = randomNetwork(q, 1);
  const carry = initialCarry(network, 3, q.tokens);
  assert.deepEqual([...carry.halted], [1, 1, 1]);
  assert.deepEqual([...carry.segments], [0, 0, 0]);
  assert.deepEqual(carry.state.zH.shape, [3, q.prefix + q.tokens, q.width]);
  await assertTensor(
    carry.state.zH,
    Array(3 * (q.prefix + q.tokens)).fill([...await network.buffers.H_init.data()]),
    "zH",
  );
});

for (const halted of [[0, 0, 0], [0, 1, 0], [1, 1, 1]]) {
  eachBackend(`resetHalted() starts rows [${halted}] again and keeps the others`, async () => {
    for (const config of [q, fixed]) {
      const network = randomNetwork(config, 1);
      const states = randomStates(config, 3, 2);
      const carry: Carry = { state: stateOf(states), segments: new Int32Array(3), halted: Uint8Array.from(halted) };
      const fresh = oracle.initialState(await weightsOf(network.buffers), config.prefix + config.tokens);
      const expected = states.map((own, row) => halted[row] ? fresh : own);
      const before = tf.memory().numTensors;
      const reset = resetHalted(network, carry, config.tokens);
      assert.equal(tf.memory().numTensors, before + (config.lLayers ? 2 : 1));
      await assertTensor(reset.zH, expected.map(({ zH }) => zH), "zH", { tolerance: 0 });
      if (reset.zL) await assertTensor(reset.zL, expected.map(({ zL }) => zL), "zL", { tolerance: 0 });
      tf.dispose([carry.state.zH, carry.state.zL] as tf.TensorContainer);
      assert.equal(reset.zH.isDisposed, false, "the tensors are fresh");
    }
  });
}

/** How many rows think together. */
const B = 5;

/** Rounding grows with every segment of recursion (one segment alone is judged at 1e-5); a mistake of 1 % shows at 1e-2. */
const GROWN = 3e-4;

/** The oracle's thoughts: one row after the other, as many segments as asked for. */
async function oracleThoughts(name: string, haltEarly: boolean): Promise<Thought[]> {
  const { relative, config: { model } } = relativeNamed(name);
  const network = randomNetwork(model, 1);
  const [weights, buffers] = [await weightsOf(network.parameters), await weightsOf(network.buffers)];
  return randomSamples(model, B, 2).map((sample) => {
    let state = oracle.initialState(buffers, model.prefix + model.tokens);
    const trace: Uint8Array[] = [];
    for (let segments = 1;; segments++) {
      state = oracle.segment(relative, weights, sample, state, model);
      const logits = oracle.answer(weights, sample, state, model);
      trace.push(Uint8Array.from(logits.map(oracle.argMax)));
      const values = model.halting === "fixed" ? undefined : oracle.haltValues(weights, state);
      const asks = values && values[0] > (model.halting === "q" ? values[1] : 0);
      if (segments < model.maxSegments && !(haltEarly && asks)) continue;
      return { logits: Float32Array.from(logits.flat()), halt: values && oracle.sigmoid(values[0]), segments, trace };
    }
  });
}

for (const { name, config: { model } } of relatives) {
  for (const haltEarly of [false, true]) {
    eachBackend(`think() of ${name} thinks as the oracle does, halting ${haltEarly ? "early" : "late"}`, async () => {
      const expected = await oracleThoughts(name, haltEarly);
      const spent = expected.map(({ segments }) => segments);
      if (!haltEarly || model.halting === "fixed") assert.deepEqual(spent, Array(B).fill(model.maxSegments));
      else assert.ok(new Set(spent).size > 1, `rows must halt at different segments to be a test, not ${spent}`);
      const thoughts = await think(randomNetwork(model, 1), inputOf(randomSamples(model, B, 2), model), {
        haltEarly,
        trace: true,
      });
      for (const [row, { logits, halt, segments, trace }] of thoughts.entries()) {
        assert.equal(segments, expected[row].segments, `segments of row ${row}`);
        assertNumbers(logits, expected[row].logits, `logits of row ${row}`, { tolerance: GROWN });
        assert.deepEqual(trace, expected[row].trace, `trace of row ${row}`);
        assert.equal(halt === undefined, expected[row].halt === undefined);
        if (halt !== undefined) {
          assertNumbers([halt], [expected[row].halt], `halting probability of row ${row}`, { tolerance: GROWN });
        }
      }
    });
  }
}

for (const { name, config: { model } } of [relativeNamed("hrm"), relativeNamed("loop")]) {
  eachBackend(`think() of ${name} answers a row in a shrinking batch as it answers it alone`, async () => {
    const network = randomNetwork(model, 1);
    const samples = randomSamples(model, B, 2);
    const together = await think(network, inputOf(samples, model), { haltEarly: true });
    for (const row of [0, 3]) {
      const [alone] = await think(network, inputOf([samples[row]], model), { haltEarly: true });
      assert.equal(alone.segments, together[row].segments);
      assertNumbers(alone.logits, together[row].logits, `logits of row ${row}`, { tolerance: GROWN });
    }
  });

  eachBackend(`think() of ${name} leaves no tensor behind and disposes none of its input`, async () => {
    const network = randomNetwork(model, 1);
    const input = inputOf(randomSamples(model, B, 2), model);
    const before = tf.memory().numTensors;
    for (const haltEarly of [false, true]) {
      for (const trace of [false, true]) {
        await think(network, input, { haltEarly, trace });
        assert.equal(tf.memory().numTensors, before, `haltEarly ${haltEarly}, trace ${trace}`);
      }
    }
    assert.ok(Object.values(input).every((tensor: tf.Tensor) => !tensor.isDisposed));
  });
}

eachBackend("think() stops after maxSegments, at the answer that the trace had there", async () => {
  const network = randomNetwork(q, 1);
  const input = inputOf(randomSamples(q, B, 2), q);
  const long = await think(network, input, { maxSegments: 5, trace: true });
  const short = await think(network, input, { maxSegments: 2 });
  for (const [row, { logits, segments, trace }] of short.entries()) {
    assert.equal(segments, 2);
    assert.equal(long[row].segments, 5);
    assert.equal(long[row].trace.length, 5);
    assert.deepEqual(trace, []);
    assert.deepEqual(argMax(logits, q.vocabulary), long[row].trace[1]);
  }
});
