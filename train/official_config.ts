/**
 * Official training recipes as this project's own. Knows no network and no file.
 *
 * @module
 */
import { z } from "zod";
import { recipes, type TrainingConfig } from "./config.ts";

/** The official keys that decide how parameters move; others are passed over. */
const officialSchema = z.object({
  global_batch_size: z.int(),
  lr: z.number(),
  lr_min_ratio: z.number(),
  lr_warmup_steps: z.number(),
  weight_decay: z.number(),
  beta1: z.number(),
  beta2: z.number(),
  puzzle_emb_lr: z.number(),
  puzzle_emb_weight_decay: z.number(),
  loss_type: z.enum(["stablemax_cross_entropy", "softmax_cross_entropy"]),
  halt_exploration_prob: z.number(),
  /** TRM only; 0: no moving average. */
  ema_rate: z.number().default(0),
});

/**
 * The recipe that official keys describe (config/cfg_pretrain.yaml).
 *
 * @param keys the top level of all_config.yaml together with `loss_type` and `halt_exploration_prob` of its `arch`
 * @throws {Error} naming each missing or wrong key
 */
export function trainingConfigFromOfficial(keys: Record<string, unknown>): TrainingConfig {
  const result = officialSchema.safeParse(keys);
  if (!result.success) {
    const problems = result.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
    throw new Error(`Cannot use official training configuration: ${problems.join("; ")}`);
  }
  const official = result.data;
  return {
    ...recipes.arc.training,
    batchSize: official.global_batch_size,
    likelihood: official.loss_type === "stablemax_cross_entropy" ? "stablemax" : "softmax",
    learningRate: official.lr,
    warmup: official.lr_warmup_steps,
    finalRate: official.lr_min_ratio,
    beta1: official.beta1,
    beta2: official.beta2,
    weightDecay: official.weight_decay,
    puzzleLearningRate: official.puzzle_emb_lr,
    puzzleWeightDecay: official.puzzle_emb_weight_decay,
    ema: official.ema_rate,
    exploration: official.halt_exploration_prob,
  };
}
