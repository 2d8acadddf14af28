/**
 * The gate of SwiGLU (official models/layers.py, SwiGLU).
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { defineOperation, run } from "./operation.ts";

/**
 * y = silu(gate) · up, where gate and up are the halves of the last axis.
 *
 * @param gateUp f32[…, 2F]
 * @returns f32[…, F]
 */
export function swiGlu(gateUp: tf.Tensor): tf.Tensor {
  return run("SwiGlu", { gateUp })[0];
}

defineOperation("SwiGlu", ({ gateUp }) => {
  const [gate, up] = tf.split(gateUp, 2, -1);
  return [tf.mul(tf.mul(gate, tf.sigmoid(gate)), up)];
}, {
  inputs: ["gateUp"],
  gradients: ([dy], [gateUp]) => ({ gateUp: () => run("SwiGluGradient", { dy, gateUp })[0] }),
});

defineOperation("SwiGluGradient", ({ dy, gateUp }) => {
  const [gate, up] = tf.split(gateUp, 2, -1);
  const s = tf.sigmoid(gate);
  const slope = tf.mul(s, tf.add(1, tf.mul(gate, tf.sub(1, s))));
  return [tf.concat([tf.mul(tf.mul(dy, up), slope), tf.mul(dy, tf.mul(gate, s))], -1)];
});
