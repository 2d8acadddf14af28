/**
 * Adaptive computation time: how many segments each row is worked on. Knows no losses and no puzzles.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import type { ModelConfig } from "./config.ts";
import { answer, embed, haltValues, initialState, type ModelInput, rotary, settle, type State, step } from "./hrm.ts";
import type { Network } from "./parameters.ts";

/** What passes from one segment to the next. */
export interface Carry {
  /** The recurrent state, detached. */
  state: State;
  /** Segments spent on each row's puzzle. */
  segments: Int32Array;
  /** 1 where a row is done and takes a new puzzle next. */
  halted: Uint8Array;
}

/** A carry of B rows that all take a puzzle first. */
export function initialCarry(network: Network, B: number, S: number): Carry {
  return { state: initialState(network, B, S), segments: new Int32Array(B), halted: new Uint8Array(B).fill(1) };
}

/** The state with halted rows at the start again, for puzzles of S tokens; fresh tensors. Where all have halted, S may change. */
export function resetHalted(network: Network, carry: Carry, S: number): State {
  const { state, halted } = carry;
  const B = halted.length;
  if (halted.every((h) => h === 0)) return { zH: tf.clone(state.zH), zL: state.zL && tf.clone(state.zL) };
  if (halted.every((h) => h === 1)) return initialState(network, B, S);
  const fresh = initialState(network, 1, S);
  // Not tf.where(): it would repeat the mask over every position.
  const rows = tf.tensor1d(Array.from(halted, (h, row) => h ? B : row), "int32");
  const mixed = (z: tf.Tensor, start: tf.Tensor) => tf.tidy(() => tf.gather(tf.concat([z, start]), rows));
  const next = { zH: mixed(state.zH, fresh.zH), zL: fresh.zL && mixed(state.zL!, fresh.zL) };
  tf.dispose([fresh.zH, fresh.zL, rows]);
  return next;
}

/** Whether the Q values ask to halt: q_halt > q_continue with Q-learning, q_halt > 0 without (TRM). */
export function wantsHalt(config: ModelConfig, qHalt: number, qContinue: number): boolean {
  if (config.halting === "fixed") return false;
  return config.halting === "q" ? qHalt > qContinue : qHalt > 0;
}

/** Which rows halt after a training segment: at the last one, or when the Q values ask for it and exploration allows. */
export function haltAfter(
  config: ModelConfig,
  qHalt: ArrayLike<number>,
  qContinue: ArrayLike<number>,
  segments: Int32Array,
  minimumSegments?: ArrayLike<number>,
): Uint8Array {
  return Uint8Array.from(segments, (count, row) => {
    if (count >= config.maxSegments) return 1;
    const asks = config.maxSegments > 1 && wantsHalt(config, qHalt[row], qContinue[row]);
    return asks && count >= (minimumSegments?.[row] ?? 0) ? 1 : 0;
  });
}

/** What came of thinking about one row. */
export interface Thought {
  /** Logits of the answer, f32[S · V]. */
  logits: Float32Array;
  /** The probability, in the network's own view, that the answer is right; absent where halting is not learned. */
  halt?: number;
  /** Segments spent. */
  segments: number;
  /** With `trace`: the tokens after each segment. */
  trace: Uint8Array[];
}

/** How to think. */
export interface ThinkOptions {
  /** At most so many segments; the configuration's own number if not given. */
  maxSegments?: number;
  /** Whether rows stop when the Q values ask for it (the official evaluation never does). */
  haltEarly?: boolean;
  /** Whether to keep the answer after every segment. */
  trace?: boolean;
  /** Asked after every segment but the last; true makes it the last. */
  enough?: (segment: number) => Promise<boolean>;
}

/** The largest logit's token at every position. */
export function argMax(logits: Float32Array, vocabulary: number): Uint8Array {
  return Uint8Array.from({ length: logits.length / vocabulary }, (_, s) => {
    let best = 0;
    for (let v = 1; v < vocabulary; v++) if (logits[s * vocabulary + v] > logits[s * vocabulary + best]) best = v;
    return best;
  });
}

