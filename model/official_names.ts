/**
 * What the official code calls the tensors that this project calls otherwise. Knows names only.
 *
 * @module
 */

/** Official names, without the wrappers that a checkpoint puts in front, by this project's. */
const NAMES: Record<string, string> = {
  embed_tokens: "inner.embed_tokens.embedding_weight",
  positions: "inner.embed_pos.embedding_weight",
  lm_head: "inner.lm_head.weight",
  "q_head.weight": "inner.q_head.weight",
  "q_head.bias": "inner.q_head.bias",
  H_init: "inner.H_init",
  L_init: "inner.L_init",
  puzzle_table: "inner.puzzle_emb.weights",
};

/** The same for the parts of a block; `mixer` is TRM's mlp_t. */
const PARTS: Record<string, string> = {
  qkv: "self_attn.qkv_proj.weight",
  o: "self_attn.o_proj.weight",
  "mixer.gate_up": "mlp_t.gate_up_proj.weight",
  "mixer.down": "mlp_t.down_proj.weight",
  gate_up: "mlp.gate_up_proj.weight",
  down: "mlp.down_proj.weight",
};

function keyOf(table: Record<string, string>, value: string): string | undefined {
  return Object.keys(table).find((key) => table[key] === value);
}

/** A checkpoint's name without what the trainer and its compiler put in front: `_orig_mod.model.inner.x` → `inner.x`. */
export function officialName(name: string): string {
  return name.replace(/^(_orig_mod\.)?(model\.)?/, "");
}

/** `H.0.qkv` → `inner.H_level.layers.0.self_attn.qkv_proj.weight`; undefined for a tensor that the official code has not. */
export function toOfficial(name: string): string | undefined {
  const [, level, layer, part] = name.match(/^([HL])\.(\d+)\.(.+)$/) ?? [];
  if (!level) return NAMES[name];
  return PARTS[part] && `inner.${level}_level.layers.${layer}.${PARTS[part]}`;
}

/** The inverse of {@link toOfficial}; wrappers in front do not matter. Undefined for a name that is not known. */
export function fromOfficial(name: string): string | undefined {
  const bare = officialName(name);
  const [, level, layer, official] = bare.match(/^inner\.([HL])_level\.layers\.(\d+)\.(.+)$/) ?? [];
  if (!level) return keyOf(NAMES, bare);
  const part = keyOf(PARTS, official);
  return part && `${level}.${layer}.${part}`;
}
