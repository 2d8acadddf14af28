/**
 * A run as one self-contained page that people look at. Knows only results and truth; how the page looks and behaves is in report/.
 *
 * @module
 */
import { equalGrids } from "../arc/score.ts";
import type { Grid, Task } from "../arc/task.ts";
import type { Outcome } from "./outcome.ts";
import { palette } from "./palette.ts";
import script from "./report/page.js" with { type: "text" };
import style from "./report/page.css" with { type: "text" };
import type { Configuration, TaskResult } from "./run.ts";
import type { Answer } from "./solver.ts";

/** How near a task came: every test output found; not, but an attempt has nine cells of ten right; else; or the truth is not known. */
export type Status = "solved" | "nearly" | "failed" | "unscored";

const NEARLY = 0.9;

/** Rows of digits joined by `/`: a fifth of the size of nested lists. */
function packed(grid: Grid): string {
  return grid.map((row) => row.join("")).join("/");
}

/** The share of cells that agree; 0 where the sizes differ. */
function agreement(grid: Grid, truth: Grid): number {
  if (grid.length !== truth.length || grid[0].length !== truth[0].length) return 0;
  const agreeing = grid.flatMap((row, r) => row.filter((colour, c) => colour === truth[r][c]));
  return agreeing.length / (truth.length * truth[0].length);
}

/** Whether a test input is solved within two attempts; one that was not looked at never is, whatever stands for its answer. */
export function solved({ attempt_1, attempt_2, candidates }: Answer, truth: Grid): boolean {
  return candidates.length > 0 && [attempt_1, attempt_2].some((grid) => equalGrids(grid, truth));
}

/** How near a task came, and the mean over its test inputs of the better attempt's share of right cells. */
export function judgeTask(task: Task, result: TaskResult): { status: Status; cells: number } {
  if (!task.test.every(({ output }) => output)) return { status: "unscored", cells: 0 };
  const tests = task.test.map(({ output }, t) => {
    const { attempt_1, attempt_2, candidates } = result.answers[t];
    return {
      right: solved(result.answers[t], output!),
      cells: candidates.length ? Math.max(...[attempt_1, attempt_2].map((grid) => agreement(grid, output!))) : 0,
    };
  });
  const cells = tests.reduce((sum, { cells }) => sum + cells, 0) / tests.length;
  if (tests.every(({ right }) => right)) return { status: "solved", cells };
  return { status: tests.some(({ cells }) => cells >= NEARLY) ? "nearly" : "failed", cells };
}

/** What the page's script draws of a task. */
function entry(task: Task, result: TaskResult) {
  return {
    id: task.id,
    ...judgeTask(task, result),
    seconds: result.seconds.total,
    solver: result.solver,
    train: task.train.map(({ input, output }) => [packed(input), packed(output)]),
    tests: task.test.map(({ input, output }, t) => {
      const { attempt_1, attempt_2, candidates, refinement = [] } = result.answers[t];
      const grids = candidates.filter(({ grid }) => grid.length);
      return {
        input: packed(input),
        truth: output && packed(output),
        attempts: [attempt_1, attempt_2].map(packed),
        votes: grids.slice(0, 2).map(({ votes, halt, doubt }) => [votes, halt, doubt]),
        candidates: grids.length,
        refinement: refinement.map(packed),
      };
    }),
    curve: (result.curve ?? []).map(({ steps, loss, exact }) => [steps, loss, exact]),
  };
}

/** The page. */
export function renderReport(
  tasks: readonly Task[],
  results: readonly TaskResult[],
  outcome: Outcome,
  configuration: Configuration,
): string {
  const data = { palette, outcome, configuration, tasks: tasks.map((task, i) => entry(task, results[i])) };
  // No text of a task may end the element that carries it.
  const json = JSON.stringify(data).replaceAll("<", "\\u003c");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>ARC run: ${tasks.length} tasks</title>
<style>
${style}</style>
</head>
<body>
<header>
<h1>ARC run</h1>
<p id="configuration"></p>
<table id="scores"></table>
</header>
<nav aria-label="Tasks shown">
<div id="filters" role="group" aria-label="Filter"></div>
<label>Sort by <select id="sort"></select></label>
<p id="count" role="status"></p>
</nav>
<main id="tasks"></main>
<script type="application/json" id="data">${json}</script>
<script>
${script}</script>
</body>
</html>
`;
}
