/**
 * The four findings of the ARC Prize analysis ("The Hidden Drivers of HRM's Performance on ARC-AGI") as trials: networks that differ in one
 * thing, trained for the same steps or epochs, scored on the same held-out test pairs. Knows no arguments and no terminal.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { TrainingTask } from "../arc/dataset.ts";
import { exists, writeWhole } from "../arc/read.ts";
import { score, type Tally } from "../arc/score.ts";
import type { Task } from "../arc/task.ts";
import type { ModelConfig } from "../model/config.ts";
import { disposeNetwork } from "../model/parameters.ts";
import { companionPath, type Weights } from "./checkpoint.ts";
import { type Config, type ConfigOverrides, conflicts, parseConfig } from "./config.ts";
import { answerHeldOut, VIEWS } from "./held_out.ts";
import { DivergedError, train, type TrainReport } from "./loop.ts";

/** What was found, in the analysis' own numbers (ARC-AGI-1's public evaluation set, official size, pass@2). */
export const findings = {
  hierarchy:
    "The hierarchy matters little: a transformer of as many parameters comes within 5 points, and is level with HRM at one segment; " +
    "other inner cycles than two of H with two of L each only hurt.",
  refinement:
    "The outer loop matters, above all in training: two segments instead of one are worth 13 points, eight double the score " +
    "(about 20 to 40 %); trained with 16 and answering with one is more than 15 points above trained with one; beyond four, an answer gains little.",
  transfer:
    "Most is learned from the tasks' own demonstrations: 31 % with these alone, 41 % with the training sets beside them.",
  augmentation:
    "About 300 augmentations are enough, 30 come within 4 % of the best; how many looks vote matters little.",
} as const;

/** The name of a finding. */
export type Finding = keyof typeof findings;

/** A network to train: what it has otherwise than the base. */
export interface Variant {
  /** Its weights file's name, without ending. */
  name: string;
  /** Where its recipe differs. */
  overrides: Pick<ConfigOverrides, "model" | "training">;
  /** Whether it is trained on the scored tasks' demonstrations alone, without the training set. */
  alone: boolean;
}

/** One line of a finding's table. */
export interface Trial {
  /** Which table. */
  finding: Finding;
  /** What the line shows. */
  label: string;
  /** The network that answers. */
  variant: Variant;
  /** Looks that vote on each test input. */
  views: number;
  /** Segments of an answer. */
  maxSegments: number;
}

/** What a trial came to: tasks with all test outputs right; or its network diverged. */
export type Outcome = {
  /** With the first attempt. */
  first: Tally;
  /** Within two. */
  second: Tally;
} | "diverged";

/** Numbers of augmentations that networks are trained with, and of looks that vote. */
const AUGMENTATIONS = [0, 30, 300, 1000], LOOKS = [1, 10, 100, 300];

/** Cycles of H, and of L in each, that HRM's two and two are set beside. */
const CYCLES = [1, 3];

/** One stack of as many blocks as both levels have together, called once a segment (official analysis, hrm_act_v2.py). */
function flat({ hLayers, lLayers }: ModelConfig): Partial<ModelConfig> {
  return { hLayers: hLayers + lLayers, lLayers: 0, hCycles: 1, lCycles: 0, gradientCalls: 1 };
}

/**
 * The trials of some findings around a base.
 *
 * @param config HRM as it is varied
 * @param transferable whether there is a training set to leave out
 * @throws {Error} when the base has no hierarchy, or too few segments to take any away
 */
