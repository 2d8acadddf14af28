/**
 * The three rules by which ARC answers are scored. Knows nothing of how the answers were found.
 *
 * @module
 */
import { type Grid, type Task, TaskError } from "./task.ts";

/** A task with its answers and what was answered. */
export interface Answered {
  /** A task whose test inputs have outputs. */
  task: Task;
  /** For each test input in order its ranked answers, best first. */
  answers: readonly (readonly Grid[])[];
}

/** So many of so many. */
export interface Tally {
  /** How many are solved. */
  solved: number;
  /** Out of how many. */
  total: number;
}

/** What k attempts a test input are worth, by each of the three rules in use. */
export interface Score {
  /** Attempts at each test input. */
  k: number;
  /** Test outputs found, of all test outputs (Kaggle: the mean over test outputs). */
  outputs: Tally;
  /** The share of its test outputs that a task found, averaged over the tasks (arc-agi-benchmarking). */
  meanTask: number;
  /** Tasks with every test output found, of all tasks (the ARC-AGI readmes). */
  tasks: Tally;
}

/** Whether two grids are the same, size and every cell. */
export function equalGrids(a: Grid, b: Grid): boolean {
  return a.length === b.length &&
    a.every((row, r) => row.length === b[r].length && row.every((colour, c) => colour === b[r][c]));
}

/**
 * Scores the first `k` answers to each test input (pass@k). A test input without answers counts as not solved.
 *
 * @throws {TaskError} If a test input's true output is not known.
 */
export function score(answered: readonly Answered[], k: number): Score {
  const solved = answered.map(({ task, answers }) =>
    task.test.map(({ output }, t) => {
      if (!output) {
        throw new TaskError(`Cannot score task ${task.id}: test[${t}] has no output; use a file with answers`);
      }
      return (answers[t] ?? []).slice(0, k).some((grid) => equalGrids(grid, output));
    })
  );
  const count = (flags: boolean[]) => flags.filter(Boolean).length;
  const shares = solved.map((flags) => count(flags) / flags.length);
  return {
    k,
    outputs: { solved: count(solved.flat()), total: solved.flat().length },
    meanTask: shares.reduce((sum, share) => sum + share, 0) / Math.max(1, shares.length),
    tasks: { solved: count(shares.map((share) => share === 1)), total: solved.length },
  };
}
