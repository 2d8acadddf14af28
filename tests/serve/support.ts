/**
 * Solvers for the tests of this room: one that only pretends, and a real one with a tiny network.
 *
 * @module
 */
import { createRandom } from "../../arc/random.ts";
import type { Grid, Task, UnansweredTask } from "../../arc/task.ts";
import { startBackend } from "../../model/backend.ts";
import { initialise } from "../../model/parameters.ts";
import type { App } from "../../serve/app.ts";
import { listen } from "../../serve/listen.ts";
import type { Solution, SolveCall, SolveOptions, TaskSolver } from "../../serve/solver.ts";
import { Solver } from "../../serve/solver.ts";
import type { Weights } from "../../train/checkpoint.ts";
import { makeConfig } from "../../train/config.ts";
import { PuzzleTable } from "../../train/puzzle_table.ts";

/** A task whose rule is to mirror from left to right, with its answers. */
export const mirrorTask: Task = {
  id: "mirror",
  train: [
    { input: [[1, 2], [3, 4]], output: [[2, 1], [4, 3]] },
    { input: [[5, 0, 6]], output: [[6, 0, 5]] },
  ],
  test: [
    { input: [[7, 8]], output: [[8, 7]] },
    { input: [[1, 1, 9]], output: [[9, 1, 1]] },
  ],
};

/** What a {@link FakeSolver} was asked. */
export interface Asked {
  task: UnansweredTask;
  options: SolveOptions;
  call: SolveCall;
}

/** Mirrors for the first attempt and repeats the input for the second; remembers what it was asked. */
export class FakeSolver implements TaskSolver {
  readonly name = "fake.safetensors";
  readonly backend = "none";
  readonly asked: Asked[] = [];

  /** @param before awaited before every answer; it may throw */
  constructor(readonly before: (asked: Asked) => void | Promise<void> = () => {}) {}

  async solve(task: UnansweredTask, options: SolveOptions = {}, call: SolveCall = {}): Promise<Solution> {
    const asked = { task, options, call };
    this.asked.push(asked);
    await this.before(asked);
    const mirror = (grid: Grid) => grid.map((row) => row.toReversed());
    return {
      id: task.id,
      answers: task.test.map(({ input }) => ({
        attempt_1: mirror(input),
        attempt_2: input,
        candidates: [{ grid: mirror(input), votes: 5, halt: 0.9, doubt: 0 }, {
          grid: input,
          votes: 1,
          halt: 0.5,
          doubt: 0,
        }],
        ...(call.explain ? { refinement: [input, mirror(input)] } : {}),
      })),
      solver: {
        weights: this.name,
        backend: this.backend,
        known: false,
        adaptation_steps: 7,
        augmentations: options.augmentations ?? 6,
        segments: 2,
      },
      seconds: { adapt: 1, infer: 0.5, total: 1.5 },
      ...(call.explain
        ? { curve: [{ steps: 1, spent: 0, loss: 2, exact: 0 }, { steps: 7, spent: 1, loss: 1, exact: 1 }] }
        : {}),
    };
  }
}

/** An app on a port of its own. */
export async function onPort(app: App): Promise<{ url: string; [Symbol.asyncDispose](): Promise<void> }> {
  const controller = new AbortController();
  const { promise: listening, resolve, reject } = Promise.withResolvers<string>();
  const closed = listen(app, { port: 0, hostname: "127.0.0.1", signal: controller.signal, onListen: resolve });
  closed.catch(reject);
  return {
    url: await listening,
    [Symbol.asyncDispose]: () => {
      controller.abort();
      return closed;
    },
  };
}

/** Weights of width 16 that were never trained, on the processor. */
export async function tinyWeights(): Promise<Weights> {
  await startBackend("cpu", 1);
  const side = 4;
  const config = makeConfig("mini", side, {
    model: { width: 16, heads: 2, headWidth: 8, feedForward: 32, puzzleWidth: 16, maxSegments: 2 },
    training: { batchSize: 4, augmentations: 8 },
  });
  const network = initialise(config.model, createRandom(1));
  return { network, table: new PuzzleTable(1, 16, "sign"), tasks: [], config, steps: 0, side };
}

/** A solver with {@link tinyWeights}. */
export async function tinySolver(): Promise<Solver> {
  return new Solver(await tinyWeights(), "tiny.safetensors", "cpu", 1);
}
