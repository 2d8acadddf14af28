/**
 * RMSNorm of a sum, without gain: the post-norm residual of HRM's block (official models/layers.py, rms_norm).
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { defineOperation, recording, run, shared } from "./operation.ts";

/**
 * y = h / √(mean(h²) + ε) over the last axis, where h = x + residual.
 *
 * @param x f32[…, D]
 * @param residual f32[…, D]
 * @returns f32[…, D]
 */
export function rmsNorm(x: tf.Tensor, residual: tf.Tensor, epsilon: number): tf.Tensor {
  const [y, inverse] = run("RmsNorm", { x, residual }, { epsilon });
  if (!recording()) inverse.dispose();
  return y;
}

defineOperation("RmsNorm", ({ x, residual }, { epsilon }) => {
  const h = tf.add(x, residual);
  const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(h), -1, true), epsilon));
  return [tf.mul(h, inverse), inverse];
}, {
  inputs: [],
  outputs: [true, true],
  gradients: ([dy], [y, inverse]) => {
    const gradient = shared(() => run("RmsNormGradient", { dy, y, inverse })[0]);
    return { x: gradient, residual: gradient };
  },
});

defineOperation("RmsNormGradient", ({ dy, y, inverse }) => {
  const along = tf.mean(tf.mul(dy, y), -1, true);
  return [tf.mul(inverse, tf.sub(dy, tf.mul(y, along)))];
});
