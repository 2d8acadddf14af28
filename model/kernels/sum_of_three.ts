/**
 * The sum of three tensors of one shape: what the low level works on.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { defineOperation, run } from "./operation.ts";

/** a + (b + c), all of one shape. */
export function sumOfThree(a: tf.Tensor, b: tf.Tensor, c: tf.Tensor): tf.Tensor {
  return run("SumOfThree", { a, b, c })[0];
}

defineOperation("SumOfThree", ({ a, b, c }) => [tf.add(a, tf.add(b, c))], {
  inputs: [],
  gradients: ([dy]) => ({ a: () => dy.clone(), b: () => dy.clone(), c: () => dy.clone() }),
});
