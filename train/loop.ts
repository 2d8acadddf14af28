/**
 * Training from tasks to weights: an async generator of reports that saves as it goes. Knows no terminal and no arguments.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { createSampler, type Sampler, type TrainingTask } from "../arc/dataset.ts";
import { identify } from "../arc/identity.ts";
import { createRandom, type Random, randomFromState } from "../arc/random.ts";
import { copyNetwork, initialise, initialRow } from "../model/parameters.ts";
import { breathe } from "./breathe.ts";
import { type KnownTask, loadState, saveState, saveWeights, type Weights } from "./checkpoint.ts";
import { type Config, requireTokens } from "./config.ts";
import { meanRow, PuzzleTable } from "./puzzle_table.ts";
import {
  createTrainingState,
  disposeTrainingState,
  nextBatch,
  type StepReport,
  type TrainingState,
  trainStep,
} from "./step.ts";

/** What to train on, how long, and where to keep it. */
export interface TrainOptions {
  /** Tasks with the pairs that are trained on. */
  tasks: TrainingTask[];
  /** The whole recipe. */
  config: Config;
  /** The side of the canvas. */
  side: number;
  /** Steps in all, also when resumed; of these and `seconds` at least one, and the first that is reached ends the training. */
  steps?: number;
  /** Seconds in all, also when resumed. */
  seconds?: number;
  /** The weights file. */
  out: string;
  /**
   * What a new run starts from instead of from nothing: a network, which stays as it is, the rows of tasks of the same names, and their mean for
   * all other puzzles.
   */
  start?: Pick<Weights, "network" | "table" | "tasks">;
  /** Whether to go on from `out`. */
  resume?: boolean;
  /** How many parts a batch is worked on in; one if not given. */
  parts?: number;
  /** Seconds between two savings. */
  saveEvery?: number;
  /** Aborting finishes the step, saves and ends. */
  signal?: AbortSignal;
}

/** A step as it is reported. */
export interface TrainReport extends StepReport {
  /** Steps made in all. */
  step: number;
  /** Steps in all as far as can be told. */
  totalSteps: number;
  /** Rows worked on a second, since this run began or was resumed. */
  examplesPerSecond: number;
  /** Seconds of training so far, earlier runs included. */
  seconds: number;
  /** The weights as they are now; valid until the next step. */
  weights: () => Weights;
}

/** Training met a number that is not finite; what it saved before is intact. */
export class DivergedError extends Error {
  override name = "DivergedError";
}

/** The tasks as they are found again by a solver. */
export function knownTasks(tasks: readonly TrainingTask[], sampler: Sampler): KnownTask[] {
  const known = tasks.map(({ task }): KnownTask => {
    const { key, augmentation } = identify(task);
    return { id: task.id, key, canonical: augmentation, views: [] };
  });
  for (const { task, row, augmentation } of sampler.puzzles) known[task].views.push({ row, augmentation });
  return known;
}

/**
 * Trains until the steps, the seconds or the signal end it; yields a report a step and saves now and then and at the end. The tensors of the
 * weights that it returns are the caller's; all others are disposed by then.
 *
 * @throws {DivergedError} when the loss is not finite
 * @throws {Error} when neither steps nor seconds bound it, when there is nothing to train on, or nothing to resume, or when a device or a
 * file fails on the way
 */
