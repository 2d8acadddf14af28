/**
 * Several adaptations to one task side by side, one a core, each with a seed of its own, their guesses pooled: where one fits a wrong rule
 * another may find the right one. Knows no HTTP and no files.
 *
 * @module
 */
import { Worker } from "node:worker_threads";
import type { UnansweredTask } from "../arc/task.ts";
import { createRandom } from "../arc/random.ts";
import { vote } from "../arc/vote.ts";
import { dependsOnTokens } from "../model/config.ts";
import {
  adapt,
  type Adaptation,
  type AdaptOptions,
  type AdaptProgress,
  type Budget,
  type Prior,
  type Start,
} from "./adapt.ts";
import { canvasFor } from "./guess.ts";
import { LEAST, type Message, packPrior, type Reply } from "./member.ts";
import { resemblances } from "./resemble.ts";

/** How to adapt together. */
export interface EnsembleOptions extends Omit<AdaptOptions, "start"> {
  /** Adaptations whose guesses are pooled; member i has the seed `seed + i`. As many as the seconds allow if not given. */
  members?: number;
}

/** Most tasks that are learned at all are learned by then. */
const ENOUGH_STEPS = 500;

/** Known tasks that members start from, and the part of the seconds that looking for them may take. */
const STARTS = 4, SEARCH = 0.1;

/** The part of a round that is worth beginning one for: a third of those steps still learns many tasks. */
const WORTH_A_ROUND = 0.3;

/** A member that answers so large a part of its demonstrations exactly in the last steps has learned them. */
const FITTED = 0.9;

/** Where so large a part of the guesses at every test input is one answer, further seeds have nothing to add. */
const AGREED = 0.95;

/** Runs adaptations in worker threads on the processor. */
export class Ensemble {
  readonly #prior: Prior;
  readonly #cores: number;
  readonly #enough: number;
  #workers: Worker[] = [];

  /**
   * An ensemble that has started nothing yet.
   *
   * @param prior what every member starts from
   * @param cores adaptations at a time; 0: all in this thread, one after the other (a GPU has its own way of being busy)
   * @param enough steps of one adaptation after which time is better spent on another seed
   */
  constructor(prior: Prior, cores: number, enough = ENOUGH_STEPS) {
    this.#prior = prior;
    this.#cores = cores;
    this.#enough = enough;
  }

