/**
 * Answers in the formats that ARC's scorers read: Kaggle's submission.json, and the files of arc-agi-benchmarking.
 * Knows nothing of how the answers were found.
 *
 * @module
 */
import { type Grid, MAX_SIDE, type Task } from "./task.ts";

/** Two attempts at one test input. */
export interface Attempts {
  /** The first attempt. */
  attempt_1: Grid;
  /** The second attempt. */
  attempt_2: Grid;
}

/** Kaggle's submission.json: for each task id the attempts at each of its test inputs, in order. */
export type Submission = Record<string, Attempts[]>;

/**
 * A submission.
 *
 * @param answers For each task the two attempts at each of its test inputs, as `attempts()` gives them.
 */
export function buildSubmission(answers: readonly { task: Task; attempts: readonly [Grid, Grid][] }[]): Submission {
  return Object.fromEntries(answers.map(({ task, attempts }) => [
    task.id,
    attempts.map(([attempt_1, attempt_2]) => ({ attempt_1, attempt_2 })),
  ]));
}

/**
 * What keeps a document from being a whole submission for `tasks`, one sentence each; empty if nothing does. Task ids
 * that are not among `tasks`, and keys that no scorer reads, are faults too.
 */
export function validateSubmission(json: unknown, tasks: readonly Task[]): string[] {
  if (!isRecord(json)) return ["The submission must be an object {task id: [{attempt_1, attempt_2}, …]}."];
  const wanted = new Set(tasks.map(({ id }) => id));
  const strangers = Object.keys(json).filter((id) => !wanted.has(id)).map((id) => `${id} is not a task of this set.`);
  return [...tasks.flatMap((task) => taskFaults(json[task.id], task)), ...strangers];
}

function taskFaults(entry: unknown, { id, test }: Task): string[] {
  if (entry === undefined) return [`${id} is missing.`];
  if (!Array.isArray(entry)) return [`${id} must be a list with one entry for each test input.`];
  const faults = entry.flatMap((attempts, t) => attemptFaults(attempts, `${id}[${t}]`));
  if (entry.length === test.length) return faults;
  return [`${id} has ${entry.length} entries, must have ${test.length}, one for each test input.`, ...faults];
}

function attemptFaults(attempts: unknown, place: string): string[] {
  if (!isRecord(attempts)) return [`${place} must be an object with attempt_1 and attempt_2.`];
  const names = ["attempt_1", "attempt_2"];
  return [
    ...names.flatMap((name) =>
      name in attempts ? gridFaults(attempts[name], `${place}.${name}`) : [`${place}.${name} is missing.`]
    ),
    ...Object.keys(attempts).filter((name) => !names.includes(name)).map((name) =>
      `${place} has the unknown key ${name}.`
    ),
  ];
}

function gridFaults(grid: unknown, place: string): string[] {
  if (!Array.isArray(grid) || grid.length === 0 || !grid.every(Array.isArray)) {
    return [`${place} must be a non-empty list of rows.`];
  }
  const rows = grid as unknown[][];
  if (rows.length > MAX_SIDE) return [`${place} has ${rows.length} rows, must have at most ${MAX_SIDE}.`];
  const width = rows[0].length;
  if (width === 0 || width > MAX_SIDE) return [`${place} has ${width} columns, must have 1 to ${MAX_SIDE}.`];
  for (const [r, row] of rows.entries()) {
    if (row.length !== width) return [`${place}[${r}] has ${row.length} columns, must have ${width} as the first row.`];
    const c = row.findIndex((colour) => !Number.isInteger(colour) || (colour as number) < 0 || (colour as number) > 9);
    if (c >= 0) return [`${place}[${r}][${c}] is ${JSON.stringify(row[c])}, must be an integer 0 to 9.`];
  }
  return [];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** How a task's answers came about. */
export interface Run {
  /** Name of the solver. */
  model: string;
  /** Who ran it. */
  provider: string;
  /** When it began. */
  start: Date;
  /** When it was done. */
  end: Date;
  /** What it cost, in US dollars. */
  cost: number;
}

/** One attempt as arc-agi-benchmarking reads it. */
export interface BenchmarkAttempt {
  /** The grid that is scored. */
  answer: Grid;
  /** All that the scorer requires beside it. */
  metadata: {
    model: string;
    provider: string;
    start_timestamp: string;
    end_timestamp: string;
    choices: { index: number; message: { role: string; content: string } }[];
    kwargs: Record<string, unknown>;
    usage: {
      prompt_tokens: number;
      completion_tokens: number;
      total_tokens: number;
      completion_tokens_details: {
        reasoning_tokens: number;
        accepted_prediction_tokens: number;
        rejected_prediction_tokens: number;
      };
    };
    cost: { prompt_cost: number; completion_cost: number; total_cost: number };
    task_id: string;
    pair_index: number;
  };
}

/**
 * The file `<task id>.json` of arc-agi-benchmarking. Its scorer finds the test input by `pair_index`, not by the place in
 * the list, and counts only tasks that have a file. The run's cost is spread evenly over all attempts.
 */
export function benchmarkFile(
  task: Task,
  attempts: readonly [Grid, Grid][],
  run: Run,
): { attempt_1: BenchmarkAttempt; attempt_2: BenchmarkAttempt }[] {
  const cost = run.cost / (2 * Math.max(1, attempts.length));
  const attempt = (answer: Grid, pair_index: number): BenchmarkAttempt => ({
    answer,
    metadata: {
      model: run.model,
      provider: run.provider,
      start_timestamp: run.start.toISOString(),
      end_timestamp: run.end.toISOString(),
      choices: [{ index: 0, message: { role: "assistant", content: JSON.stringify(answer) } }],
      kwargs: {},
      // No tokens are bought, but the scorer insists on the counts.
      usage: {
        prompt_tokens: 0,
        completion_tokens: 0,
        total_tokens: 0,
        completion_tokens_details: {
          reasoning_tokens: 0,
          accepted_prediction_tokens: 0,
          rejected_prediction_tokens: 0,
        },
      },
      cost: { prompt_cost: 0, completion_cost: cost, total_cost: cost },
      task_id: task.id,
      pair_index,
    },
  });
  return attempts.map(([first, second], index) => ({
    attempt_1: attempt(first, index),
    attempt_2: attempt(second, index),
  }));
}
