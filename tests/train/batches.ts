/**
 * Random batches and puzzle tables for the tests of this room, and what the oracle takes of them.
 *
 * @module
 */
import type { Batch } from "../../arc/examples.ts";
import { createRandom } from "../../arc/random.ts";
import type { Config } from "../../train/config.ts";
import { PuzzleTable } from "../../train/puzzle_table.ts";
import type * as oracle from "../oracle.ts";
import { randomVector, rowsOf } from "../relatives.ts";

/** B, rows of the tests' batches. */
export const B = 3;

/** Rows of the tests' puzzle tables. */
const TABLE = 7;

/** A batch whose rows all differ; some labels are ignored, some light. */
export function randomBatch({ model }: Config, seed: number): Batch {
  const random = createRandom(seed);
  const S = model.tokens;
  const integers = (size: number, n: number) => Int32Array.from({ length: size }, () => random.integer(n));
  return {
    size: B,
    tokens: S,
    inputs: integers(B * S, model.vocabulary),
    labels: integers(B * S, model.vocabulary).map((label) => random.next() < 0.2 ? -100 : label),
    weights: Float32Array.from({ length: B * S }, () => random.next() < 0.2 ? 0.1 : 1),
    rows: Int32Array.from(random.permutation(TABLE - 1).slice(0, B), (row) => row + 1),
    dihedral: integers(B, 8),
    colours: Int32Array.from(Array.from({ length: B }, () => random.permutation(10)).flat()),
    roles: Uint8Array.from(integers(B * 10, 2)),
  };
}

/** A batch's rows as the oracle's samples. Token 0 is always itself, colour c is token c + 1. */
export function samplesOf(batch: Batch, table: PuzzleTable, { model }: Config): oracle.Sample[] {
  const row = <T extends ArrayLike<number>>(values: T, b: number) => rowsOf(values, values.length / batch.size)[b];
  return Array.from({ length: batch.size }, (_, b): oracle.Sample => {
    const sample = { tokens: row(batch.inputs, b), row: [...table.row(batch.rows[b])] };
    if (model.conditioning === "prefix") return sample;
    return {
      ...sample,
      shown: [0, ...row(batch.colours, b).map((colour) => colour + 1)],
      roles: [1, ...row(batch.roles, b)],
      dihedral: batch.dihedral[b],
    };
  });
}

/** A puzzle table with random rows. */
export function randomTable({ model, training }: Config): PuzzleTable {
  const table = new PuzzleTable(TABLE, model.puzzleWidth, training.puzzleRule);
  table.values.set(randomVector(table.values.length, createRandom(6)));
  return table;
}
