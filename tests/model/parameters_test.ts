import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs";
import { createRandom } from "../../arc/random.ts";
import {
  copyNetwork,
  countParameters,
  disposeNetwork,
  initialise,
  initialRow,
  type Network,
  specify,
} from "../../model/parameters.ts";
import { eachBackend } from "../backends.ts";
import { relativeNamed, relatives, weightsOf } from "../relatives.ts";

const values = async ({ parameters, buffers }: Network) => ({
  ...await weightsOf(parameters),
  ...await weightsOf(buffers),
});

for (const { name, config } of relatives) {
  eachBackend(`initialise() of ${name} gives the same bits for the same seed, and others for another`, async () => {
    const networks = [7, 7, 8].map((seed) => initialise(config.model, createRandom(seed)));
    const [first, again, other] = await Promise.all(networks.map(values));
    assert.deepEqual(first, again);
    assert.notDeepEqual(first, other);
    networks.forEach(disposeNetwork);
  });
}

eachBackend("initialise() draws LeCun's deviation, unit initial states, and halting from -5", async () => {
  const config = {
    ...relativeNamed("hrm").config.model,
    width: 96,
    puzzleWidth: 96,
    heads: 3,
    headWidth: 20,
    feedForward: 70,
  };
  const network = initialise(config, createRandom(3));
  const weights = await values(network);
  const fanIn = {
    "H.0.qkv": 96,
    "L.1.o": 60,
    "L.0.gate_up": 96,
    "H.0.down": 70,
    embed_tokens: 96,
    lm_head: 96,
    L_init: 1,
  };
  for (const [name, into] of Object.entries(fanIn)) {
    const numbers = weights[name].flat();
    const deviation = Math.sqrt(numbers.reduce((sum, value) => sum + value * value, 0) / numbers.length);
    // Four standard errors; a truncated normal's are smaller than a normal's.
    assert.ok(Math.abs(deviation * Math.sqrt(into) - 1) < 4 / Math.sqrt(2 * numbers.length), `${name}: ${deviation}`);
    const bound = 2 / 0.8796 / Math.sqrt(into);
    assert.ok(numbers.every((value) => Math.abs(value) < bound), `${name} stays within two scales`);
  }
  assert.ok(weights["q_head.weight"].flat().every((value) => value === 0));
  assert.deepEqual(weights["q_head.bias"], [[-5, -5]]);
  disposeNetwork(network);
});

Deno.test("specify() has no q_head where halting is fixed and no L where there is no low level", () => {
  const names = (relative: string) => specify(relativeNamed(relative).config.model).map(({ name }) => name);
  assert.deepEqual(names("loop"), [
    "embed_tokens",
    "readout",
    "rows",
    "columns",
    "H.0.qkv",
    "H.0.o",
    "H.0.gate_up",
    "H.0.down",
    "H_init",
  ]);
  assert.ok(names("trm").every((name) => !name.startsWith("H.")), "a shared network is L");
  assert.ok(names("transformer").includes("positions"));
});

eachBackend("countParameters() counts what is learned and no initial state", () => {
  for (const { config: { model } } of relatives) {
    const network = initialise(model, createRandom(1));
    const size = Object.values(network.parameters).reduce((sum, tensor) => sum + tensor.size, 0);
    assert.equal(countParameters(model), size);
    disposeNetwork(network);
  }
});

eachBackend("copyNetwork() copies values that outlive the original", async () => {
  const before = tf.memory().numTensors;
  const network = initialise(relativeNamed("hrm").config.model, createRandom(5));
  const expected = await values(network);
  const copy = copyNetwork(network);
  disposeNetwork(network);
  assert.deepEqual(await values(copy), expected);
  disposeNetwork(copy);
  assert.equal(tf.memory().numTensors, before);
});

Deno.test("initialRow() is zero, but registers are random with deviation a half", () => {
  assert.ok(initialRow(relativeNamed("hrm").config.model, createRandom(1)).every((value) => value === 0));
  const model = { ...relativeNamed("loop").config.model, prefix: 400, puzzleWidth: (11 + 8 + 400) * 18 };
  const row = initialRow(model, createRandom(1));
  assert.equal(row.length, model.puzzleWidth);
  const [told, registers] = [row.subarray(0, 19 * 18), row.subarray(19 * 18)];
  assert.ok(told.every((value) => value === 0));
  const deviation = Math.sqrt(registers.reduce((sum, value) => sum + value * value, 0) / registers.length);
  assert.ok(Math.abs(deviation / 0.5 - 1) < 5 / Math.sqrt(2 * registers.length), `${deviation}`);
});
