/**
 * How a network is trained: one record, checked, that travels inside the checkpoint. Knows no tensors.
 *
 * @module
 */
import { z } from "zod";
import { type Canvas, vocabulary } from "../arc/tokens.ts";
import { type ModelConfig, modelSchema, type Preset, presets } from "../model/config.ts";

const rate = z.number().min(0);
const decay = z.number().min(0).max(1);

/** The schema of {@link TrainingConfig}: an unknown key is an error. */
export const trainingSchema = z.strictObject({
  /** B, rows in a batch. */
  batchSize: z.int().min(1),
  /** Cells of the canvas in a batch at most: large canvases get fewer rows and more steps a second; 0: no bound. */
  batchCells: z.int().min(0).default(0),
  /**
   * Segments of training that a row gets at most; 0: as many as the model's. With fewer a network sees more examples in as many steps, and
   * still thinks as long when it answers. Where cells leave an adaptation fewer rows, it gives these fewer in proportion, at least one.
   */
  maxSegments: z.int().min(0).default(0),
  /** How a puzzle is identified: each augmentation has a row of its own (HRM), or a task has one and is told the augmentation. */
  identity: z.enum(["augmentation", "task"]),
  /** Distinct augmented looks of each task besides the original; they count with identity `augmentation` only. */
  augmentations: z.int().min(0),
  /** The marking of the canvas: end-of-grid tokens as HRM has them, or one token for everything outside the grid. */
  marking: z.enum(["eos", "outside"]),
  /** Whether a batch is of tasks of about one size on a small canvas, not on one that holds all; identity `task` and halting `fixed` only. */
  bySize: z.boolean().default(false),
  /** The loss' likelihood. */
  likelihood: z.enum(["stablemax", "softmax"]),
  /** The rule of the dense parameters. */
  rule: z.enum(["atan2", "adamw"]),
  /** η, the dense parameters' highest learning rate. */
  learningRate: rate,
  /** Steps over which the rate rises from 0; below 1, a fraction of all steps. */
  warmup: rate,
  /** The rate at the end of the cosine, as a fraction of the highest; 1: constant (official). */
  finalRate: decay,
  /** Decay of the first moment. */
  beta1: decay,
  /** Decay of the second moment. */
  beta2: decay,
  /** Decoupled weight decay of the dense parameters. */
  weightDecay: rate,
  /** Whether embeddings and positions decay, too (official: everything does). */
  decayEmbeddings: z.boolean(),
  /** The rule of the puzzle table: the gradient's sign (official) or AdamW. */
  puzzleRule: z.enum(["sign", "adamw"]),
  /** The puzzle table's highest learning rate. */
  puzzleLearningRate: rate,
  /** Decoupled weight decay of the rows that a batch touches. */
  puzzleWeightDecay: rate,
  /** The largest norm of all gradients together; 0: unlimited (official). */
  clipNorm: rate,
  /** Decay of the parameters' moving average, with which puzzles are answered; 0: none. */
  ema: decay,
  /** Whether a young average follows the parameters closely: decay at most (1+t)/(10+t). */
  emaRamp: z.boolean(),
  /** The probability that a row must go on for a random number of segments (official 0.1). */
  exploration: decay,
  /** The Q target of continuing is computed at every n-th step (official 1; the ARC Prize analysis 4). */
  targetEvery: z.int().min(1),
});

/**
 * How a network is trained; see {@link trainingSchema} for what each value means.
 *
 * @internal
 */
export type TrainingConfig = z.infer<typeof trainingSchema>;

/** Everything about a run that changes its result, seed included. */
export const configSchema = z.strictObject({
  model: modelSchema,
  training: trainingSchema,
  /** How the network is trained on one unseen task, from its demonstrations alone. */
  adaptation: trainingSchema,
  /** All randomness comes from here. */
  seed: z.int(),
}).superRefine(({ model, training, adaptation }, context) => {
  const recipes = { training, adaptation };
  for (const name of ["training", "adaptation"] as const) {
    const { identity, marking } = recipes[name];
    const problem = (key: string, message: string) => context.addIssue({ code: "custom", path: [name, key], message });
    const told = model.conditioning === "roles";
    if ((identity === "task") !== told) {
      problem("identity", `must be ${told ? "task" : "augmentation"} with conditioning ${model.conditioning}`);
    }
    if (identity === "task" && marking !== "outside") problem("marking", "must be outside with identity task");
  }
  if (!training.bySize || (training.identity === "task" && model.halting === "fixed")) return;
  const message = "needs identity task and halting fixed, where all rows of a batch begin and end together";
  context.addIssue({ code: "custom", path: ["training", "bySize"], message });
});

/**
 * Everything about a run that changes its result.
 *
 * @internal
 */
export type Config = z.infer<typeof configSchema>;

