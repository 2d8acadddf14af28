/**
 * Training beside the official one: every step's losses, gradients, halting, updates and averages.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import type { Batch } from "../../arc/examples.ts";
import { createRandom } from "../../arc/random.ts";
import { movingAverage } from "../../model/kernels/adam.ts";
import { fromOfficial } from "../../model/official_names.ts";
import type { Parameters } from "../../model/parameters.ts";
import type { Config } from "../config.ts";
import { rateFactor } from "../schedule.ts";
import type { SegmentResult } from "../segment.ts";
import { createTrainingState, type StepReport, trainStep } from "../step.ts";
import {
  batchOf,
  column,
  compareAll,
  compareMetrics,
  type Context,
  joined,
  nearProbe,
  officialMetrics,
  probe,
  sample,
  start,
  TABLE,
  values,
} from "./fixture.ts";
import { largest, type Nearness, type Numbers } from "./ledger.ts";

/** Plain values of tensors by their official names. */
type Values = Map<string, Float32Array>;

/** How near updated parameters must be: after the first step (and averages), after the last. */
const weightTolerances = { cpu: { first: 1e-6, last: 1e-5 }, gpu: { first: 1e-5, last: 1e-4 } };

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

/** Compares all that the fixture holds under `train/`. */
export async function compareTraining(context: Context): Promise<void> {
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
