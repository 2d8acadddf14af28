/**
 * A batch in parts, one after the other, for what a device cannot hold at once: the same gradients, summed. Knows no optimiser.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import type { Batch } from "../arc/examples.ts";
import type { Backend } from "../model/backend.ts";
import { type ModelConfig, sequenceLength } from "../model/config.ts";
import type { State } from "../model/hrm.ts";
import type { Network } from "../model/parameters.ts";
import type { Config } from "./config.ts";
import type { PuzzleTable } from "./puzzle_table.ts";
import { modelInput, segmentGradients, type SegmentResult, targetsOf } from "./segment.ts";

/** Bytes of the largest tensor of a segment for each row of the batch. */
function largestRow(model: ModelConfig): number {
  const { width: D, heads: N, headWidth: K, feedForward: F, mixerWidth: M } = model;
  return 4 * Math.max(sequenceLength(model) * Math.max(3 * N * K, 2 * F, D), D * 2 * M);
}

/**
 * How many parts a batch of B rows is worked on in.
 *
 * @param limits of the backend; without them there is one part
 * @throws {Error} when not even one row is small enough, or the state of all rows, which is kept in one tensor a level, is not
 */
export function countParts(
  model: ModelConfig,
  B: number,
  { largestTensor = Infinity, moderateTensor = Infinity }: Pick<Backend, "largestTensor" | "moderateTensor"> = {},
): number {
  const row = largestRow(model);
  if (row > largestTensor) {
    throw new Error(
      `Cannot train: one row of the batch makes a tensor of ${row} bytes, at most ${largestTensor} fit; use a smaller canvas or width`,
    );
  }
  const state = 4 * sequenceLength(model) * model.width;
  if (B * state > largestTensor) {
    throw new Error(
      `Cannot train: the state of ${B} rows is a tensor of ${B * state} bytes, at most ${largestTensor} fit; ` +
        `use a batch of at most ${Math.floor(largestTensor / state)}, training.batchSize in --config`,
    );
  }
  return Math.max(1, Math.ceil(B / Math.max(1, Math.floor(Math.min(largestTensor, moderateTensor) / row))));
}

/** Rows of a part; the last may have fewer. */
export function partSize(B: number, parts: number): number {
  return Math.ceil(B / parts);
}

/** Rows `from` to `to` of a batch. */
function rowsOf(batch: Batch, from: number, to: number): Batch {
  const part: Batch = { ...batch, size: to - from };
  for (const key of ["inputs", "labels", "weights", "rows", "dihedral", "colours", "roles"] as const) {
    const width = batch[key].length / batch.size;
    Object.assign(part, { [key]: batch[key].subarray(from * width, to * width) });
  }
  return part;
}

/** How {@link segmentInParts} works. */
export interface PartsOptions {
  /** 1 for rows whose last segment this is, [B]. */
  last: Float32Array;
  /** Whether the continue target is computed. */
  withTarget: boolean;
  /** How many parts. */
  parts: number;
}

/** The gradients of a segment of a batch. @param state not disposed */
export function segmentInParts(
  network: Network,
  batch: Batch,
  table: PuzzleTable,
  state: State,
  config: Config,
  { last, withTarget, parts }: PartsOptions,
): SegmentResult {
  const B = batch.size;
  const length = partSize(B, parts);
  let joined: SegmentResult | undefined;
  for (let from = 0; from < B; from += length) {
    const to = Math.min(B, from + length);
    const part = rowsOf(batch, from, to);
    const rows = (z?: tf.Tensor) => z && tf.slice(z, from, to - from);
    const own: State = length < B ? { zH: rows(state.zH)!, zL: rows(state.zL) } : state;
    const input = modelInput(part, table, config.model);
    const targets = targetsOf(part);
    const lastSegment = tf.tensor1d(last.subarray(from, to));
    const result = segmentGradients(network, input, own, targets, config, lastSegment, withTarget, B);
    tf.dispose([input, targets, lastSegment, own === state ? [] : own] as unknown as tf.TensorContainer);
    joined = joined ? join(joined, result) : result;
  }
  return joined!;
}

type Tensors = { [name: string]: tf.Tensor | Tensors | undefined };

/** `f` of each tensor of `a` and its counterpart. */
function pairwise<T extends object>(a: T, b: T, f: (x: tf.Tensor, y: tf.Tensor) => tf.Tensor): T {
  const pair = (x: Tensors[string], y: Tensors[string]) =>
    x instanceof tf.Tensor ? f(x, y as tf.Tensor) : x && pairwise(x, y as Tensors, f);
  const others = b as unknown as Tensors;
  return Object.fromEntries(
    Object.entries(a as unknown as Tensors).map(([name, x]) => [name, pair(x, others[name])]),
  ) as T;
}

/** Two results as one: gradients and losses summed, rows one after the other. What was joined is disposed. */
function join(a: SegmentResult, b: SegmentResult): SegmentResult {
  const { gradients, ...rows } = a;
  const { gradients: more, ...moreRows } = b;
  const joined = {
    gradients: pairwise(gradients, more, tf.add),
    ...pairwise(rows, moreRows, (x, y) => x.rank ? tf.concat([x, y]) : tf.add(x, y)),
  };
  tf.dispose([a, b] as unknown as tf.TensorContainer);
  return joined;
}
