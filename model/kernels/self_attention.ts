/**
 * The first half of HRM's block in one operation: attention between two layers, its residual and norm (official models/layers.py, Attention;
 * hrm_act_v1.py, HierarchicalReasoningModel_ACTV1Block).
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import type { Rotary } from "./attention.ts";
import { linear, linearInputGradient, linearWeightGradient } from "./linear.ts";
import { defineOperation, differentiable, recording, run } from "./operation.ts";

/**
 * y = rms(x + attention(x Wᵀ) Oᵀ)
 *
 * @param x f32[B, T, D]
 * @param qkv W, f32[3·N·K, D]
 * @param o O, f32[D, N·K]
 * @returns f32[B, T, D]
 */
export function selfAttention(
  x: tf.Tensor,
  qkv: tf.Tensor,
  o: tf.Tensor,
  { cos, sin }: Rotary,
  heads: number,
  epsilon: number,
): tf.Tensor {
  const recorded = recording();
  return differentiable(
    [x, qkv, o],
    () => {
      const [value, ...saved] = run("SelfAttention", { x, qkv, o, cos, sin }, { heads, epsilon, recorded });
      return { value, saved: [x, qkv, o, cos, sin, value, ...saved] };
    },
    (dy, [x, qkv, o, cos, sin, y, inverse, packed, mixed, logSumExp]) =>
      run("SelfAttentionGradient", { dy, x, qkv, o, cos, sin, y, inverse, packed, mixed, logSumExp }, { heads }),
  );
}

/** Outputs y and, where `recorded`, what the gradient takes: the norm's inverse, q k v, what the heads gave, and their log-sum-exp. */
defineOperation("SelfAttention", ({ x, qkv, o, cos, sin }, { heads, epsilon, recorded }) => {
  const packed = linear(x, qkv);
  const [mixed, logSumExp] = run("Attention", { qkv: packed, cos, sin }, { heads });
  const [y, inverse] = run("RmsNorm", { x, residual: linear(mixed, o) }, { epsilon });
  return recorded ? [y, inverse, packed, mixed, logSumExp] : [y];
});

/** Outputs dx, dqkv, do. */
defineOperation(
  "SelfAttentionGradient",
  ({ dy, x, qkv, o, cos, sin, y, inverse, packed, mixed, logSumExp }, { heads }) => {
    const [dSum] = run("RmsNormGradient", { dy, y, inverse });
    const dMixed = linearInputGradient(dSum, o);
    const inputs = { dy: dMixed, qkv: packed, cos, sin, output: mixed, logSumExp };
    const [dPacked] = run("AttentionGradient", inputs, { heads });
    return [
      tf.add(dSum, linearInputGradient(dPacked, qkv)),
      linearWeightGradient(dPacked, x),
      linearWeightGradient(dSum, mixed),
    ];
  },
);
