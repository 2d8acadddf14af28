/**
 * One step of training: one segment for every row of the batch, one update. Knows no files, no tasks and no clock.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import type { Batch } from "../arc/dataset.ts";
import type { Random } from "../arc/random.ts";
import { type Carry, haltAfter, initialCarry, resetHalted } from "../model/act.ts";
import type { ModelConfig } from "../model/config.ts";
import {
  answer,
  embed,
  type Embedded,
  haltValues,
  type ModelInput,
  rotary,
  settle,
  type State,
  step,
} from "../model/hrm.ts";
import { adamUpdate, movingAverage } from "../model/kernels/adam.ts";
import { withoutGradient } from "../model/kernels/operation.ts";
import { gradients } from "../model/kernels/tape.ts";
import type { Network, Parameters } from "../model/parameters.ts";
import type { Config } from "./config.ts";
import { type Losses, segmentLoss, type Targets } from "./loss.ts";
import type { PuzzleTable } from "./puzzle_table.ts";
import { rateFactor } from "./schedule.ts";

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

/** Rows of `fresh` where `halted`, of `held` elsewhere: a row that is not done keeps its puzzle, and the fresh one is thrown away. */
export function mergeBatch(held: Batch | undefined, fresh: Batch, halted: Uint8Array): Batch {
  if (!held) return fresh;
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

/** The network's input of a batch, with the puzzles' rows taken from the table. */
export function modelInput(batch: Batch, table: PuzzleTable, config: ModelConfig): ModelInput {
  const { size: B, tokens: S } = batch;
  const input: ModelInput = {
    tokens: tf.tensor(batch.inputs, [B, S], "int32"),
    rows: tf.tensor(table.gather(batch.rows), [B, table.width], "float32"),
  };
  if (config.conditioning === "prefix") return input;
  const { vocabulary: V, width: D } = config;
  // Token 0 is outside the grid and always itself; colour c is token c + 1.
  const ofToken = (values: ArrayLike<number>, i: number) => values[Math.floor(i / V) * 10 + i % V - 1];
  const shown = Int32Array.from({ length: B * V }, (_, i) => i % V ? ofToken(batch.colours, i) + 1 : 0);
  const roles = new Float32Array(B * V * D);
  for (let i = 0; i < B * V; i++) roles.fill(i % V ? ofToken(batch.roles, i) : 1, i * D, (i + 1) * D);
  return {
    ...input,
    shown: tf.tensor(shown, [B, V], "int32"),
    roles: tf.tensor(roles, [B, V, D], "float32"),
    dihedral: tf.tensor(
      Int32Array.from({ length: B * V }, (_, i) => batch.dihedral[Math.floor(i / V)]),
      [B, V],
      "int32",
    ),
  };
}

/** What a batch is judged by: weights summing to 1 in each row that has any. */
export function targetsOf({ size: B, tokens: S, labels, weights }: Batch): Targets {
  const normalised = new Float32Array(B * S);
  for (let row = 0; row < B; row++) {
    const own = weights.subarray(row * S, (row + 1) * S);
    const sum = own.reduce((a, b) => a + b, 0) || 1;
    own.forEach((weight, s) => normalised[row * S + s] = weight / sum);
  }
  return {
    labels: tf.tensor1d(labels, "int32"),
    weights: tf.tensor1d(normalised),
    checked: tf.tensor1d(labels.map((label, i) => weights[i] < 0.5 ? -1 : label), "int32"),
  };
}

/** Rows of f32[B, 2] as two f32[B]. */
function columns(q: tf.Tensor): [tf.Tensor, tf.Tensor] {
  return tf.unstack(q, 1) as [tf.Tensor, tf.Tensor];
}

/** What a segment's gradient is made of; every tensor is the caller's. */
export interface SegmentResult {
  /** Gradient of the loss / B by parameter. */
  gradients: Parameters;
  /** Gradient of the loss / B of the rows looked up, f32[B, puzzleWidth]. */
  rowGradient: tf.Tensor;
  /** The state after the segment. */
  state: State;
  /** f32[B, S, V] */
  logits: tf.Tensor;
  /** f32[B, 2]: halt, continue. */
  q?: tf.Tensor;
  /** The target of q_continue, f32[B]. */
  target?: tf.Tensor;
  /** Sums over rows. */
  losses: Losses;
}

/**
 * One segment with its loss and gradients: `settle` and the continue target without gradient, `step` with.
 *
 * @param lastSegment 1 for rows whose last segment this is, f32[B]; needed with Q-learning
 * @param withTarget whether the continue target is computed
 */
export function segmentGradients(
  network: Network,
  input: ModelInput,
  state: State,
  targets: Targets,
  config: Config,
  lastSegment?: tf.Tensor,
  withTarget = config.model.halting === "q" && config.model.maxSegments > 1,
): SegmentResult {
  const { config: model, parameters } = network;
  const [B, S] = input.tokens.shape as [number, number];
  const names = Object.keys(parameters);
  const rotations = rotary(model, S);
  const kept: Partial<SegmentResult> = {};
  const keep = <T extends tf.Tensor | undefined>(tensor: T): T => tensor && tf.keep(tensor.clone()) as T;
  const { value, gradients: slopes } = gradients(
    () => {
      const embedded: Embedded = embed(parameters, input, model, rotations);
      const settled = withoutGradient(() =>
        settle(parameters, state, embedded, model) as unknown as tf.NamedTensorMap
      ) as unknown as State;
      const next = step(parameters, settled, embedded, model);
      const logits = answer(parameters, next.zH, embedded, model);
      const q = model.halting === "fixed" ? undefined : haltValues(parameters, next.zH);
      const [qHalt, qContinue] = q ? columns(q) : [];
      const target = withTarget
        ? withoutGradient(() => continueTarget(parameters, next, embedded, model, lastSegment!))
        : undefined;
      const losses = segmentLoss(
        logits,
        targets,
        config.training.likelihood,
        qHalt,
        target && { value: qContinue!, target },
      );
      kept.state = { zH: keep(next.zH), zL: keep(next.zL) };
      kept.logits = keep(logits);
      kept.q = keep(q);
      kept.target = keep(target);
      kept.losses = {
        total: keep(losses.total),
        answer: keep(losses.answer),
        halt: keep(losses.halt),
        continue: keep(losses.continue),
        correct: keep(losses.correct),
      };
      return tf.div(losses.total, B);
    },
    [input.rows, ...Object.values(parameters)],
  );
  tf.dispose([value, rotations.cos, rotations.sin]);
  const [rowGradient = tf.zerosLike(input.rows), ...others] = slopes;
  return {
    ...kept as SegmentResult,
    gradients: Object.fromEntries(names.map((name, i) => [name, others[i] ?? tf.zerosLike(parameters[name])])),
    rowGradient,
  };
}

/** σ(q_halt') at the last segment, else σ(max(q_halt', q_continue')), after one more segment with the same parameters. */
function continueTarget(
  parameters: Parameters,
  state: State,
  embedded: Embedded,
  model: ModelConfig,
  last: tf.Tensor,
): tf.Tensor {
  const settled = settle(parameters, state, embedded, model);
  const [halt, going] = columns(haltValues(parameters, step(parameters, settled, embedded, model, true).zH));
  return tf.sigmoid(tf.where(tf.greater(last, 0), halt, tf.maximum(halt, going)));
}

/** Embeddings and positions: what `decayEmbeddings: false` spares. */
const EMBEDDINGS = new Set(["embed_tokens", "positions", "rows", "columns"]);

/**
 * One step: halted rows take the batch's rows, every row works one segment, and all parameters move once.
 *
 * @param totalSteps where the schedule ends
 * @param random draws the exploration
 * @param observe sees the segment's tensors before they are disposed
 */
export async function trainStep(
  state: TrainingState,
  batch: Batch,
  config: Config,
  totalSteps: number,
  random: Random,
  observe?: (result: SegmentResult) => void,
): Promise<StepReport> {
  const { network, table } = state;
  const { model, training } = config;
  const { size: B, tokens: S } = batch;
  const carry = state.carry ?? initialCarry(network, B, S);
  const held = mergeBatch(state.held, batch, carry.halted);
  const segments = carry.segments.map((count, row) => (carry.halted[row] ? 0 : count) + 1);
  const started = resetHalted(network, carry);
  tf.dispose([carry.state.zH, carry.state.zL] as tf.TensorContainer);

  const input = modelInput(held, table, model);
  const targets = targetsOf(held);
  const lastSegment = tf.tensor1d(segments.map((count) => count >= model.maxSegments ? 1 : 0), "float32");
  const qLearning = model.halting === "q" && model.maxSegments > 1;
  const withTarget = qLearning && state.steps % training.targetEvery === 0;
  const result = segmentGradients(network, input, started, targets, config, lastSegment, withTarget);
  tf.dispose([input, targets, lastSegment, started.zH, started.zL] as unknown as tf.TensorContainer);

  observe?.(result);
  state.steps++;
  const factor = rateFactor(state.steps, { ...training, totalSteps });
  const { scale, norm } = clipScale(result, training.clipNorm);
  updateParameters(state, result.gradients, scale, factor, config);

  const { losses } = result;
  const zero = tf.scalar(0);
  const [[total], [ofAnswer], [ofHalt], [ofContinue], [gradientNorm], [clipped], correct, q, rowGradient] =
    await readAll([
      losses.total,
      losses.answer,
      losses.halt ?? zero,
      losses.continue ?? zero,
      norm,
      scale,
      losses.correct,
      result.q ?? zero,
      result.rowGradient,
    ]);
  table.update(held.rows, rowGradient.map((g) => g * clipped), {
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
  const metrics = metricsOf(held, halted, segments, correct, qHalt);
  tf.dispose([result.gradients, result.rowGradient, result.logits, zero, scale, norm] as tf.TensorContainer);
  tf.dispose([result.q, result.target, result.losses] as unknown as tf.TensorContainer);
  return {
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

/** min(1, clip / norm) of all gradients together, and the norm. */
function clipScale({ gradients, rowGradient }: SegmentResult, clipNorm: number): { scale: tf.Tensor; norm: tf.Tensor } {
  if (!clipNorm) return { scale: tf.scalar(1), norm: tf.scalar(0) };
  const [scale, norm] = tf.tidy(() => {
    const squares = [...Object.values(gradients), rowGradient].map((gradient) => tf.sum(tf.square(gradient)));
    const norm = tf.sqrt(tf.addN(squares));
    return [tf.minimum(1, tf.div(clipNorm, tf.add(norm, 1e-6))), norm];
  });
  return { scale, norm };
}

function updateParameters(
  state: TrainingState,
  gradients: Parameters,
  scale: tf.Tensor,
  factor: number,
  { training }: Config,
): void {
  const { network: { parameters }, moments, average } = state;
  const decay = training.emaRamp ? Math.min(training.ema, (1 + state.steps) / (10 + state.steps)) : training.ema;
  for (const [name, parameter] of Object.entries(parameters)) {
    const updated = adamUpdate({ parameter, ...moments[name] }, gradients[name], scale, {
      rule: training.rule,
      learningRate: training.learningRate * factor,
      weightDecay: training.decayEmbeddings || !EMBEDDINGS.has(name) ? training.weightDecay : 0,
      beta1: training.beta1,
      beta2: training.beta2,
      step: state.steps,
    });
    tf.dispose([parameter, moments[name].first, moments[name].second]);
    parameters[name] = updated.parameter;
    moments[name] = { first: updated.first, second: updated.second };
    if (!average) continue;
    const old = average[name];
    average[name] = movingAverage(old, updated.parameter, decay);
    old.dispose();
  }
}

/** The official metrics of a step: sums over the rows that halted and have labels. */
export function metricsOf(
  { size: B, tokens: S, labels, weights }: Batch,
  halted: Uint8Array,
  segments: Int32Array,
  correct: Float32Array,
  qHalt: Float32Array,
): StepReport["metrics"] {
  const metrics = { count: 0, accuracy: 0, exactAccuracy: 0, qHaltAccuracy: 0, segments: 0 };
  for (let row = 0; row < B; row++) {
    let [asked, right] = [0, 0];
    for (let s = row * S; s < (row + 1) * S; s++) {
      if (labels[s] < 0 || weights[s] < 0.5) continue;
      asked++;
      right += correct[s];
    }
    if (!halted[row] || !asked) continue;
    const exact = right === asked;
    metrics.count++;
    metrics.accuracy += right / asked;
    metrics.exactAccuracy += Number(exact);
    metrics.qHaltAccuracy += Number((qHalt[row] >= 0) === exact);
    metrics.segments += segments[row];
  }
  return metrics;
}
