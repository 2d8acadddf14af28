/**
 * The command `deno task train`: arguments in, progress on the terminal, weights and a log out.
 *
 * @module
 */
import { dirname } from "node:path";
import process from "node:process";
import { describe, trainingTasks } from "../arc/dataset.ts";
import { exists } from "../arc/read.ts";
import { families, ruleTasks, SMALL_SIDE } from "../arc/rules.ts";
import { MAX_SIDE } from "../arc/task.ts";
import { type BackendName, type Precision, startBackend } from "../model/backend.ts";
import { type Preset, presets } from "../model/config.ts";
import { countParameters } from "../model/parameters.ts";
import { cannotResume, companionPath, loadConfig, loadWeights, type Weights } from "./checkpoint.ts";
import {
  type Arguments,
  choiceOption,
  numberOption,
  parseArguments,
  readOverrides,
  runCommand,
  stopSignal,
  UsageError,
} from "./command_line.ts";
import { type Config, type ConfigOverrides, conflicts, makeConfig } from "./config.ts";
import { Display } from "./display.ts";
import { answerHeldOut, scoreLines, VIEWS } from "./held_out.ts";
import { train } from "./loop.ts";
import { countParts, partSize } from "./micro_batches.ts";
import { readSets, sideFor } from "./sets.ts";

/** Demonstrations of a drawn task: so many that what its pairs have in common is the rule. */
const RULE_PAIRS = 48;

const HELP =
  `Trains a network on ARC tasks and writes a weights file for \`deno task serve --weights FILE\`, \`solve\` and \`evaluate\`.

Usage: deno task train [options]

What to learn
  --data PATH        tasks whose demonstrations are trained on and whose test pairs are held out and scored at the end, but for tasks
                     that are in --training-set, too: a folder, a task file or a Kaggle challenges file; repeatable. Default, where
                     there is no --training-set: the tasks that come with the project (arc/samples)
  --training-set PATH  tasks of which demonstrations and test pairs are trained on (HRM trains so on the training sets); repeatable
  --rules N          beside the others, N tasks of each of the ${
    Object.keys(families).length
  } families of rules that the project draws itself (arc/rules.ts),
                     ${RULE_PAIRS} demonstrations and a test pair each, all trained on
  --rules-side S     the side that no grid of these tasks exceeds, ${SMALL_SIDE} at least. Default: ${MAX_SIDE}
  --tasks IDS        only these tasks of those that are read, separated by commas
  --limit N          only the first N tasks of those that are read

How
  --preset NAME      ${
    Object.keys(presets).join(", ")
  }. Default: loop, the one that learns fastest on a processor; arc is the
                     official size, whose batch of 768 is for a GPU
  --config FILE      JSON with any of {"model": {…}, "training": {…}, "adaptation": {…}} on top of the preset (model/config.ts and
                     train/config.ts explain each value): {"training": {"batchSize": 8}} for less memory, {"model": {"tokens": 900}}
                     for the official canvas of 30x30 instead of the smallest that holds all tasks
  --start FILE       weights whose network a new run starts from, with its rows for tasks of the same names and their mean for
                     others; the preset must be theirs
  --seed N           all randomness comes from it. Default: 0
  --backend NAME     auto (a GPU if there is one, else the processor), webgpu, cpu, or stock (unaided tfjs). Default: auto
  --precision P      f32, or f16: a GPU's layers multiply in half precision, all else stays in f32. Default: f32

How long
  --steps N          steps in all, also with --resume
  --minutes M        minutes in all, also with --resume. Default: 2.5 if no --steps
  --eval-every N     score the held-out test pairs every N steps, too

Where
  --out FILE         the weights. Default: checkpoints/<preset>.safetensors; beside it .state.safetensors (to resume) and .jsonl (the log)
                     The first two must not be there yet, but with --resume
  --resume           go on from FILE's companion with its own configuration: --preset, --config and --seed may be left out and must not
                     ask for another; --start is passed over
  --help             this text

Ctrl-C finishes the step, saves and exits with 130; the same command with --resume goes on. While test pairs are scored at the end it exits
with 130, too; the weights are saved by then.
`;

/**
 * The configuration that the run behind `out` goes on with.
 *
 * @throws {UsageError} naming what the arguments ask for otherwise
 */
async function readResumed(out: string, { values }: Arguments, overrides: ConfigOverrides): Promise<Config> {
  const file = companionPath(out);
  const config = await loadConfig(file).catch((error) => cannotResume(file, error));
  // A preset is told by its network; the canvas is the tasks' matter.
  const preset = values.preset && { ...presets[values.preset as Preset]({ side: 1 }), tokens: config.model.tokens };
  const seed = values.seed === undefined ? {} : { seed: Number(values.seed) };
  const differing = conflicts({ ...overrides, ...seed, model: { ...preset, ...overrides.model } }, config);
  if (!differing.length) return config;
  throw new UsageError(`Cannot resume ${out} with other values: ${differing.join("; ")}`);
}

/** What a run of `config` may start from. */
async function readStart(file: string, config: Config): Promise<Weights> {
  const weights = await loadWeights(file);
  const needed = JSON.stringify({ ...config.model, tokens: 0 });
  if (JSON.stringify({ ...weights.config.model, tokens: 0 }) !== needed) {
    throw new Error(
      `Cannot start from ${file}: its network is another; choose its preset, or its values with --config`,
    );
  }
  return weights;
}

/** The command; returns its exit code. */
export function main(args: string[]): Promise<number> {
  return runCommand(HELP, args, run);
}