  /**
   * Adapts again and again, as many at a time as there are cores, and pools the guesses. The budget's steps are each member's. Its seconds are
   * everyone's: without a number of members the first ones stop after enough steps, and what time is left goes to further seeds, until two or
   * more agree on every answer. Those that follow members of which none has learned the demonstrations get twice the time.
   *
   * @throws {TaskError} when the task needs a larger canvas than the prior can work on
   * @throws {RangeError} when there is to be no member
   * @throws {Error} what a member of the first round threw, while one that fails later ends the search; or when there is neither a number of
   * members nor a bound in seconds
   */
  async adapt(task: UnansweredTask, options: EnsembleOptions): Promise<Adaptation> {
    const { members = Infinity, budget: { seconds, steps }, signal } = options;
    if (members === Infinity && !seconds) {
      throw new Error("Cannot adapt: the budget needs seconds, or a number of members");
    }
    if (!(members >= 1)) throw new RangeError(`Cannot adapt with ${members} members: there must be one at least`);
    const width = Math.max(1, Math.min(this.#cores, members));
    // What a thread throws has lost its class on the way.
    canvasFor(task, this.#prior.config.adaptation.marking, this.#prior.network);
    const started = performance.now();
    const elapsed = () => (performance.now() - started) / 1000;
    const starts = await this.#starts(task, options);
    const found: Adaptation[] = [];
    const rounds = Math.ceil(members / width);
    // One that fails ends the others.
    const failure = new AbortController();
    const stop = AbortSignal.any([failure.signal, ...signal ? [signal] : []]);
    let [firstRound, length] = [0, 0];
    for (let left = rounds; left > 0 && !(found.length && signal?.aborted);) {
      const begun = elapsed();
      const first = left === Infinity;
      const own: Budget = {
        seconds: seconds && Math.max(LEAST, (seconds - begun) / (first ? 1 : left)),
        steps: steps ?? (first ? this.#enough : undefined),
      };
      const onStep = (progress: AdaptProgress) =>
        options.onStep?.({
          ...progress,
          spent: seconds ? Math.min(1, elapsed() / seconds) : 1 - (left - progress.spent) / rounds,
        });
      const seats = Array.from({ length: Math.min(width, members - found.length) }, (_, seat) => seat);
      const round = seats.map((seat) => {
        const seed = options.seed + found.length + seat;
        const start = starts.length ? starts[(found.length + seat) % starts.length] : undefined;
        const member = { ...options, budget: own, seed, start, signal: stop, onStep: seat ? undefined : onStep };
        const going = this.#cores === 0 ? adapt(task, this.#prior, member) : this.#send(seat, task, member);
        return going.catch((error) => {
          failure.abort(error);
          throw error;
        });
      });
      // All are waited for, so that no thread still works on this task when the next one comes.
      await Promise.allSettled(round);
      // What earlier rounds have found stands.
      if (failure.signal.aborted && found.length) break;
      failure.signal.throwIfAborted();
      found.push(...await Promise.all(round));
      if (members !== Infinity) {
        left--;
        continue;
      }
      const learned = found.slice(-seats.length).some(fitted);
      if (learned && found.length > 1 && agreed(task, found)) break;
      if (first) firstRound = length = elapsed() - begun;
      if (!learned && !steps) length *= 2;
      // What is left is cut into rounds of about that length, or is one if it is not enough for them.
      const roundsOf = (length: number) => Math.round((seconds! - elapsed()) / length + 0.5 - WORTH_A_ROUND);
      left = Math.max(roundsOf(length), Math.min(1, roundsOf(firstRound)));
    }
    return {
      guesses: task.test.map((_, test) => found.flatMap(({ guesses }) => guesses[test])),
      looks: Math.max(...found.map(({ looks }) => looks)),
      steps: found.reduce((sum, { steps }) => sum + steps, 0),
      seconds: found.reduce((sum, { seconds }) => sum + seconds, 0) / width,
      curve: found[0].curve,
    };
  }

  /** Where members start, one after the other: from a known task that the asked one resembles, and from the prior's row, in turn. */
  async #starts(task: UnansweredTask, options: EnsembleOptions): Promise<(Start | undefined)[]> {
    const { seed, signal, budget: { seconds } } = options;
    const { network, table, config: { training } } = this.#prior;
    const oneRow = training.identity === "task" && training.marking === "outside";
    if (!network || !table || table.rows < 2 || !oneRow || dependsOnTokens(network.config) || signal?.aborted) {
      return [];
    }
    const alike = await resemblances(task, network, table, {
      count: STARTS,
      random: createRandom(seed).fork("resemblances"),
      seconds: seconds && seconds * SEARCH,
      signal,
    });
    return alike.flatMap(({ row, augmentation }) => [{ row: table.row(row).slice(), augmentation }, undefined]);
  }

  /** Ends the worker threads. */
  async close(): Promise<void> {
    const workers = this.#workers;
    this.#workers = [];
    await Promise.all(workers.map((worker) => worker.terminate()));
  }

  #seat(seat: number): Worker {
    if (this.#workers[seat]) return this.#workers[seat];
    const worker = new Worker(new URL("./member.ts", import.meta.url), {
      workerData: { member: packPrior(this.#prior) },
    });
    // One that broke or ended, at work or idle, is replaced at the next task.
    const forget = () => {
      if (this.#workers[seat] === worker) delete this.#workers[seat];
    };
    worker.on("error", forget).on("exit", forget);
    return this.#workers[seat] = worker;
  }

  async #send(seat: number, task: UnansweredTask, { onStep, signal, ...options }: AdaptOptions): Promise<Adaptation> {
    const worker = this.#seat(seat);
    const post = (message: Message) => worker.postMessage(message);
    return await new Promise((resolve, reject) => {
      const abort = () => post({ kind: "abort" });
      const settle = () => {
        worker.off("message", hear);
        worker.off("error", fail);
        worker.off("exit", end);
        signal?.removeEventListener("abort", abort);
        worker.unref();
      };
      const fail = (error: Error) => {
        settle();
        reject(error);
      };
      const end = () => fail(new Error("Cannot adapt: the adaptation's thread was ended"));
      const hear = (reply: Reply) => {
        if (reply.kind === "progress") return onStep?.(reply.progress);
        settle();
        if (reply.kind === "done") resolve(reply.adaptation);
        else reject(new Error(reply.message));
      };
      worker.ref();
      worker.on("message", hear);
      worker.on("error", fail);
      worker.on("exit", end);
      signal?.addEventListener("abort", abort);
      post({ kind: "adapt", task, options, sent: Date.now() });
      if (signal?.aborted) abort();
    });
  }
}

/** Whether a member answered nearly all of its demonstrations in the last tenth of its steps. */
function fitted({ curve }: Adaptation): boolean {
  const last = curve.filter(({ steps }) => steps > 0.9 * curve.at(-1)!.steps);
  return last.length > 0 && last.reduce((sum, { exact }) => sum + exact, 0) >= FITTED * last.length;
}

/** Whether nearly all guesses at each test input are the same. */
function agreed(task: UnansweredTask, found: readonly Adaptation[]): boolean {
  return task.test.every((_, test) => {
    const guesses = found.flatMap(({ guesses }) => guesses[test]);
    return vote(guesses)[0].votes >= AGREED * guesses.length;
  });
}
