/**
 * Finds a task again among those that a network was trained on, and guesses at it with the rows learned for it. Knows no HTTP and no files.
 *
 * @module
 */
import { apply, applyToTask, type Augmentation, compose, identityAugmentation, invert } from "../arc/augment.ts";
import { identify } from "../arc/identity.ts";
import { createRandom } from "../arc/random.ts";
import { taskCanvas } from "../arc/size.ts";
import { type Task, TaskError } from "../arc/task.ts";
import { dependsOnTokens } from "../model/config.ts";
import type { KnownTask, Weights } from "./checkpoint.ts";
import { type ExplainedGuess, guess, type GuessOptions, someViews, toldViews, tooSmall } from "./guess.ts";

/** A task that was recognised. */
export interface Recognised {
  /** What is known of it. */
  known: KnownTask;
  /** Maps the task as asked to the task as it was trained on. */
  augmentation: Augmentation;
}

/** The known task with the same demonstrations up to augmentation and order, if there is one. */
export function recognise(task: Task, tasks: readonly KnownTask[]): Recognised | undefined {
  const { key, augmentation } = identify(task);
  const known = tasks.find((candidate) => candidate.key === key);
  return known && { known, augmentation: compose(invert(known.canonical), augmentation) };
}

/** How to guess at a known task. */
export interface KnownOptions extends Omit<GuessOptions, "canvas" | "identity"> {
  /** Views to guess from. */
  views: number;
  /** Decides which. */
  seed: number;
}

/**
 * Guesses at every test input without learning anything, in the task's own colours and orientation. A task that was not recognised is shown
 * with the blank row: an honest answer of the right form, rarely a right one.
 *
 * @throws {TaskError} when a test input needs a larger canvas than the network can work on
 */
export async function guessKnown(
  weights: Weights,
  task: Task,
  recognised: Recognised | undefined,
  options: KnownOptions,
): Promise<ExplainedGuess[][]> {
  const { network, table, config, side } = weights;
  const { identity, marking } = config.training;
  const random = createRandom(options.seed).fork("views");
  const views = recognised?.known.views ?? [];
  const augmentation = recognised?.augmentation ?? identityAugmentation();
  const chosen = identity === "task" || !recognised
    ? toldViews(views[0]?.row ?? 0, options.views, random)
    : someViews(views, options.views, random);
  const learned = applyToTask(augmentation, task);
  // Room for the task, predicted answers included, where the network works on any canvas; the demonstrations are not shown.
  const room = dependsOnTokens(network.config) ? side : Math.max(side, taskCanvas(learned, marking).side);
  const largest = Math.max(...learned.test.flatMap(({ input }) => [input.length, input[0].length]));
  if (largest > room) throw new TaskError(tooSmall(learned, largest, room));
  const guesses = await guess(network, table, learned, chosen, {
    ...options,
    canvas: { side: room, marking },
    identity,
  });
  const back = invert(augmentation);
  return guesses.map((own) =>
    own.map((one) => ({ ...one, grid: apply(back, one.grid), trace: one.trace.map((grid) => apply(back, grid)) }))
  );
}
