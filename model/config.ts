/**
 * The network's configuration: one record of values from which HRM, TRM, the plain transformer and the looped transformer are made.
 * Knows no tensors, no puzzles and no learning.
 *
 * @module
 */
import { z } from "zod";

const count = z.int().min(0);
const positive = z.int().min(1);

/** The schema of {@link ModelConfig}: an unknown key is an error. */
export const modelSchema = z.strictObject({
  /** V, the number of token values. */
  vocabulary: positive,
  /** S, the number of grid tokens (the canvas' side squared). */
  tokens: positive,
  /** D, the width of the state. */
  width: positive,
  /** N, the number of attention heads. */
  heads: positive,
  /** K, the width of a head; N·K need not be D. */
  headWidth: positive,
  /** F, the inner width of SwiGLU. */
  feedForward: positive,
  /** Blocks in the H network. 0 with `shared`: H is the L network (TRM). */
  hLayers: count,
  /** Blocks in the L network. 0: there is no low level, and the input goes into H (transformer, loop). */
  lLayers: count,
  /** Cycles of the whole hierarchy in a segment. */
  hCycles: positive,
  /** L calls in a cycle. 0 where there is no low level. */
  lCycles: count,
  /** Whether both levels are one network (TRM). */
  shared: z.boolean(),
  /** How many of the segment's last network calls carry gradient: HRM 2, TRM its last cycle, loop all. */
  gradientCalls: positive,
  /** What mixes tokens: attention, or a SwiGLU over the sequence (TRM's mlp_t). */
  mixer: z.enum(["attention", "tokens"]),
  /** The inner width of the SwiGLU over the sequence; 0 with attention. */
  mixerWidth: count,
  /** Positions: RoPE over the flat sequence, RoPE over rows and columns, a learned table, or none. */
  positions: z.enum(["rope", "rope2d", "learned", "none"]),
  /** The base of RoPE's wavelengths. */
  ropeBase: z.number().positive(),
  /** ε inside the root of RMSNorm. */
  epsilon: z.number().positive(),
  /** P, the tokens in front of the grid: puzzle tokens, or registers with `roles`. */
  prefix: count,
  /** The length of one puzzle's row in the puzzle table (puzzle_emb_ndim); padded with zeros to P·D. */
  puzzleWidth: count,
  /**
   * How a puzzle conditions the network. `prefix`: its row is the first P tokens (HRM, TRM). `roles`: its row holds an embedding for
   * each colour's role, one for each dihedral transform and the registers; colours are told by a permutation.
   */
  conditioning: z.enum(["prefix", "roles"]),
  /** Whether an eighth of half the channels moves in from each neighbouring cell before the MLP. */
  neighbourShift: z.boolean(),
  /** Whether learned row and column vectors are added to the input. */
  gridPositions: z.boolean(),
  /** How halting is learned: Q-learning of halt and continue (HRM), the halt logit alone (TRM), or a fixed number of segments. */
  halting: z.enum(["q", "halt", "fixed"]),
  /** M, the largest number of segments a row is worked on. */
  maxSegments: positive,
}).superRefine((c, context) => {
  const problem = (path: string, message: string) => context.addIssue({ code: "custom", path: [path], message });
  if (c.hLayers === 0 && !c.shared) problem("hLayers", "must be at least 1 unless both levels are shared");
  if (c.shared && c.lLayers === 0) problem("lLayers", "must be at least 1 where both levels are shared");
  if ((c.lLayers === 0) !== (c.lCycles === 0)) problem("lCycles", "must be 0 exactly where lLayers is 0");
  if (c.gradientCalls > c.hCycles * (c.lCycles + 1)) {
    problem("gradientCalls", "must be at most the number of calls in a segment");
  }
  if ((c.mixer === "attention") !== (c.mixerWidth === 0)) problem("mixerWidth", "must be 0 exactly with attention");
  if (c.conditioning === "prefix" && c.puzzleWidth > c.prefix * c.width) {
    problem("puzzleWidth", "must be at most prefix times width");
  }
  if (c.conditioning === "roles" && c.puzzleWidth !== rolesWidth(c)) {
    problem("puzzleWidth", `must be ${rolesWidth(c)} = (vocabulary + 8 + prefix) x width with roles`);
  }
  if (c.mixer === "attention" && c.headWidth % 2) problem("headWidth", "must be even with attention");
  if ((c.positions === "rope2d") && c.headWidth % 4) problem("headWidth", "must be a multiple of 4 with rope2d");
  if ((c.positions === "rope2d" || c.neighbourShift || c.gridPositions) && !Number.isInteger(Math.sqrt(c.tokens))) {
    problem("tokens", "must be a square where rows and columns matter");
  }
  if (c.gridPositions && c.tokens > 900) {
    problem("tokens", "must be at most 900 with gridPositions, which are for 30 rows");
  }
});

/**
 * The configuration of a network; see {@link modelSchema} for what each value means.
 *
 * @internal
 */