export async function* train(options: TrainOptions): AsyncGenerator<TrainReport, Weights> {
  const { tasks, config, side, out, signal, parts, saveEvery = 60 } = options;
  if (options.steps === undefined && options.seconds === undefined) {
    throw new Error("Cannot train: it needs steps or seconds");
  }
  const { training } = config;
  requireTokens(config.model, { side, marking: training.marking });
  const sampler = createSampler(tasks, {
    batchSize: training.batchSize,
    batchCells: training.batchCells,
    canvas: { side, marking: training.marking },
    bySize: training.bySize,
    identity: training.identity,
    augmentations: training.augmentations,
    seed: config.seed,
  });
  const known = knownTasks(tasks, sampler);
  const names = trainedOn(tasks, known);
  const { state, random, seconds: before } = options.resume
    ? await resume(out, sampler, names, config)
    : begin(config, sampler, known, options.start);
  const started = performance.now();
  let examples = 0;
  const seconds = () => before + (performance.now() - started) / 1000;
  let saved = seconds();
  // A run that is resumed has saved before.
  let kept = options.resume === true;
  const remains = () => kept ? "the weights last saved are intact" : "no weights were saved yet";
  const weights = (): Weights => ({
    network: { ...state.network, parameters: state.average ?? state.network.parameters },
    table: state.table,
    tasks: known,
    config,
    steps: state.steps,
    side,
  });
  const save = async () => {
    const run = { tasks: names, sampler: sampler.state(), random: random.state(), seconds: seconds() };
    await saveState(out, { state, run, config });
    await saveWeights(out, weights());
    saved = seconds();
    kept = true;
  };
  const done = () =>
    signal?.aborted ||
    (options.steps !== undefined && state.steps >= options.steps) ||
    (options.seconds !== undefined && seconds() >= options.seconds);
  let finished = false;
  try {
    while (!done()) {
      const affordable = options.seconds === undefined
        ? Infinity
        : estimateSteps(state.steps, seconds(), options.seconds);
      const totalSteps = Math.min(options.steps ?? Infinity, affordable);
      const batch = nextBatch(state, sampler, config);
      const report = await trainStep(state, batch, config, totalSteps, random, { parts });
      examples += report.rows;
      if (!Number.isFinite(report.losses.total)) {
        throw new DivergedError(
          `Training diverged at step ${state.steps}: the loss is ${report.losses.total}; ${remains()}. ` +
            `Start a new run${kept ? " from them" : ""} with a lower learningRate.`,
        );
      }
      yield {
        ...report,
        step: state.steps,
        totalSteps,
        seconds: seconds(),
        weights,
        examplesPerSecond: examples / (seconds() - before),
      };
      if (seconds() - saved >= saveEvery) await save();
      await breathe();
    }
    await save();
    finished = true;
    const answering = weights();
    // Of what was trained only this is left.
    const { average, network: { parameters, ...network } } = state;
    disposeTrainingState({
      ...state,
      network: { ...network, parameters: average ? parameters : {}, buffers: {} },
      average: undefined,
    });
    return answering;
  } catch (cause) {
    if (cause instanceof DivergedError) throw cause;
    const { message } = cause as Error;
    throw new Error(`Training stopped at step ${state.steps}: ${message}; ${remains()}`, { cause });
  } finally {
    if (!finished) disposeTrainingState(state);
  }
}

/** Steps in all when seconds decide: at the speed so far. */
function estimateSteps(steps: number, seconds: number, total: number): number {
  return Math.max(steps + 1, Math.ceil((steps + 1) * total / Math.max(seconds, total / 1000)));
}

interface Start {
  state: TrainingState;
  random: Random;
  seconds: number;
}

function begin(config: Config, sampler: Sampler, known: readonly KnownTask[], start?: TrainOptions["start"]): Start {
  const random = createRandom(config.seed);
  const table = new PuzzleTable(sampler.rows, config.model.puzzleWidth, config.training.puzzleRule);
  const mean = start && meanRow(start.table, config.model) || initialRow(config.model, random.fork("row"));
  const learned = new Map(start && rowsByLook(start.tasks));
  for (const [look, row] of rowsByLook(known)) {
    const old = learned.get(look);
    table.row(row).set(old === undefined ? mean : start!.table.row(old));
  }
  const network = start?.network
    ? { ...copyNetwork(start.network), config: config.model }
    : initialise(config.model, random.fork("network"));
  const state = createTrainingState(network, table, config);
  return { state, random: random.fork("exploration"), seconds: 0 };
}

/** The row of every look at a task, the task by its name. */
function rowsByLook(tasks: readonly KnownTask[]): [string, number][] {
  return tasks.flatMap(({ id, views }) =>
    views.map(({ row, augmentation }): [string, number] => [JSON.stringify([id, augmentation]), row])
  );
}

/** What tasks are trained on: their names, looks, and the content of their pairs. */
function trainedOn(tasks: readonly TrainingTask[], known: readonly KnownTask[]): string {
  const content = createHash("sha256");
  // One by one: all together can be more than a text can hold.
  for (const { pairs } of tasks) content.update(JSON.stringify(pairs));
  return [...known.map(({ id, key, views }) => `${id} ${key} ${views.length}`), content.digest("hex")].join();
}

async function resume(path: string, sampler: Sampler, tasks: string, config: Config): Promise<Start> {
  const { state, run, config: old } = await loadState(path);
  if (JSON.stringify(old) !== JSON.stringify(config)) {
    throw new Error(`Cannot resume ${path}: its configuration is another`);
  }
  if (run.tasks !== tasks) {
    throw new Error(`Cannot resume ${path}: it was trained on other tasks, or other pairs of theirs`);
  }
  sampler.restore(run.sampler);
  return { state, random: randomFromState(run.random), seconds: run.seconds };
}
