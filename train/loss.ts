/**
 * The loss of one segment (official models/losses.py, ACTLossHead): answers, halting, continuing. Knows no optimiser.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { correctTokens } from "../model/kernels/correct_tokens.ts";
import { crossEntropy, type Likelihood } from "../model/kernels/cross_entropy.ts";

/** What a segment is judged by, on the device. */
export interface Targets {
  /** i32[B·S], negative where no token is asked for. */
  labels: tf.Tensor;
  /** f32[B·S], each row summing to 1: a row's tokens count equally however many they are. */
  weights: tf.Tensor;
  /** i32[B·S], negative where a wrong token is no mistake. */
  checked: tf.Tensor;
}

/** The losses of a segment, summed over rows. */
export interface Losses {
  /** The whole: answer + (halt + continue) / 2, f32[]. */
  total: tf.Tensor;
  /** Of the answers, f32[]. */
  answer: tf.Tensor;
  /** Of q_halt against being right, f32[]. */
  halt?: tf.Tensor;
  /** Of q_continue against its target, f32[]. */
  continue?: tf.Tensor;
  /** 1 for right tokens and tokens not checked, f32[B, S]. */
  correct: tf.Tensor;
  /** How many of a row's tokens are that, f32[B]. */
  right: tf.Tensor;
}

/** Σ binary cross-entropy of logits: max(x, 0) - x·target + log(1 + e^-|x|) */
export function binaryCrossEntropy(logits: tf.Tensor, target: tf.Tensor): tf.Tensor {
  return tf.sum(tf.add(tf.sub(tf.relu(logits), tf.mul(logits, target)), tf.log1p(tf.exp(tf.neg(tf.abs(logits))))));
}

/**
 * @param logits f32[B, S, V]
 * @param qHalt f32[B]; nothing is learned of halting without it
 * @param qContinue f32[B] with its target f32[B]; nothing is learned of continuing without them
 */
export function segmentLoss(
  logits: tf.Tensor,
  targets: Targets,
  likelihood: Likelihood,
  qHalt?: tf.Tensor,
  qContinue?: { value: tf.Tensor; target: tf.Tensor },
): Losses {
  const [B, S, V] = logits.shape as [number, number, number];
  const flat = tf.reshape(logits, [B * S, V]);
  const answer = tf.sum(crossEntropy(flat, targets.labels, targets.weights, likelihood));
  const correct = tf.reshape(correctTokens(flat, targets.checked), [B, S]);
  const right = tf.sum(correct, 1);
  const halt = qHalt && binaryCrossEntropy(qHalt, tf.min(correct, 1));
  const going = qContinue && binaryCrossEntropy(qContinue.value, qContinue.target);
  let total = answer;
  if (halt) total = tf.add(total, tf.mul(0.5, halt));
  if (going) total = tf.add(total, tf.mul(0.5, going));
  return { total, answer, halt, continue: going, correct, right };
}