export function planTrials(config: Config, chosen: readonly Finding[], transferable: boolean): Trial[] {
  const { model, training } = config;
  const { maxSegments: M } = model;
  if (!model.lLayers || model.shared) throw new Error("Cannot vary this network: it has no hierarchy of two levels");
  if (M < 2) throw new Error("Cannot vary this network: model.maxSegments must be at least 2");
  const fewer = [1, 2, 4, 8, 16, 32].filter((count) => count < M);
  const variant = (name: string, overrides: Variant["overrides"] = {}, alone = false): Variant => ({
    name,
    overrides,
    alone,
  });
  const base = variant("hrm");
  const hrm = (segments: number) =>
    segments === M ? base : variant(`hrm-${segments}-segments`, { model: { maxSegments: segments } });
  const transformer = (segments: number) =>
    variant(`transformer-${segments}-segments`, { model: { ...flat(model), maxSegments: segments } });
  const trial = (label: string, variant: Variant, maxSegments = M, views = VIEWS) => ({
    label,
    variant,
    views,
    maxSegments,
  });
  const some = (count: number, what: string) => `${count} ${what}${count === 1 ? "" : "s"}`;
  const times = (count: number) => some(count, "segment");
  const trials: Record<Finding, Omit<Trial, "finding">[]> = {
    hierarchy: [
      ...[1, M].flatMap((count) => [
        trial(`HRM, ${times(count)}`, hrm(count), count),
        trial(`transformer, ${times(count)}`, transformer(count), count),
      ]),
      ...CYCLES.filter((cycles) => cycles !== model.hCycles || cycles !== model.lCycles).map((cycles) =>
        trial(
          `HRM, ${times(M)}, inner cycles ${cycles} and ${cycles}`,
          variant(`hrm-${cycles}-cycles`, {
            model: {
              hCycles: cycles,
              lCycles: cycles,
              gradientCalls: Math.min(model.gradientCalls, cycles * (cycles + 1)),
            },
          }),
        )
      ),
    ],
    refinement: [
      ...[...fewer, M].map((count) => trial(`trained and answering with ${times(count)}`, hrm(count), count)),
      ...[...fewer, 2 * M].map((count) => trial(`trained with ${M}, answering with ${count}`, base, count)),
      trial(
        `trained with ${M} always, without a halting head`,
        variant("hrm-fixed", { model: { halting: "fixed" } }),
      ),
    ],
    transfer: transferable
      ? [
        trial("demonstrations and the training set", base),
        trial("demonstrations alone, as often each", variant("hrm-alone", {}, true)),
      ]
      : [],
    augmentation: [
      ...[...new Set([...AUGMENTATIONS, training.augmentations])].sort((a, b) => a - b).map((augmentations) =>
        trial(
          `trained with ${augmentations} augmentations, ${some(Math.min(VIEWS, augmentations + 1), "look")}`,
          augmentations === training.augmentations
            ? base
            : variant(`hrm-${augmentations}-augmentations`, { training: { augmentations } }),
        )
      ),
      ...LOOKS.filter((views) => views <= training.augmentations + 1).map((views) =>
        trial(`trained with ${training.augmentations}, ${some(views, "look")}`, base, M, views)
      ),
    ],
  };
  const planned = chosen.flatMap((finding) => trials[finding].map((trial) => ({ finding, ...trial })));
  // What cannot be is told before hours of training.
  for (const { variant } of planned) configOf(variant, config);
  return planned;
}

/** The base with what a variant has otherwise. */
function configOf({ overrides }: Variant, base: Config): Config {
  return parseConfig({
    ...base,
    model: { ...base.model, ...overrides.model },
    training: { ...base.training, ...overrides.training },
  });
}

/** What is studied, and how long. */
export interface StudyOptions {
  /** What is trained and measured. */
  trials: readonly Trial[];
  /** The base of all. */
  config: Config;
  /** The canvas' side, for every network the same. */
  side: number;
  /** Steps of each network; of one that is trained alone as many fewer as it has fewer pairs, so that each is seen as often. */
  steps: number;
  /** Trained on by every network. */
  tasks: TrainingTask[];
  /** Trained on by those that are not alone. */
  extra: TrainingTask[];
  /** Tasks whose test pairs are scored. */
  scored: readonly Task[];
  /** Where networks and outcomes are kept. */
  folder: string;
  /** How many parts a batch is worked on in. */
  parts?: (model: ModelConfig) => number;
  /** What else decides the outcomes, to be kept beside them. */
  conditions: Record<string, string>;
  /** Aborting saves what is there and ends. */
  signal?: AbortSignal;
}

/** What happened in a study. */
export type StudyEvent =
  | { kind: "trained"; variant: Variant; report: TrainReport }
  | { kind: "scored"; trial: Trial; outcome: Outcome };

/** What trials have in common that need not be measured twice. */
function keyOf({ variant, views, maxSegments }: Trial): string {
  return `${variant.name}, ${views} looks, ${maxSegments} segments`;
}

