/**
 * The command `deno task solve`: a task file in, two answers a test input on the terminal. Knows no HTTP.
 *
 * @module
 */
import cliProgress from "cli-progress";
import process from "node:process";
import { readTasks } from "../arc/read.ts";
import { equalGrids } from "../arc/score.ts";
import { type Grid, type Task, withoutAnswers } from "../arc/task.ts";
import { onlyPositional, parseArguments, runCommand, stopSignal, UsageError } from "../train/command_line.ts";
import {
  backendHelp,
  budgetOptions,
  loadSolver,
  ORIGIN_OPTIONS,
  originHelp,
  SOLVE_OPTIONS,
  solveOptions,
} from "./command_line.ts";
import { defaults, type Solution, type SolveOptions, type Solver } from "./solver.ts";
import { sideBySide } from "./terminal.ts";

const HELP = `Solves an ARC task and shows the two answers to each test input.

Usage: deno task solve TASK.json [options]

  --seconds S        seconds, at most, for adapting to an unseen task. Default: ${defaults.seconds}
  --steps N          steps of each of two adaptations; without --seconds the answer is then decided by the seed
  --adapt WHEN       auto (to tasks that the weights do not know well), never or always. Default: auto
  --augmentations N  looks at each test input. Default: ${defaults.augmentations}
  --max-segments N   segments of thought for each look. Default: as trained
  --ranking HOW      invariants: an answer that departs from what all demonstrations have in common needs more votes; votes: votes
                     alone, as HRM does. Default: invariants
  --seed N           all randomness comes from it. Default: 0
${originHelp(21)}
  --backend NAME     ${backendHelp(21)}
  --json             print what POST /solve replies
  --help             this text

Ctrl-C ends an adaptation with what it has found.`;

/** The command; returns its exit code. */
export function main(args: string[]): Promise<number> {
  return runCommand(HELP, args, run);
}

async function run(args: string[]): Promise<void> {
  const given = parseArguments(args, [...SOLVE_OPTIONS, ...ORIGIN_OPTIONS, "seconds", "steps", "backend"], ["json"]);
  const options = { ...solveOptions(given), ...budgetOptions(given) };
  const file = onlyPositional(given, "task file");
  const tasks = await readTasks(file);
  if (tasks.length !== 1) {
    throw new UsageError(`${file} holds ${tasks.length} tasks; \`deno task evaluate\` solves many`);
  }
  const solver = await loadSolver(given, console.error);
  const solution = await solveVisibly(solver, tasks[0], options);
  if (given.flags.has("json")) console.log(JSON.stringify(solution));
  else console.log(picture(tasks[0], solution));
}

async function solveVisibly(solver: Solver, task: Task, options: SolveOptions): Promise<Solution> {
  using stop = stopSignal();
  const bar = process.stderr.isTTY
    ? new cliProgress.SingleBar({
      format: "adapting {bar} {percentage} % | step {steps} | loss {loss} | exact {exact} %",
      hideCursor: true,
      clearOnComplete: true,
    }, cliProgress.Presets.shades_classic)
    : undefined;
  let begun = false;
  try {
    return await solver.solve(withoutAnswers(task), options, {
      signal: stop.signal,
      onProgress: ({ spent, steps, loss, exact }) => {
        const shown = { steps, loss: loss.toFixed(3), exact: (100 * exact).toFixed(0) };
        if (begun) bar?.update(spent, shown);
        else bar?.start(1, spent, shown);
        begun = true;
      },
    });
  } finally {
    bar?.stop();
  }
}

/** The task and its answers, side by side; marked where the file carries the truth. */
function picture(task: Task, { answers, solver, seconds }: Solution): string {
  const colour = process.stdout.isTTY === true && !process.env.NO_COLOR;
  const width = process.stdout.columns || 120;
  const rows = task.train.map(({ input, output }, i) =>
    sideBySide([{ title: `train ${i + 1}`, grid: input }, { title: "output", grid: output }], colour, width)
  );
  task.test.forEach(({ input, output }, t) => {
    const { attempt_1, attempt_2, candidates } = answers[t];
    const mark = (grid: Grid) => !output ? "" : equalGrids(grid, output) ? " ✓ right" : " ✗ wrong";
    const panels = [
      { title: `test ${t + 1}`, grid: input },
      { title: `attempt 1${mark(attempt_1)}`, grid: attempt_1 },
      { title: `attempt 2${mark(attempt_2)}`, grid: attempt_2 },
      ...(output ? [{ title: "truth", grid: output }] : []),
    ];
    const votes = candidates.slice(0, 5).map(({ votes, halt, doubt }) =>
      `${votes} (${(100 * halt).toFixed(0)} %${doubt ? `, doubt ${doubt.toFixed(1)}` : ""})`
    ).join(", ");
    rows.push(sideBySide(panels, colour, width));
    const whose = candidates.length > 1 ? `the best of ${candidates.length} candidates` : "the only candidate";
    rows.push(`votes (mean certainty, doubt in nats) of ${whose}: ${votes}`);
  });
  const how = solver.adaptation_steps
    ? `adapted in ${solver.adaptation_steps} steps`
    : solver.known
    ? "known to the weights"
    : "not known, not adapted to";
  rows.push(
    `${task.id}: ${how}; ${solver.augmentations} looks of up to ${solver.segments} segments; ` +
      `${seconds.total.toFixed(1)} s (${
        seconds.adapt.toFixed(1)
      } s adapting) on ${solver.backend} with ${solver.weights}`,
  );
  return rows.join("\n\n");
}

if (import.meta.main) Deno.exit(await main(Deno.args));
