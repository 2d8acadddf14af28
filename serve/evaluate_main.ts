/**
 * The command `deno task evaluate`: a task set in; results, scores, files to hand in and a report out. Keeps the answers apart from the solver
 * until everything is solved.
 *
 * @module
 */
import cliProgress from "cli-progress";
import { createHash } from "node:crypto";
import { join } from "node:path";
import process from "node:process";
import { readTasks } from "../arc/read.ts";
import { withoutAnswers } from "../arc/task.ts";
import {
  type Arguments,
  namedTasks,
  numberOption,
  parseArguments,
  runCommand,
  stopSignal,
  UsageError,
} from "../train/command_line.ts";
import {
  backendHelp,
  budgetOptions,
  DEFAULT_WEIGHTS,
  loadSolver,
  ORIGIN_OPTIONS,
  originHelp,
  SOLVE_OPTIONS,
  solveOptions,
} from "./command_line.ts";
import { evaluate, type Failure, readShard, shardOf } from "./evaluate.ts";
import { judge, outcomeText, writeOutcome } from "./outcome.ts";
import {
  hasResult,
  openRun,
  readConfiguration,
  readResults,
  RunError,
  tasksDigest,
  tasksOfRun,
  unanswered,
} from "./run.ts";
import { defaults, type SolveOptions } from "./solver.ts";

const HELP = `Solves a task set into a folder, and writes what is handed in: submission.json for Kaggle, a folder for
arc-agi-benchmarking, results.json with all scores, report.html to look at. Run again, it goes on where it was interrupted.

Usage: deno task evaluate --data PATH --out RUN/ [options]
       deno task evaluate --merge RUN/ [MORE/ …] [--partial] [--data PATH] [--dollars-per-hour D]

What
  --data PATH            a folder of tasks, or a Kaggle challenges file
  --tasks ID,ID          only these
  --limit N              only the first N
  --out RUN/             where everything goes

How
  --adapt WHEN           auto (to tasks that the weights do not know well), never or always. Default: auto
  --seconds-per-task S   seconds, at most, for adapting to a task. Default: ${defaults.seconds}
  --steps-per-task N     steps of each of two adaptations; without seconds the answers are then decided by the seed
  --augmentations N      looks at each test input. Default: ${defaults.augmentations}
  --max-segments N       segments of thought for each look. Default: as trained
  --ranking HOW          invariants: an answer that departs from what all demonstrations have in common needs more votes; votes: votes
                         alone, as HRM does. Default: invariants
  --seed N               all randomness comes from it. Default: 0
${originHelp(25)}
  --backend NAME         ${backendHelp(25)}
  --dollars-per-hour D   what an hour of this machine costs, to tell what the answers cost

On several machines
  --shard K/N            solve only the K-th of N parts, into the same RUN/ or another. In a SLURM array or a Kubernetes indexed Job
                         (with JOB_COMPLETIONS set) this is found out
  --merge RUN/ [MORE/ …] join the parts once all are solved: checks that nothing is missing or double, writes everything into RUN/
  --partial              with --merge: tasks without a result, of a run that was stopped or of a task that fails, count as not solved, and are
                         answered by one black cell, for a submission must name them all

  --help                 this text

A task that fails is told, the others are solved, and the command ends with 1. Ctrl-C or SIGTERM ends with 130 and loses at most the task
in work. The same command goes on, with failed tasks, too.`;

/** The command; returns its exit code. */
export function main(args: string[]): Promise<number> {
  return runCommand(HELP, args, run);
}

