/**
 * Tiny networks of every kind with random values and random inputs, for tensors and for the oracle alike; how numbers are compared.
 *
 * @module
 */
import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs";
import { createRandom, type Random } from "../arc/random.ts";
import { type ModelConfig, parseModelConfig, rolesWidth } from "../model/config.ts";
import type { ModelInput, State } from "../model/hrm.ts";
import { initialise, type Network, type Parameters } from "../model/parameters.ts";
import { type Config, parseConfig, recipes } from "../train/config.ts";
import type { Matrix, Relative, Sample, SampleState, Vector, Weights } from "./oracle.ts";

/** A kind of network at a tiny size. */
export interface TinyRelative {
  name: string;
  relative: Relative;
  config: Config;
}

const hrm: ModelConfig = {
  vocabulary: 7,
  tokens: 5,
  width: 10,
  heads: 3,
  headWidth: 4,
  feedForward: 7,
  hLayers: 1,
  lLayers: 2,
  hCycles: 2,
  lCycles: 2,
  shared: false,
  gradientCalls: 2,
  mixer: "attention",
  mixerWidth: 0,
  positions: "rope",
  ropeBase: 10000,
  epsilon: 1e-5,
  prefix: 1,
  puzzleWidth: 10,
  conditioning: "prefix",
  neighbourShift: false,
  gridPositions: false,
  halting: "q",
  maxSegments: 4,
};
const trm: ModelConfig = {
  ...hrm,
  hLayers: 0,
  lLayers: 2,
  shared: true,
  gradientCalls: 3,
  prefix: 3,
  puzzleWidth: 13,
  halting: "halt",
};
const transformer: ModelConfig = {
  ...hrm,
  hLayers: 2,
  lLayers: 0,
  hCycles: 1,
  lCycles: 0,
  gradientCalls: 1,
  positions: "learned",
};
const loopSize = { vocabulary: 11, prefix: 2, width: 18 };
const loop: ModelConfig = {
  ...transformer,
  ...loopSize,
  tokens: 9,
  heads: 2,
  headWidth: 8,
  hLayers: 1,
  hCycles: 2,
  gradientCalls: 2,
  positions: "rope2d",
  ropeBase: 50,
  puzzleWidth: rolesWidth(loopSize),
  conditioning: "roles",
  neighbourShift: true,
  gridPositions: true,
  halting: "fixed",
};

const make = (name: string, relative: Relative, model: ModelConfig, recipe: keyof typeof recipes): TinyRelative => ({
  name,
  relative,
  config: parseConfig({
    model: parseModelConfig(model),
    ...recipes[recipe],
    training: { ...recipes[recipe].training, batchSize: 3, exploration: 0 },
    seed: 0,
  }),
});

/** One tiny network of every kind. */
export const relatives: TinyRelative[] = [
  make("hrm", "hrm", hrm, "mini"),
  make("trm", "trm", trm, "trm"),
  make("trm with a token mixer", "trm", { ...trm, mixer: "tokens", mixerWidth: 5, positions: "none" }, "trm"),
  make("transformer", "loop", transformer, "transformer"),
  make("loop", "loop", loop, "loop"),
];

/** The tiny network of a name. */
export function relativeNamed(name: string): TinyRelative {
  return relatives.find((relative) => relative.name === name)!;
}

/** `size` standard normal numbers. */
export function randomVector(size: number, random: Random): Vector {
  return Array.from({ length: size }, () => Math.fround(random.normal()));
}

/** A network with initial values, but random halting values: the initial ones hide mistakes. */
export function randomNetwork(config: ModelConfig, seed: number): Network {
  const random = createRandom(seed);
  const network = initialise(config, random);
  for (const name of ["q_head.weight", "q_head.bias"]) {
    const old = network.parameters[name];
    if (!old) continue;
    network.parameters[name] = tf.tensor(randomVector(old.size, random), old.shape, "float32");
    old.dispose();
  }
  return network;
}

/** Random samples of a network's input. */
export function randomSamples(config: ModelConfig, size: number, seed: number): Sample[] {
  const random = createRandom(seed);
  return Array.from({ length: size }, () => {
    const sample: Sample = {
      tokens: Array.from({ length: config.tokens }, () => random.integer(config.vocabulary)),
      row: randomVector(config.puzzleWidth, random),
    };
    if (config.conditioning === "prefix") return sample;
    return {
      ...sample,
      shown: random.permutation(config.vocabulary),
      roles: Array.from({ length: config.vocabulary }, () => random.integer(2)),
      dihedral: random.integer(8),
    };
  });
}

