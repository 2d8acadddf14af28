/**
 * A linear layer without bias.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { defineOperation, differentiable, run } from "./operation.ts";

/** Rows of a tensor's last axis, f32[…, D] to f32[R, D]. */
function rowsOf(x: tf.Tensor): tf.Tensor2D {
  return tf.reshape(x, [-1, x.shape[x.rank - 1]!]);
}

/**
 * y = x Wᵀ over the last axis.
 *
 * @param x f32[…, in]
 * @param W f32[out, in]
 * @returns f32[…, out]
 */
export function linear(x: tf.Tensor, W: tf.Tensor): tf.Tensor {
  return differentiable(
    [x, W],
    () => ({ value: run("Linear", { x, W })[0], saved: [x, W] }),
    (dy, [x, W]) => run("LinearGradient", { dy, x, W }),
  );
}

/** The gradient of {@link linear} by x: dx = dy W, f32[…, in]. */
export function linearInputGradient(dy: tf.Tensor, W: tf.Tensor): tf.Tensor {
  return tf.reshape(tf.matMul(rowsOf(dy), W as tf.Tensor2D), [...dy.shape.slice(0, -1), W.shape[1]!]);
}

/** The gradient of {@link linear} by W: dW = dyᵀ x, f32[out, in]. */
export function linearWeightGradient(dy: tf.Tensor, x: tf.Tensor): tf.Tensor {
  return tf.matMul(rowsOf(dy), rowsOf(x), true, false);
}

defineOperation("Linear", ({ x, W }) => {
  const flat = tf.matMul(rowsOf(x), W as tf.Tensor2D, false, true);
  return [tf.reshape(flat, [...x.shape.slice(0, -1), W.shape[0]!])];
});

/** Outputs dx, dW. */
defineOperation("LinearGradient", ({ dy, x, W }) => [linearInputGradient(dy, W), linearWeightGradient(dy, x)]);
