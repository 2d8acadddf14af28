/**
 * Cross-entropy of tokens under stablemax or softmax (official models/losses.py).
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { defineOperation, run } from "./operation.ts";

/** Which function turns logits into probabilities: s(x) = x < 0 ? 1/(1-x) : x+1 over its sum, or softmax. */
export type Likelihood = "stablemax" | "softmax";

/**
 * -weight · log p(label) of every token; 0 where the label is negative.
 *
 * @param logits f32[R, V]
 * @param labels i32[R], negative: ignored
 * @param weights f32[R]
 * @returns f32[R]
 */
export function crossEntropy(
  logits: tf.Tensor,
  labels: tf.Tensor,
  weights: tf.Tensor,
  likelihood: Likelihood,
): tf.Tensor {
  return run("CrossEntropy", { logits, labels, weights }, { likelihood })[0];
}

/** s(x) and its slope */
function stable(logits: tf.Tensor): [tf.Tensor, tf.Tensor] {
  const below = tf.less(logits, 0);
  // The untaken branch must stay finite: 1/(1-x) has a pole at 1.
  const reciprocal = tf.div(1, tf.sub(1, tf.minimum(logits, 0)));
  const ones = tf.onesLike(logits);
  return [tf.where(below, reciprocal, tf.add(logits, 1)), tf.where(below, tf.square(reciprocal), ones)];
}

/** One-hot labels f32[R, V], all zero where ignored. */
function targets(labels: tf.Tensor, vocabulary: number): tf.Tensor {
  const whole = tf.cast(labels, "int32");
  const kept = tf.cast(tf.greaterEqual(whole, 0), "float32");
  const oneHot = tf.cast(tf.oneHot(tf.maximum(whole, tf.scalar(0, "int32")) as tf.Tensor1D, vocabulary), "float32");
  return tf.mul(oneHot, tf.expandDims(kept, 1));
}

defineOperation("CrossEntropy", ({ logits, labels, weights }, { likelihood }) => {
  const target = targets(labels, logits.shape[1]!);
  const kept = tf.sum(target, 1);
  let logP: tf.Tensor;
  if (likelihood === "softmax") {
    logP = tf.sum(tf.mul(tf.logSoftmax(logits, 1), target), 1);
  } else {
    const [s] = stable(logits);
    const own = tf.add(tf.sum(tf.mul(s, target), 1), tf.sub(1, kept));
    logP = tf.mul(kept, tf.sub(tf.log(own), tf.log(tf.sum(s, 1))));
  }
  return [tf.neg(tf.mul(weights, logP))];
}, {
  inputs: ["logits", "labels", "weights"],
  gradients: ([dy], [logits, labels, weights], attributes) => ({
    logits: () => run("CrossEntropyGradient", { dy, logits, labels, weights }, attributes)[0],
  }),
});

defineOperation("CrossEntropyGradient", ({ dy, logits, labels, weights }, { likelihood }) => {
  const target = targets(labels, logits.shape[1]!);
  const kept = tf.sum(target, 1, true);
  const scale = tf.expandDims(tf.mul(dy, weights), 1);
  if (likelihood === "softmax") return [tf.mul(scale, tf.sub(tf.mul(kept, tf.softmax(logits)), target))];
  const [s, slope] = stable(logits);
  const share = tf.div(kept, tf.sum(s, 1, true));
  return [tf.mul(scale, tf.mul(slope, tf.sub(share, tf.div(target, s))))];
});
