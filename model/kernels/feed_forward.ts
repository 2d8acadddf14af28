/**
 * The second half of HRM's block in one operation: SwiGLU between two layers, its residual and norm (official models/layers.py, SwiGLU;
 * hrm_act_v1.py, HierarchicalReasoningModel_ACTV1Block).
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { linear, linearInputGradient, linearWeightGradient } from "./linear.ts";
import { defineOperation, differentiable, recording, run } from "./operation.ts";

/**
 * y = rms(residual + (silu(x Wgᵀ) · (x Wuᵀ)) Wdᵀ)
 *
 * @param x f32[…, D]
 * @param residual f32[…, D]; may be x itself
 * @param gateUp Wg over Wu, f32[2F, D]
 * @param down Wd, f32[D, F]
 * @returns f32[…, D]
 */
export function feedForward(
  x: tf.Tensor,
  residual: tf.Tensor,
  gateUp: tf.Tensor,
  down: tf.Tensor,
  epsilon: number,
): tf.Tensor {
  const recorded = recording();
  const one = x === residual;
  return differentiable(
    one ? [x, gateUp, down] : [x, gateUp, down, residual],
    () => {
      const [value, ...saved] = run("FeedForward", { x, residual, gateUp, down }, { epsilon, recorded });
      return { value, saved: [x, gateUp, down, value, ...saved] };
    },
    (dy, [x, gateUp, down, y, inverse, both, inner]) =>
      run("FeedForwardGradient", { dy, x, gateUp, down, y, inverse, both, inner }, { one }),
  );
}

/** Outputs y and, where `recorded`, what the gradient takes: the norm's inverse, gate and up, and the layer between. */
defineOperation("FeedForward", ({ x, residual, gateUp, down }, { epsilon, recorded }) => {
  const both = linear(x, gateUp);
  const [inner] = run("SwiGlu", { gateUp: both });
  const [y, inverse] = run("RmsNorm", { x: residual, residual: linear(inner, down) }, { epsilon });
  return recorded ? [y, inverse, both, inner] : [y];
});

/** Outputs dx, dgateUp, ddown and, unless x and residual are `one`, dresidual. */
defineOperation("FeedForwardGradient", ({ dy, x, gateUp, down, y, inverse, both, inner }, { one }) => {
  const [dSum] = run("RmsNormGradient", { dy, y, inverse });
  const [dBoth] = run("SwiGluGradient", { dy: linearInputGradient(dSum, down), gateUp: both });
  const dx = linearInputGradient(dBoth, gateUp);
  const weights = [linearWeightGradient(dBoth, x), linearWeightGradient(dSum, inner)];
  return one ? [tf.add(dSum, dx), ...weights] : [dx, ...weights, dSum];
});
