/**
 * The learning rate over the steps (official pretrain.py, cosine_schedule_with_warmup_lr_lambda). Knows nothing but numbers.
 *
 * @module
 */

/** A linear rise over the warm-up, then half a cosine down to a fraction. */
export interface Schedule {
  /** Steps of the rise; below 1, a fraction of `totalSteps`. */
  warmup: number;
  /** Steps at which the cosine has come down. */
  totalSteps: number;
  /** The final rate as a fraction of the highest. */
  finalRate: number;
}

/** The factor on the highest rate at `step`; the first update uses step 1. */
export function rateFactor(step: number, { warmup, totalSteps, finalRate }: Schedule): number {
  const rise = warmup > 0 && warmup < 1 ? Math.max(1, Math.round(warmup * totalSteps)) : warmup;
  if (step < rise) return step / Math.max(1, rise);
  const progress = (step - rise) / Math.max(1, totalSteps - rise);
  return finalRate + Math.max(0, (1 - finalRate) * 0.5 * (1 + Math.cos(Math.PI * progress)));
}