const officialTraining: TrainingConfig = {
  batchSize: 768,
  batchCells: 0,
  maxSegments: 0,
  identity: "augmentation",
  augmentations: 1000,
  marking: "eos",
  bySize: false,
  likelihood: "stablemax",
  rule: "atan2",
  learningRate: 1e-4,
  warmup: 2000,
  finalRate: 1,
  beta1: 0.9,
  beta2: 0.95,
  weightDecay: 0.1,
  decayEmbeddings: true,
  puzzleRule: "sign",
  puzzleLearningRate: 1e-2,
  puzzleWeightDecay: 0.1,
  clipNorm: 0,
  ema: 0,
  emaRamp: false,
  exploration: 0.1,
  targetEvery: 1,
};

/** The official recipe at a size that learns on a small machine: higher rates, short warm-up, an average for answering. */
const smallTraining: TrainingConfig = {
  ...officialTraining,
  batchSize: 32,
  augmentations: 300,
  learningRate: 1e-3,
  warmup: 0.02,
  puzzleLearningRate: 1e-2,
  ema: 0.99,
  emaRamp: true,
};

/** One task at a time: many small steps at a high rate. */
const loopAdaptation: TrainingConfig = {
  ...officialTraining,
  batchSize: 8,
  batchCells: 800,
  maxSegments: 2,
  identity: "task",
  augmentations: 0,
  marking: "outside",
  likelihood: "softmax",
  rule: "adamw",
  learningRate: 3e-3,
  warmup: 0.05,
  finalRate: 0.05,
  weightDecay: 0.05,
  decayEmbeddings: false,
  puzzleRule: "adamw",
  puzzleLearningRate: 9e-3,
  puzzleWeightDecay: 0.01,
  clipNorm: 1,
  ema: 0.98,
  emaRamp: true,
  exploration: 0,
};

/** Many tasks at once: larger batches, a lower rate. */
const loopTraining: TrainingConfig = {
  ...loopAdaptation,
  batchSize: 16,
  batchCells: 0,
  maxSegments: 0,
  learningRate: 2e-3,
  puzzleLearningRate: 1e-2,
  ema: 0.99,
};

/** On large canvases few rows: 32 of 900 tokens would take minutes a step on a processor. */
const smallAdaptation: TrainingConfig = { ...smallTraining, batchCells: 3200, augmentations: 64 };

/** Recipes by the preset's name: for many tasks together, and for one unseen task. */
export const recipes: Record<Preset, Pick<Config, "training" | "adaptation">> = {
  arc: { training: officialTraining, adaptation: smallAdaptation },
  mini: { training: smallTraining, adaptation: smallAdaptation },
  trm: { training: smallTraining, adaptation: smallAdaptation },
  transformer: { training: smallTraining, adaptation: smallAdaptation },
  loop: { training: loopTraining, adaptation: loopAdaptation },
};

/** What may be written in a configuration file: any part of a {@link Config}, on top of a preset. */
export interface ConfigOverrides {
  /** Values of {@link ModelConfig}. */
  model?: Partial<ModelConfig>;
  /** Values of {@link TrainingConfig}. */
  training?: Partial<TrainingConfig>;
  /** Values of the recipe for one unseen task. */
  adaptation?: Partial<TrainingConfig>;
  /** The seed. */
  seed?: number;
}

/**
 * The configuration of a preset on a canvas, with overrides.
 *
 * @throws {Error} naming each wrong or unknown key
 */
export function makeConfig(preset: Preset, side: number, overrides: ConfigOverrides = {}): Config {
  const { model, training, adaptation, seed = 0, ...unknown } = overrides;
  const recipe = recipes[preset];
  return parseConfig({
    model: { ...presets[preset]({ side }), ...model },
    training: { ...recipe.training, ...training },
    adaptation: { ...recipe.adaptation, ...adaptation },
    seed,
    ...unknown,
  });
}

/**
 * Makes sure that a network knows all tokens of grids on a canvas; one for other puzzles may not.
 *
 * @throws {Error} when it does not
 */
export function requireTokens(model: ModelConfig, canvas: Canvas): void {
  const needed = vocabulary(canvas);
  if (model.vocabulary >= needed) return;
  throw new Error(`Cannot show grids to this network: it knows ${model.vocabulary} tokens, grids need ${needed}`);
}

/** The values of `asked` that `config` has otherwise, a phrase each: `training.ema is 0.99, not 0.9`. */
export function conflicts(asked: object, config: object, path = ""): string[] {
  const isRecord = (value: unknown) => typeof value === "object" && value !== null;
  return Object.entries(asked).flatMap(([key, value]) => {
    const own = (config as Record<string, unknown>)[key];
    if (isRecord(value) && isRecord(own)) return conflicts(value, own as object, `${path}${key}.`);
    return value === own ? [] : [`${path}${key} is ${JSON.stringify(own)}, not ${JSON.stringify(value)}`];
  });
}

/**
 * Checks a configuration.
 *
 * @throws {Error} naming each wrong or unknown key
 */
export function parseConfig(value: unknown): Config {
  const result = configSchema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => `${path.join(".") || "configuration"}: ${message}`);
  throw new Error(`Cannot use configuration: ${problems.join("; ")}`);
}
