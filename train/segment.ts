/**
 * One segment of a batch with its loss and its gradients. Knows no optimiser and no halting.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import type { Batch } from "../arc/examples.ts";
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
import { withoutGradient } from "../model/kernels/operation.ts";
import { gradients } from "../model/kernels/tape.ts";
import type { Network, Parameters } from "../model/parameters.ts";
import type { Config } from "./config.ts";
import { type Losses, segmentLoss, type Targets } from "./loss.ts";
import type { PuzzleTable } from "./puzzle_table.ts";

/** The network's input of a batch, with the puzzles' rows taken from the table. */
export function modelInput(batch: Batch, table: PuzzleTable, config: ModelConfig): ModelInput {
  const { size: B, tokens: S } = batch;
  const input: ModelInput = {
    tokens: tf.tensor(batch.inputs, [B, S], "int32"),
    rows: tf.tensor(table.gather(batch.rows), [B, table.width], "float32"),
  };
  if (config.conditioning === "prefix") return input;
  const { vocabulary: V, width: D } = config;
  const shown = new Int32Array(B * V);
  const dihedral = new Int32Array(B * V);
  const roles = new Float32Array(B * V * D);
  for (let row = 0, i = 0; row < B; row++) {
    dihedral.fill(batch.dihedral[row], i, i + V);
    for (let token = 0; token < V; token++, i++) {
      // Token 0 is outside the grid and always itself; colour c is token c + 1.
      const colour = row * 10 + token - 1;
      shown[i] = token ? batch.colours[colour] + 1 : 0;
      roles.fill(token ? batch.roles[colour] : 1, i * D, (i + 1) * D);
    }
  }
  return {
    ...input,
    shown: tf.tensor(shown, [B, V], "int32"),
    roles: tf.tensor(roles, [B, V, D], "float32"),
    dihedral: tf.tensor(dihedral, [B, V], "int32"),
  };
}

/** What a batch is judged by: weights summing to 1 in each row that has any. */
export function targetsOf({ size: B, tokens: S, labels, weights }: Batch): Targets {
  const normalised = new Float32Array(B * S);
  const checked = new Int32Array(B * S);
  for (let from = 0; from < B * S; from += S) {
    let sum = 0;
    for (let i = from; i < from + S; i++) sum += weights[i];
    for (let i = from; i < from + S; i++) {
      normalised[i] = weights[i] / (sum || 1);
      checked[i] = weights[i] < 0.5 ? -1 : labels[i];
    }
  }
  return {
    labels: tf.tensor1d(labels, "int32"),
    weights: tf.tensor1d(normalised),
    checked: tf.tensor1d(checked, "int32"),
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
 * @param whole B of the batch that these rows are a part of
 */
export function segmentGradients(
  network: Network,
  input: ModelInput,
  state: State,
  targets: Targets,
  config: Config,
  lastSegment?: tf.Tensor,
  withTarget = config.model.halting === "q" && config.model.maxSegments > 1,
  whole = input.tokens.shape[0],
): SegmentResult {
  const { config: model, parameters } = network;
  const S = input.tokens.shape[1]!;
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
        right: keep(losses.right),
      };
      return tf.div(losses.total, whole);
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
  // Settling frees each call's memory; all calls but the last may settle here.
  const settling = { ...model, gradientCalls: 1 };
  const settled = settle(parameters, state, embedded, settling);
  const [halt, going] = columns(haltValues(parameters, step(parameters, settled, embedded, settling, true).zH));
  return tf.sigmoid(tf.where(tf.greater(last, 0), halt, tf.maximum(halt, going)));
}