/** Samples as the network's tensors. */
export function inputOf(samples: Sample[], config: ModelConfig): ModelInput {
  const B = samples.length;
  const input: ModelInput = {
    tokens: tf.tensor2d(samples.map(({ tokens }) => tokens), [B, config.tokens], "int32"),
    rows: tf.tensor2d(samples.map(({ row }) => row), [B, config.puzzleWidth]),
  };
  if (config.conditioning === "prefix") return input;
  return {
    ...input,
    shown: tf.tensor2d(samples.map(({ shown }) => shown!), [B, config.vocabulary], "int32"),
    roles: tf.tensor3d(samples.map(({ roles }) => roles!.map((role) => Array(config.width).fill(role)))),
    dihedral: tf.tensor2d(samples.map(({ dihedral }) => Array(config.vocabulary).fill(dihedral)), undefined, "int32"),
  };
}

/** A random recurrent state of each sample. */
export function randomStates(config: ModelConfig, size: number, seed: number): SampleState[] {
  const random = createRandom(seed);
  const one = (): Matrix =>
    Array.from({ length: config.prefix + config.tokens }, () => randomVector(config.width, random));
  return Array.from({ length: size }, () => config.lLayers ? { zH: one(), zL: one() } : { zH: one() });
}

/** States of samples as tensors. */
export function stateOf(states: SampleState[]): State {
  return {
    zH: tf.tensor3d(states.map(({ zH }) => zH)),
    zL: states[0].zL && tf.tensor3d(states.map(({ zL }) => zL!)),
  };
}

/** Numbers as rows of `width`. */
export function rowsOf(values: ArrayLike<number>, width: number): Matrix {
  return Array.from(
    { length: values.length / width },
    (_, i) => Array.from({ length: width }, (_, j) => values[i * width + j]),
  );
}

/** Tensors as the oracle's matrices. */
export async function weightsOf(tensors: Parameters): Promise<Weights> {
  const weights: Weights = {};
  for (const [name, tensor] of Object.entries(tensors)) {
    weights[name] = rowsOf(await tensor.data(), tensor.shape.at(-1)!);
  }
  return weights;
}

/** How closely numbers are compared. */
export interface Closeness {
  /** The largest error allowed, in units of `unit`; 1e-5 if not given. */
  tolerance?: number;
  /** What errors are measured in: 1, or the expected number where it is larger (`each`); or the largest number expected (`largest`). */
  unit?: "each" | "largest";
}

/**
 * Asserts that a tensor holds the expected numbers, which may be nested.
 *
 * @throws {assert.AssertionError} naming the worst element
 */
export async function assertTensor(
  tensor: tf.Tensor,
  expected: unknown,
  what: string,
  closeness?: Closeness,
): Promise<void> {
  assertNumbers(await tensor.data(), expected, what, closeness);
}

/** As {@link assertTensor}, of numbers. */
export function assertNumbers(
  actual: ArrayLike<number>,
  expected: unknown,
  what: string,
  { tolerance = 1e-5, unit = "each" }: Closeness = {},
): void {
  const numbers = flatten(expected);
  assert.equal(actual.length, numbers.length, `${what}: how many numbers`);
  const largest = numbers.reduce((top, value) => Math.max(top, Math.abs(value)), 0);
  let [worst, at] = [0, 0];
  numbers.forEach((value, i) => {
    // Where nothing is expected, rounding is all there may be.
    const scale = unit === "each" ? Math.max(1, Math.abs(value)) : Math.max(largest, 1e-4);
    const error = Math.abs(actual[i] - value) / scale;
    // No number is greater than NaN, so it stays the worst.
    if (error > worst || Number.isNaN(error)) [worst, at] = [error, i];
  });
  assert.ok(
    worst <= tolerance,
    `${what}: element ${at} of ${numbers.length} is ${actual[at]}, expected ${
      numbers[at]
    }: off by ${worst} of its unit`,
  );
}

function flatten(values: unknown): number[] {
  if (typeof values === "number") return [values];
  return ArrayBuffer.isView(values)
    ? Array.from(values as Float32Array)
    : Array.from(values as unknown[]).flatMap(flatten);
}
