/**
 * A whole network beside the official one: segments, losses, gradients, updates. Knows no checkpoint format.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import type { Batch } from "../../arc/examples.ts";
import { createRandom } from "../../arc/random.ts";
import { think } from "../../model/act.ts";
import { segmentCalls, sequenceLength } from "../../model/config.ts";
import { answer, call, embed, haltValues, initialState, rotary, settle, type State, step } from "../../model/hrm.ts";
import { movingAverage } from "../../model/kernels/adam.ts";
import { modelConfigFromOfficial } from "../../model/official_config.ts";
import { fromOfficial } from "../../model/official_names.ts";
import { type Network, type Parameters, specify } from "../../model/parameters.ts";
import { decodeSafetensors, float32, type TensorData } from "../../model/safetensors.ts";
import { segmentLoss } from "../loss.ts";
import type { Config } from "../config.ts";
import { trainingConfigFromOfficial } from "../official_config.ts";
import { PuzzleTable } from "../puzzle_table.ts";
import { rateFactor } from "../schedule.ts";
import { modelInput, type SegmentResult, targetsOf } from "../segment.ts";
import { createTrainingState, metricsOf, type StepReport, trainStep } from "../step.ts";
import { type Comparison, largest, Ledger, type Nearness, type Numbers } from "./ledger.ts";

/** What a fixture's config.json says, as far as it is used. */
interface Fixture {
  kind: "hrm" | "trm";
  // deno-lint-ignore no-explicit-any -- sections of a foreign file, read as they come
  [section: string]: any;
}

type Tensors = Map<string, TensorData>;
/** Plain values of tensors by their official names. */
type Values = Map<string, Float32Array>;

const TABLE = "inner.puzzle_emb.weights";

/** How near updated parameters must be: after the first step (and averages), after the last. */
const weightTolerances = { cpu: { first: 1e-6, last: 1e-5 }, gpu: { first: 1e-5, last: 1e-4 } };

