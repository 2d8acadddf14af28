/**
 * What the arguments of training commands name: tasks and their canvas. Knows no network and no terminal.
 *
 * @module
 */
import { trainingCanvas, type TrainingTask } from "../arc/dataset.ts";
import { readTasks, samplesFolder } from "../arc/read.ts";
import type { Task } from "../arc/task.ts";
import type { Canvas } from "../arc/tokens.ts";
import { type Arguments, namedTasks, numberOption, UsageError } from "./command_line.ts";
import { heldOut } from "./held_out.ts";

/** Tasks to train on. */
export interface Sets {
  /** Tasks of --data: their demonstrations are trained on. */
  own: Task[];
  /** Tasks of --training-set: their test pairs are trained on, too. */
  extra: Task[];
  /** Those of `own` whose test pairs are not among what `extra` has. */
  held: Task[];
  /** Those of `held` whose answers are known. */
  scored: Task[];
}

/**
 * Reads what --data, --training-set, --tasks and --limit name; without the first two the samples.
 *
 * @throws {TaskError} naming the file, and what is wrong in it
 */
export async function readSets(given: Arguments): Promise<Sets> {
  const limit = numberOption(given, "limit", { min: 1, whole: true }) ?? Infinity;
  const paths = given.lists.data ?? (given.lists["training-set"] ? [] : [samplesFolder()]);
  const read = async (list: string[]) => (await Promise.all(list.map(readTasks))).flat();
  const [data, training] = [await read(paths), await read(given.lists["training-set"] ?? [])];
  const named = new Set(namedTasks([...data, ...training], given));
  const own = data.filter((task) => named.has(task)).slice(0, limit);
  const extra = training.filter((task) => named.has(task)).slice(0, Math.max(0, limit - own.length));
  const held = heldOut(own, extra);
  return { own, extra, held, scored: held.filter(({ test }) => test.every(({ output }) => output)) };
}

/**
 * The side of the canvas: the smallest that holds all tasks, or the one that a configuration's `model.tokens` asks for.
 *
 * @throws {UsageError} when that is no square, or too small
 */
export function sideFor(
  tasks: readonly TrainingTask[],
  marking: Canvas["marking"],
  tokens: number | undefined,
): number {
  const { side } = trainingCanvas(tasks, marking);
  if (tokens === undefined) return side;
  const asked = Math.sqrt(tokens);
  if (Number.isInteger(asked) && asked >= side) return asked;
  throw new UsageError(
    `model.tokens is ${tokens}, must be the square of a side of at least ${side}, which these tasks need`,
  );
}
