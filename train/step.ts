/**
 * One step of training: one segment for every row of the batch, one update. Knows no files, no tasks and no clock.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import type { Sampler } from "../arc/dataset.ts";
import type { Batch } from "../arc/examples.ts";
import type { Random } from "../arc/random.ts";
import { type Carry, haltAfter, initialCarry, resetHalted } from "../model/act.ts";
import { adamUpdates } from "../model/kernels/adam.ts";
import { clipScale } from "../model/kernels/clip.ts";
import type { Network, Parameters } from "../model/parameters.ts";
import type { Config } from "./config.ts";
import { segmentInParts } from "./micro_batches.ts";
import type { PuzzleTable } from "./puzzle_table.ts";
import { rateFactor } from "./schedule.ts";
import type { SegmentResult } from "./segment.ts";

/** Everything that a step changes. */
export interface TrainingState {
  /** What is trained. */
  network: Network;
  /** Running means of gradients and of their squares, by parameter. */
  moments: Record<string, { first: tf.Tensor; second: tf.Tensor }>;
  /** The parameters' moving average; absent without EMA. */
  average?: Parameters;
  /** The puzzles' rows. */
  table: PuzzleTable;
  /** Between segments; absent before the first step. */
  carry?: Carry;
  /** What each row works on. */
  held?: Batch;
  /** Steps made. */
  steps: number;
}

/** What a step did; sums over rows. */
export interface StepReport {
  /** B, rows of the batch. */
  rows: number;
  /** Losses as officially summed, before the division by B. */
  losses: { total: number; answer: number; halt: number; continue: number };
  /** Official metrics: sums over the rows that halted in this step and have labels. */
  metrics: { count: number; accuracy: number; exactAccuracy: number; qHaltAccuracy: number; segments: number };
  /** The norm of all gradients before clipping; 0 where nothing is clipped. */
  gradientNorm: number;
}

/** A fresh state of training. */
export function createTrainingState(network: Network, table: PuzzleTable, config: Config): TrainingState {
  const moments = Object.fromEntries(
    Object.entries(network.parameters).map(([name, parameter]) => [name, {
      first: tf.zerosLike(parameter),
      second: tf.zerosLike(parameter),
    }]),
  );
  const average = config.training.ema
    ? Object.fromEntries(Object.entries(network.parameters).map(([name, p]) => [name, tf.clone(p)]))
    : undefined;
  return { network, moments, average, table, steps: 0 };
}

/** Disposes all that a state of training holds, the network included. */
export function disposeTrainingState({ network, moments, average, carry }: TrainingState): void {
  tf.dispose([network.parameters, network.buffers, moments as unknown as tf.TensorContainer, average ?? {}]);
  if (carry) tf.dispose([carry.state.zH, carry.state.zL] as tf.TensorContainer);
}

/**
 * What the next step is given: a fresh batch, but where all rows go on together (`fixed`) the one they work on, for every row of a fresh one
 * would be thrown away.
 */
export function nextBatch({ carry, held }: TrainingState, sampler: Sampler, { model }: Config): Batch {
  return model.halting === "fixed" && held && !carry!.halted[0] ? held : sampler.next();
}

/** Rows of `fresh` where `halted`, of `held` elsewhere: a row that is not done keeps its puzzle, and the fresh one is thrown away. */
export function mergeBatch(held: Batch | undefined, fresh: Batch, halted: Uint8Array): Batch {
  if (!held || held === fresh || halted.every((h) => h === 1)) return fresh;
  const merged = { ...fresh };
  for (const key of ["inputs", "labels", "weights", "rows", "dihedral", "colours", "roles"] as const) {
    const [old, young] = [held[key], fresh[key]];
    const width = young.length / fresh.size;
    const mixed = young.slice();
    for (let row = 0; row < fresh.size; row++) {
      if (!halted[row]) mixed.set(old.subarray(row * width, (row + 1) * width), row * width);
    }
    Object.assign(merged, { [key]: mixed });
  }
  return merged;
}

/** Embeddings and positions: what `decayEmbeddings: false` spares. */
const EMBEDDINGS = new Set(["embed_tokens", "positions", "rows", "columns"]);

/** How a step is made, beside what is learned. */
export interface StepOptions {
  /** How many parts the batch is worked on in, one after the other; one if not given. */
  parts?: number;
  /** Sees the segment's tensors before they are disposed. */
  observe?: (result: SegmentResult) => void;
}

/**
 * One step: halted rows take the batch's rows, every row works one segment, and all parameters move once.
 *
 * @param totalSteps where the schedule ends
 * @param random draws the exploration
 */