async function run(args: string[]): Promise<number> {
  const names = [
    "tasks",
    "limit",
    "rules",
    "rules-side",
    "preset",
    "config",
    "start",
    "seed",
    "backend",
    "precision",
    "steps",
    "minutes",
    "eval-every",
    "out",
  ];
  const given = parseArguments(args, names, ["resume"], ["data", "training-set"]);
  if (given.positionals.length) throw new UsageError(`${given.positionals[0]} is no option; data is named with --data`);
  const count = (name: string) => numberOption(given, name, { min: 1, whole: true });
  const steps = count("steps");
  const minutes = numberOption(given, "minutes", { min: 0.01 }) ?? (steps ? undefined : 2.5);
  const rules = count("rules") ?? 0;
  const largest = numberOption(given, "rules-side", { min: SMALL_SIDE, max: MAX_SIDE, whole: true });
  const evalEvery = count("eval-every");
  const preset = choiceOption(given, "preset", Object.keys(presets) as Preset[], "loop");
  const backendName = choiceOption<BackendName>(given, "backend", ["auto", "webgpu", "cpu", "stock"], "auto");
  const precision = choiceOption<Precision>(given, "precision", ["f32", "f16"], "f32");
  const out = given.values.out ?? `checkpoints/${preset}.safetensors`;
  const wantedSeed = numberOption(given, "seed", { min: -Infinity, whole: true });
  const resume = given.flags.has("resume");
  for (const file of resume ? [] : [out, companionPath(out)]) {
    if (await exists(file)) {
      throw new UsageError(`${file} is there: go on with --resume, name another file with --out, or remove it`);
    }
  }
  const overrides = await readOverrides(given.values.config);
  const resumed = resume ? await readResumed(out, given, overrides) : undefined;
  const told = { ...overrides, ...wantedSeed === undefined ? {} : { seed: wantedSeed } };
  const configOn = (side: number) => resumed ?? makeConfig(preset, side, told);
  // The tasks and their canvas depend on the seed and the marking, the rest of the configuration on the canvas.
  const { seed, training: { marking } } = configOn(1);

  const { own, extra, held, scored } = await readSets(given);
  const drawn = ruleTasks(rules, RULE_PAIRS, seed, largest);
  const tasks = trainingTasks([{ tasks: own, useTest: false }, { tasks: [...extra, ...drawn], useTest: true }]);
  const side = sideFor(tasks, marking, (resumed ?? overrides).model?.tokens);
  const config = configOn(side);

  const backend = await startBackend(backendName, undefined, precision);
  console.log(backend.description);
  const start = given.values.start === undefined || resume ? undefined : await readStart(given.values.start, config);
  const { batchSize, batchCells } = config.training;
  const parts = countParts(config.model, batchSize, backend);
  console.log(
    `training ${resume ? "(resumed) " : ""}on ${describe(tasks)}; ${resume ? out : preset}: ${
      countParameters(config.model).toLocaleString("en")
    } ` +
      `parameters, canvas ${side}x${side}, batch ${batchSize}${batchCells ? ` or ${batchCells} cells` : ""}${
        parts > 1 ? ` in ${parts} parts of ${partSize(batchSize, parts)}` : ""
      }, seed ${seed}`,
  );
  const trained = own.filter((task) => !held.includes(task)).map(({ id }) => id);
  if (trained.length) {
    console.log(
      `${trained.length} of the ${own.length} tasks of --data are in --training-set, too, so their test pairs are not held out: ${
        trained.slice(0, 5).join(", ")
      }${trained.length > 5 ? ", …" : ""}`,
    );
  }

  using stop = stopSignal();
  await Deno.mkdir(dirname(out), { recursive: true });
  const log = await Deno.open(out.replace(/(\.safetensors)?$/, ".jsonl"), {
    write: true,
    create: true,
    ...(resume ? { append: true } : { truncate: true }),
  });
  const line = (value: unknown) => log.write(new TextEncoder().encode(JSON.stringify(value) + "\n"));
  /** @returns whether it was not stopped */
  const tellScore = async (step: number, weights: Weights): Promise<boolean> => {
    if (!scored.length) return true;
    console.log(`\nstep ${step}, held-out test pairs of ${scored.length} tasks, voting over ${VIEWS} looks each:`);
    const answered = await answerHeldOut(weights, scored, { seed, signal: stop.signal });
    if (!answered) return false;
    const lines = scoreLines(answered);
    await line({ step, score: lines });
    console.log(lines);
    return true;
  };
  const seconds = minutes && minutes * 60;
  const display = new Display(steps ? "steps" : "seconds", steps ?? seconds!);
  try {
    const run = train({ tasks, config, side, steps, seconds, out, start, resume, parts, signal: stop.signal });
    const started = performance.now();
    let next = await run.next();
    if (backend.name === "webgpu") {
      const waited = (performance.now() - started) / 1000;
      console.log(`${process.stdout.isTTY ? "\n" : ""}first step after ${waited.toFixed(1)} s (shaders compiled)`);
    }
    while (!next.done) {
      const report = next.value;
      await line(report);
      display.show(report);
      if (evalEvery && report.step % evalEvery === 0) await tellScore(report.step, report.weights());
      next = await run.next();
    }
    display.stop();
    console.log(
      `saved ${out} after ${next.value.steps} steps; deno task solve TASK.json --weights ${out} answers with it`,
    );
    if (stop.signal.aborted) {
      console.log("stopped; go on with the same command and --resume");
      return 130;
    }
    if (await tellScore(next.value.steps, next.value)) return 0;
    console.log("stopped; the weights are saved, the held-out test pairs were not scored");
    return 130;
  } finally {
    display.stop();
    log.close();
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
