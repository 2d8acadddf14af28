/**
 * Learning one unseen task from its own demonstrations, on a copy of a network, within a budget. Knows no HTTP and no files.
 *
 * @module
 */
import { apply, applyToTask, type Augmentation, invert } from "../arc/augment.ts";
import { createSampler, type Puzzle, rowsOn } from "../arc/dataset.ts";
import { createRandom, type Random } from "../arc/random.ts";
import { sizeRule } from "../arc/size.ts";
import type { Task } from "../arc/task.ts";
import type { Canvas } from "../arc/tokens.ts";
import { copyNetwork, initialise, initialRow, type Network } from "../model/parameters.ts";
import { breathe } from "./breathe.ts";
import type { Untrained, Weights } from "./checkpoint.ts";
import { type Config, requireTokens, type TrainingConfig } from "./config.ts";
import { canvasFor, type ExplainedGuess, guess, someViews, toldViews, type View } from "./guess.ts";
import { meanRow, PuzzleTable } from "./puzzle_table.ts";
import { createTrainingState, disposeTrainingState, nextBatch, trainStep } from "./step.ts";

/** How much an adaptation may cost; the first bound that is reached ends it. */
export interface Budget {
  /** Wall-clock seconds, guessing included. */
  seconds?: number;
  /** Steps of training; with these alone the result is decided by the seed. */
  steps?: number;
}

/** What an adaptation starts from. */
export interface Prior {
  /** A trained network, left as it is; without one the adaptation starts from nothing. */
  network?: Network;
  /** Where new rows of the puzzle table start, as a rule the mean of the known ones; drawn afresh without it. */
  row?: Float32Array;
  /** The rows of known tasks, from the second on; some members of an ensemble start from those that resemble the task. */
  table?: PuzzleTable;
  /** How it was, and is, trained. */
  config: Config;
}

/** What adaptations begin from with weights that were trained, or with nothing but a configuration. */
export function priorOf(weights: Pick<Weights, "network" | "table" | "config"> | Untrained): Prior {
  if (!("network" in weights)) return weights;
  const { network, table, config } = weights;
  return { config, network, table, row: meanRow(table, config.model) };
}

/** Where the row of a task starts that resembles a known one. */
export interface Start {
  /** The known task's row. */
  row: Float32Array;
  /** What makes the task look like the known one. */
  augmentation: Augmentation;
}

/** How to adapt. */
export interface AdaptOptions {
  /** What it may cost. */
  budget: Budget;
  /** Views guessed from at each snapshot. */
  views: number;
  /** All randomness comes from here. */
  seed: number;
  /** A known task to start from; the prior's row if not given. */
  start?: Start;
  /** Segments of thought for each guess; the configuration's own number if not given. */
  maxSegments?: number;
  /** Whether guesses keep the grid after every segment. */
  trace?: boolean;
  /** Aborting ends the adaptation at the next step; what was guessed so far stands. */
  signal?: AbortSignal;
  /** Called after every step. */
  onStep?: (progress: AdaptProgress) => void;
}

/** How far an adaptation has come. */
export interface AdaptProgress {
  /** Steps made. */
  steps: number;
  /** The part of the budget that is spent, 0 … 1. */
  spent: number;
  /** The answers' loss of the step, a mean over rows. */
  loss: number;
  /** The part of the rows that were answered exactly when rows were last done. */
  exact: number;
}

/** What an adaptation found. */
export interface Adaptation {
  /** Guesses at each test input, pooled over the snapshots. */
  guesses: ExplainedGuess[][];
  /** Looks at each test input at a time. */
  looks: number;
  /** Steps of training made. */
  steps: number;
  /** Seconds of training. */
  seconds: number;
  /** Loss and exactness along the way, some fifty points. */
  curve: AdaptProgress[];
}

/**
 * When guesses are taken to be pooled: after 75, 90 and 100 % of the training. Guessing takes time, too, so that what the latest guesses cost is
 * kept back for the last ones, and guesses that nothing was learned before since the latest are left out: they would be the same.
 */
export class Snapshots {
  #marks = [0.75, 0.9, 1];
  #cost = 0;

  /** Whether all were taken, or left out. */
  get over(): boolean {
    return this.#marks.length === 0;
  }