export async function trainStep(
  state: TrainingState,
  batch: Batch,
  config: Config,
  totalSteps: number,
  random: Random,
  { parts = 1, observe }: StepOptions = {},
): Promise<StepReport> {
  const { network, table } = state;
  const { training } = config;
  const model = { ...config.model, maxSegments: training.maxSegments || config.model.maxSegments };
  const { size: B, tokens: S } = batch;
  // Where all rows go on together, the next batch may have another size.
  const fits = state.carry?.segments.length === B;
  if (state.carry && !fits) tf.dispose([state.carry.state.zH, state.carry.state.zL] as tf.TensorContainer);
  const carry = fits ? state.carry! : initialCarry(network, B, S);
  const held = mergeBatch(state.held, batch, carry.halted);
  const segments = carry.segments.map((count, row) => (carry.halted[row] ? 0 : count) + 1);
  const started = resetHalted(network, carry, S);
  tf.dispose([carry.state.zH, carry.state.zL] as tf.TensorContainer);

  const last = Float32Array.from(segments, (count) => count >= model.maxSegments ? 1 : 0);
  const qLearning = model.halting === "q" && model.maxSegments > 1;
  const withTarget = qLearning && (state.steps + 1) % training.targetEvery === 0;
  const result = segmentInParts(network, held, table, started, config, { last, withTarget, parts });
  tf.dispose([started.zH, started.zL] as tf.TensorContainer);

  observe?.(result);
  state.steps++;
  const factor = rateFactor(state.steps, { ...training, totalSteps });
  const { scale, norm } = training.clipNorm
    ? clipScale([...Object.values(result.gradients), result.rowGradient], training.clipNorm)
    : { scale: tf.scalar(1), norm: tf.scalar(0) };
  updateParameters(state, result.gradients, scale, factor, config);

  const { losses } = result;
  const zero = tf.scalar(0);
  const [[total], [ofAnswer], [ofHalt], [ofContinue], [gradientNorm], [clipped], right, q, rowGradient] = await readAll(
    [
      losses.total,
      losses.answer,
      losses.halt ?? zero,
      losses.continue ?? zero,
      norm,
      scale,
      losses.right,
      result.q ?? zero,
      result.rowGradient,
    ],
  );
  table.update(held.rows, rowGradient, {
    scale: clipped,
    rule: training.puzzleRule,
    learningRate: training.puzzleLearningRate * factor,
    weightDecay: training.puzzleWeightDecay,
    beta1: training.beta1,
    beta2: training.beta2,
  });

  const qHalt = Float32Array.from(segments, (_, row) => result.q ? q[2 * row] : 0);
  const qContinue = Float32Array.from(segments, (_, row) => result.q ? q[2 * row + 1] : 0);
  const minimum = model.halting !== "fixed" && training.exploration
    ? segments.map(() => random.next() < training.exploration ? 2 + random.integer(model.maxSegments - 1) : 0)
    : undefined;
  const halted = haltAfter(model, qHalt, qContinue, segments, minimum);
  state.carry = { state: result.state, segments, halted };
  state.held = held;
  const metrics = metricsOf(held, halted, segments, right, qHalt);
  tf.dispose([result.gradients, result.rowGradient, result.logits, zero, scale, norm] as tf.TensorContainer);
  tf.dispose([result.q, result.target, result.losses] as unknown as tf.TensorContainer);
  return {
    rows: B,
    losses: { total, answer: ofAnswer, halt: ofHalt, continue: ofContinue },
    metrics,
    gradientNorm,
  };
}

/** The values of several tensors by one reading: on a GPU each is a wait for all work before it. */
async function readAll(tensors: tf.Tensor[]): Promise<Float32Array[]> {
  const joined = tf.tidy(() => tf.concat(tensors.map((tensor) => tf.reshape(tensor, [-1]))));
  const values = await joined.data() as Float32Array;
  joined.dispose();
  let begin = 0;
  return tensors.map(({ size }) => values.subarray(begin, begin += size));
}

/** Parameters that are updated together: few requests, and few parameters that exist twice meanwhile. */
const TOGETHER = 8;

function updateParameters(
  state: TrainingState,
  gradients: Parameters,
  scale: tf.Tensor,
  factor: number,
  { training }: Config,
): void {
  const { network: { parameters }, moments, average } = state;
  const averageDecay = training.emaRamp ? Math.min(training.ema, (1 + state.steps) / (10 + state.steps)) : training.ema;
  const all = Object.keys(parameters);
  for (let from = 0; from < all.length; from += TOGETHER) {
    const names = all.slice(from, from + TOGETHER);
    const old = names.map((name) => ({ parameter: parameters[name], ...moments[name], average: average?.[name] }));
    const updated = adamUpdates(old, names.map((name) => gradients[name]), scale, {
      rule: training.rule,
      learningRate: training.learningRate * factor,
      weightDecays: names.map((name) => training.decayEmbeddings || !EMBEDDINGS.has(name) ? training.weightDecay : 0),
      beta1: training.beta1,
      beta2: training.beta2,
      step: state.steps,
      averageDecay,
    });
    tf.dispose(old as unknown as tf.TensorContainer);
    for (const [i, name] of names.entries()) {
      const { parameter, first, second } = updated[i];
      parameters[name] = parameter;
      moments[name] = { first, second };
      if (average) average[name] = updated[i].average!;
    }
  }
}

/**
 * The official metrics of a step: sums over the rows that halted and have labels.
 *
 * @param right how many of a row's tokens are right or not asked for, [B]
 */
export function metricsOf(
  { size: B, tokens: S, labels, weights }: Batch,
  halted: Uint8Array,
  segments: Int32Array,
  right: Float32Array,
  qHalt: Float32Array,
): StepReport["metrics"] {
  const metrics = { count: 0, accuracy: 0, exactAccuracy: 0, qHaltAccuracy: 0, segments: 0 };
  for (let row = 0; row < B; row++) {
    let asked = 0;
    for (let s = row * S; s < (row + 1) * S; s++) if (labels[s] >= 0 && weights[s] >= 0.5) asked++;
    if (!halted[row] || !asked) continue;
    const exact = right[row] === S;
    metrics.count++;
    metrics.accuracy += (right[row] - (S - asked)) / asked;
    metrics.exactAccuracy += Number(exact);
    metrics.qHaltAccuracy += Number((qHalt[row] >= 0) === exact);
    metrics.segments += segments[row];
  }
  return metrics;
}