function gatherRows(tensor: tf.Tensor | undefined, rows: number[]): tf.Tensor | undefined {
  return tensor && tf.gather(tensor, tf.tensor1d(rows, "int32"));
}

/**
 * Works on every row until it halts. With `haltEarly` the batch shrinks to the rows still running.
 *
 * @param input not disposed
 * @returns one thought a row, in order
 */
export async function think(network: Network, input: ModelInput, options: ThinkOptions = {}): Promise<Thought[]> {
  const { config, parameters } = network;
  const { maxSegments = config.maxSegments, haltEarly = false, trace = false, enough } = options;
  const [B, S] = input.tokens.shape as [number, number];
  const V = config.vocabulary;
  const rotations = rotary(config, S);
  let rows = Array.from({ length: B }, (_, row) => row);
  let embedded = tf.tidy(() => {
    const { x, vectors } = embed(parameters, input, config, rotations);
    return vectors ? { x, vectors } : { x };
  }) as { x: tf.Tensor; vectors?: tf.Tensor };
  let state = initialState(network, B, S);
  const side = Math.round(Math.sqrt(S));
  const thoughts: Thought[] = rows.map(() => ({ logits: new Float32Array(0), segments: 0, trace: [] }));
  for (let segment = 1; segment <= maxSegments && rows.length; segment++) {
    const current = { ...embedded, rotary: rotations, side };
    const settled = settle(parameters, state, current, config);
    const next = tf.tidy(() =>
      step(parameters, settled, current, config) as unknown as tf.NamedTensorMap
    ) as unknown as State;
    tf.dispose([settled.zH, settled.zL !== next.zL ? settled.zL : undefined, state.zH, state.zL] as tf.TensorContainer);
    state = next;
    const halting = config.halting !== "fixed";
    const q = halting ? await readOut(() => haltValues(parameters, state.zH)) : undefined;
    const last = segment === maxSegments || await enough?.(segment) === true;
    const done = rows.map((_, i) =>
      last || (haltEarly && q !== undefined && wantsHalt(config, q[2 * i], q[2 * i + 1]))
    );
    if (trace || done.some(Boolean)) {
      const logits = await readOut(() => answer(parameters, state.zH, current, config));
      rows.forEach((row, i) => {
        const own = logits.slice(i * S * V, (i + 1) * S * V);
        if (trace) thoughts[row].trace.push(argMax(own, V));
        if (!done[i]) return;
        thoughts[row].logits = own;
        if (q) thoughts[row].halt = 1 / (1 + Math.exp(-q[2 * i]));
        thoughts[row].segments = segment;
      });
    }
    if (last) break;
    if (done.some(Boolean)) {
      const kept = rows.map((_, i) => i).filter((i) => !done[i]);
      rows = kept.map((i) => rows[i]);
      if (!rows.length) break;
      const [oldState, oldEmbedded] = [state, embedded];
      [state, embedded] = tf.tidy(() =>
        [
          { zH: gatherRows(oldState.zH, kept)!, zL: gatherRows(oldState.zL, kept) },
          { x: gatherRows(oldEmbedded.x, kept)!, vectors: gatherRows(oldEmbedded.vectors, kept) },
        ] as unknown as tf.TensorContainerArray
      ) as unknown as [State, { x: tf.Tensor; vectors?: tf.Tensor }];
      tf.dispose([oldState.zH, oldState.zL, oldEmbedded.x, oldEmbedded.vectors] as tf.TensorContainer);
    }
  }
  tf.dispose([state.zH, state.zL, embedded.x, embedded.vectors, rotations.cos, rotations.sin] as tf.TensorContainer);
  return thoughts;
}

/** Computes a tensor, reads it, disposes it and all that led to it. */
async function readOut(compute: () => tf.Tensor): Promise<Float32Array> {
  const tensor = tf.tidy(compute);
  const values = await tensor.data() as Float32Array;
  tensor.dispose();
  return values;
}