/** [Σ x, Σ |x|, √Σ x², Σ x_i cos(0.7 i + 0.3)] in f64 */
function probe(x: Numbers): number[] {
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
function sample(x: Numbers): number[] {
  return Array.from({ length: 64 }, (_, k) => x[(7919 * k + 13) % x.length]);
}

/** Sums relative to the third number of their row, the second to itself. */
function nearProbe(expected: Numbers): Nearness {
  const scale = (i: number) => Math.abs(expected[i % 4 === 1 ? i : i - i % 4 + 2]) || 1;
  return { tolerance: 1e-4, scale, note: "of the norm" };
}

/**
 * Recomputes everything in a fixture of kind `hrm` or `trm` on the current backend.
 *
 * @throws {Error} when its configuration or files cannot be used
 */
export async function compareNetwork(folder: string, fixture: Fixture): Promise<Comparison[]> {
  const read = async (file: string) => decodeSafetensors(await Deno.readFile(`${folder}/${file}`), file).tensors;
  const [weights, tensors] = [await read("weights.safetensors"), await read("io.safetensors")];
  const model = modelConfigFromOfficial(fixture.model, fixture.kind === "trm");
  const training = trainingConfigFromOfficial({ ...fixture.model, ...fixture.optimizer });
  const ledger = new Ledger(tensors.keys());
  tf.engine().startScope();
  try {
    const context = { fixture, weights, tensors, ledger, config: { model, training, adaptation: training, seed: 0 } };
    compareConfiguration(context);
    await compareEvaluation(context);
    await compareTraining(context);
  } finally {
    tf.engine().endScope();
  }
  return ledger.close();
}

interface Context {
  fixture: Fixture;
  weights: Tensors;
  tensors: Tensors;
  ledger: Ledger;
  config: Config;
}

/** A network and a puzzle table of their own with the fixture's starting weights. */
function start({ weights, config: { model } }: Context): { network: Network; table: PuzzleTable } {
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

function compareConfiguration({ fixture, weights, ledger, config: { model, training } }: Context): void {
  const derived: Record<string, number> = {
    puzzle_tokens: model.prefix,
    sequence: sequenceLength(model),
    head_dim: model.headWidth,
    swiglu_inter: model.feedForward,
    eval_segments: model.maxSegments,
  };
  const known = Object.keys(derived).filter((key) => key in (fixture.derived ?? {}));
  ledger.equal("config derived", known.map((key) => fixture.derived[key]), known.map((key) => derived[key]));
  const official = new Map([...weights.keys()].map((name) => [fromOfficial(name), name]));
  const names = specify(model).filter(({ buffer }) => !buffer).map(({ name, shape }) => ({
    name: official.get(name),
    shape,
  }));
  const byName = <T extends { name?: string }>(list: T[]) => list.toSorted((a, b) => a.name! < b.name! ? -1 : 1);
  ledger.equal("config params", byName(fixture.params), byName(names));
  const calls = segmentCalls(model).map((name) => model.shared || name === "L" ? "L_level" : "H_level");
  ledger.equal("config trace", fixture.trace, calls);
  const { lr_per_step, puzzle_emb_lr_per_step, total_steps: totalSteps } = fixture.optimizer;
  const rates = (highest: number, steps: number[]) =>
    steps.map((_, i) => highest * rateFactor(i + 1, { ...training, totalSteps }));
  for (
    const [name, expected, highest] of [
      ["config lr_per_step", lr_per_step, training.learningRate],
      ["config puzzle_emb_lr_per_step", puzzle_emb_lr_per_step, training.puzzleLearningRate],
    ] as const
  ) ledger.near(name, [expected.length], expected, rates(highest, expected), { tolerance: 1e-12 });
}

/** A batch from the fixture's tensors under `prefix`; row `k` of each if they are per step. */
function batchOf(tensors: Tensors, prefix: string, k?: number): Batch {
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

async function values(tensor: tf.Tensor): Promise<Float32Array> {
  return await tensor.data() as Float32Array;
}

async function column(pairs: tf.Tensor, index: number): Promise<Float32Array> {
  return (await values(pairs)).filter((_, i) => i % 2 === index);
}

/** Numbers of several arrays, one after the other. */
function joined(arrays: Numbers[]): number[] {
  return arrays.flatMap((array) => Array.from(array));
}

/** Compares tensors of the fixture with what was computed for them; those that it does not hold are passed over. */
function compareAll(
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

async function compareEvaluation(context: Context): Promise<void> {
  const { tensors, ledger, fixture, config } = context;
  const { model, training } = config;
  const { network, table } = start(context);
  const { parameters } = network;
  const batch = batchOf(tensors, "eval/");
  ledger.given("eval/inputs", "eval/labels", "eval/puzzle_identifiers");
  const [B, S] = [batch.size, batch.tokens];
  const logits = tensors.get("eval/logits")!;
  const segmentCount = logits.shape[0];
  const input = modelInput(batch, table, model);
  const embedded = embed(parameters, input, model, rotary(model, S));

  const trace: Float32Array[] = [];
  let state: State = initialState(network, B, S);
  for (const name of segmentCalls(model)) {
    state = call(name, state, parameters, model, embedded);
    trace.push(await values(name === "L" ? state.zL! : state.zH));
  }

  const targets = targetsOf(batch);
  const segments: Record<string, Float32Array>[] = [];
  let metrics: Record<string, number> = {};
  state = initialState(network, B, S);
  for (let segment = 1; segment <= segmentCount; segment++) {
    state = step(parameters, settle(parameters, state, embedded, model), embedded, model);
    const logits = answer(parameters, state.zH, embedded, model);
    const q = haltValues(parameters, state.zH);
    const losses = segmentLoss(logits, targets, training.likelihood, tf.slice(q, [0, 0], [B, 1]).flatten());
    const record = {
      logits: await values(logits),
      q_halt: await column(q, 0),
      q_continue: await column(q, 1),
      z_H: await values(state.zH),
      z_L: await values(state.zL!),
      lm_loss: await values(losses.answer),
      q_halt_loss: await values(losses.halt!),
    };
    segments.push(record);
    const halted = new Uint8Array(B).fill(1);
    const counts = new Int32Array(B).fill(segment);
    const sums = metricsOf(batch, halted, counts, await values(losses.right), record.q_halt);
    metrics = { ...officialMetrics(sums), lm_loss: record.lm_loss[0], q_halt_loss: record.q_halt_loss[0] };
  }
  const computed: Record<string, () => Numbers> = {
    "eval/trace_probe": () => trace.flatMap(probe),
    "eval/trace_sample": () => trace.flatMap(sample),
  };
  for (const key of Object.keys(segments[0])) {
    computed[`eval/${key}`] = () => joined(segments.map((segment) => segment[key]));
  }
  const inputEmbeddings = await values(embedded.x);
  computed["eval/input_embeddings"] = () => inputEmbeddings;
  compareAll(
    context,
    computed,
    (name, expected) => name.endsWith("_probe") ? nearProbe(expected) : { tolerance: 1e-4 },
  );

  const thoughts = await think(network, input, { maxSegments: segmentCount });
  const last = Array.from(logits.data as Float32Array).slice(-B * S * model.vocabulary);
  const thought = joined(thoughts.map(({ logits }) => logits));
  ledger.near("eval/logits by think()", logits.shape.slice(1), last, thought, { tolerance: 1e-4 });
  compareMetrics(ledger, "config eval_metrics_last_segment", fixture.eval_metrics_last_segment ?? {}, metrics);
}

/** Metrics under their official names. */
function officialMetrics(metrics: StepReport["metrics"]): Record<string, number> {
  const { count, accuracy, exactAccuracy, qHaltAccuracy, segments } = metrics;
  return { count, accuracy, exact_accuracy: exactAccuracy, q_halt_accuracy: qHaltAccuracy, steps: segments };
}

function compareMetrics(
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

/** What one training step did. */
interface StepRecord {
  held: Batch;
  report: StepReport;
  factor: number;
  halted: Uint8Array;
  segments: Int32Array;
  logits: Float32Array;
  q_halt: Float32Array;
  q_continue: Float32Array;
  target?: Float32Array;
  correct: Float32Array;
  rowGradient: Float32Array;
  gradients: Values;
  z_H: Float32Array;
  z_L: Float32Array;
  weights: Values;
  average?: Values;
}

/** Trains on all batches of the fixture, with an average of decay `ema` (0: none). */
async function train(context: Context, ema: number): Promise<StepRecord[]> {
  const { tensors, weights, fixture } = context;
  const config: Config = { ...context.config, training: { ...context.config.training, ema } };
  const { network, table } = start(context);
  const state = createTrainingState(network, table, config);
  const official = new Map([...weights.keys()].map((name) => [fromOfficial(name), name]));
  const read = async (parameters: Parameters): Promise<Values> =>
    new Map(
      await Promise.all(
        Object.entries(parameters).map(async ([name, tensor]) =>
          [official.get(name)!, (await values(tensor)).slice()] as const
        ),
      ),
    );
  const records: StepRecord[] = [];
  for (let k = 0; k < tensors.get("train/inputs")!.shape[0]; k++) {
    const seen: SegmentResult[] = [];
    const keep = (result: SegmentResult) => {
      const copy = (tensors: Parameters) =>
        Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, tf.clone(tensor)]));
      const { logits, q, target, rowGradient, losses } = result;
      seen.push({
        ...result,
        logits: logits.clone(),
        q: q!.clone(),
        target: target?.clone(),
        rowGradient: rowGradient.clone(),
        gradients: copy(result.gradients),
        losses: { ...losses, correct: losses.correct.clone() },
      });
    };
    const { total_steps: totalSteps } = fixture.optimizer;
    const report = await trainStep(state, batchOf(tensors, "train/", k), config, totalSteps, createRandom(0), {
      observe: keep,
    });
    const [{ logits, q, target, rowGradient, losses, gradients }] = seen;
    const { zH, zL } = state.carry!.state;
    const moved = await read(state.network.parameters);
    moved.set(TABLE, table.values.slice());
    records.push({
      held: state.held!,
      report,
      factor: rateFactor(state.steps, { ...config.training, totalSteps }),
      halted: state.carry!.halted,
      segments: state.carry!.segments,
      logits: await values(logits),
      q_halt: await column(q!, 0),
      q_continue: await column(q!, 1),
      target: target && await values(target),
      correct: await values(losses.correct),
      rowGradient: await values(rowGradient),
      gradients: await read(gradients),
      z_H: await values(zH),
      z_L: await values(zL!),
      weights: moved,
      average: state.average && await read(state.average),
    });
  }
  return records;
}

/** The average after each step for another decay than the one trained with; training does not depend on it. */
async function averagesOf(context: Context, steps: StepRecord[], decay: number): Promise<Values[]> {
  const official = new Map([...context.weights.keys()].map((name) => [fromOfficial(name), name]));
  const all: Values[] = steps.map(() => new Map());
  for (const [name, parameter] of Object.entries(start(context).network.parameters)) {
    let average = parameter;
    for (const [k, { weights }] of steps.entries()) {
      const moved = tf.tensor(weights.get(official.get(name)!)!, parameter.shape);
      average = movingAverage(average, moved, decay);
      all[k].set(official.get(name)!, await values(average));
    }
  }
  return all;
}

/** Everything that a training step leaves, as the fixture names it, of all steps together. */
const series: Record<string, (step: StepRecord) => Numbers> = {
  current_inputs: ({ held }) => held.inputs,
  current_labels: ({ held }) => held.labels,
  current_puzzle_identifiers: ({ held }) => held.rows,
  halted: ({ halted }) => halted,
  steps: ({ segments }) => segments,
  count: ({ report }) => [report.metrics.count],
  accuracy: ({ report }) => [report.metrics.accuracy],
  exact_accuracy: ({ report }) => [report.metrics.exactAccuracy],
  q_halt_accuracy: ({ report }) => [report.metrics.qHaltAccuracy],
  metric_steps: ({ report }) => [report.metrics.segments],
  logits: ({ logits }) => logits,
  q_halt: ({ q_halt }) => q_halt,
  q_continue: ({ q_continue }) => q_continue,
  target_q_continue: ({ target }) => target ?? [],
  loss: ({ report }) => [report.losses.total],
  lm_loss: ({ report }) => [report.losses.answer],
  q_halt_loss: ({ report }) => [report.losses.halt],
  q_continue_loss: ({ report }) => [report.losses.continue],
  z_H_probe: ({ z_H }) => probe(z_H),
  z_H_sample: ({ z_H }) => sample(z_H),
  z_L_probe: ({ z_L }) => probe(z_L),
  z_L_sample: ({ z_L }) => sample(z_L),
  grad_local_puzzle_emb: ({ rowGradient }) => rowGradient,
};

/** Integers and counts. */
const EXACT = new Set(
  "current_inputs current_labels current_puzzle_identifiers halted steps count exact_accuracy q_halt_accuracy metric_steps"
    .split(" "),
);

async function compareTraining(context: Context): Promise<void> {
  const { tensors, ledger, fixture, config } = context;
  const rates: number[] = (fixture.optimizer.ema_rates ?? []).toSorted();
  const steps = await train(context, rates[0] ?? 0);
  const averages = new Map<number, (Values | undefined)[]>([[rates[0], steps.map(({ average }) => average)]]);
  for (const rate of rates.slice(1)) averages.set(rate, await averagesOf(context, steps, rate));
  ledger.given("train/inputs", "train/labels", "train/puzzle_identifiers");

  const computed: Record<string, () => Numbers> = {};
  for (const [name, of] of Object.entries(series)) computed[`train/${name}`] = () => joined(steps.map(of));
  compareAll(context, computed, (name, expected) => {
    const key = name.slice("train/".length);
    if (EXACT.has(key)) return { tolerance: 0 };
    if (key === "accuracy") return { tolerance: 1e-6 };
    if (key.endsWith("_probe")) return nearProbe(expected);
    if (key === "grad_local_puzzle_emb") return ofLargest(largest(expected));
    return { tolerance: 1e-4 };
  });

  const { first, last } = tf.getBackend() === "webgpu" ? weightTolerances.gpu : weightTolerances.cpu;
  for (const name of tensors.keys()) {
    const match = name.match(/^train\/(grad|weights|ema_[\d.]+)_(?:step)?(\d+|end)(?:_(probe|sample)|\/(.+))$/);
    if (!match) continue;
    const [, what, when, summary, own] = match;
    const at = when === "end" ? -1 : Number(when) - 1;
    const all = what === "grad"
      ? steps.at(at)?.gradients
      : what === "weights"
      ? steps.at(at)?.weights
      : averages.get(Number(what.slice("ema_".length)))?.at(at);
    const names: string[] = own ? [own] : fixture.params.map(({ name }: { name: string }) => name);
    if (!all || !names.every((name) => all.has(name))) continue;
    const parts = names.map((name) => all.get(name)!);
    const absolute = { tolerance: when === "end" ? last : first };
    compareAll(context, {
      [name]: () => summary ? parts.flatMap((part) => summary === "probe" ? probe(part) : sample(part)) : parts[0],
    }, (_, expected) => {
      if (summary === "probe") return nearProbe(expected);
      if (what !== "grad") return absolute;
      const tops = parts.map((part) => largest(part));
      return { ...ofLargest(1), scale: (i) => tops[own ? 0 : Math.floor(i / 64)] };
    });
  }

  const correct = fixture.row_with_correct_labels;
  if (correct) {
    const { tokens, size } = steps[0].held;
    const row = steps[correct.train_step - 1].correct.slice(correct.row * tokens, (correct.row + 1) * tokens);
    ledger.equal("config row_with_correct_labels", Array(tokens).fill(1), [...row], `row ${correct.row} of ${size}`);
  }
  fixture.train_metrics_reported?.forEach((expected: Record<string, number>, k: number) => {
    const { report, factor } = steps[k];
    const sums = officialMetrics(report.metrics);
    const divisor = Math.max(sums.count, 1);
    const reported: Record<string, number> = { "train/lr": config.training.learningRate * factor };
    for (const [key, sum] of Object.entries(sums)) reported[`train/${key}`] = sum / divisor;
    const { answer, halt, continue: going } = report.losses;
    const B = config.training.batchSize;
    Object.assign(reported, {
      "train/lm_loss": answer / B,
      "train/q_halt_loss": halt / B,
      "train/q_continue_loss": going / B,
    });
    compareMetrics(ledger, `config train_metrics_reported, step ${k + 1}`, expected, reported);
  });
}

function ofLargest(top: number): Nearness {
  return { tolerance: 1e-4, scale: () => top, note: "of the largest" };
}
