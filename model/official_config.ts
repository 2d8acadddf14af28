/**
 * Official configurations as this project's own: the keys under `arch` of the official trainers' all_config.yaml and those that the data set
 * adds. Knows no training and no file.
 *
 * @module
 */
import { z } from "zod";
import { feedForwardWidth, type ModelConfig, parseModelConfig } from "./config.ts";

/** The official keys that decide what the network computes, with the official defaults; others are passed over. */
const officialSchema = z.object({
  vocab_size: z.int(),
  seq_len: z.int(),
  hidden_size: z.int(),
  num_heads: z.int(),
  expansion: z.number(),
  H_layers: z.int().default(0),
  L_layers: z.int(),
  H_cycles: z.int(),
  L_cycles: z.int(),
  pos_encodings: z.enum(["rope", "learned", "none"]),
  puzzle_emb_ndim: z.int().default(0),
  halt_max_steps: z.int(),
  rms_norm_eps: z.number().default(1e-5),
  rope_theta: z.number().default(10000),
  /** TRM only: the number of puzzle tokens; 0: as many as puzzle_emb_ndim fills. */
  puzzle_emb_len: z.int().default(16),
  /** TRM only: a SwiGLU over the sequence in place of attention. */
  mlp_t: z.boolean().default(false),
});

/** Whether official keys describe TRM: only its configuration names mlp_t or puzzle_emb_len, and only it has no H network. */
export function isTinyRecursive(keys: Record<string, unknown>): boolean {
  return "mlp_t" in keys || "puzzle_emb_len" in keys || keys.H_layers === 0 || /trm|TinyRecursive/.test(`${keys.name}`);
}

/**
 * The configuration that official keys describe (HRM: config/arch/hrm_v1.yaml; TRM: config/arch/trm.yaml).
 *
 * @param keys `arch` of all_config.yaml together with `vocab_size` and `seq_len` of the data set
 * @param trm whether they are TRM's; seen from the keys if not given
 * @throws {Error} naming each missing or wrong key
 */
export function modelConfigFromOfficial(keys: Record<string, unknown>, trm = isTinyRecursive(keys)): ModelConfig {
  const result = officialSchema.safeParse(keys);
  if (!result.success) {
    const problems = result.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
    throw new Error(`Cannot use official configuration: ${problems.join("; ")}`);
  }
  const official = result.data;
  const width = official.hidden_size;
  const filled = Math.ceil(official.puzzle_emb_ndim / width);
  const prefix = trm ? official.puzzle_emb_len || filled : filled;
  const mixer = trm && official.mlp_t ? "tokens" : "attention";
  return parseModelConfig({
    vocabulary: official.vocab_size,
    tokens: official.seq_len,
    width,
    heads: official.num_heads,
    headWidth: Math.floor(width / official.num_heads),
    feedForward: feedForwardWidth(width, official.expansion),
    hLayers: trm ? 0 : official.H_layers,
    lLayers: official.L_layers,
    hCycles: official.H_cycles,
    lCycles: official.L_cycles,
    shared: trm,
    gradientCalls: trm ? official.L_cycles + 1 : 2,
    mixer,
    mixerWidth: mixer === "tokens" ? feedForwardWidth(official.seq_len + prefix, official.expansion) : 0,
    positions: official.pos_encodings,
    ropeBase: official.rope_theta,
    epsilon: official.rms_norm_eps,
    prefix,
    puzzleWidth: official.puzzle_emb_ndim,
    conditioning: "prefix",
    neighbourShift: false,
    gridPositions: false,
    halting: trm ? "halt" : "q",
    maxSegments: official.halt_max_steps,
  });
}
