/**
 * The puzzle table: one row a puzzle, kept in host memory because it can be far larger than the network; a batch takes its rows along and
 * brings their gradient back (official models/sparse_embedding.py).
 *
 * @module
 */

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
    const sums = new Map<number, Float32Array>();
    for (let i = 0; i < indices.length; i++) {
      const own = gradient.subarray(i * width, (i + 1) * width);
      const sum = sums.get(indices[i]);
      if (sum) own.forEach((value, j) => sum[j] += value);
      else sums.set(indices[i], own.slice());
    }
    const { learningRate, weightDecay, beta1, beta2 } = rule;
    for (const [index, sum] of sums) {
      const row = this.row(index);
      if (rule.rule === "sign") {
        for (let j = 0; j < width; j++) {
          row[j] = row[j] * (1 - learningRate * weightDecay) - learningRate * Math.sign(sum[j]);
        }
        continue;
      }
      const step = ++this.updates[index];
      const rate = learningRate / (1 - beta1 ** step);
      for (let j = 0, k = index * width; j < width; j++, k++) {
        const m = this.first[k] = this.first[k] * beta1 + sum[j] * (1 - beta1);
        const v = this.second[k] = this.second[k] * beta2 + sum[j] * sum[j] * (1 - beta2);
        row[j] = row[j] * (1 - learningRate * weightDecay) - rate * m / (Math.sqrt(v / (1 - beta2 ** step)) + 1e-8);
      }
    }
  }
}
