/**
 * The puzzle table: one row a puzzle, kept in host memory because it can be far larger than the network; a batch takes its rows along and
 * brings their gradient back (official models/sparse_embedding.py).
 *
 * @module
 */

import type { ModelConfig } from "../model/config.ts";

/** How the rows of a batch move. */
export interface RowRule {
  /** The sign of the summed gradient (official), or AdamW with moments a row. */
  rule: "sign" | "adamw";
  /** The rate of this step. */
  learningRate: number;
  /** Decoupled decay of the touched rows. */
  weightDecay: number;
  /** Decay of the first moment. */
  beta1: number;
  /** Decay of the second moment. */
  beta2: number;
  /** What gradients are multiplied by first, for clipping; 1 if not given. */
  scale?: number;
}

/**
 * Rows with, for AdamW, their moments and their own counts of updates.
 *
 * @internal
 */
export class PuzzleTable {
  /** All rows, [rows · width]. */
  readonly values: Float32Array;
  /** Running means of the rows' gradients; empty with the sign rule. */
  readonly first: Float32Array;
  /** Running means of their squares; empty with the sign rule. */
  readonly second: Float32Array;
  /** Updates of each row; empty with the sign rule. */
  readonly updates: Int32Array;

  /** A table of `rows` rows of `width` numbers, zero. */
  constructor(readonly rows: number, readonly width: number, rule: "sign" | "adamw") {
    this.values = new Float32Array(rows * width);
    const moments = rule === "adamw" ? rows * width : 0;
    this.first = new Float32Array(moments);
    this.second = new Float32Array(moments);
    this.updates = new Int32Array(rule === "adamw" ? rows : 0);
  }

  /** One row, a view. */
  row(index: number): Float32Array {
    return this.values.subarray(index * this.width, (index + 1) * this.width);
  }

  /** Copies of rows, [indices.length · width]. */
  gather(indices: ArrayLike<number>): Float32Array {
    const gathered = new Float32Array(indices.length * this.width);
    for (let i = 0; i < indices.length; i++) gathered.set(this.row(indices[i]), i * this.width);
    return gathered;
  }

  /** The mean of the rows from `first` on. */
  mean(first = 0): Float32Array {
    const mean = new Float32Array(this.width);
    for (let i = first; i < this.rows; i++) this.row(i).forEach((value, j) => mean[j] += value / (this.rows - first));
    return mean;
  }

  /**
   * Moves the rows of a batch; rows not named neither move nor decay.
   *
   * @param indices the batch's rows; gradients of equal rows are summed first
   * @param gradient [indices.length · width]
   */
  update(indices: ArrayLike<number>, gradient: Float32Array, rule: RowRule): void {
    const { width } = this;
    const scale = rule.scale ?? 1;
    const sums = new Map<number, Float32Array>();
    for (let i = 0; i < indices.length; i++) {
      const sum = sums.get(indices[i]);
      const first = i * width;
      if (sum) { for (let j = 0; j < width; j++) sum[j] += Math.fround(gradient[first + j] * scale); }
      else {
        const own = new Float32Array(width);
        for (let j = 0; j < width; j++) own[j] = gradient[first + j] * scale;
        sums.set(indices[i], own);
      }
    }
    for (const [index, sum] of sums) {
      if (rule.rule === "sign") this.#moveBySign(index, sum, rule);
      else this.#moveByAdamW(index, sum, rule);
    }
  }

  #moveBySign(index: number, sum: Float32Array, { learningRate, weightDecay }: RowRule): void {
    const row = this.row(index);
    const decay = 1 - learningRate * weightDecay;
    for (let j = 0; j < row.length; j++) row[j] = row[j] * decay - learningRate * Math.sign(sum[j]);
  }

  #moveByAdamW(index: number, sum: Float32Array, { learningRate, weightDecay, beta1, beta2 }: RowRule): void {
    const { width } = this;
    const of = (numbers: Float32Array) => numbers.subarray(index * width, (index + 1) * width);
    const [row, first, second] = [this.row(index), of(this.first), of(this.second)];
    const step = ++this.updates[index];
    const rate = learningRate / (1 - beta1 ** step);
    const correction = 1 - beta2 ** step;
    const decay = 1 - learningRate * weightDecay;
    for (let j = 0; j < width; j++) {
      const m = first[j] * beta1 + sum[j] * (1 - beta1);
      const v = second[j] * beta2 + sum[j] * sum[j] * (1 - beta2);
      first[j] = m;
      second[j] = v;
      row[j] = row[j] * decay - rate * m / (Math.sqrt(v / correction) + 1e-8);
    }
  }
}

/**
 * What a new puzzle's row begins from: the mean of all puzzles' rows; of a table without any, as an import makes it, the one row that it has,
 * where rows are added to what the network sees as they are; else undefined.
 */
export function meanRow(
  table: PuzzleTable,
  { conditioning }: Pick<ModelConfig, "conditioning">,
): Float32Array | undefined {
  if (table.rows > 1) return table.mean(1);
  return conditioning === "prefix" ? table.row(0).slice() : undefined;
}
