/**
 * The paper: one segment of a hierarchical reasoning model. Knows no puzzles, no losses and no halting.
 *
 * B batch · S grid tokens · P puzzle prefix · T = P+S · D width · N heads · K head width · F feed-forward width · V vocabulary
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { type ModelConfig, segmentCalls } from "./config.ts";
import { attention, type Rotary } from "./kernels/attention.ts";
import { feedForward } from "./kernels/feed_forward.ts";
import { linear } from "./kernels/linear.ts";
import { neighbourShift } from "./kernels/neighbour_shift.ts";
import { recording } from "./kernels/operation.ts";
import { rmsNorm } from "./kernels/rms_norm.ts";
import { selfAttention } from "./kernels/self_attention.ts";
import { sumOfThree } from "./kernels/sum_of_three.ts";
import { tokenEmbedding } from "./kernels/token_embedding.ts";
import type { Network, Parameters } from "./parameters.ts";

/** What a network is shown. */
export interface ModelInput {
  /** i32[B, S] */
  tokens: tf.Tensor;
  /** The puzzles' rows, f32[B, puzzleWidth]. */
  rows: tf.Tensor;
  /** With `roles`: which token each token is shown as, i32[B, V]. */
  shown?: tf.Tensor;
  /** With `roles`: 1 for tokens whose own role may matter, repeated over D, f32[B, V, D]. */
  roles?: tf.Tensor;
  /** With `roles`: the dihedral transform of each sample, repeated over V, i32[B, V]. */
  dihedral?: tf.Tensor;
}

/** The recurrent state, f32[B, T, D] each. */
export interface State {
  /** The high level; the answer is read from it. */
  zH: tf.Tensor;
  /** The low level, where there is one. */
  zL?: tf.Tensor;
}

/** What the recurrence works on: the embedded input, and each sample's token vectors where samples differ in them. */
export interface Embedded {
  /** x̃, f32[B, T, D] */
  x: tf.Tensor;
  /** With `roles`: f32[B, V, D] */
  vectors?: tf.Tensor;
  /** The positions' rotations; its tensors belong to {@link rotary}'s cache. */
  rotary: Rotary;
  /** The side of the canvas. */
  side: number;
}

/**
 * Rotations of T = P + S positions, f32[T, K] each (official models/layers.py, RotaryEmbedding). `rope` counts the flat sequence from the
 * first puzzle token on; `rope2d` turns half the channels by the row and half by the column and leaves the prefix unturned.
 */
export function rotary(config: ModelConfig, S: number): Rotary {
  const { prefix: P, headWidth: K, positions, ropeBase: base } = config;
  const [T, half, side] = [P + S, K / 2, Math.round(Math.sqrt(S))];
  // Rounded to f32 where the official code rounds: at the last positions the angles differ visibly otherwise.
  const frequencies = (of: number) =>
    Float32Array.from({ length: Math.ceil(of) }, (_, i) => 1 / Math.fround(base ** Math.fround(i / of)));
  const [flat, grid] = [frequencies(half), frequencies(half / 2)];
  const angle = (t: number, i: number): number => {
    if (positions === "rope") return t * flat[i];
    if (positions !== "rope2d" || t < P) return 0;
    const [row, column] = [Math.floor((t - P) / side), (t - P) % side];
    return i < half / 2 ? row * grid[i] : column * grid[i - half / 2];
  };
  const table = (f: (angle: number) => number) =>
    tf.tensor2d(Float32Array.from({ length: T * K }, (_, j) => f(Math.fround(angle(Math.floor(j / K), j % half)))), [
      T,
      K,
    ]);
  return { cos: table(Math.cos), sin: table(Math.sin) };
}

/**
 * x̃: the input embedding, prefix first.
 *
 * With `prefix` (official hrm_act_v1.py, _input_embeddings): token vectors and the puzzle's row, padded with zeros to P·D, times √D; with
 * learned positions (e + p)/√2 first. With `roles`: e_c = E[π(c)] + m_c R[c], plus row, column and dihedral vectors; registers in front.
 */
