/**
 * Several adaptations to one task side by side, one a core, each with a seed of its own, their guesses pooled: where one fits a wrong rule
 * another may find the right one. Knows no HTTP and no files.
 *
 * @module
 */
import { Worker } from "node:worker_threads";
import type { UnansweredTask } from "../arc/task.ts";
import { adapt, type Adaptation, type AdaptOptions, type AdaptProgress, type Prior } from "./adapt.ts";
import { type Message, packPrior, type Reply } from "./member.ts";

/** How to adapt together. */
export interface EnsembleOptions extends AdaptOptions {
  /** Adaptations whose guesses are pooled; member i has the seed `seed + i`. */
  members: number;
}

/** Runs adaptations in worker threads on the processor. */
export class Ensemble {
  readonly #prior: Prior;
  readonly #cores: number;
  #workers: Worker[] = [];

  /**
   * An ensemble that has started nothing yet.
   *
   * @param prior what every member starts from
   * @param cores adaptations at a time; 0: all in this thread, one after the other (a GPU has its own way of being busy)
   */
  constructor(prior: Prior, cores: number) {
    this.#prior = prior;
    this.#cores = cores;
  }

  /**
   * Adapts `members` times and pools the guesses. The budget's steps are each member's; its seconds are shared by those that must take turns.
   *
   * @throws {Error} what a member threw
   */
  async adapt(task: UnansweredTask, options: EnsembleOptions): Promise<Adaptation> {
    const { members, budget } = options;
    const width = Math.max(1, Math.min(this.#cores, members));
    const rounds = Math.ceil(members / width);
    const share = { ...budget, seconds: budget.seconds && budget.seconds / rounds };
    const found: Adaptation[] = [];
    for (let round = 0; round < rounds; round++) {
      const seats = Array.from({ length: Math.min(width, members - round * width) }, (_, i) => i);
      const onStep = (progress: AdaptProgress) =>
        options.onStep?.({ ...progress, spent: (round + progress.spent) / rounds });
      found.push(
        ...await Promise.all(seats.map((seat) => {
          const own = {
            ...options,
            budget: share,
            seed: options.seed + round * width + seat,
            onStep: seat ? undefined : onStep,
          };
          return this.#cores === 0 ? adapt(task, this.#prior, own) : this.#send(seat, task, own);
        })),
      );
    }
    return {
      guesses: task.test.map((_, test) => found.flatMap(({ guesses }) => guesses[test])),
      steps: found.reduce((sum, { steps }) => sum + steps, 0),
      seconds: found.reduce((sum, { seconds }) => sum + seconds, 0) / width,
      curve: found[0].curve,
    };
  }

  /** Ends the worker threads. */
  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
    this.#workers = [];
  }

  #seat(seat: number): Worker {
    const worker = this.#workers[seat] ??= new Worker(new URL("./member.ts", import.meta.url), {
      workerData: { member: packPrior(this.#prior) },
    });
    return worker;
  }

  #send(seat: number, task: UnansweredTask, { onStep, signal, ...options }: AdaptOptions): Promise<Adaptation> {
    const worker = this.#seat(seat);
    const post = (message: Message) => worker.postMessage(message);
    return new Promise((resolve, reject) => {
      const abort = () => post({ kind: "abort" });
      const settle = () => {
        worker.off("message", hear);
        worker.off("error", fail);
        signal?.removeEventListener("abort", abort);
        worker.unref();
      };
      const fail = (error: Error) => {
        settle();
        // A worker that broke is replaced at the next task.
        delete this.#workers[seat];
        reject(error);
      };
      const hear = (reply: Reply) => {
        if (reply.kind === "progress") return onStep?.(reply.progress);
        settle();
        if (reply.kind === "done") resolve(reply.adaptation);
        else reject(new Error(reply.message));
      };
      worker.ref();
      worker.on("message", hear);
      worker.on("error", fail);
      signal?.addEventListener("abort", abort);
      post({ kind: "adapt", task, options });
      if (signal?.aborted) abort();
    });
  }
}
