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

/** The official order: by votes, then by mean halting probability. */
export function moreVotes(a: Candidate, b: Candidate): number {
  return b.votes - a.votes || b.halt - a.halt;
}

/** So many of the most voted answers are doubted; those behind them are accidents of single looks, and there may be thousands. */
const DOUBTED = 60;

/**
 * Equal guesses joined, best first: by votes, then by mean halting probability; full ties keep the order of first
 * appearance (HRM, arc_eval.ipynb). With `doubts` the first 60 of them change places: they go by votes · e^-doubt.
 *
 * @param doubts how far an answer is to be doubted, in nats; not asked of `[]`, which then comes last of the 60
 */
export function vote(guesses: Iterable<Guess>, doubts?: (grid: Grid) => number): Candidate[] {
  const candidates = new Map<string, Candidate>();
  for (const { grid, halt } of guesses) {
    const key = JSON.stringify(grid);
    const candidate = candidates.get(key) ?? { grid, votes: 0, halt: 0, doubt: 0 };
    candidate.votes++;
    candidate.halt += halt;
    candidates.set(key, candidate);
  }
  const ranked = [...candidates.values()]
    .map((candidate) => ({ ...candidate, halt: candidate.halt / candidate.votes }))
    .sort(moreVotes);
  if (!doubts) return ranked;
  const weight = ({ grid, votes, doubt }: Candidate) => grid.length ? votes * Math.exp(-doubt) : 0;
  const doubted = ranked.slice(0, DOUBTED)
    .map((candidate) => candidate.grid.length ? { ...candidate, doubt: doubts(candidate.grid) } : candidate)
    .sort((a, b) => weight(b) - weight(a));
  return [...doubted, ...ranked.slice(DOUBTED)];
}

/**
 * The two answers to hand in: the two best candidates that are grids at all, the best one twice if there is no second,
 * and a single black cell if there is none.
 */
export function attempts(candidates: readonly Pick<Candidate, "grid">[]): [Grid, Grid] {
  const [first = [[0]], second = first] = candidates.map(({ grid }) => grid).filter((grid) => grid.length > 0);
  return [first, second];
}
