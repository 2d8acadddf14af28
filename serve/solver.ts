/**
 * Answers one ARC task: recognises it or adapts to it, looks at it many times, votes. Knows no HTTP, no files and no terminal.
 *
 * @module
 */
import type { Grid, Task } from "../arc/task.ts";
import { withoutAnswers } from "../arc/task.ts";
import { attempts, type Candidate, vote } from "../arc/vote.ts";
import { adapt, type AdaptProgress } from "../train/adapt.ts";
import type { Weights } from "../train/checkpoint.ts";
import type { ExplainedGuess } from "../train/guess.ts";
import { guessKnown, recognise } from "../train/known.ts";

/** How to solve a task. */
export interface SolveOptions {
  /** Wall-clock seconds for adapting to an unseen task. */
  seconds?: number;
  /** Steps of adaptation; with these instead of seconds the answer is decided by the seed. */
  steps?: number;
  /** Looks at each test input. */
  augmentations?: number;
  /** Segments of thought for each look. */
  maxSegments?: number;
  /** Whether to adapt: to unseen tasks, never, or always. */
  adapt?: "auto" | "never" | "always";
  /** All randomness comes from here. */
  seed?: number;
  /** Aborting ends an adaptation with what it has. */
  signal?: AbortSignal;
  /** Hears how an adaptation gets on. */
  onProgress?: (progress: AdaptProgress) => void;
}

/** The answer to one test input. */
export interface Answer {
  /** The first answer to hand in. */
  attempt_1: Grid;
  /** The second. */
  attempt_2: Grid;
  /** All distinct answers, best first. */
  candidates: Candidate[];
}

/** A solved task. */
export interface Solution {
  /** The task's id. */
  id: string;
  /** One answer a test input, in order. */
  answers: Answer[];
  /** How it was come by. */
  solver: {
    weights: string;
    backend: string;
    known: boolean;
    adaptation_steps: number;
    augmentations: number;
    segments: number;
  };
  /** Where the time went. */
  seconds: { adapt: number; infer: number; total: number };
}

/** Defaults of {@link SolveOptions}. */
export const defaults = { seconds: 30, augmentations: 32, adapt: "auto", seed: 0 } as const;

/** Solves tasks one at a time with weights that it never changes. */
export class Solver {
  #queue: Promise<unknown> = Promise.resolve();

  /**
   * @param weights loaded on the current backend
   * @param name what replies call the weights
   * @param backend what replies call the backend
   */
  constructor(readonly weights: Weights, readonly name: string, readonly backend: string) {}

  /** Solves a task after those asked for earlier. Test outputs, if present, are not looked at. */
  solve(task: Task, options: SolveOptions = {}): Promise<Solution> {
    const turn = this.#queue.then(() => this.#solve(withoutAnswers(task), options));
    this.#queue = turn.catch(() => {});
    return turn;
  }

  async #solve(task: Task, options: SolveOptions): Promise<Solution> {
    const started = performance.now();
    const { weights } = this;
    const views = options.augmentations ?? defaults.augmentations;
    const seed = options.seed ?? defaults.seed;
    const wanted = options.adapt ?? defaults.adapt;
    const { maxSegments } = options;
    const recognised = recognise(task, weights.tasks);
    let guesses: ExplainedGuess[][];
    let [adaptSeconds, steps] = [0, 0];
    if (wanted === "always" || (wanted === "auto" && !recognised)) {
      const budget = options.steps ? { steps: options.steps } : { seconds: options.seconds ?? defaults.seconds };
      const adaptation = await adapt(task, weights, {
        budget,
        views,
        seed,
        maxSegments,
        signal: options.signal,
        onStep: options.onProgress,
      });
      ({ guesses, steps } = adaptation);
      adaptSeconds = adaptation.seconds;
    } else {
      guesses = await guessKnown(weights, task, recognised, { views, seed, maxSegments });
    }
    const total = (performance.now() - started) / 1000;
    return {
      id: task.id,
      answers: guesses.map((own) => {
        const candidates = vote(own);
        const [attempt_1, attempt_2] = attempts(candidates);
        return { attempt_1, attempt_2, candidates };
      }),
      solver: {
        weights: this.name,
        backend: this.backend,
        known: recognised !== undefined,
        adaptation_steps: steps,
        augmentations: views,
        segments: Math.max(...guesses.flat().map(({ segments }) => segments)),
      },
      seconds: { adapt: adaptSeconds, infer: total - adaptSeconds, total },
    };
  }
}
