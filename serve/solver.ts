/**
 * Answers one ARC task: recognises it or adapts to it, looks at it many times, votes. Knows no HTTP, no files and no terminal.
 *
 * @module
 */
import { departures, doubt, invariants } from "../arc/invariants.ts";
import type { Grid, UnansweredTask } from "../arc/task.ts";
import { attempts, type Candidate, type Guess, vote } from "../arc/vote.ts";
import { type AdaptProgress, priorOf } from "../train/adapt.ts";
import { Ensemble } from "../train/ensemble.ts";
import type { Untrained, Weights } from "../train/checkpoint.ts";
import type { ExplainedGuess } from "../train/guess.ts";
import { guessKnown, recognise } from "../train/known.ts";

/** How to solve a task. */
export interface SolveOptions {
  /** Wall-clock seconds for adapting to an unseen task, about and at most: adaptations that agree end earlier. */
  seconds?: number;
  /** Steps of each adaptation; with these and no seconds the answer is decided by the seed. */
  steps?: number;
  /** Looks at each test input. */
  augmentations?: number;
  /** Segments of thought for each look. */
  maxSegments?: number;
  /** Whether to adapt: to tasks that are unseen, or known and most of whose looks do not agree; never; or always. */
  adapt?: "auto" | "never" | "always";
  /** Adaptations whose guesses are pooled, one a core at a time; as many as the seconds allow, until they agree, if not given. */
  members?: number;
  /** What ranks answers: votes · e^-doubt, with doubts from what all demonstrations have in common; or votes alone, as HRM does. */
  ranking?: "invariants" | "votes";
  /** All randomness comes from here. Member i has this seed plus i, so that runs with seeds close to each other share most of them. */
  seed?: number;
}

/** What a caller may want besides the answers. */
export interface SolveCall {
  /** Aborting ends adapting and looking with what there is; a task that was not begun is refused. */
  signal?: AbortSignal;
  /** Seconds from its beginning after which a task ends as if aborted, whatever was asked; no end if not given. */
  mostSeconds?: number;
  /** Hears how an adaptation gets on. */
  onProgress?: (progress: AdaptProgress) => void;
  /** Whether the solution tells how it came about: {@link Answer.refinement} and {@link Solution.curve}. */
  explain?: boolean;
}

/** The answer to one test input. */
export interface Answer {
  /** The first answer to hand in. */
  attempt_1: Grid;
  /** The second. */
  attempt_2: Grid;
  /** All distinct answers, best first. */
  candidates: Candidate[];
  /** With `explain`: the grid after each segment of a look that ended in the first answer. */
  refinement?: Grid[];
}

/** A solved task. */
export interface Solution {
  /** The task's id. */
  id: string;
  /** One answer a test input, in order. */
  answers: Answer[];
  /** How it was come by; `augmentations` are the looks at each test input that were taken at a time, fewer where fewer were learned. */
  solver: {
    weights: string;
    backend: string;
    known: boolean;
    adaptation_steps: number;
    augmentations: number;
    segments: number;
  };
  /** Where the time went: steps of adaptation; looking, voting and the search for known tasks that are alike; all. */
  seconds: { adapt: number; infer: number; total: number };
  /** With `explain`: the adaptation's loss and exactness along the way; empty without adaptation. */
  curve?: AdaptProgress[];
}

/** Whatever solves tasks. */
export interface TaskSolver {
  /** What replies call the weights. */
  readonly name: string;
  /** What replies call the backend. */
  readonly backend: string;
  /** Solves a task after those asked for earlier. */
  solve(task: UnansweredTask, options?: SolveOptions, call?: SolveCall): Promise<Solution>;
}

/** Defaults of {@link SolveOptions}. */
export const defaults = {
  seconds: 30,
  augmentations: 32,
  adapt: "auto",
  members: 2,
  ranking: "invariants",
  seed: 0,
} as const;

/** Solves tasks one at a time with weights that it never changes, or learns each from nothing. */
export class Solver implements TaskSolver {
  #queue: Promise<unknown> = Promise.resolve();
  readonly #ensemble: Ensemble;
  /** What answers, on the current backend; without a network every task is learned from nothing. */
  readonly weights: Weights | Untrained;
  /** What replies call the weights. */
  readonly name: string;
  /** What replies call the backend. */
  readonly backend: string;

  /**
   * A solver.
   *
   * @param weights loaded on the current backend, or a configuration alone: every task is then learned from nothing
   * @param name what replies call the weights
   * @param backend what replies call the backend
   * @param cores adaptations at a time, as the backend's `threads`; on the processor all its cores if not given, elsewhere none besides
   */
  constructor(
    weights: Weights | Untrained,
    name: string,
    backend: string,
    cores = backend === "cpu" ? navigator.hardwareConcurrency : 0,
  ) {
    this.weights = weights;
    this.name = name;
    this.backend = backend;
    this.#ensemble = new Ensemble(priorOf(weights), cores);
  }

  /** Ends the threads that adaptation started. */
  async close(): Promise<void> {
    await this.#ensemble.close();
  }

