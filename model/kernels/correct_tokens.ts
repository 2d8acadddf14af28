/**
 * Which tokens are answered rightly, found where the logits are.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { defineOperation, run, withoutGradient } from "./operation.ts";

/**
 * 1 where the largest logit is the label's, else 0; 1 where the label is negative (ignored).
 *
 * @param logits f32[R, V]
 * @param labels i32[R]
 * @returns f32[R]; carries no gradient
 */
export function correctTokens(logits: tf.Tensor, labels: tf.Tensor): tf.Tensor {
  return withoutGradient(() => run("CorrectTokens", { logits, labels })[0]);
}

defineOperation("CorrectTokens", ({ logits, labels }) => {
  const whole = tf.cast(labels, "int32");
  const right = tf.equal(tf.argMax(logits, 1), whole);
  return [tf.cast(tf.logicalOr(right, tf.less(whole, 0)), "float32")];
});