  /** How much of the training is over when a part of the budget is spent, both 0 … 1. */
  progress(spent: number): number {
    return Math.min(1, spent / (1 - this.#cost));
  }

  /** Whether guesses are due. */
  due(spent: number): boolean {
    return this.progress(spent) >= this.#marks[0];
  }

  /** What was spent before guesses and after them. */
  taken(before: number, after: number): void {
    this.#cost = Math.min(0.5, after - before);
    this.#marks.shift();
    while (this.#marks.length && this.due(after)) this.#marks.shift();
  }
}

/**
 * Trains a copy of the prior on the task's augmented demonstrations and guesses at its test inputs.
 *
 * @throws {TaskError} when the task needs a larger canvas than the prior can work on
 * @throws {Error} when the budget has no bound, or the loss is no number any more
 */
export async function adapt(task: Task, prior: Prior, options: AdaptOptions): Promise<Adaptation> {
  const { start, ...others } = options;
  if (!start) return await learn(task, prior, others);
  const found = await learn(applyToTask(start.augmentation, task), { ...prior, row: start.row }, others);
  const back = invert(start.augmentation);
  const guesses = found.guesses.map((own) =>
    own.map((guess) => ({
      ...guess,
      grid: apply(back, guess.grid),
      trace: guess.trace.map((grid) => apply(back, grid)),
    }))
  );
  return { ...found, guesses };
}

async function learn(task: Task, prior: Prior, options: Omit<AdaptOptions, "start">): Promise<Adaptation> {
  const { budget, seed, signal, onStep } = options;
  if (!budget.seconds && !budget.steps) throw new Error("Cannot adapt: the budget needs seconds or steps");
  const started = performance.now();
  const { adaptation } = prior.config;
  const random = createRandom(seed).fork("adapt");
  const canvas = canvasFor(task, adaptation.marking, prior.network);
  // From here on the one task is all there is to train on.
  const training = { ...adaptation, maxSegments: segmentsOn(canvas.side, adaptation) };
  const config = { ...prior.config, training };
  requireTokens(prior.config.model, canvas);
  const sampler = createSampler([{ task, pairs: task.train, rule: sizeRule(task.train) }], {
    batchSize: training.batchSize,
    batchCells: training.batchCells,
    canvas,
    identity: training.identity,
    augmentations: training.augmentations,
    seed,
  });
  const model = { ...config.model, tokens: canvas.side ** 2 };
  const network = prior.network ? { ...copyNetwork(prior.network), config: model } : initialise(model, random);
  const table = freshTable(sampler.rows, { ...prior, config }, random);
  const state = createTrainingState(network, table, config);
  const snapshots = new Snapshots();
  const guesses: ExplainedGuess[][] = task.test.map(() => []);
  const curve: AdaptProgress[] = [];
  const puzzles = sampler.puzzles;
  const timeSpent = () => budget.seconds ? (performance.now() - started) / 1000 / budget.seconds : 0;
  const spent = () => Math.max(timeSpent(), budget.steps ? state.steps / budget.steps : 0);
  const late = () => signal?.aborted === true || timeSpent() >= 1;
  let [guessing, looks, exact] = [0, 0, 0];
  try {
    while (!snapshots.over) {
      const stopped = signal?.aborted === true;
      if (snapshots.due(spent()) || stopped) {
        if (stopped && guesses[0].length) break;
        const [before, from] = [spent(), performance.now()];
        const found = await guessNow(state, task, puzzles, canvas, config, options, late);
        found.forEach((own, test) => guesses[test].push(...own));
        looks = Math.max(looks, ...found.map((own) => own.length));
        guessing += performance.now() - from;
        snapshots.taken(before, spent());
        if (stopped) break;
        continue;
      }
      const ofTime = snapshots.progress(timeSpent());
      const affordable = ofTime
        ? Math.max(state.steps + 1, Math.ceil((state.steps + 1) / Math.max(ofTime, 1e-3)))
        : Infinity;
      const totalSteps = Math.min(budget.steps ?? Infinity, affordable);
      await breathe();
      const batch = nextBatch(state, sampler, config);
      const report = await trainStep(state, batch, config, totalSteps, random);
      if (report.metrics.count) exact = report.metrics.exactAccuracy / report.metrics.count;
      const point = {
        steps: state.steps,
        spent: Math.min(1, spent()),
        loss: report.losses.answer / batch.size,
        exact,
      };
      if (!Number.isFinite(point.loss)) {
        throw new Error(
          `Cannot adapt: the loss is ${point.loss} at step ${point.steps}; use a lower adaptation.learningRate`,
        );
      }
      if (!curve.length || point.spent - curve.at(-1)!.spent >= 0.02) curve.push(point);
      onStep?.(point);
    }
    const seconds = (performance.now() - started - guessing) / 1000;
    return { guesses, looks, steps: state.steps, seconds, curve };
  } finally {
    disposeTrainingState(state);
  }
}

/** Segments of training on a canvas: few rows get few, so that as many steps see more examples. */
export function segmentsOn(side: number, training: TrainingConfig): number {
  const { maxSegments, batchSize } = training;
  return maxSegments && Math.max(1, Math.floor(maxSegments * rowsOn(side, training) / batchSize));
}

/** Rows for new puzzles. */
function freshTable(rows: number, { row, config }: Prior, random: Random): PuzzleTable {
  const table = new PuzzleTable(rows, config.model.puzzleWidth, config.training.puzzleRule);
  const start = row ?? initialRow(config.model, random);
  for (let i = 1; i < rows; i++) table.row(i).set(start);
  return table;
}

async function guessNow(
  state: ReturnType<typeof createTrainingState>,
  task: Task,
  puzzles: readonly Puzzle[],
  canvas: Canvas,
  { training }: Config,
  { views, seed, maxSegments, trace }: AdaptOptions,
  late: () => boolean,
): Promise<ExplainedGuess[][]> {
  const random = createRandom(seed).fork(`views ${state.steps}`);
  const learned: View[] = puzzles.map(({ row, augmentation }) => ({ row, augmentation }));
  const chosen = training.identity === "task"
    ? toldViews(learned[0].row, views, random)
    : someViews(learned, views, random);
  const network = { ...state.network, parameters: state.average ?? state.network.parameters };
  return await guess(network, state.table, task, chosen, {
    canvas,
    identity: training.identity,
    maxSegments,
    trace,
    late,
  });
}
