import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { feedForwardWidth, presets } from "../../model/config.ts";
import { isTinyRecursive, modelConfigFromOfficial } from "../../model/official_config.ts";

/** The official values for ARC: config/arch/hrm_v1.yaml and the data set's. */
const hrm = {
  name: "hrm.hrm_act_v1@HierarchicalReasoningModel_ACTV1",
  vocab_size: 12,
  seq_len: 900,
  hidden_size: 512,
  num_heads: 8,
  expansion: 4,
  H_layers: 4,
  L_layers: 4,
  H_cycles: 2,
  L_cycles: 2,
  pos_encodings: "rope",
  puzzle_emb_ndim: 512,
  halt_max_steps: 16,
  halt_exploration_prob: 0.1,
};

/** TRM's: config/arch/trm.yaml. */
const trm = {
  ...hrm,
  name: "trm",
  H_layers: 0,
  L_layers: 2,
  H_cycles: 3,
  L_cycles: 6,
  puzzle_emb_len: 16,
  mlp_t: false,
};

Deno.test("modelConfigFromOfficial() makes the preset arc of the official values for ARC", () => {
  deepEqual(modelConfigFromOfficial(hrm), presets.arc({ side: 30 }));
});

Deno.test("modelConfigFromOfficial() gives TRM one network, gradient through its last cycle and the halt logit alone", () => {
  const config = modelConfigFromOfficial(trm);
  const { shared, hLayers, lLayers, gradientCalls, prefix, halting, mixer, mixerWidth } = config;
  deepEqual([shared, hLayers, lLayers, gradientCalls, prefix, halting], [true, 0, 2, 7, 16, "halt"]);
  deepEqual([mixer, mixerWidth], ["attention", 0]);
});

Deno.test("modelConfigFromOfficial() mixes tokens over the whole sequence with mlp_t", () => {
  const config = modelConfigFromOfficial({ ...trm, mlp_t: true, pos_encodings: "none", seq_len: 81 });
  deepEqual([config.mixer, config.mixerWidth], ["tokens", feedForwardWidth(97, 4)]);
});

Deno.test("modelConfigFromOfficial() takes as many puzzle tokens as puzzle_emb_ndim begins to fill", () => {
  const prefixes = [0, 1, 512, 513].map((puzzle_emb_ndim) =>
    modelConfigFromOfficial({ ...hrm, puzzle_emb_ndim }).prefix
  );
  deepEqual(prefixes, [0, 1, 1, 2]);
  equal(modelConfigFromOfficial({ ...trm, puzzle_emb_len: 0, puzzle_emb_ndim: 1024 }).prefix, 2);
});

Deno.test("modelConfigFromOfficial() names a missing key and a wrong one", () => {
  const { seq_len: _, ...without } = hrm;
  throws(
    () => modelConfigFromOfficial({ ...without, pos_encodings: "alibi" }),
    /pos_encodings: .*seq_len: |seq_len: .*pos_encodings: /,
  );
});

Deno.test("modelConfigFromOfficial() refuses a row longer than TRM's puzzle tokens hold", () => {
  throws(() => modelConfigFromOfficial({ ...trm, puzzle_emb_ndim: 16 * 512 + 1 }), /puzzleWidth/);
});

Deno.test("isTinyRecursive() tells TRM's keys from HRM's", () => {
  ok(isTinyRecursive(trm));
  ok(isTinyRecursive({ name: "recursive_reasoning.trm@TinyRecursiveReasoningModel_ACTV1" }));
  ok(!isTinyRecursive(hrm));
});

Deno.test("feedForwardWidth() rounds half a number above a multiple down, as Python does", () => {
  deepEqual([feedForwardWidth(171, 2.25), feedForwardWidth(172, 2.25), feedForwardWidth(512, 4)], [256, 512, 1536]);
});
