/**
 * Solves the tasks of a set one after the other, each once, in a folder that outlives interruptions. The answers to the test inputs cannot be
 * read here: the tasks' type has no place for them. Knows no scores.
 *
 * @module
 */
import type { UnansweredTask } from "../arc/task.ts";
import { hasResult, type TaskResult, writeResult } from "./run.ts";
import type { SolveOptions, TaskSolver } from "./solver.ts";

/** A task whose solving ended in an error; it has no result. */
export interface Failure {
  /** The task's id. */
  id: string;
  /** The error's message. */
  failure: string;
}

/** One of several parts of a set. */
export interface Shard {
  /** Which one, from 1. */
  index: number;
  /** Of how many. */
  count: number;
}

/**
 * The part that a process is to solve: what `text` says (`K/N`), else its place in a SLURM array or a Kubernetes indexed Job, else all.
 *
 * @param variable looks up an environment variable
 * @throws {RangeError} when the text, or the environment, makes no sense
 */
export function readShard(text: string | undefined, variable: (name: string) => string | undefined): Shard {
  if (text !== undefined) {
    const [, index, count] = /^(\d+)\/(\d+)$/.exec(text) ?? [];
    return checked({ index: Number(index), count: Number(count) }, `--shard ${text}`);
  }
  const count = variable("SLURM_ARRAY_TASK_COUNT");
  if (count !== undefined) {
    const number = (name: string, otherwise: number) => Number(variable(name) ?? otherwise);
    const [id, first, step] = [
      number("SLURM_ARRAY_TASK_ID", NaN),
      number("SLURM_ARRAY_TASK_MIN", 0),
      number("SLURM_ARRAY_TASK_STEP", 1),
    ];
    return checked({ index: (id - first) / step + 1, count: Number(count) }, "SLURM_ARRAY_TASK_ID and _COUNT");
  }
  const completion = variable("JOB_COMPLETION_INDEX");
  if (completion !== undefined) {
    const shard = { index: Number(completion) + 1, count: Number(variable("JOB_COMPLETIONS")) };
    return checked(shard, "JOB_COMPLETION_INDEX and JOB_COMPLETIONS (the Job's completions)");
  }
  return { index: 1, count: 1 };
}

function checked(shard: Shard, source: string): Shard {
  const { index, count } = shard;
  if (Number.isInteger(index) && Number.isInteger(count) && index >= 1 && index <= count) return shard;
  throw new RangeError(`Cannot tell the shard from ${source}: it must be K/N with 1 <= K <= N`);
}

/** The tasks of a shard: every `count`-th, so that shards are alike where sets are sorted by difficulty. */
export function shardOf<Item>(tasks: readonly Item[], { index, count }: Shard): Item[] {
  return tasks.filter((_, i) => i % count === index - 1);
}

/**
 * Solves those of `tasks` that have no result in the folder; yields each result once it is on disk, and what failed. A failure does not keep
 * the other tasks from being solved.
 *
 * @param signal aborting ends the run without the task in work
 */
export async function* evaluate(
  folder: string,
  tasks: readonly UnansweredTask[],
  solver: TaskSolver,
  options: SolveOptions,
  signal?: AbortSignal,
): AsyncGenerator<TaskResult | Failure> {
  for (const task of tasks) {
    if (await hasResult(folder, task.id)) continue;
    if (signal?.aborted) return;
    const started = new Date().toISOString();
    const solved = await solver.solve(task, options, { signal, explain: true })
      .catch((error: Error): Failure => ({ id: task.id, failure: error.message }));
    // What an aborted adaptation found is worth less than what the next run will find.
    if (signal?.aborted) return;
    if ("failure" in solved) {
      yield solved;
      continue;
    }
    const result = { ...solved, started, ended: new Date().toISOString() };
    await writeResult(folder, result);
    yield result;
  }
}