export function embed(parameters: Parameters, input: ModelInput, config: ModelConfig, rotations: Rotary): Embedded {
  const { width: D, prefix: P, puzzleWidth, vocabulary: V } = config;
  const [B, S] = input.tokens.shape as [number, number];
  const side = Math.round(Math.sqrt(S));
  if (config.conditioning === "prefix") {
    let x = tokenEmbedding(input.tokens, parameters.embed_tokens);
    if (P) {
      const padded = puzzleWidth < P * D
        ? tf.pad(input.rows as tf.Tensor2D, [[0, 0], [0, P * D - puzzleWidth]])
        : input.rows;
      x = tf.concat([tf.reshape(padded, [B, P, D]), x], 1);
    }
    if (config.positions === "learned") x = tf.mul(tf.add(x, parameters.positions), Math.SQRT1_2);
    return { x: tf.mul(x, Math.sqrt(D)), rotary: rotations, side };
  }
  const part = (from: number, count: number) =>
    tf.reshape(tf.slice(input.rows, [0, from * D], [B, count * D]), [B, count, D]);
  const vectors = tf.add(tokenEmbedding(input.shown!, parameters.embed_tokens), tf.mul(part(0, V), input.roles!));
  // What is the same for all cells is added to the few token vectors rather than to the many cells.
  let x = tokenEmbedding(input.tokens, tf.add(vectors, tokenEmbedding(input.dihedral!, part(V, 8))));
  if (config.gridPositions) {
    const cells = Array.from({ length: S }, (_, cell) => cell);
    const place = (name: "rows" | "columns", index: (cell: number) => number) =>
      tokenEmbedding(tf.tensor(cells.map(index), [1, S], "int32"), parameters[name]);
    const places = tf.add(place("rows", (cell) => Math.floor(cell / side)), place("columns", (cell) => cell % side));
    x = tf.add(x, places);
  }
  if (P) x = tf.concat([part(V + 8, P), x], 1);
  return { x, vectors, rotary: rotations, side };
}

/** The first position alone, f32[B, 1, D]. */
function firstPosition(x: tf.Tensor): tf.Tensor {
  return x.shape[1] === 1 ? x : tf.slice(x, [0, 0, 0], [x.shape[0], 1, x.shape[2]!]);
}

/** Post-norm block: h ← rms(h + Mixer(h)); h ← rms(h + SwiGLU(h)). With `firstOnly`, of the first position. */
function block(
  h: tf.Tensor,
  parameters: Parameters,
  name: string,
  config: ModelConfig,
  embedded: Embedded,
  firstOnly = false,
): tf.Tensor {
  const weight = (part: string) => parameters[`${name}.${part}`];
  const { epsilon, heads } = config;
  if (config.mixer === "tokens") {
    // The norm runs over the sequence here: the official code normalises before it transposes back.
    const turned = tf.transpose(h, [0, 2, 1]);
    const mixed = feedForward(turned, turned, weight("mixer.gate_up"), weight("mixer.down"), epsilon);
    h = tf.transpose(mixed, [0, 2, 1]);
  } else if (firstOnly && !config.neighbourShift) {
    // Neighbours of the first position are needed where they are mixed in below.
    const mixed = attention(linear(h, weight("qkv")), embedded.rotary, heads);
    h = rmsNorm(firstPosition(h), linear(firstPosition(mixed), weight("o")), epsilon);
  } else h = selfAttention(h, weight("qkv"), weight("o"), embedded.rotary, heads, epsilon);
  const u = config.neighbourShift ? neighbourShift(h, embedded.side, config.prefix) : h;
  return feedForward(u, h, weight("gate_up"), weight("down"), epsilon);
}

