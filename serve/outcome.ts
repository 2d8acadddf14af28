/**
 * What becomes of a run's results: scores, the files to hand in, the report. The only place where answers meet the truth. Knows no solver.
 *
 * @module
 */
import { join } from "node:path";
import { writeWhole } from "../arc/read.ts";
import { type Answered, type Score, score } from "../arc/score.ts";
import { benchmarkFile, buildSubmission } from "../arc/submission.ts";
import type { Grid, Task } from "../arc/task.ts";
import { type Candidate, moreVotes } from "../arc/vote.ts";
import { renderReport, solved } from "./report.ts";
import type { Configuration, TaskResult } from "./run.ts";

/** Attempts a test input that are scored. */
const PASS = [1, 2, 10, 100];

/** A run, judged. */
export interface Outcome {
  /** The scores at pass@1, @2, @10 and @100 of the tasks that have answers; none if no task has. */
  scores: Score[];
  /** What votes alone would have scored at pass@1 and @2, where answers were doubted; full ties go by doubt. */
  byVotes?: Score[];
  /** Tasks whose answers are not known. */
  unscored: number;
  /** Seconds of solving, all tasks together. */
  seconds: number;
  /** What they cost, in dollars, where the price of an hour is known. */
  dollars?: number;
}

/**
 * Scores a run.
 *
 * @param tasks with whatever answers they have, in the order of the results
 */
export function judge(tasks: readonly Task[], results: readonly TaskResult[], dollarsPerHour?: number): Outcome {
  const answered = (ranked: (candidates: Candidate[]) => Candidate[]) =>
    tasks.map((task, i): Answered => ({
      task,
      answers: results[i].answers.map(({ candidates }) =>
        ranked(candidates).map(({ grid }) => grid).filter((grid) => grid.length)
      ),
    })).filter(({ task }) => task.test.every(({ output }) => output));
  const scorable = answered((candidates) => candidates);
  const doubted = results.some(({ answers }) =>
    answers.some(({ candidates }) => candidates.some(({ doubt }) => doubt))
  );
  const byVotes = doubted ? answered((candidates) => candidates.toSorted(moreVotes)) : [];
  const seconds = results.reduce((sum, { seconds }) => sum + seconds.total, 0);
  return {
    scores: scorable.length ? PASS.map((k) => score(scorable, k)) : [],
    ...(byVotes.length ? { byVotes: [1, 2].map((k) => score(byVotes, k)) } : {}),
    unscored: tasks.length - scorable.length,
    seconds,
    ...(dollarsPerHour === undefined ? {} : { dollars: seconds / 3600 * dollarsPerHour }),
  };
}

/** The three scores side by side, one line a k. */
export function scoreTable(scores: readonly Score[]): string {
  const percent = (part: number, of: number) => `${(100 * part / of).toFixed(1)} %`;
  const rows = scores.map(({ k, outputs, meanTask, tasks }) => [
    `pass@${k}`,
    `${outputs.solved} of ${outputs.total} (${percent(outputs.solved, outputs.total)})`,
    percent(meanTask, 1),
    `${tasks.solved} of ${tasks.total} (${percent(tasks.solved, tasks.total)})`,
  ]);
  const table = [["", "test outputs", "mean over tasks", "tasks with all outputs"], ...rows];
  const widths = table[0].map((_, column) => Math.max(...table.map((row) => row[column].length)));
  return table.map((row) => row.map((cell, column) => cell.padEnd(widths[column])).join("   ").trimEnd()).join("\n");
}

/** Scores and cost, for people. */
export function outcomeText({ scores, byVotes, unscored, seconds, dollars }: Outcome, tasks: number): string {
  const lines = scores.length ? [scoreTable(scores)] : [];
  if (byVotes) {
    const own = byVotes.map(({ k, tasks }) => `pass@${k} ${tasks.solved} of ${tasks.total}`);
    lines.push(`tasks with all outputs by votes alone: ${own.join(", ")}`);
  }
  if (unscored) lines.push(`${unscored} of ${tasks} tasks come without answers and are not scored`);
  const spent = seconds < 3600 ? `${(seconds / 60).toFixed(1)} minutes` : `${(seconds / 3600).toFixed(2)} hours`;
  lines.push(`${spent} of solving, ${(seconds / Math.max(1, tasks)).toFixed(1)} s a task`);
  if (dollars !== undefined) {
    lines.push(`cost: $${dollars.toFixed(2)}, $${(dollars / Math.max(1, tasks)).toFixed(4)} a task`);
  }
  return lines.join("\n");
}

/**
 * Writes what a run is for: `submission.json` (Kaggle), `arc-agi-benchmarking/<task id>.json`, `results.json`, `report.html`.
 *
 * @param tasks with whatever answers they have, in the order of the results
 */
export async function writeOutcome(
  folder: string,
  tasks: readonly Task[],
  results: readonly TaskResult[],
  outcome: Outcome,
  configuration: Configuration,
): Promise<void> {
  const attempts = results.map(({ answers }) =>
    answers.map(({ attempt_1, attempt_2 }): [Grid, Grid] => [attempt_1, attempt_2])
  );
  const submission = buildSubmission(tasks.map((task, i) => ({ task, attempts: attempts[i] })));
  await writeWhole(join(folder, "submission.json"), JSON.stringify(submission));
  const price = (outcome.dollars ?? 0) / Math.max(outcome.seconds, Number.MIN_VALUE);
  for (const [i, task] of tasks.entries()) {
    const { solver, started, ended, seconds } = results[i];
    const file = benchmarkFile(task, attempts[i], {
      model: solver.weights,
      provider: "local",
      start: new Date(started),
      end: new Date(ended),
      cost: seconds.total * price,
    });
    await writeWhole(join(folder, "arc-agi-benchmarking", `${encodeURIComponent(task.id)}.json`), JSON.stringify(file));
  }
  const summaries = tasks.map(({ id, test }, i) => ({
    id,
    outputs: test.map(({ output }, t) => output ? solved(results[i].answers[t], output) : null),
    solver: results[i].solver,
    seconds: results[i].seconds,
  }));
  await writeWhole(
    join(folder, "results.json"),
    JSON.stringify({ configuration, ...outcome, tasks: summaries }, null, 2) + "\n",
  );
  await writeWhole(join(folder, "report.html"), renderReport(tasks, results, outcome, configuration));
}
