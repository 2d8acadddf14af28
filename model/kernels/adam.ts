/**
 * Updates of parameters by the Adam family. Every call returns fresh tensors.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { defineOperation, run } from "./operation.ts";

/** The numbers of one update. */
export interface AdamAttributes {
  /** `atan2`: AdamATan2 as in adam_atan2.cu 0.0.3; `adamw`: Adam with decoupled weight decay, ε 1e-8. */
  rule: "atan2" | "adamw";
  /** The learning rate of this step. */
  learningRate: number;
  /** Decoupled weight decay; the parameter is first multiplied by 1 - learningRate · weightDecay. */
  weightDecay: number;
  /** Decay of the first moment. */
  beta1: number;
  /** Decay of the second moment. */
  beta2: number;
  /** t, 1 at the first update. */
  step: number;
}

/** A parameter with its moments. */
export interface AdamState {
  /** The parameter. */
  parameter: tf.Tensor;
  /** m, the running mean of gradients. */
  first: tf.Tensor;
  /** v, the running mean of squared gradients. */
  second: tf.Tensor;
}

/**
 * p ← p (1 - η λ) - η/(1-β₁ᵗ) · atan2(m, √(v/(1-β₂ᵗ))), or AdamW's quotient in place of the angle.
 *
 * @param state tensors of one shape; not disposed
 * @param gradient of that shape; multiplied by `scale` first
 * @param scale f32[], for gradient clipping
 */
export function adamUpdate(
  state: AdamState,
  gradient: tf.Tensor,
  scale: tf.Tensor,
  attributes: AdamAttributes,
): AdamState {
  const [parameter, first, second] = run("AdamUpdate", { ...state, gradient, scale }, { ...attributes });
  return { parameter, first, second };
}

defineOperation("AdamUpdate", ({ parameter, first, second, gradient, scale }, attributes) => {
  const { rule, learningRate, weightDecay, beta1, beta2, step } = attributes as AdamAttributes;
  const g = tf.mul(gradient, scale);
  const m = tf.add(tf.mul(first, beta1), tf.mul(g, 1 - beta1));
  const v = tf.add(tf.mul(second, beta2), tf.mul(tf.square(g), 1 - beta2));
  const root = tf.sqrt(tf.div(v, 1 - beta2 ** step));
  // atan2(0, 0) is 0 by definition here; WGSL does not promise it.
  const direction = rule === "atan2"
    ? tf.where(tf.equal(m, 0), tf.zerosLike(m), tf.atan2(m, root))
    : tf.div(m, tf.add(root, 1e-8));
  const decayed = tf.mul(parameter, 1 - learningRate * weightDecay);
  return [tf.sub(decayed, tf.mul(direction, learningRate / (1 - beta1 ** step))), m, v];
});

/**
 * average ← average · decay + parameter · (1 - decay)
 *
 * @returns a fresh tensor of the same shape
 */
export function movingAverage(average: tf.Tensor, parameter: tf.Tensor, decay: number): tf.Tensor {
  return run("MovingAverage", { average, parameter }, { decay })[0];
}

defineOperation("MovingAverage", ({ average, parameter }, { decay }) => [
  tf.add(tf.mul(average, decay), tf.mul(parameter, 1 - decay)),
]);

/** A parameter with its moments and, where one is kept, its moving average. */
export interface AveragedState extends AdamState {
  /** The moving average of the parameter; all parameters of an update have one, or none has. */
  average?: tf.Tensor;
}

/** The numbers of an update of several parameters. */
export interface UpdateAttributes extends Omit<AdamAttributes, "weightDecay"> {
  /** λ of each parameter. */
  weightDecays: number[];
  /** The decay of the moving averages. */
  averageDecay: number;
}

/**
 * {@link adamUpdate} of several parameters, and {@link movingAverage} where averages are kept: where a request costs more than its work, by few.
 *
 * @param states not disposed
 * @param gradients of the states' shapes; multiplied by `scale` first
 * @param scale f32[]
 */
export function adamUpdates(
  states: AveragedState[],
  gradients: tf.Tensor[],
  scale: tf.Tensor,
  attributes: UpdateAttributes,
): AveragedState[] {
  const inputs: Record<string, tf.Tensor> = { scale };
  states.forEach(({ parameter, first, second, average }, i) => {
    Object.assign(inputs, { [`parameter${i}`]: parameter, [`first${i}`]: first, [`second${i}`]: second });
    if (average) inputs[`average${i}`] = average;
    inputs[`gradient${i}`] = gradients[i];
  });
  const outputs = run("AdamUpdates", inputs, { ...attributes });
  const each = outputs.length / states.length;
  return states.map((_, i) => {
    const [parameter, first, second, average] = outputs.slice(i * each, (i + 1) * each);
    return { parameter, first, second, average };
  });
}

defineOperation(
  "AdamUpdates",
  (inputs, { weightDecays, averageDecay, ...rule }) =>
    (weightDecays as number[]).flatMap((weightDecay, i) => {
      const state = { parameter: inputs[`parameter${i}`], first: inputs[`first${i}`], second: inputs[`second${i}`] };
      const attributes = { ...rule, weightDecay } as AdamAttributes;
      const { parameter, first, second } = adamUpdate(state, inputs[`gradient${i}`], inputs.scale, attributes);
      const average = inputs[`average${i}`];
      return [parameter, first, second, ...(average ? [movingAverage(average, parameter, averageDecay)] : [])];
    }),
);
