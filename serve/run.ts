/**
 * The folder of a run over a task set: `configuration.json`, and in `tasks/` one result a task, written as soon as it is solved. Knows no
 * solver and no truth.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { writeWhole } from "../arc/read.ts";
import { type Task, type UnansweredTask, withoutAnswers } from "../arc/task.ts";
import type { Solution, SolveOptions } from "./solver.ts";

/** What decides a run's answers, and where its tasks are. */
export interface Configuration {
  /** The weights' name, or that of what learns from nothing. */
  weights: string;
  /** Their content, or its configuration, sha256 in hexadecimal digits. */
  weights_sha256: string;
  /** Ids of the tasks, in order. */
  tasks: string[];
  /** Their content without answers, sha256 in hexadecimal digits. */
  tasks_sha256: string;
  /** How they are solved. */
  options: SolveOptions;
  /** Where they were read; another place with the same content is as good. */
  data: string;
}

/** A solved task and when it was solved. */
export interface TaskResult extends Solution {
  /** When the solving began, ISO 8601. */
  started: string;
  /** When it ended. */
  ended: string;
}

/** A run cannot go on or be joined; the message says why, and what to do. */
export class RunError extends Error {
  override name = "RunError";
}

const CONFIGURATION = "configuration.json";

/** sha256 of the tasks in order, in hexadecimal digits. */
export function tasksDigest(tasks: readonly UnansweredTask[]): string {
  const content = tasks.map(({ id, train, test }) => [id, train, test]);
  return createHash("sha256").update(JSON.stringify(content)).digest("hex");
}

/**
 * Reads a run's configuration.
 *
 * @throws {RunError} when the folder holds none
 */
export async function readConfiguration(folder: string): Promise<Configuration> {
  const path = join(folder, CONFIGURATION);
  try {
    return JSON.parse(await Deno.readTextFile(path));
  } catch (error) {
    throw new RunError(`Cannot read the run: ${path}: ${(error as Error).message}`);
  }
}

/**
 * The tasks that a run solves, in its order, with their answers.
 *
 * @param all what was read, more perhaps
 * @param place where it was read
 * @throws {RunError} when they are not the run's
 */
export function tasksOfRun(configuration: Configuration, all: readonly Task[], place: string): Task[] {
  const byId = new Map(all.map((task) => [task.id, task]));
  const tasks = configuration.tasks.map((id) => byId.get(id)).filter((task) => task !== undefined);
  if (tasksDigest(tasks.map(withoutAnswers)) === configuration.tasks_sha256) return tasks;
  throw new RunError(`Cannot score the run: ${place} is not what it solved; name it with --data`);
}

/**
 * Starts a run in a new folder, or goes on with one of the same configuration.
 *
 * @throws {RunError} naming what differs from the configuration that the folder has
 */
export async function openRun(folder: string, configuration: Configuration): Promise<void> {
  const path = join(folder, CONFIGURATION);
  const present = await Deno.stat(path).then(() => true, () => false);
  if (!present) await writeWhole(path, JSON.stringify(configuration, null, 2) + "\n");
  // Another shard may have been faster with a configuration of its own: what lies there counts.
  const differing = differences(await readConfiguration(folder), configuration);
  if (!differing.length) return;
  throw new RunError(
    `Cannot go on with ${folder}: ${differing.join("; ")}; give the same options, or another folder with --out`,
  );
}

/** One phrase for each value that decides answers and differs. */
function differences(before: Configuration, now: Configuration): string[] {
  const flat = ({ options, tasks, data: _data, ...rest }: Configuration): Record<string, unknown> => ({
    ...rest,
    tasks: tasks.length,
    // What runs did before there was a choice.
    ranking: "votes",
    ...options,
  });
  const [a, b] = [flat(before), flat(now)];
  const show = (value: unknown) => value === undefined ? "not set" : String(value);
  return [...new Set([...Object.keys(a), ...Object.keys(b)])]
    .filter((key) => JSON.stringify(a[key]) !== JSON.stringify(b[key]))
    .map((key) => `${key} was ${show(a[key])} and is ${show(b[key])}`);
}

function resultPath(folder: string, id: string): string {
  return join(folder, "tasks", `${encodeURIComponent(id)}.json`);
}

/** Writes a task's result, whole or not at all. */
export async function writeResult(folder: string, result: TaskResult): Promise<void> {
  await writeWhole(resultPath(folder, result.id), JSON.stringify(result));
}

/** Whether a task has its result. */
export function hasResult(folder: string, id: string): Promise<boolean> {
  return Deno.stat(resultPath(folder, id)).then(() => true, () => false);
}

async function readFolder(folder: string): Promise<[string, TaskResult][]> {
  const tasks = join(folder, "tasks");
  const entries = await Array.fromAsync(Deno.readDir(tasks)).catch(() => []);
  // Files that were never finished end in .tmp.
  const names = entries.map(({ name }) => name).filter((name) => name.endsWith(".json")).sort();
  return await Promise.all(names.map(async (name): Promise<[string, TaskResult]> => {
    const path = join(tasks, name);
    try {
      return [path, JSON.parse(await Deno.readTextFile(path))];
    } catch (error) {
      throw new RunError(`Cannot read ${path}: ${(error as Error).message}; remove it and solve the task again`);
    }
  }));
}

/** What stands for a task without a result: no candidates, and one black cell for what must have a grid. */
export function unanswered({ id, test }: Pick<Task, "id" | "test">, { weights }: Configuration): TaskResult {
  const never = new Date(0).toISOString();
  return {
    id,
    answers: test.map(() => ({ attempt_1: [[0]], attempt_2: [[0]], candidates: [] })),
    solver: { weights, backend: "none", known: false, adaptation_steps: 0, augmentations: 0, segments: 0 },
    seconds: { adapt: 0, infer: 0, total: 0 },
    started: never,
    ended: never,
  };
}

/**
 * The results of a whole run, in the order of its tasks; shards that had folders of their own are joined.
 *
 * @param instead what stands for a result that is missing; none may be without
 * @throws {RunError} when the folders' configurations differ, or a task has no result or more than one
 */
export async function readResults(
  folders: readonly string[],
  instead?: (id: string) => TaskResult,
): Promise<TaskResult[]> {
  const configuration = await readConfiguration(folders[0]);
  const found = new Map<string, [string, TaskResult]>();
  const faults: string[] = [];
  for (const folder of folders) {
    const differing = differences(configuration, await readConfiguration(folder));
    if (differing.length) throw new RunError(`Cannot join ${folder} with ${folders[0]}: ${differing.join("; ")}`);
    for (const [path, result] of await readFolder(folder)) {
      const other = found.get(result.id);
      if (other) faults.push(`${result.id} is double, in ${other[0]} and ${path}`);
      else if (!configuration.tasks.includes(result.id)) faults.push(`${path} holds ${result.id}, no task of this run`);
      found.set(result.id, [path, result]);
    }
  }
  const missing = configuration.tasks.filter((id) => !found.has(id));
  if (missing.length && !instead) {
    const some = missing.slice(0, 10).join(", ") + (missing.length > 10 ? ", …" : "");
    faults.push(
      `${missing.length} of ${configuration.tasks.length} tasks are missing: ${some} (--partial goes on without them)`,
    );
  }
  if (faults.length) throw new RunError(`Cannot join the run: ${faults.join("; ")}`);
  return configuration.tasks.map((id) => found.get(id)?.[1] ?? instead!(id));
}
