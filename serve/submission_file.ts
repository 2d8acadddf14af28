/**
 * A submission file, wherever it came from, beside the tasks that it answers: checked and scored. Knows no solver and no runs but where their
 * tasks lie.
 *
 * @module
 */
import { dirname } from "node:path";
import { readTasks } from "../arc/read.ts";
import { type Score, score } from "../arc/score.ts";
import { type Submission, validateSubmission } from "../arc/submission.ts";
import type { Task } from "../arc/task.ts";
import { readConfiguration, RunError, tasksOfRun } from "./run.ts";

/** A submission as it lies on disk, with what is wrong with it. */
export interface CheckedSubmission {
  /** The tasks it answers. */
  tasks: Task[];
  /** The document, whatever it is. */
  document: unknown;
  /** One sentence each; empty for a good submission. */
  faults: string[];
}

/**
 * Reads and checks a Kaggle submission.
 *
 * @param data where the tasks are; without it, those of the run in whose folder the file lies
 * @throws {Error} when the file, or the tasks, cannot be read
 */
export async function readSubmission(path: string, data?: string): Promise<CheckedSubmission> {
  const [tasks, text] = await Promise.all([tasksFor(path, data), Deno.readTextFile(path)]);
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    return { tasks, document, faults: [`The file is not JSON: ${(error as Error).message}.`] };
  }
  return { tasks, document, faults: validateSubmission(document, tasks) };
}

async function tasksFor(path: string, data: string | undefined): Promise<Task[]> {
  if (data !== undefined) return await readTasks(data);
  let configuration;
  try {
    configuration = await readConfiguration(dirname(path));
  } catch (cause) {
    throw new RunError(`Cannot tell which tasks ${path} answers: name them with --data`, { cause });
  }
  return tasksOfRun(configuration, await readTasks(configuration.data), configuration.data);
}

/** The scores at pass@1 and pass@2 of a good submission. */
export function scoreSubmission(submission: Submission, tasks: readonly Task[]): Score[] {
  const answered = tasks.map((task) => ({
    task,
    answers: submission[task.id].map(({ attempt_1, attempt_2 }) => [attempt_1, attempt_2]),
  }));
  return [1, 2].map((k) => score(answered, k));
}
