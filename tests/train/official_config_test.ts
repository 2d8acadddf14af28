import { deepEqual, equal, throws } from "node:assert/strict";
import { recipes } from "../../train/config.ts";
import { trainingConfigFromOfficial } from "../../train/official_config.ts";

/** The official values: config/cfg_pretrain.yaml and config/arch/hrm_v1.yaml. */
const official = {
  global_batch_size: 768,
  lr: 1e-4,
  lr_min_ratio: 1,
  lr_warmup_steps: 2000,
  weight_decay: 0.1,
  beta1: 0.9,
  beta2: 0.95,
  puzzle_emb_lr: 1e-2,
  puzzle_emb_weight_decay: 0.1,
  loss_type: "stablemax_cross_entropy",
  halt_exploration_prob: 0.1,
};

Deno.test("trainingConfigFromOfficial() makes the recipe arc of the official values", () => {
  deepEqual(trainingConfigFromOfficial(official), recipes.arc.training);
});

Deno.test("trainingConfigFromOfficial() takes softmax and TRM's moving average from the keys", () => {
  const config = trainingConfigFromOfficial({ ...official, loss_type: "softmax_cross_entropy", ema_rate: 0.999 });
  equal(config.likelihood, "softmax");
  equal(config.ema, 0.999);
});

Deno.test("trainingConfigFromOfficial() names a wrong key", () => {
  throws(() => trainingConfigFromOfficial({ ...official, lr: "fast" }), /lr: /);
});
