/**
 * The network again: one sample at a time, in naive loops over plain arrays of 64-bit numbers, written from the equations. Its gradients are
 * finite differences. Knows no tfjs and nothing of how the network is made fast.
 *
 * T = P+S positions · D width · N heads · K head width · F feed-forward width · V vocabulary
 *
 * @module
 */
import type { ModelConfig } from "../model/config.ts";

/** Numbers in a row. */
export type Vector = number[];
/** Rows of numbers; a weight matrix is [out][in], a state [T][D]. */
export type Matrix = number[][];
/** Weight matrices by dotted name; a vector is a matrix of one row. */
export type Weights = Record<string, Matrix>;

/** How a segment's calls follow each other: HRM, the Tiny Recursive Model, or one stack in a loop. */
export type Relative = "hrm" | "trm" | "loop";

/** What the network is shown of one sample. */
export interface Sample {
  /** [S] */
  tokens: Vector;
  /** The puzzle's row, [puzzleWidth]. */
  row: Vector;
  /** With `roles`: which token each token is shown as, [V]. */
  shown?: Vector;
  /** With `roles`: 1 for tokens whose own role may matter, [V]. */
  roles?: Vector;
  /** With `roles`: the dihedral transform. */
  dihedral?: number;
}

/** The recurrent state of one sample, [T][D] each. */
export interface SampleState {
  zH: Matrix;
  zL?: Matrix;
}

const add = (a: Vector, b: Vector): Vector => a.map((value, i) => value + b[i]);
const addRows = (a: Matrix, b: Matrix): Matrix => a.map((row, t) => add(row, b[t]));
const dot = (a: Vector, b: Vector): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
};
const transpose = (a: Matrix): Matrix => a[0].map((_, j) => a.map((row) => row[j]));

/** 1 / (1 + e^-x) */
export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** y = W x */
export const linear = (x: Vector, W: Matrix): Vector => W.map((row) => dot(row, x));

/** h / √(mean(h²) + ε) */
export function rmsNorm(h: Vector, epsilon: number): Vector {
  const root = Math.sqrt(dot(h, h) / h.length + epsilon);
  return h.map((value) => value / root);
}

/** silu(gate) · up of [2F] -> [F] */
export function swiGlu(gateUp: Vector): Vector {
  const F = gateUp.length / 2;
  return gateUp.slice(0, F).map((gate, i) => gate * sigmoid(gate) * gateUp[F + i]);
}

/** The angle by which each pair of channels turns at each position, [T][K/2]. */
export function angles(config: ModelConfig, S: number): Matrix {
  const { prefix: P, headWidth: K, positions, ropeBase } = config;
  const half = K / 2;
  const list: Matrix = [];
  for (let t = 0; t < P + S; t++) {
    const row: Vector = [];
    if (positions === "rope") {
      for (let i = 0; i < half; i++) row.push(t / ropeBase ** (2 * i / K));
    } else if (positions === "rope2d" && t >= P) {
      const side = Math.sqrt(S);
      const quarter = half / 2;
      for (let i = 0; i < quarter; i++) row.push(Math.floor((t - P) / side) / ropeBase ** (i / quarter));
      for (let i = 0; i < quarter; i++) row.push(((t - P) % side) / ropeBase ** (i / quarter));
    } else {
      for (let i = 0; i < half; i++) row.push(0);
    }
    list.push(row);
  }
  return list;
}

/** Turns the pairs (x_i, x_{i+K/2}) by the angles. */
export function rotate(x: Vector, turn: Vector): Vector {
  const half = turn.length;
  const y = x.slice();
  for (let i = 0; i < half; i++) {
    y[i] = x[i] * Math.cos(turn[i]) - x[i + half] * Math.sin(turn[i]);
    y[i + half] = x[i + half] * Math.cos(turn[i]) + x[i] * Math.sin(turn[i]);
  }
  return y;
}

/** Full attention of [T][3·N·K] -> [T][N·K]. */
export function attention(qkv: Matrix, turns: Matrix, heads: number): Matrix {
  const T = qkv.length;
  const K = qkv[0].length / 3 / heads;
  const output = qkv.map((): Vector => []);
  for (let n = 0; n < heads; n++) {
    const part = (t: number, which: number) => qkv[t].slice((which * heads + n) * K, (which * heads + n + 1) * K);
    const q = qkv.map((_, t) => rotate(part(t, 0), turns[t]));
    const k = qkv.map((_, t) => rotate(part(t, 1), turns[t]));
    const v = qkv.map((_, t) => part(t, 2));
    for (let t = 0; t < T; t++) {
      const scores = k.map((key) => dot(q[t], key) / Math.sqrt(K));
      const top = Math.max(...scores);
      const powers = scores.map((score) => Math.exp(score - top));
      const sum = powers.reduce((a, b) => a + b, 0);
      for (let i = 0; i < K; i++) output[t].push(powers.reduce((y, power, u) => y + power / sum * v[u][i], 0));
    }
  }
  return output;
}