async function run(args: string[]): Promise<number> {
  const names = [
    ...["data", "tasks", "limit", "out", "seconds-per-task", "steps-per-task", "backend"],
    ...["dollars-per-hour", "shard", "merge"],
    ...ORIGIN_OPTIONS,
    ...SOLVE_OPTIONS,
  ];
  const given = parseArguments(args, names, ["partial"]);
  const dollarsPerHour = numberOption(given, "dollars-per-hour", { min: 0 });
  if (given.values.merge) {
    const folders = [given.values.merge, ...given.positionals];
    await finish(folders, given.values.data, dollarsPerHour, given.flags.has("partial"));
    return 0;
  }
  if (given.flags.has("partial")) throw new UsageError("--partial needs --merge RUN/");
  if (given.positionals.length) throw new UsageError(`Unexpected argument: ${given.positionals[0]}`);
  const { data, out } = given.values;
  if (!data || !out) throw new UsageError("--data and --out are needed");
  const shard = shardOrUsage(given);
  const limit = numberOption(given, "limit", { min: 1, whole: true });
  const tasks = namedTasks(await readTasks(data), given).slice(0, limit).map(withoutAnswers);
  const options = evaluateOptions(given);

  const solver = await loadSolver(given, console.log);
  const origin = "network" in solver.weights
    ? await Deno.readFile(given.values.weights ?? DEFAULT_WEIGHTS)
    : JSON.stringify(solver.weights.config);
  await openRun(out, {
    weights: solver.name,
    weights_sha256: createHash("sha256").update(origin).digest("hex"),
    tasks: tasks.map(({ id }) => id),
    tasks_sha256: tasksDigest(tasks),
    options,
    data,
  });
  const own = shardOf(tasks, shard);
  const done = (await Promise.all(own.map(({ id }) => hasResult(out, id)))).filter(Boolean).length;
  const part = shard.count > 1 ? ` of shard ${shard.index}/${shard.count}` : "";
  console.log(`${own.length} tasks${part}, ${done} solved before`);
  const failures: Failure[] = [];
  {
    using stop = stopSignal();
    const progress = display(own.length, done);
    try {
      for await (const one of evaluate(out, own, solver, options, stop.signal)) {
        if (!("failure" in one)) progress.advance(one.id);
        else {
          failures.push(one);
          progress.fail(one);
        }
      }
    } finally {
      progress.stop();
    }
    if (stop.signal.aborted) {
      console.log("stopped; the same command goes on");
      return 130;
    }
  }
  if (failures.length) {
    const named = failures.map(({ id, failure }) => `${id}: ${failure}`).join("; ");
    throw new RunError(
      `${failures.length} of ${own.length} tasks failed: ${named}; the same command tries them again, --merge ${out} --partial does without`,
    );
  }
  if (shard.count > 1) {
    console.log(
      `shard ${shard.index}/${shard.count} is solved; with all, join them: deno task evaluate --merge ${out}`,
    );
  } else await finish([out], data, dollarsPerHour);
  return 0;
}

function shardOrUsage({ values }: Arguments) {
  try {
    return readShard(values.shard, (name) => Deno.env.get(name));
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function evaluateOptions(given: Arguments): SolveOptions {
  const { seconds, steps } = budgetOptions(given, "-per-task");
  const options: SolveOptions = {
    adapt: defaults.adapt,
    augmentations: defaults.augmentations,
    ranking: defaults.ranking,
    seed: defaults.seed,
    ...solveOptions(given),
  };
  if (options.adapt === "never") return options;
  return { ...options, steps, seconds: seconds ?? (steps ? undefined : defaults.seconds) };
}

/** Joins a run's results, scores them, writes everything into the first folder. */
async function finish(
  folders: string[],
  data: string | undefined,
  dollarsPerHour: number | undefined,
  partial = false,
): Promise<void> {
  const [out] = folders;
  const configuration = await readConfiguration(out);
  const place = data ?? configuration.data;
  const tasks = tasksOfRun(configuration, await readTasks(place), place);
  const all = new Map(tasks.map((task) => [task.id, task]));
  const missing: string[] = [];
  const instead = (id: string) => {
    missing.push(id);
    return unanswered(all.get(id)!, configuration);
  };
  const results = await readResults(folders, partial ? instead : undefined);
  const outcome = judge(tasks, results, dollarsPerHour);
  await writeOutcome(out, tasks, results, outcome, configuration);
  console.log(outcomeText(outcome, tasks.length));
  if (missing.length) {
    console.log(
      `${missing.length} of ${tasks.length} tasks have no result and count as not solved: ${missing.join(", ")}`,
    );
  }
  console.log(
    `written: ${["submission.json", "results.json", "report.html"].map((name) => join(out, name)).join(", ")}`,
  );
}

/** A bar on a terminal, a line a task elsewhere. */
function display(
  total: number,
  done: number,
): { advance(id: string): void; fail(failure: Failure): void; stop(): void } {
  const [before, began] = [done, performance.now()];
  const left = () => {
    const seconds = (performance.now() - began) / 1000 / Math.max(1, done - before) * (total - done);
    return seconds < 120 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
  };
  if (!process.stdout.isTTY) {
    return {
      advance: (id) => console.log(`${++done} of ${total} solved: ${id}, ${left()} left`),
      fail: ({ id, failure }) => console.error(`${id} failed: ${failure}`),
      stop: () => {},
    };
  }
  const bar = new cliProgress.SingleBar({
    format: "{bar} {value} of {total} solved | {id} | {left} left",
    hideCursor: true,
  }, cliProgress.Presets.shades_classic);
  bar.start(total, done, { id: "-", left: "-" });
  return {
    advance: (id) => bar.update(++done, { id, left: left() }),
    fail: ({ id, failure }) => console.error(`\n${id} failed: ${failure}`),
    stop: () => bar.stop(),
  };
}

if (import.meta.main) Deno.exit(await main(Deno.args));