/** One call of a network: its blocks on h. */
function level(
  h: tf.Tensor,
  parameters: Parameters,
  name: "H" | "L",
  config: ModelConfig,
  embedded: Embedded,
  firstOnly = false,
): tf.Tensor {
  const network = config.shared ? "L" : name;
  const layers = network === "L" ? config.lLayers : config.hLayers;
  for (let i = 0; i < layers; i++) {
    const work = () => block(h, parameters, `${network}.${i}`, config, embedded, firstOnly && i === layers - 1);
    // What nothing will be differentiated by is freed block by block.
    h = recording() ? work() : tf.tidy(work);
  }
  return h;
}

/**
 * z_L ← L(z_L + (z_H + x̃)), or z_H ← H(z_H + z_L), or, without a low level, z_H ← H(z_H + x̃).
 *
 * @param firstOnly whether of z_H only the first position is wanted; then there may be fewer than T
 */
export function call(
  name: "H" | "L",
  { zH, zL }: State,
  parameters: Parameters,
  config: ModelConfig,
  embedded: Embedded,
  firstOnly = false,
): State {
  if (name === "L") return { zH, zL: level(sumOfThree(zL!, zH, embedded.x), parameters, "L", config, embedded) };
  return { zH: level(tf.add(zH, zL ?? embedded.x), parameters, "H", config, embedded, firstOnly), zL };
}

/** The calls of a segment that carry no gradient. Returns fresh tensors. */
export function settle(parameters: Parameters, state: State, embedded: Embedded, config: ModelConfig): State {
  const calls = segmentCalls(config).slice(0, -config.gradientCalls);
  let current: State = { zH: tf.clone(state.zH), zL: state.zL && tf.clone(state.zL) };
  for (const name of calls) {
    const next = tf.tidy(() =>
      call(name, current, parameters, config, embedded) as unknown as tf.NamedTensorMap
    ) as unknown as State;
    if (next.zH !== current.zH) current.zH.dispose();
    if (next.zL !== current.zL) current.zL?.dispose();
    current = next;
  }
  return current;
}

/**
 * The calls of a segment that carry gradient: HRM's one-step approximation, TRM's last cycle, or all.
 *
 * @param firstOnly whether of z_H only the first position is wanted, as by {@link haltValues}; then there may be fewer than T
 */
export function step(
  parameters: Parameters,
  state: State,
  embedded: Embedded,
  config: ModelConfig,
  firstOnly = false,
): State {
  const calls = segmentCalls(config).slice(-config.gradientCalls);
  return calls.reduce(
    (current, name, i) => call(name, current, parameters, config, embedded, firstOnly && i === calls.length - 1),
    state,
  );
}

/** Logits of the grid tokens, f32[B, S, V]. With `roles`, 2 (W z)·e_c / √D: the answer needs no un-permuting. */
export function answer(parameters: Parameters, zH: tf.Tensor, embedded: Embedded, config: ModelConfig): tf.Tensor {
  const { prefix: P, width: D } = config;
  const [B, T] = zH.shape;
  const z = P ? tf.slice(zH, [0, P, 0], [B, T! - P, D]) : zH;
  if (config.conditioning === "prefix") return linear(z, parameters.lm_head);
  return tf.matMul(tf.mul(linear(z, parameters.readout), 2 / Math.sqrt(D)), embedded.vectors!, false, true);
}

/** Q values of halting and continuing, f32[B, 2], read from the first position. */
export function haltValues(parameters: Parameters, zH: tf.Tensor): tf.Tensor {
  const [B, , D] = zH.shape;
  const first = tf.reshape(firstPosition(zH), [B, D!]);
  return tf.add(linear(first, parameters["q_head.weight"]), parameters["q_head.bias"]);
}

/** A fresh state of B rows: the initial vectors at every position. */
export function initialState({ config, buffers }: Network, B: number, S: number): State {
  const tile = (vector: tf.Tensor) =>
    tf.tidy(() => tf.tile(tf.reshape(vector, [1, 1, config.width]), [B, config.prefix + S, 1]));
  return { zH: tile(buffers.H_init), zL: buffers.L_init && tile(buffers.L_init) };
}