export type ModelConfig = z.infer<typeof modelSchema>;

/** The inner width of SwiGLU in the official code: two thirds of `expansion · width`, up to a multiple of `multiple`. */
export function feedForwardWidth(width: number, expansion: number, multiple = 256): number {
  // Python rounds halves to even numbers, so half a number above a multiple is rounded down to it.
  return Math.ceil(Math.ceil(expansion * width * 2 / 3 - 0.5) / multiple) * multiple;
}

/** The length of a puzzle's row with `roles`: colour roles, dihedral embeddings, registers. */
export function rolesWidth(c: { vocabulary: number; prefix: number; width: number }): number {
  return (c.vocabulary + 8 + c.prefix) * c.width;
}

/** T = P + S, the length of the sequence. */
export function sequenceLength(config: ModelConfig): number {
  return config.prefix + config.tokens;
}

/** Whether parameters are made for one number of tokens, so that the network works on its own canvas only. */
export function dependsOnTokens({ mixer, positions }: ModelConfig): boolean {
  return mixer === "tokens" || positions === "learned";
}

/** The names of the networks of a segment in the order in which they are called: L … L H, once a cycle. */
export function segmentCalls(config: ModelConfig): ("L" | "H")[] {
  const cycle: ("L" | "H")[] = [...Array(config.lCycles).fill("L"), "H"];
  return Array(config.hCycles).fill(cycle).flat();
}

/** What a preset leaves open: the canvas and, for small models, the size. */
export interface Size {
  /** The side of the square canvas. */
  side: number;
}

const official = {
  vocabulary: 12,
  width: 512,
  heads: 8,
  headWidth: 64,
  feedForward: 1536,
  hLayers: 4,
  lLayers: 4,
  hCycles: 2,
  lCycles: 2,
  shared: false,
  gradientCalls: 2,
  mixer: "attention",
  mixerWidth: 0,
  positions: "rope",
  ropeBase: 10000,
  epsilon: 1e-5,
  prefix: 1,
  puzzleWidth: 512,
  conditioning: "prefix",
  neighbourShift: false,
  gridPositions: false,
  halting: "q",
  maxSegments: 16,
} as const;

const small = { width: 128, heads: 4, headWidth: 32, feedForward: 512, puzzleWidth: 128 } as const;

/** Networks by name, as functions of the canvas. */
export const presets = {
  /** The official 27M HRM for ARC (config/arch/hrm_v1.yaml). */
  arc: ({ side }: Size): ModelConfig => ({ ...official, tokens: side * side }),
  /** HRM, small: width 128, two blocks a level. */
  mini: ({ side }: Size): ModelConfig => ({
    ...official,
    ...small,
    hLayers: 2,
    lLayers: 2,
    maxSegments: 8,
    tokens: side * side,
  }),
  /** The Tiny Recursive Model, small: one network of two blocks, gradient through the last cycle, 16 puzzle tokens. */
  trm: ({ side }: Size): ModelConfig => ({
    ...official,
    ...small,
    hLayers: 0,
    lLayers: 2,
    hCycles: 3,
    lCycles: 4,
    shared: true,
    gradientCalls: 5,
    prefix: 16,
    halting: "halt",
    maxSegments: 8,
    tokens: side * side,
  }),
  /** The ARC Prize analysis' baseline, small: one stack of blocks a segment, all with gradient, in the same outer loop. */
  transformer: ({ side }: Size): ModelConfig => ({
    ...official,
    ...small,
    hLayers: 4,
    lLayers: 0,
    hCycles: 1,
    lCycles: 0,
    gradientCalls: 1,
    maxSegments: 8,
    tokens: side * side,
  }),
  /** The looped transformer that learns fastest on a CPU: two blocks, looped twice a segment, told roles and permutations. */
  loop: ({ side }: Size): ModelConfig => {
    const size = { vocabulary: 11, prefix: 8, width: 64 };
    return {
      ...official,
      ...size,
      heads: 4,
      headWidth: 16,
      feedForward: 176,
      hLayers: 2,
      lLayers: 0,
      hCycles: 2,
      lCycles: 0,
      gradientCalls: 2,
      positions: "rope2d",
      ropeBase: 50,
      puzzleWidth: rolesWidth(size),
      conditioning: "roles",
      neighbourShift: true,
      gridPositions: true,
      halting: "fixed",
      maxSegments: 4,
      tokens: side * side,
    };
  },
} satisfies Record<string, (size: Size) => ModelConfig>;

/** The name of a preset. */
export type Preset = keyof typeof presets;

/**
 * Checks a configuration.
 *
 * @throws {Error} naming each wrong or unknown key
 */
export function parseModelConfig(value: unknown): ModelConfig {
  const result = modelSchema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => `${["model", ...issue.path].join(".")}: ${issue.message}`);
  throw new Error(`Cannot use model configuration: ${problems.join("; ")}`);
}
