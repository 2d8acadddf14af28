/**
 * Clipping of gradients by their norm, found where the gradients are.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { defineOperation, run } from "./operation.ts";

/**
 * min(1, clipNorm / (norm + 1e-6)), and the norm of all gradients together.
 *
 * @returns two fresh f32[]
 */
export function clipScale(gradients: tf.Tensor[], clipNorm: number): { scale: tf.Tensor; norm: tf.Tensor } {
  const inputs = Object.fromEntries(gradients.map((gradient, i) => [`gradient${i}`, gradient]));
  const [scale, norm] = run("ClipScale", inputs, { clipNorm });
  return { scale, norm };
}

defineOperation("ClipScale", (inputs, { clipNorm }) => {
  const squares = Object.values(inputs).map((gradient) => tf.sum(tf.square(gradient)));
  // Not tf.addN(), which binds all at once on a GPU.
  const norm = tf.sqrt(squares.reduce((sum, square) => tf.add(sum, square)));
  return [tf.minimum(1, tf.div(clipNorm, tf.add(norm, 1e-6))), norm];
});
