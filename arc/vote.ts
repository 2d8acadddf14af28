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

/** A distinct answer: how many guesses gave it, their mean halting probability, and what else speaks against it. */
export interface Candidate {
  /** The answer. */
  grid: Grid;
  /** How many guesses gave it. */
  votes: number;
  /** Their mean halting probability. */
  halt: number;
  /** How far it is doubted, in nats: with a doubt of 1 it needs e times as many votes as without. */
  doubt: number;
}

/**
 * Equal guesses joined, best first: by votes, then by mean halting probability; full ties keep the order of first
 * appearance (HRM, arc_eval.ipynb).
 *
 * @param doubts what else is known of an answer, never `[]`, in nats: it has e^-doubt as much weight as its votes alone
 */
export function vote(guesses: Iterable<Guess>, doubts: (grid: Grid) => number = () => 0): Candidate[] {
  const candidates = new Map<string, Candidate>();
  for (const { grid, halt } of guesses) {
    const key = JSON.stringify(grid);
    const candidate = candidates.get(key) ?? { grid, votes: 0, halt: 0, doubt: grid.length ? doubts(grid) : 0 };
    candidate.votes++;
    candidate.halt += halt;
    candidates.set(key, candidate);
  }
  return [...candidates.values()]
    .map((candidate) => ({ ...candidate, halt: candidate.halt / candidate.votes }))
    .sort((a, b) => weight(b) - weight(a) || b.halt - a.halt);
}

function weight({ votes, doubt }: Candidate): number {
  return votes * Math.exp(-doubt);
}

/**
 * The two answers to hand in: the two best candidates that are grids at all, the best one twice if there is no second,
 * and a single black cell if there is none.
 */
export function attempts(candidates: readonly Pick<Candidate, "grid">[]): [Grid, Grid] {
  const [first = [[0]], second = first] = candidates.map(({ grid }) => grid).filter((grid) => grid.length > 0);
  return [first, second];
}
