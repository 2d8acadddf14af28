/**
 * How well test pairs are answered that were not trained on. Knows no arguments and no terminal.
 *
 * @module
 */
import { identify } from "../arc/identity.ts";
import { type Answered, score } from "../arc/score.ts";
import type { Task } from "../arc/task.ts";
import { vote } from "../arc/vote.ts";
import { breathe } from "./breathe.ts";
import type { Weights } from "./checkpoint.ts";
import { guessKnown, type KnownOptions, recognise } from "./known.ts";

/** Looks at each test input. */
export const VIEWS = 32;

/**
 * Those of `tasks`, whose demonstrations are trained on, that are not among `trained`, whose test pairs are trained on, too: no task there has
 * the same demonstrations, in whatever look, and nothing that is trained on is one of their test pairs, for sets hold each other's tasks with
 * edited demonstrations.
 */
export function heldOut(tasks: readonly Task[], trained: readonly Task[]): Task[] {
  const marks = (task: Task, pairs: Task["test"]) => [identify(task).key, ...pairs.map((pair) => JSON.stringify(pair))];
  const known = new Set(trained.flatMap((task) => marks(task, [...task.train, ...task.test])));
  for (const { train } of tasks) for (const pair of train) known.add(JSON.stringify(pair));
  return tasks.filter((task) => !marks(task, task.test).some((mark) => known.has(mark)));
}

/** How to answer. */
export interface HeldOutOptions extends Omit<KnownOptions, "views"> {
  /** Looks at each test input; {@link VIEWS} if not given. */
  views?: number;
  /** Heard between two tasks. */
  signal?: AbortSignal;
}

/**
 * Answers the test pairs of tasks whose demonstrations were trained on, by voting.
 *
 * @returns the answers; undefined when the signal was aborted before all were found
 */
export async function answerHeldOut(
  weights: Weights,
  tasks: readonly Task[],
  { signal, ...options }: HeldOutOptions,
): Promise<Answered[] | undefined> {
  const answered: Answered[] = [];
  for (const task of tasks) {
    await breathe();
    if (signal?.aborted) return undefined;
    const guesses = await guessKnown(weights, task, recognise(task, weights.tasks), { views: VIEWS, ...options });
    answered.push({ task, answers: guesses.map((own) => vote(own).map(({ grid }) => grid)) });
  }
  return answered;
}

/** One line a k: the three scores side by side. */
export function scoreLines(answered: readonly Answered[]): string {
  return [1, 2].map((k) => {
    const { outputs, meanTask, tasks } = score(answered, k);
    return `pass@${k}: ${outputs.solved} of ${outputs.total} test outputs, ${
      (100 * meanTask).toFixed(1)
    } % mean over tasks, ` +
      `${tasks.solved} of ${tasks.total} tasks with all outputs`;
  }).join("\n");
}