/** Outcomes that are kept as they come, so that a study that was stopped goes on. */
class Ledger {
  private constructor(readonly file: string, readonly of: object, readonly outcomes: Record<string, Outcome>) {}

  /** @throws {Error} when the folder holds another study */
  static async open({ folder, config, steps, tasks, extra, scored, conditions }: StudyOptions): Promise<Ledger> {
    const file = join(folder, "findings.json");
    const digest = createHash("sha256").update(JSON.stringify([tasks, extra, scored])).digest("hex");
    const of = { steps, config, ...conditions, tasks_sha256: digest };
    const fresh = new Ledger(file, of, {});
    if (!await exists(file)) {
      await fresh.#write();
      return fresh;
    }
    const stored = JSON.parse(await Deno.readTextFile(file));
    const differing = conflicts(of, stored);
    if (!differing.length) return new Ledger(file, of, stored.outcomes);
    throw new Error(`Cannot go on in ${folder}: ${differing.join("; ")}; give the same options, or another folder`);
  }

  get(trial: Trial): Outcome | undefined {
    return this.outcomes[keyOf(trial)];
  }

  async set(trial: Trial, outcome: Outcome): Promise<void> {
    this.outcomes[keyOf(trial)] = outcome;
    await this.#write();
  }

  async #write(): Promise<void> {
    await writeWhole(this.file, JSON.stringify({ ...this.of, outcomes: this.outcomes }, null, 1) + "\n");
  }
}

/**
 * Trains what has to be trained, answers what has to be answered, in the order of the trials, and keeps all of it in the folder. A network that
 * diverges is told as its outcome.
 *
 * @returns whether all trials have their outcome; false after an abort
 * @throws {Error} when the folder holds another study
 */
export async function* study(options: StudyOptions): AsyncGenerator<StudyEvent, boolean> {
  const { trials, signal } = options;
  const ledger = await Ledger.open(options);
  let current: { name: string; weights: Weights | "diverged" } | undefined;
  try {
    for (const trial of trials) {
      const { variant: { name } } = trial;
      let outcome = ledger.get(trial);
      if (!outcome) {
        if (current?.name !== name) {
          disposeWeights(current?.weights);
          current = undefined;
          current = { name, weights: yield* trained(trial.variant, options) };
          if (signal?.aborted) return false;
        }
        outcome = current.weights === "diverged" ? "diverged" : await measure(trial, current.weights, options);
        if (!outcome) return false;
        await ledger.set(trial, outcome);
      }
      yield { kind: "scored", trial, outcome };
    }
    return true;
  } finally {
    disposeWeights(current?.weights);
  }
}

function disposeWeights(weights: Weights | "diverged" | undefined): void {
  if (typeof weights === "object") disposeNetwork(weights.network);
}

/** @returns undefined after an abort */
async function measure(
  { views, maxSegments }: Trial,
  weights: Weights,
  { scored, signal, config: { seed } }: StudyOptions,
): Promise<Outcome | undefined> {
  const answered = await answerHeldOut(weights, scored, { seed, views, maxSegments, signal });
  return answered && { first: score(answered, 1).tasks, second: score(answered, 2).tasks };
}

/** A network as it is after all its steps, or after an abort. */
async function* trained(variant: Variant, options: StudyOptions): AsyncGenerator<StudyEvent, Weights | "diverged"> {
  const { config: base, side, tasks, extra, folder, signal } = options;
  const config = configOf(variant, base);
  const pairs = (list: TrainingTask[]) => list.reduce((sum, { pairs }) => sum + pairs.length, 0);
  const all = [...tasks, ...extra];
  const share = variant.alone ? pairs(tasks) / pairs(all) : 1;
  const out = join(folder, `${variant.name}.safetensors`);
  const run = train({
    tasks: variant.alone ? tasks : all,
    config,
    side,
    steps: Math.max(1, Math.round(options.steps * share)),
    out,
    parts: options.parts?.(config.model),
    signal,
    resume: await exists(companionPath(out)),
  });
  try {
    let next = await run.next();
    while (!next.done) {
      yield { kind: "trained", variant, report: next.value };
      next = await run.next();
    }
    return next.value;
  } catch (error) {
    if (error instanceof DivergedError) return "diverged";
    throw error;
  }
}
