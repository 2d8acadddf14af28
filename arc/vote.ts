/**
 * Many guesses for one test input to a ranking of answers. Knows nothing of networks: a guess is a grid and a number.
 *
 * @module
 */
import type { Grid } from "./task.ts";

/** One answer of the network, its augmentation undone, and the probability with which it would have halted there. */
export interface Guess {
  /** The answer; `[]` if there was none. */
  grid: Grid;
  /** A probability, 0 to 1. */
  halt: number;
}

/** A distinct answer: how many guesses gave it, and their mean halting probability. */
export interface Candidate {
  /** The answer. */
  grid: Grid;
  /** How many guesses gave it. */
  votes: number;
  /** Their mean halting probability. */
  halt: number;
}

/**
 * Equal guesses joined, best first: by votes, then by mean halting probability; full ties keep the order of first
 * appearance (HRM, arc_eval.ipynb).
 */
export function vote(guesses: Iterable<Guess>): Candidate[] {
  const candidates = new Map<string, Candidate>();
  for (const { grid, halt } of guesses) {
    const key = JSON.stringify(grid);
    const candidate = candidates.get(key) ?? { grid, votes: 0, halt: 0 };
    candidate.votes++;
    candidate.halt += halt;
    candidates.set(key, candidate);
  }
  return [...candidates.values()]
    .map(({ grid, votes, halt }) => ({ grid, votes, halt: halt / votes }))
    .sort((a, b) => b.votes - a.votes || b.halt - a.halt);
}

/**
 * The two answers to hand in: the two best candidates that are grids at all, the best one twice if there is no second,
 * and a single black cell if there is none.
 */
export function attempts(candidates: readonly Candidate[]): [Grid, Grid] {
  const [first = [[0]], second = first] = candidates.map(({ grid }) => grid).filter((grid) => grid.length > 0);
  return [first, second];
}
