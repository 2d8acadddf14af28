/**
 * Binary cross-entropy of logits, summed (official models/losses.py, q_halt_loss and q_continue_loss).
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { defineOperation, run } from "./operation.ts";

/**
 * Σ max(x, 0) - x·target + log(1 + e^-|x|)
 *
 * @param logits x, f32[B]
 * @param target f32[B], a constant
 * @returns f32[]
 */
export function binaryCrossEntropy(logits: tf.Tensor, target: tf.Tensor): tf.Tensor {
  return run("BinaryCrossEntropy", { logits, target })[0];
}

defineOperation("BinaryCrossEntropy", ({ logits, target }) => {
  const tail = tf.log1p(tf.exp(tf.neg(tf.abs(logits))));
  return [tf.sum(tf.add(tf.sub(tf.relu(logits), tf.mul(logits, target)), tail))];
}, {
  inputs: ["logits", "target"],
  gradients: ([dy], [logits, target]) => ({
    logits: () => run("BinaryCrossEntropyGradient", { dy, logits, target })[0],
  }),
});

defineOperation("BinaryCrossEntropyGradient", ({ dy, logits, target }) => {
  const each = tf.mul(dy, tf.onesLike(logits));
  const power = tf.exp(tf.neg(tf.abs(logits)));
  const ofTail = tf.mul(tf.neg(tf.mul(tf.div(each, tf.add(power, 1)), power)), tf.step(logits, -1));
  return [tf.add(tf.add(ofTail, tf.mul(tf.neg(each), target)), tf.mul(each, tf.step(logits)))];
});
