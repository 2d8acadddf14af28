/**
 * The bounds of what may be asked of a solver, for HTTP and command line alike. Knows neither.
 *
 * @module
 */
import { z } from "zod";
import { parseTask, TaskError, type UnansweredTask, withoutAnswers } from "../arc/task.ts";
import type { SolveOptions } from "./solver.ts";

/** Most demonstrations, and most test inputs, of a task that is asked over HTTP: several times what published tasks have. */
export const MAX_PAIRS = 50;

/**
 * Checks a task that is asked over HTTP: one that would take minutes to be read even keeps all others waiting.
 *
 * @throws {TaskError} naming what is wrong and where
 */
export function parseAskedTask(document: unknown, id?: string): UnansweredTask {
  const task = withoutAnswers(parseTask(document, id));
  for (const part of ["train", "test"] as const) {
    const { length } = task[part];
    if (length > MAX_PAIRS) {
      throw new TaskError(`Cannot solve task ${task.id}: ${part} has ${length} pairs, must be <= ${MAX_PAIRS}`);
    }
  }
  return task;
}

/** Seconds that a task asked over HTTP keeps others waiting at most: those that may be asked for, and half as many for the looks. */
export const MOST_SECONDS = 900;

const whole = z.int().min(1);

const schema = z.strictObject({
  seconds: z.number().positive().max(600),
  steps: whole.max(100_000),
  augmentations: whole.max(1000),
  maxSegments: whole.max(256),
  adapt: z.enum(["auto", "never", "always"]),
  ranking: z.enum(["invariants", "votes"]),
  seed: z.int(),
}).partial();

/** Options that cannot be used; the message names each wrong or unknown key. */
export class OptionsError extends Error {
  override name = "OptionsError";
}

/** What is asked on top of what is set for all; a budget that is asked stands alone. */
export function withDefaults(asked: SolveOptions, { seconds, steps, ...others }: SolveOptions): SolveOptions {
  const budget = asked.seconds === undefined && asked.steps === undefined ? { seconds, steps } : {};
  return { ...others, ...budget, ...asked };
}

/**
 * Checks options.
 *
 * @throws {OptionsError} naming each wrong or unknown key
 */
export function parseOptions(value: unknown): SolveOptions {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => [path.join("."), message].filter(Boolean).join(": "));
  throw new OptionsError(`Cannot use options: ${problems.join("; ")}`);
}