/** Channels from the cells above, below, left, right and at the four corners, ⌊D/16⌋ each; the prefix and the other channels stay. */
export function shiftNeighbours(x: Matrix, side: number, prefix: number): Matrix {
  const group = Math.floor(x[0].length / 16);
  const offsets = [[-1, 0], [1, 0], [0, -1], [0, 1], [-1, -1], [-1, 1], [1, -1], [1, 1]];
  return x.map((row, t) => {
    if (t < prefix) return row;
    const [r, c] = [Math.floor((t - prefix) / side), (t - prefix) % side];
    return row.map((value, channel) => {
      const offset = offsets[Math.floor(channel / group)];
      if (!offset) return value;
      const [from, at] = [r + offset[0], c + offset[1]];
      return from < 0 || from >= side || at < 0 || at >= side ? 0 : x[prefix + from * side + at][channel];
    });
  });
}

/** The embedded input, [T][D], and with `roles` the vector of each token as this sample shows it, [V][D]. */
export function embed(weights: Weights, sample: Sample, config: ModelConfig): { x: Matrix; vectors: Matrix } {
  const { width: D, prefix: P, vocabulary: V, conditioning, positions, gridPositions } = config;
  const table = weights.embed_tokens;
  if (conditioning === "prefix") {
    const tokens = sample.tokens.map((token) => table[token]);
    const puzzle = Array.from(
      { length: P },
      (_, p) => Array.from({ length: D }, (_, i) => sample.row[p * D + i] ?? 0),
    );
    let x = [...puzzle, ...tokens];
    if (positions === "learned") {
      x = addRows(x, weights.positions).map((row) => row.map((value) => value / Math.sqrt(2)));
    }
    return { x: x.map((row) => row.map((value) => value * Math.sqrt(D))), vectors: [] };
  }
  const slot = (i: number) => sample.row.slice(i * D, (i + 1) * D);
  const vectors = Array.from(
    { length: V },
    (_, token) => add(table[sample.shown![token]], slot(token).map((value) => value * sample.roles![token])),
  );
  const side = Math.sqrt(sample.tokens.length);
  const cells = sample.tokens.map((token, s) => {
    const told = add(vectors[token], slot(V + sample.dihedral!));
    return gridPositions ? add(told, add(weights.rows[Math.floor(s / side)], weights.columns[s % side])) : told;
  });
  const registers = Array.from({ length: P }, (_, p) => slot(V + 8 + p));
  return { x: [...registers, ...cells], vectors };
}

/** The blocks of network `name` on h. */
export function network(h: Matrix, weights: Weights, name: "H" | "L", config: ModelConfig): Matrix {
  const { heads, epsilon, prefix: P, shared } = config;
  const own = shared ? "L" : name;
  const S = h.length - P;
  const layers = own === "L" ? config.lLayers : config.hLayers;
  for (let i = 0; i < layers; i++) {
    const weight = (part: string) => weights[`${own}.${i}.${part}`];
    const mlp = (u: Vector, prefix: string) =>
      linear(swiGlu(linear(u, weight(`${prefix}gate_up`))), weight(`${prefix}down`));
    if (config.mixer === "attention") {
      const mixed = attention(h.map((row) => linear(row, weight("qkv"))), angles(config, S), heads);
      h = h.map((row, t) => rmsNorm(add(row, linear(mixed[t], weight("o"))), epsilon));
    } else {
      h = transpose(transpose(h).map((channel) => rmsNorm(add(channel, mlp(channel, "mixer.")), epsilon)));
    }
    const u = config.neighbourShift ? shiftNeighbours(h, Math.sqrt(S), P) : h;
    h = h.map((row, t) => rmsNorm(add(row, mlp(u[t], "")), epsilon));
  }
  return h;
}

/** z_L ← L(z_L + z_H + x̃) */
function low({ zH, zL }: SampleState, x: Matrix, weights: Weights, config: ModelConfig): SampleState {
  return { zH, zL: network(addRows(addRows(zL!, zH), x), weights, "L", config) };
}

/** z_H ← H(z_H + z_L) */
function high({ zH, zL }: SampleState, weights: Weights, config: ModelConfig): SampleState {
  return { zH: network(addRows(zH, zL!), weights, "H", config), zL };
}

/** The part of a segment that the paper runs without gradient. */
export function settle(
  relative: Relative,
  weights: Weights,
  sample: Sample,
  start: SampleState,
  config: ModelConfig,
): SampleState {
  const { hCycles, lCycles } = config;
  const { x } = embed(weights, sample, config);
  let state = start;
  if (relative === "hrm") {
    for (let h = 0; h < hCycles; h++) {
      for (let l = 0; l < lCycles; l++) {
        if (h < hCycles - 1 || l < lCycles - 1) state = low(state, x, weights, config);
      }
      if (h < hCycles - 1) state = high(state, weights, config);
    }
  }
  if (relative === "trm") {
    for (let h = 0; h < hCycles - 1; h++) {
      for (let l = 0; l < lCycles; l++) state = low(state, x, weights, config);
      state = high(state, weights, config);
    }
  }
  return state;
}

