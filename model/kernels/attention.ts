/**
 * Full attention over packed heads with rotary positions (official models/layers.py, Attention and apply_rotary_pos_emb).
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { defineOperation, recording, run } from "./operation.ts";

/** Rotations of each position, f32[T, K] each, halves repeated: the rotate-half convention. */
export interface Rotary {
  /** Cosines, f32[T, K]. */
  cos: tf.Tensor;
  /** Sines, f32[T, K]. */
  sin: tf.Tensor;
}

/**
 * softmax(R(q) R(k)ᵀ / √K) v for every head; R rotates by the position.
 *
 * @param qkv f32[B, T, 3·N·K]: all of q, then k, then v, each by head
 * @param rotary positions; all-one cosines and all-zero sines mean none
 * @returns f32[B, T, N·K]
 */
export function attention(qkv: tf.Tensor, { cos, sin }: Rotary, heads: number): tf.Tensor {
  const [output, logSumExp] = run("Attention", { qkv, cos, sin }, { heads });
  if (!recording()) logSumExp.dispose();
  return output;
}

/** [B, T, c·N·K] -> c tensors [B, N, T, K] */
function splitHeads(packed: tf.Tensor, parts: number, heads: number): tf.Tensor4D[] {
  const [B, T, wide] = packed.shape;
  const K = wide / parts / heads;
  return tf.unstack(tf.transpose(tf.reshape(packed, [B, T, parts, heads, K]), [2, 0, 3, 1, 4])) as tf.Tensor4D[];
}

/** c tensors [B, N, T, K] -> [B, T, c·N·K] */
function mergeHeads(parts: tf.Tensor4D[]): tf.Tensor {
  const [B, N, T, K] = parts[0].shape;
  return tf.reshape(tf.transpose(tf.stack(parts), [1, 3, 0, 2, 4]), [B, T, parts.length * N * K]);
}

function rotateHalf(x: tf.Tensor4D): tf.Tensor4D {
  const [low, high] = tf.split(x, 2, -1);
  return tf.concat([tf.neg(high), low], -1) as tf.Tensor4D;
}

/**
 * R(x): rotates by the position, or back with negated sines.
 *
 * @param x f32[B, N, T, K]
 * @returns f32[B, N, T, K]
 */
export function rotate(x: tf.Tensor4D, cos: tf.Tensor, sin: tf.Tensor): tf.Tensor4D {
  return tf.add(tf.mul(x, cos), tf.mul(rotateHalf(x), sin));
}

defineOperation("Attention", ({ qkv, cos, sin }, { heads }) => {
  const [q, k, v] = splitHeads(qkv, 3, heads);
  const scores = tf.mul(
    tf.matMul(rotate(q, cos, sin), rotate(k, cos, sin), false, true),
    1 / Math.sqrt(q.shape[3]),
  );
  const logSumExp = tf.logSumExp(scores, -1);
  return [mergeHeads([tf.matMul(tf.softmax(scores), v) as tf.Tensor4D]), logSumExp];
}, {
  inputs: ["qkv", "cos", "sin"],
  outputs: [true, true],
  gradients: ([dy], [qkv, cos, sin, output, logSumExp], { heads }) => ({
    qkv: () => run("AttentionGradient", { dy, qkv, cos, sin, output, logSumExp }, { heads })[0],
  }),
});

defineOperation("AttentionGradient", ({ dy, qkv, cos, sin, output, logSumExp }, { heads }) => {
  const [q, k, v] = splitHeads(qkv, 3, heads);
  const [dO] = splitHeads(dy, 1, heads);
  const [O] = splitHeads(output, 1, heads);
  const scale = 1 / Math.sqrt(q.shape[3]);
  const [rq, rk] = [rotate(q, cos, sin), rotate(k, cos, sin)];
  const scores = tf.mul(tf.matMul(rq, rk, false, true), scale);
  const P = tf.exp(tf.sub(scores, tf.expandDims(logSumExp, -1)));
  const dP = tf.matMul(dO, v, false, true);
  const dS = tf.mul(tf.mul(P, tf.sub(dP, tf.sum(tf.mul(dO, O), -1, true))), scale);
  const back = tf.neg(sin);
  return [mergeHeads([
    rotate(tf.matMul(dS, rk) as tf.Tensor4D, cos, back),
    rotate(tf.matMul(dS, rq, true, false) as tf.Tensor4D, cos, back),
    tf.matMul(P, dO, true, false) as tf.Tensor4D,
  ])];
});
