/** Gradients by the tape of model/kernels/tape.ts against those of tfjs' own. */
import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs";
import { differentiable, withoutGradient } from "../../model/kernels/operation.ts";
import { gradients } from "../../model/kernels/tape.ts";
import { eachBackend } from "../backends.ts";
import { assertTensor } from "../relatives.ts";

const square = (x: tf.Tensor) =>
  differentiable([x], () => ({ value: tf.square(x), saved: [tf.mul(x, 2)] }), (dy, [twice]) => [tf.mul(dy, twice)]);

/** Several outputs of which one is not used, scalars that tfjs makes itself, a tensor used twice, a constant part. */
function value(x: tf.Tensor, y: tf.Tensor): tf.Tensor {
  const [first, second] = tf.unstack(tf.matMul(x as tf.Tensor2D, y as tf.Tensor2D), 1);
  const joined = tf.concat([tf.mul(first, 3), square(first)]);
  const constant = withoutGradient(() => tf.exp(tf.tidy(() => tf.div(second, 4))));
  return tf.sum(tf.mul(tf.add(joined, tf.concat([constant, constant])), joined));
}

const inputs = () =>
  [tf.tensor2d([1, -2, 3, 0.5, 0.25, -1], [3, 2]), tf.tensor2d([0.5, 1, -1, 2, 1, 0], [2, 3])] as const;

eachBackend("gradients() gives tfjs' gradients, and undefined for what the value does not depend on", async () => {
  const [x, y] = inputs();
  const own = gradients(() => value(x, y), [x, y, tf.scalar(1)]);
  const { value: expected, grads } = tf.valueAndGrads((x, y) => value(x, y) as tf.Scalar)([x, y]);
  await assertTensor(own.value, await expected.data(), "value");
  await assertTensor(own.gradients[0]!, await grads[0].data(), "by x");
  await assertTensor(own.gradients[1]!, await grads[1].data(), "by y");
  assert.equal(own.gradients[2], undefined);
});

eachBackend("gradients() leaves the value and the gradients and nothing else, also where it fails", () => {
  const [x, y] = inputs();
  const before = tf.memory().numTensors;
  const own = gradients(() => value(x, y), [x, y]);
  assert.equal(tf.memory().numTensors, before + 3);
  tf.dispose([own.value, ...own.gradients] as tf.TensorContainer);
  assert.throws(() => gradients(() => tf.sum(tf.topk(x, 1).values), [x]), /Cannot compute the gradient of TopK/);
  assert.throws(() =>
    gradients(() => {
      value(x, y);
      throw new RangeError("no value");
    }, [x]), RangeError);
  assert.equal(tf.memory().numTensors, before);
  assert.equal(tf.engine().state.gradientDepth, 0);
});