/** The part of a segment that carries gradient: HRM's last L and H call, TRM's last cycle, the whole loop. */
export function step(
  relative: Relative,
  weights: Weights,
  sample: Sample,
  start: SampleState,
  config: ModelConfig,
): SampleState {
  const { x } = embed(weights, sample, config);
  let state = start;
  if (relative === "hrm") return high(low(state, x, weights, config), weights, config);
  if (relative === "trm") {
    for (let l = 0; l < config.lCycles; l++) state = low(state, x, weights, config);
    return high(state, weights, config);
  }
  for (let h = 0; h < config.hCycles; h++) state = { zH: network(addRows(state.zH, x), weights, "H", config) };
  return state;
}

/** A whole segment. */
export function segment(
  relative: Relative,
  weights: Weights,
  sample: Sample,
  start: SampleState,
  config: ModelConfig,
): SampleState {
  return step(relative, weights, sample, settle(relative, weights, sample, start, config), config);
}

/** Logits, [S][V]. */
export function answer(weights: Weights, sample: Sample, { zH }: SampleState, config: ModelConfig): Matrix {
  const cells = zH.slice(config.prefix);
  if (config.conditioning === "prefix") return cells.map((z) => linear(z, weights.lm_head));
  const { vectors } = embed(weights, sample, config);
  return cells.map((z) => {
    const read = linear(z, weights.readout);
    return vectors.map((vector) => 2 * dot(read, vector) / Math.sqrt(config.width));
  });
}

/** [q_halt, q_continue] */
export function haltValues(weights: Weights, { zH }: SampleState): Vector {
  return add(linear(zH[0], weights["q_head.weight"]), weights["q_head.bias"][0]);
}

/** σ(q_halt') at the last segment, else σ(max(q_halt', q_continue')), after one more segment. */
export function continueTarget(
  relative: Relative,
  weights: Weights,
  sample: Sample,
  state: SampleState,
  config: ModelConfig,
  last: boolean,
): number {
  const [halt, going] = haltValues(weights, segment(relative, weights, sample, state, config));
  return sigmoid(last ? halt : Math.max(halt, going));
}

/** The initial vectors at each of T positions. */
export function initialState(buffers: Weights, T: number): SampleState {
  const repeat = (vector: Vector) => Array.from({ length: T }, () => vector);
  return { zH: repeat(buffers.H_init[0]), zL: buffers.L_init && repeat(buffers.L_init[0]) };
}

/** -weight · log p(label), 0 for a negative label; p is stablemax's or softmax's share of the label. */
export function crossEntropy(
  logits: Vector,
  label: number,
  weight: number,
  likelihood: "stablemax" | "softmax",
): number {
  if (label < 0) return 0;
  const top = Math.max(...logits);
  const s = (x: number) => likelihood === "softmax" ? Math.exp(x - top) : x < 0 ? 1 / (1 - x) : x + 1;
  return -weight * Math.log(s(logits[label]) / logits.reduce((sum, x) => sum + s(x), 0));
}

/** -target · log σ(x) - (1 - target) · log(1 - σ(x)) */
export function binaryCrossEntropy(logit: number, target: number): number {
  return -target * Math.log(sigmoid(logit)) - (1 - target) * Math.log(sigmoid(-logit));
}

/** The position of the largest number. */
export function argMax(values: Vector): number {
  return values.indexOf(Math.max(...values));
}

/** A parameter's number with its moments. */
export interface AdamNumber {
  p: number;
  m: number;
  v: number;
}

/** One update of one number by AdamATan2 (adam_atan2.cu) or AdamW. */
export function adam(
  { p, m, v }: AdamNumber,
  g: number,
  rule: "atan2" | "adamw",
  rate: number,
  weightDecay: number,
  beta1: number,
  beta2: number,
  step: number,
): AdamNumber {
  const first = beta1 * m + (1 - beta1) * g;
  const second = beta2 * v + (1 - beta2) * g * g;
  const root = Math.sqrt(second) / Math.sqrt(1 - beta2 ** step);
  const direction = rule === "atan2" ? Math.atan2(first, root) : first / (root + 1e-8);
  return { p: p * (1 - rate * weightDecay) - rate / (1 - beta1 ** step) * direction, m: first, v: second };
}

/** Central differences of `f` by every number of `weights`, which are put back. */
export function differences(f: () => number, weights: Matrix, distance = 1e-5): Matrix {
  return weights.map((row) =>
    row.map((value, i) => {
      row[i] = value + distance;
      const above = f();
      row[i] = value - distance;
      const below = f();
      row[i] = value;
      return (above - below) / (2 * distance);
    })
  );
}

/** The slope of `f` along a direction in `weights`, by central difference; the weights are put back. */
export function slope(f: () => number, weights: Matrix, direction: Matrix, distance = 1e-5): number {
  const original = weights.map((row) => row.slice());
  const at = (offset: number): number => {
    weights.forEach((row, i) => row.forEach((_, j) => row[j] = original[i][j] + offset * direction[i][j]));
    return f();
  };
  const difference = at(distance) - at(-distance);
  weights.forEach((row, i) => row.splice(0, row.length, ...original[i]));
  return difference / (2 * distance);
}
