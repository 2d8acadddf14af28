/**
 * Single functions beside the official ones' values. Knows no network.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { feedForwardWidth, presets } from "../../model/config.ts";
import { rotary } from "../../model/hrm.ts";
import { truncatedNormal } from "../../model/initialise.ts";
import { type AdamState, adamUpdate } from "../../model/kernels/adam.ts";
import { attention, rotate } from "../../model/kernels/attention.ts";
import { crossEntropy, type Likelihood } from "../../model/kernels/cross_entropy.ts";
import { rmsNorm } from "../../model/kernels/rms_norm.ts";
import { PuzzleTable } from "../puzzle_table.ts";
import { rateFactor } from "../schedule.ts";
import { type Comparison, flat, Ledger, type Nearness } from "./ledger.ts";

// deno-lint-ignore no-explicit-any -- a fixture's sections are read as they come
type Section = any;

/** f64 on both sides. */
const DOUBLE: Nearness = { tolerance: 1e-12 };

/** f32, relative above 1. */
function single(expected: number[], tolerance = 1e-6): Nearness {
  return { tolerance, scale: (i) => Math.max(1, Math.abs(expected[i])) };
}

/** f32, relative to each element. */
function relative(expected: number[], tolerance: number): Nearness {
  return { tolerance, scale: (i) => Math.abs(expected[i]) || 1, note: "of each element" };
}

function shapeOf(nested: unknown): number[] {
  return Array.isArray(nested) ? [nested.length, ...shapeOf(nested[0])] : [];
}

/**
 * Recomputes every section of units.json on the current backend.
 *
 * @throws {Deno.errors.NotFound} if there is no units.json
 */
export async function compareUnits(folder: string): Promise<Comparison[]> {
  const units: Record<string, Section> = JSON.parse(await Deno.readTextFile(`${folder}/units.json`));
  const names = Object.entries(units).flatMap(([name, section]) =>
    Object.keys(section).filter((key) => key !== "note").map((key) => `${name}.${key}`)
  );
  const ledger = new Ledger(names);
  const comparisons: Record<string, (section: Section, ledger: Ledger) => void> = {
    stablemax,
    trunc_normal_init: truncatedNormals,
    rotary: rotations,
    rms_norm: norm,
    swiglu_inter: innerWidths,
    learning_rate: learningRates,
    adam_atan2: adam,
    sign_sgd: signs,
  };
  for (const [name, compare] of Object.entries(comparisons)) {
    if (units[name]) await scope(() => compare(units[name], ledger));
  }
  return ledger.close();
}

/** Runs asynchronous work and disposes the tensors it made. */
async function scope(work: () => unknown): Promise<void> {
  tf.engine().startScope();
  try {
    await work();
  } finally {
    tf.engine().endScope();
  }
}

async function near(ledger: Ledger, name: string, nested: unknown, actual: tf.Tensor, nearness?: Nearness) {
  const expected = flat(nested);
  ledger.near(name, shapeOf(nested), expected, await actual.data() as Float32Array, nearness ?? single(expected));
}

async function stablemax(section: Section, ledger: Ledger): Promise<void> {
  const { ignore_label, labels } = section;
  const logits = tf.tensor2d(section.logits);
  const [R, V] = logits.shape;
  const ones = tf.ones([R]);
  ledger.given("stablemax.ignore_label", "stablemax.logits", "stablemax.labels");
  const whole = tf.tensor1d(labels.map((label: number) => label === ignore_label ? -1 : label), "int32");
  const loss = (x: tf.Tensor, own: tf.Tensor, likelihood: Likelihood) => crossEntropy(x, own, ones, likelihood);
  await near(ledger, "stablemax.loss", section.loss, loss(logits, whole, "stablemax"));
  await near(
    ledger,
    "stablemax.softmax_cross_entropy_for_comparison",
    section.softmax_cross_entropy_for_comparison,
    loss(logits, whole, "softmax"),
  );
  const everyLabel = Array.from({ length: V }, (_, v) => tf.neg(loss(logits, tf.fill([R], v, "int32"), "stablemax")));
  await near(ledger, "stablemax.log_prob", section.log_prob, tf.stack(everyLabel, 1));
  const gradient = tf.grad((x) => tf.sum(loss(x, whole, "stablemax")))(logits);
  await near(ledger, "stablemax.grad_of_sum", section.grad_of_sum, gradient);
}

function truncatedNormals(section: Section, ledger: Ledger): void {
  const cases: Section[] = section.cases;
  const { std_zero_gives } = section;
  for (const { std, fractions, values, clip, comp_std, empirical_std_of_1e6, empirical_abs_max } of cases) {
    const near = (what: string, expected: number[], actual: number[], tolerance: number) =>
      ledger.near(`trunc_normal_init.cases ${what}, std ${std.toPrecision(3)}`, [expected.length], expected, actual, {
        tolerance,
        scale: () => std,
        note: "of the std",
      });
    near("values", values, fractions.map((fraction: number) => truncatedNormal(fraction, std)), 1e-6);
    const top = truncatedNormal(1, std);
    near("clip", [clip, 2 * comp_std], [top, top], 1e-6);
    // A draw for each of evenly spaced fractions; a million random ones are known to about 7e-4.
    const even = Array.from({ length: 20000 }, (_, i) => truncatedNormal((i + 0.5) / 20000, std));
    near("std", [empirical_std_of_1e6], [Math.sqrt(even.reduce((sum, x) => sum + x * x, 0) / 20000)], 2e-3);
    near("largest", [empirical_abs_max], [Math.max(...even)], 1e-3);
  }
  ledger.near("trunc_normal_init.cases", [cases.length], [], [], DOUBLE);
  const zeros = std_zero_gives.map((_: number, i: number) => truncatedNormal((i + 0.5) / std_zero_gives.length, 0));
  ledger.near("trunc_normal_init.std_zero_gives", [zeros.length], std_zero_gives, zeros, DOUBLE);
}

