import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs";
import { createRandom } from "../../arc/random.ts";
import { binaryCrossEntropy } from "../../model/kernels/binary_cross_entropy.ts";
import { segmentLoss, type Targets } from "../../train/loss.ts";
import { eachBackend } from "../backends.ts";
import * as oracle from "../oracle.ts";
import { assertTensor, randomVector, rowsOf } from "../relatives.ts";

eachBackend("binaryCrossEntropy() sums over logits, and its gradient is σ(x) minus the target", async () => {
  const [logits, targets] = [[-30, -2, 0.5, 3, 30, 1], [0, 1, 0.3, 1, 0, 0.9]];
  const loss = (x: tf.Tensor) => binaryCrossEntropy(x, tf.tensor1d(targets));
  await assertTensor(
    loss(tf.tensor1d(logits)),
    logits.reduce((sum, x, i) => sum + oracle.binaryCrossEntropy(x, targets[i]), 0),
    "loss",
  );
  await assertTensor(
    tf.grad(loss)(tf.tensor1d(logits)),
    logits.map((x, i) => oracle.sigmoid(x) - targets[i]),
    "gradient",
  );
});

/** Two rows of three tokens; the first is answered rightly where it counts, the second is not. */
const logits = rowsOf(randomVector(6 * 4, createRandom(1)), 4);
const best = logits.map(oracle.argMax);
const labels = [best[0], -100, best[2], best[3], (best[4] + 1) % 4, best[5]];
const weights = [0.5, 0, 0.5, 0.25, 0.25, 0.5];

function targets(checked = labels): Targets {
  return {
    labels: tf.tensor1d(labels, "int32"),
    weights: tf.tensor1d(weights),
    checked: tf.tensor1d(checked, "int32"),
  };
}
const answerLoss = (likelihood: "stablemax" | "softmax") =>
  logits.reduce((sum, row, r) => sum + oracle.crossEntropy(row, labels[r], weights[r], likelihood), 0);
const shown = () => tf.tensor(logits.flat(), [2, 3, 4]);

eachBackend("segmentLoss() is the answers' loss alone where nothing is learned of halting", async () => {
  for (const likelihood of ["stablemax", "softmax"] as const) {
    const losses = segmentLoss(shown(), targets(), likelihood);
    await assertTensor(losses.answer, answerLoss(likelihood), "answer");
    await assertTensor(losses.total, answerLoss(likelihood), "total");
    assert.equal(losses.halt, undefined);
    assert.equal(losses.continue, undefined);
    await assertTensor(losses.correct, [1, 1, 1, 1, 0, 1], "correct", { tolerance: 0 });
  }
});

eachBackend(
  "segmentLoss() adds half of halting against being right in every token and half of continuing",
  async () => {
    const [qHalt, qContinue, target] = [[0.7, -0.4], [-1.2, 0.3], [0.2, 0.9]];
    const losses = segmentLoss(shown(), targets(), "stablemax", tf.tensor1d(qHalt), {
      value: tf.tensor1d(qContinue),
      target: tf.tensor1d(target),
    });
    const halt = oracle.binaryCrossEntropy(qHalt[0], 1) + oracle.binaryCrossEntropy(qHalt[1], 0);
    const going = qContinue.reduce((sum, x, i) => sum + oracle.binaryCrossEntropy(x, target[i]), 0);
    await assertTensor(losses.halt!, halt, "halt");
    await assertTensor(losses.continue!, going, "continue");
    await assertTensor(losses.total, answerLoss("stablemax") + halt / 2 + going / 2, "total");
  },
);

eachBackend("segmentLoss() forgives a wrong token that is not checked", async () => {
  const checked = labels.map((label, i) => i === 4 ? -1 : label);
  const losses = segmentLoss(shown(), targets(checked), "stablemax", tf.tensor1d([0.7, -0.4]));
  await assertTensor(losses.halt!, oracle.binaryCrossEntropy(0.7, 1) + oracle.binaryCrossEntropy(-0.4, 1), "halt");
  await assertTensor(losses.answer, answerLoss("stablemax"), "answer");
});

eachBackend("segmentLoss() has no gradient by the logits through being right", async () => {
  const halted = tf.grad((x) => segmentLoss(x, targets(), "stablemax", tf.tensor1d([0.7, -0.4])).total)(shown());
  const plain = tf.grad((x) => segmentLoss(x, targets(), "stablemax").total)(shown());
  await assertTensor(halted, await plain.data(), "gradient");
});
