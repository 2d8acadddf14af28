import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs";
import { gradients } from "../../model/gradients.ts";
import { eachBackend } from "../backends.ts";
import { assertTensor } from "../relatives.ts";

/** x, whose gradient is handed on as it comes. */
const same = tf.customGrad((x) => ({ value: tf.clone(x as tf.Tensor), gradFunc: (dy) => dy as tf.Tensor }));

eachBackend("gradients() are those of tfjs, with branches that meet and gradients handed on as they are", async () => {
  const [x, y, unused] = [tf.tensor1d([1, -2, 3]), tf.tensor1d([0.5, 4, -1]), tf.tensor1d([7])];
  const f = (x: tf.Tensor, y: tf.Tensor): tf.Tensor => {
    const product = tf.mul(x, same(y));
    return tf.sum(tf.add(tf.square(product), tf.mul(same(same(product)), x)));
  };
  const before = tf.memory().numTensors;
  const { value, grads } = gradients(() => f(x, y), [x, y, unused]);
  assert.equal(tf.memory().numTensors, before + 3);
  await assertTensor(value, await f(x, y).data(), "value");
  const [dx, dy] = tf.grads(f)([x, y]);
  await assertTensor(grads[0]!, await dx.data(), "gradient by x");
  await assertTensor(grads[1]!, await dy.data(), "gradient by y");
  assert.equal(grads[2], undefined);
});

eachBackend("gradients() hold no more at the first of many operations than of few", () => {
  const buffersAtTheFirst = (operations: number): number => {
    let held = 0;
    const first = tf.customGrad((x, save) => {
      (save as tf.GradSaveFunc)([x as tf.Tensor]);
      return {
        value: tf.square(x as tf.Tensor),
        gradFunc: (dy) => {
          held = tf.memory().numDataBuffers;
          return tf.mul(dy as tf.Tensor, 2);
        },
      };
    });
    const before = tf.memory().numDataBuffers;
    const x = tf.tensor1d([0.1, 0.2]);
    const { value, grads } = gradients(() => {
      let y: tf.Tensor = first(x);
      for (let i = 0; i < operations; i++) y = tf.sigmoid(y);
      return tf.sum(y);
    }, [x]);
    tf.dispose([x, value, grads[0]!]);
    assert.equal(tf.memory().numDataBuffers, before);
    return held - before;
  };
  assert.equal(buffersAtTheFirst(20), buffersAtTheFirst(3));
});
