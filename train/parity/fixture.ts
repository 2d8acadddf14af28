/**
 * A fixture of a whole network: its numbers under their official names, the network with its starting weights, its batches, and how what was
 * computed is laid beside it. Knows neither evaluation nor training.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import type { Batch } from "../../arc/examples.ts";
import { fromOfficial } from "../../model/official_names.ts";
import { type Network, specify } from "../../model/parameters.ts";
import { float32, type TensorData } from "../../model/safetensors.ts";
import type { Config } from "../config.ts";
import { PuzzleTable } from "../puzzle_table.ts";
import type { StepReport } from "../step.ts";
import type { Ledger, Nearness, Numbers } from "./ledger.ts";

/** What a fixture's config.json says, as far as it is used. */
export interface Fixture {
  kind: "hrm" | "trm";
  // deno-lint-ignore no-explicit-any -- sections of a foreign file, read as they come
  [section: string]: any;
}

type Tensors = Map<string, TensorData>;
/** The puzzle table's official name. */
export const TABLE = "inner.puzzle_emb.weights";

/** What a comparison works with. */
export interface Context {
  /** The configuration file. */
  fixture: Fixture;
  /** The starting weights, by their official names. */
  weights: Tensors;
  /** What the official code was given and gave. */
  tensors: Tensors;
  /** Where comparisons are written down. */
  ledger: Ledger;
  /** The same configuration, ours. */
  config: Config;
}

/** A network and a puzzle table of their own with the fixture's starting weights. */
export function start({ weights, config: { model } }: Context): { network: Network; table: PuzzleTable } {
  const network: Network = { config: model, parameters: {}, buffers: {} };
  for (const { name, shape, buffer } of specify(model)) {
    const [, data] = [...weights].find(([official]) => fromOfficial(official) === name) ?? [];
    if (!data) throw new Error(`Cannot compare: weights.safetensors holds nothing for ${name}`);
    if (`${data.shape}` !== `${shape}`) {
      throw new Error(`Cannot compare: ${name} is [${data.shape}], must be [${shape}]`);
    }
    (buffer ? network.buffers : network.parameters)[name] = tf.tensor(float32(data), shape, "float32");
  }
  const rows = weights.get(TABLE);
  const table = new PuzzleTable(rows?.shape[0] ?? 0, model.puzzleWidth, "sign");
  if (rows) table.values.set(float32(rows));
  return { network, table };
}

/** A batch from the fixture's tensors under `prefix`; row `k` of each if they are per step. */
export function batchOf(tensors: Tensors, prefix: string, k?: number): Batch {
  const integers = (name: string): Int32Array => {
    const { data, shape } = tensors.get(`${prefix}${name}`)!;
    const each = k === undefined ? data.length : data.length / shape[0];
    return Int32Array.from(data.slice((k ?? 0) * each, ((k ?? 0) + 1) * each) as Int32Array);
  };
  const [inputs, labels, rows] = ["inputs", "labels", "puzzle_identifiers"].map(integers);
  return {
    size: rows.length,
    tokens: inputs.length / rows.length,
    inputs,
    labels,
    weights: Float32Array.from(labels, (label) => label < 0 ? 0 : 1),
    rows,
    dihedral: new Int32Array(rows.length),
    colours: new Int32Array(rows.length * 10),
    roles: new Uint8Array(rows.length * 10),
  };
}

/** A tensor's numbers. */
export async function values(tensor: tf.Tensor): Promise<Float32Array> {
  return await tensor.data() as Float32Array;
}

/** One of the two numbers of each pair, of [B, 2] the B at `index`. */
export async function column(pairs: tf.Tensor, index: number): Promise<Float32Array> {
  return (await values(pairs)).filter((_, i) => i % 2 === index);
}

/** Numbers of several arrays, one after the other. */
export function joined(arrays: Numbers[]): number[] {
  return arrays.flatMap((array) => Array.from(array));
}

/** Compares tensors of the fixture with what was computed for them; those that it does not hold are passed over. */
export function compareAll(
  { tensors, ledger }: Context,
  computed: Record<string, () => Numbers>,
  nearness: (name: string, expected: Numbers) => Nearness,
): void {
  for (const [name, compute] of Object.entries(computed)) {
    const expected = tensors.get(name);
    if (!expected) continue;
    const numbers = expected.data as Float64Array;
    ledger.near(name, expected.shape, numbers, compute(), nearness(name, numbers));
  }
}

/** Metrics under their official names. */
export function officialMetrics(metrics: StepReport["metrics"]): Record<string, number> {
  const { count, accuracy, exactAccuracy, qHaltAccuracy, segments } = metrics;
  return { count, accuracy, exact_accuracy: exactAccuracy, q_halt_accuracy: qHaltAccuracy, steps: segments };
}

/** Compares metrics by their official names, those that the fixture has. */
export function compareMetrics(
  ledger: Ledger,
  name: string,
  expected: Record<string, number>,
  actual: Record<string, number>,
): void {
  const keys = Object.keys(expected);
  ledger.near(name, [keys.length], keys.map((key) => expected[key]), keys.map((key) => actual[key] ?? NaN), {
    tolerance: 1e-4,
  });
}

/** [Σ x, Σ |x|, √Σ x², Σ x_i cos(0.7 i + 0.3)] in f64 */
export function probe(x: Numbers): number[] {
  let [sum, absolute, square, wave] = [0, 0, 0, 0];
  for (let i = 0; i < x.length; i++) {
    sum += x[i];
    absolute += Math.abs(x[i]);
    square += x[i] * x[i];
    wave += x[i] * Math.cos(0.7 * i + 0.3);
  }
  return [sum, absolute, Math.sqrt(square), wave];
}

/** The 64 elements at (7919 k + 13) mod n */
export function sample(x: Numbers): number[] {
  return Array.from({ length: 64 }, (_, k) => x[(7919 * k + 13) % x.length]);
}

/** Sums relative to the third number of their row, the second to itself. */
export function nearProbe(expected: Numbers): Nearness {
  const scale = (i: number) => Math.abs(expected[i % 4 === 1 ? i : i - i % 4 + 2]) || 1;
  return { tolerance: 1e-4, scale, note: "of the norm" };
}
