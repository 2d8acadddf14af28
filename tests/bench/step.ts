/**
 * Whole training steps of one shape on one backend, timed. Knows no data: puzzles are random.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import type { Batch } from "../../arc/examples.ts";
import { createRandom } from "../../arc/random.ts";
import { think } from "../../model/act.ts";
import type { Backend } from "../../model/backend.ts";
import { type Network, specify } from "../../model/parameters.ts";
import { type Config, makeConfig } from "../../train/config.ts";
import { PuzzleTable } from "../../train/puzzle_table.ts";
import { countParts } from "../../train/micro_batches.ts";
import { modelInput } from "../../train/segment.ts";
import { createTrainingState, disposeTrainingState, trainStep } from "../../train/step.ts";
import { feedForwardWidth, type ModelConfig } from "../../model/config.ts";

/** A network's size and its batch. */
export interface Shape {
  /** D */
  width: number;
  /** N */
  heads: number;
  /** Blocks a level. */
  layers: number;
  /** S, a square, beside one puzzle token. */
  tokens: number;
  /** B */
  batch: number;
}

/** The official network at a shape: two levels, 2 x 2 cycles, ACT with Q-learning, AdamATan2. */
export function hrmOf({ width, heads, layers, tokens, batch }: Shape): Config {
  return makeConfig("arc", Math.round(Math.sqrt(tokens)), {
    model: {
      width,
      heads,
      headWidth: width / heads,
      feedForward: feedForwardWidth(width, 4),
      hLayers: layers,
      lLayers: layers,
      puzzleWidth: width,
    },
    training: { batchSize: batch },
  });
}

/** The looped transformer on a canvas: four segments of two passes, each with an update. */
export function loopOf(side: number, batch: number): Config {
  return makeConfig("loop", side, { training: { batchSize: batch } });
}

function randomBatch({ model, training }: Config): Batch {
  const random = createRandom(1);
  const [size, tokens] = [training.batchSize, model.tokens];
  const draw = (length: number, n: number) => Int32Array.from({ length }, () => random.integer(n));
  return {
    size,
    tokens,
    inputs: draw(size * tokens, model.vocabulary),
    labels: draw(size * tokens, model.vocabulary),
    weights: new Float32Array(size * tokens).fill(1),
    rows: draw(size, 16),
    dihedral: draw(size, 8),
    colours: Int32Array.from({ length: size * 10 }, (_, i) => i % 10),
    roles: new Uint8Array(size * 10).fill(1),
  };
}

/** Floating-point operations of the products of one step: six calls for the target, those of the segment, and twice those with gradient. */
export function stepFlop({ model, training }: Config): number {
  const { width: D, heads: N, headWidth: K, feedForward: F, prefix, tokens } = model;
  const T = prefix + tokens;
  const block = 2 * T * (D * 3 * N * K + N * K * D + 3 * D * F) + 4 * T * T * N * K;
  const layers = { L: model.lLayers, H: model.hLayers };
  const lows = model.hCycles * model.lCycles;
  const segment = lows * layers.L + model.hCycles * layers.H;
  const graded = model.lCycles ? layers.L + layers.H : model.gradientCalls * layers.H;
  const target = model.halting === "q" ? segment : 0;
  return training.batchSize * block * (segment + target + 2 * graded);
}

/** First values by name and shape: 27 million of them take seconds to draw, and all networks here may start from the same. */
const drawn = new Map<string, Float32Array>();

/** A network with first values. */
export function startNetwork(config: ModelConfig): Network {
  const random = createRandom(3);
  const network: Network = { config, parameters: {}, buffers: {} };
  for (const { name, shape, buffer, values } of specify(config)) {
    const key = `${name} ${shape}`;
    const known = drawn.get(key) ?? values(tf.util.sizeFromShape(shape), random);
    drawn.set(key, known);
    (buffer ? network.buffers : network.parameters)[name] = tf.tensor(known, shape, "float32");
  }
  return network;
}

/** A training of random puzzles. */
export interface Training {
  /** Makes one step. */
  step(): Promise<unknown>;
  /** Frees all tensors. */
  dispose(): void;
}

/** A fresh training, in as many parts as a device needs. */
export function startTraining(config: Config, backend?: Backend): Training {
  const random = createRandom(2);
  const table = new PuzzleTable(16, config.model.puzzleWidth, config.training.puzzleRule);
  const state = createTrainingState(startNetwork(config.model), table, config);
  const batch = randomBatch(config);
  const parts = countParts(config.model, config.training.batchSize, backend);
  return {
    step: () => trainStep(state, batch, config, 1000, random, { parts }),
    dispose: () => disposeTrainingState(state),
  };
}

/** Milliseconds of `repeats` steps, after `warmup` more. */
export async function timeSteps(
  config: Config,
  warmup: number,
  repeats: number,
  backend?: Backend,
): Promise<number[]> {
  const training = startTraining(config, backend);
  const times: number[] = [];
  for (let i = 0; i < warmup + repeats; i++) {
    const start = performance.now();
    await training.step();
    if (i >= warmup) times.push(performance.now() - start);
  }
  training.dispose();
  return times;
}

/** Milliseconds of one segment of inference over the batch, the best of `repeats` runs of `segments`. */
export async function timeSegment(config: Config, segments: number, repeats: number): Promise<number> {
  const network = startNetwork(config.model);
  const input = modelInput(randomBatch(config), new PuzzleTable(16, config.model.puzzleWidth, "sign"), config.model);
  let best = Infinity;
  for (let i = 0; i < repeats; i++) {
    const start = performance.now();
    await think(network, input, { maxSegments: segments });
    best = Math.min(best, (performance.now() - start) / segments);
  }
  tf.dispose([network.parameters, network.buffers, input] as unknown as tf.TensorContainer);
  return best;
}

/** The middle of some numbers. */
export function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
}
