/**
 * Products and attention on a GPU, timed as queues: the host asks for many and waits for the last. Knows no training.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { run } from "../../model/kernels/operation.ts";
import { median } from "./step.ts";

/** One operation's time. */
export interface QueuedTime {
  /** What ran. */
  name: string;
  /** Milliseconds of one call. */
  ms: number;
  /** Floating-point operations of one call. */
  flop: number;
}

/** Attention of N heads of width K over T positions, B times. */
export interface AttentionShape {
  /** T */
  length: number;
  /** N */
  heads: number;
  /** K */
  headWidth: number;
  /** B */
  batch: number;
}

/**
 * Milliseconds of one call, the median of three queues of at least `least` milliseconds: each ends with the reading of one number.
 *
 * @param call makes fresh tensors
 */
export async function timeQueued(call: () => tf.Tensor[], least: number): Promise<number> {
  const queue = async (calls: number) => {
    const start = performance.now();
    for (let i = 1; i < calls; i++) tf.dispose(call());
    const outputs = call();
    const one = tf.tidy(() => tf.slice(tf.reshape(outputs[0], [-1]), 0, 1));
    tf.dispose(outputs);
    await one.data();
    one.dispose();
    return performance.now() - start;
  };
  await queue(1);
  let calls = 1;
  let ms = await queue(calls);
  while (ms < least) {
    // A short queue is mostly waiting for the reading, so that the first guesses are too high; twenty times is no leap too far.
    calls = Math.ceil(calls * Math.min(20, Math.max(1.2, 1.2 * least / ms)));
    ms = await queue(calls);
  }
  return median([ms, await queue(calls), await queue(calls)]) / calls;
}

/** f32[shape] of values in [-1, 1] with no pattern, made on the device. */
function valuesOf(shape: number[]): tf.Tensor {
  const last = shape[shape.length - 1];
  const rows = tf.util.sizeFromShape(shape) / last;
  return tf.tidy(() =>
    tf.reshape(tf.sin(tf.mul(tf.randomNormal([rows, 1], 0, 9), tf.randomNormal([1, last], 0, 9))), shape)
  );
}

/** The three products of a linear layer with weights f32[N, K] on M rows: y = x Wᵀ, dx = dy W, dW = dyᵀ x. */
export async function timeProducts(M: number, [N, K]: [number, number], least: number): Promise<QueuedTime[]> {
  const [x, W, dy] = [[M, K], [N, K], [M, N]].map((shape) => valuesOf(shape) as tf.Tensor2D);
  const products: [string, () => tf.Tensor][] = [
    ["x Wᵀ", () => tf.matMul(x, W, false, true)],
    ["dy W", () => tf.matMul(dy, W)],
    ["dyᵀ x", () => tf.matMul(dy, x, true, false)],
  ];
  const times: QueuedTime[] = [];
  for (const [name, product] of products) {
    times.push({ name, ms: await timeQueued(() => [product()], least), flop: 2 * M * N * K });
  }
  tf.dispose([x, W, dy]);
  return times;
}

/** Attention and its gradient; counted are two products forward and five backward, the scores' second time included. */
export async function timeAttention(shape: AttentionShape, least: number): Promise<QueuedTime[]> {
  const { length: T, heads, headWidth: K, batch: B } = shape;
  const [qkv, dy, angles] = [[B, T, 3 * heads * K], [B, T, heads * K], [T, K]].map(valuesOf);
  const [cos, sin] = [tf.cos(angles), tf.sin(angles)];
  const product = 2 * B * heads * T * T * K;
  const forward = await timeQueued(() => run("Attention", { qkv, cos, sin }, { heads }), least);
  const [output, logSumExp] = run("Attention", { qkv, cos, sin }, { heads });
  const inputs = { dy, qkv, cos, sin, output, logSumExp };
  const backward = await timeQueued(() => run("AttentionGradient", inputs, { heads }), least);
  tf.dispose([inputs, angles]);
  return [{ name: "forward", ms: forward, flop: 2 * product }, { name: "backward", ms: backward, flop: 5 * product }];
}