  /**
   * Solves a task after those asked for earlier.
   *
   * @throws {DOMException} an AbortError, when `call.signal` was aborted before the task's turn came
   * @throws {Error} when it is never to adapt, and nothing was learned before
   */
  solve(task: UnansweredTask, options: SolveOptions = {}, call: SolveCall = {}): Promise<Solution> {
    const turn = this.#queue.then(() => this.#solve(task, options, call));
    this.#queue = turn.catch(() => {});
    return turn;
  }

  async #solve(task: UnansweredTask, options: SolveOptions, call: SolveCall): Promise<Solution> {
    call.signal?.throwIfAborted();
    const started = performance.now();
    const end = new AbortController();
    const signal = call.signal ? AbortSignal.any([call.signal, end.signal]) : end.signal;
    const timer = call.mostSeconds === undefined ? undefined : setTimeout(() => end.abort(), 1000 * call.mostSeconds);
    try {
      return await this.#answer(task, options, { ...call, signal }, started);
    } finally {
      clearTimeout(timer);
    }
  }

  async #answer(
    task: UnansweredTask,
    options: SolveOptions,
    call: SolveCall & { signal: AbortSignal },
    started: number,
  ): Promise<Solution> {
    const weights = "network" in this.weights ? this.weights : undefined;
    const views = options.augmentations ?? defaults.augmentations;
    const seed = options.seed ?? defaults.seed;
    const wanted = options.adapt ?? defaults.adapt;
    const { maxSegments } = options;
    const trace = call.explain;
    const recognised = weights && recognise(task, weights.tasks);
    let guesses: ExplainedGuess[][] = task.test.map(() => []);
    let [adaptSeconds, steps, looks] = [0, 0, 0];
    let curve: AdaptProgress[] = [];
    if (wanted === "never" || (wanted === "auto" && recognised)) {
      if (!weights) throw new Error("Cannot answer without adapting: nothing was learned before");
      const late = () => call.signal.aborted;
      guesses = await guessKnown(weights, task, recognised, { views, seed, maxSegments, trace, late });
      looks = Math.max(...guesses.map((own) => own.length));
    }
    // A row that was not learned well enough for its looks to agree is worth less than a fresh start.
    const unsure = !guesses.every(mostAgree) && !call.signal.aborted;
    if (wanted === "always" || (wanted === "auto" && unsure)) {
      const { steps: most, seconds = most ? undefined : defaults.seconds } = options;
      const { signal, onProgress } = call;
      const adaptation = await this.#ensemble.adapt(task, {
        members: options.members ?? (most ? defaults.members : undefined),
        budget: { steps: most, seconds },
        views,
        seed,
        maxSegments,
        trace,
        signal,
        onStep: onProgress,
      });
      guesses = guesses.map((own, test) => [...own, ...adaptation.guesses[test]]);
      ({ steps, curve } = adaptation);
      looks = Math.max(looks, adaptation.looks);
      adaptSeconds = adaptation.seconds;
    }
    const ranked = rank(task, guesses, options.ranking ?? defaults.ranking);
    const answers = ranked.map((candidates, test) => answer(candidates, call.explain ? guesses[test] : undefined));
    const total = (performance.now() - started) / 1000;
    return {
      id: task.id,
      answers,
      solver: {
        weights: this.name,
        backend: this.backend,
        known: recognised !== undefined,
        adaptation_steps: steps,
        augmentations: looks,
        segments: guesses.flat().reduce((most, { segments }) => Math.max(most, segments), 0),
      },
      seconds: { adapt: adaptSeconds, infer: total - adaptSeconds, total },
      ...(call.explain ? { curve } : {}),
    };
  }
}

/** Whether most guesses at a test input are the same grid; to paint none is no answer. */
function mostAgree(guesses: readonly Guess[]): boolean {
  if (!guesses.length) return false;
  const [{ grid, votes }] = vote(guesses);
  return grid.length > 0 && votes > guesses.length / 2;
}

/** The candidates for every test input, best first; `guesses` are each test input's own. */
export function rank(
  task: UnansweredTask,
  guesses: readonly Guess[][],
  ranking: NonNullable<SolveOptions["ranking"]>,
): Candidate[][] {
  if (ranking === "votes") return guesses.map((own) => vote(own));
  const known = invariants(task.train);
  return guesses.map((own, test) => vote(own, (grid) => doubt(departures(known, task.test[test].input, grid))));
}

/** @param explain the guesses, where the answer is to tell how it came about */
function answer(candidates: Candidate[], explain?: readonly ExplainedGuess[]): Answer {
  const [attempt_1, attempt_2] = attempts(candidates);
  if (!explain) return { attempt_1, attempt_2, candidates };
  // The latest look is the one of the network as adapted to the end.
  const chosen = explain.findLast(({ grid }) => JSON.stringify(grid) === JSON.stringify(attempt_1));
  return { attempt_1, attempt_2, candidates, refinement: chosen?.trace ?? [] };
}