async function rotations({ cases }: Section, ledger: Ledger): Promise<void> {
  ledger.given("rotary.cases");
  for (const { dim, positions, base, cos, sin, q, k, q_rotated, k_rotated } of cases) {
    const at = (what: string) => `rotary.cases ${what}, width ${dim}`;
    const shape = { prefix: 0, puzzleWidth: 0, tokens: positions, headWidth: dim, ropeBase: base };
    const table = rotary({ ...presets.arc({ side: 1 }), ...shape }, positions);
    await near(ledger, at("cos"), cos, table.cos);
    await near(ledger, at("sin"), sin, table.sin);
    const byHead = (x: Section) => tf.transpose(tf.tensor3d(x), [1, 0, 2]).expandDims(0) as tf.Tensor4D;
    const rotated = (x: Section) =>
      tf.transpose(tf.squeeze(rotate(byHead(x), table.cos, table.sin), [0]) as tf.Tensor3D, [1, 0, 2]);
    await near(ledger, at("q_rotated"), q_rotated, rotated(q));
    await near(ledger, at("k_rotated"), k_rotated, rotated(k));
    // A backend may rotate inside its own attention kernel: it must answer what the rotated q and k answer unturned.
    const heads = q[0].length;
    const packed = (...parts: Section[]) =>
      tf.concat(parts.map((x) => tf.reshape(tf.tensor3d(x), [1, positions, heads * dim])), 2);
    const unturned = { cos: tf.onesLike(table.cos), sin: tf.zerosLike(table.sin) };
    const expected = attention(packed(q_rotated, k_rotated, q), unturned, heads);
    await near(
      ledger,
      at("attention"),
      (await expected.array() as number[][][])[0],
      attention(packed(q, k, q), table, heads),
    );
  }
}

async function norm(section: Section, ledger: Ledger): Promise<void> {
  ledger.given("rms_norm.x");
  ledger.near("rms_norm.eps", [], [section.eps], [presets.arc({ side: 30 }).epsilon], DOUBLE);
  const x = tf.tensor2d(section.x);
  await near(ledger, "rms_norm.y", section.y, rmsNorm(x, tf.zerosLike(x), section.eps));
}

function innerWidths({ rows }: Section, ledger: Ledger): void {
  ledger.given("swiglu_inter.columns");
  const computed = rows.map(([width, expansion]: number[]) => [width, expansion, feedForwardWidth(width, expansion)]);
  ledger.equal("swiglu_inter.rows", rows, computed);
}

function learningRates({ tables }: Section, ledger: Ledger): void {
  const expected = flat(tables.map((table: Section) => table.lr));
  const actual = tables.flatMap(({ base_lr, warmup_steps, total_steps, min_ratio, steps }: Section) =>
    steps.map((step: number) =>
      base_lr * rateFactor(step, { warmup: warmup_steps, totalSteps: total_steps, finalRate: min_ratio })
    )
  );
  ledger.near("learning_rate.tables", [expected.length], expected, actual, DOUBLE);
}

async function adam(section: Section, ledger: Ledger): Promise<void> {
  const { beta1, beta2, weight_decay: weightDecay, lr_per_step, start, grads } = section;
  ledger.given(
    ...["beta1", "beta2", "weight_decay", "lr_per_step", "start", "grads"].map((key) => `adam_atan2.${key}`),
  );
  let state: AdamState = {
    parameter: tf.tensor1d(start),
    first: tf.zeros([start.length]),
    second: tf.zeros([start.length]),
  };
  const parameters: tf.Tensor[] = [];
  grads.forEach((gradient: number[], i: number) => {
    const attributes = { rule: "atan2", learningRate: lr_per_step[i], weightDecay, beta1, beta2, step: i + 1 } as const;
    state = adamUpdate(state, tf.tensor1d(gradient), tf.scalar(1), attributes);
    parameters.push(state.parameter);
  });
  await near(ledger, "adam_atan2.after_step", section.after_step, tf.stack(parameters));
  await near(ledger, "adam_atan2.m_end", section.m_end, state.first, relative(section.m_end, 1e-5));
  await near(ledger, "adam_atan2.v_end", section.v_end, state.second, relative(section.v_end, 1e-5));
}

function signs(section: Section, ledger: Ledger): void {
  const { lr, weight_decay: weightDecay, weights, ids, local_grad, after } = section;
  ledger.given(...["lr", "weight_decay", "weights", "ids", "local_grad"].map((key) => `sign_sgd.${key}`));
  const table = new PuzzleTable(weights.length, weights[0].length, "sign");
  table.values.set(flat(weights));
  const rule = { rule: "sign", learningRate: lr, weightDecay, beta1: 0, beta2: 0 } as const;
  table.update(ids, Float32Array.from(flat(local_grad)), rule);
  ledger.near("sign_sgd.after", shapeOf(after), flat(after), table.values, { tolerance: 1e-6 });
}
