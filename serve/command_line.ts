/**
 * What the commands of this room share: the solver's options and the solver. Knows no puzzles and no HTTP.
 *
 * @module
 */
import { basename } from "node:path";
import { MAX_SIDE } from "../arc/task.ts";
import { type BackendName, startBackend } from "../model/backend.ts";
import { type Preset, presets } from "../model/config.ts";
import { loadConfig, loadWeights } from "../train/checkpoint.ts";
import { type Arguments, choiceOption, numberOption, readOverrides, UsageError } from "../train/command_line.ts";
import { type Config, makeConfig } from "../train/config.ts";
import { OptionsError, parseOptions } from "./options.ts";
import { type SolveOptions, Solver } from "./solver.ts";

/** The names of what a solver begins from; a server begins from weights alone. */
export const ORIGIN_OPTIONS = ["weights", "preset", "config"] as const;

/** The names on a command line of those {@link SolveOptions} that every command takes; budgets have names of their own. */
export const SOLVE_OPTIONS = ["augmentations", "max-segments", "adapt", "ranking", "seed"] as const;

/**
 * The arguments among {@link SOLVE_OPTIONS}, checked.
 *
 * @throws {UsageError} naming each wrong one
 */
export function solveOptions({ values }: Arguments): SolveOptions {
  const numbers = { augmentations: "augmentations", maxSegments: "max-segments", seed: "seed" };
  const given: Record<string, unknown> = {};
  for (const [key, name] of Object.entries(numbers)) {
    const text = values[name];
    if (text !== undefined) given[key] = text.trim() ? Number(text) : NaN;
  }
  if (values.adapt !== undefined) given.adapt = values.adapt;
  if (values.ranking !== undefined) given.ranking = values.ranking;
  try {
    return parseOptions(given);
  } catch (error) {
    if (error instanceof OptionsError) throw new UsageError(error.message);
    throw error;
  }
}

/**
 * What a task may cost, from `--seconds` and `--steps`.
 *
 * @param suffix what these names end with
 * @throws {UsageError} naming the wrong one
 */
export function budgetOptions(given: Arguments, suffix = ""): Pick<SolveOptions, "seconds" | "steps"> {
  return {
    seconds: numberOption(given, `seconds${suffix}`, { min: 0.1 }),
    steps: numberOption(given, `steps${suffix}`, { min: 1, whole: true }),
  };
}

/** Where weights are looked for. */
export const DEFAULT_WEIGHTS = "weights/default.safetensors";

/** D from which on `auto` takes a GPU if there is one. */
const WIDE = 256;

/** What helps say of `--backend`, in lines that go on at a column. */
export function backendHelp(column: number): string {
  return `webgpu, cpu, or auto: a GPU if there is one and the network is ${WIDE} wide or wider, else the processor, which
${" ".repeat(column)}is the faster one for the shipped weights on grids up to about 20x20. Default: auto`;
}

/** What helps say of {@link ORIGIN_OPTIONS}, in lines that go on at a column. */
export function originHelp(column: number): string {
  const option = (name: string, ...lines: string[]) => `  ${name}`.padEnd(column) + lines.join("\n".padEnd(column + 1));
  return [
    option("--weights FILE", `Default: ${DEFAULT_WEIGHTS}`),
    option(
      "--preset NAME",
      "instead of weights: learn every task from nothing with this network, to compare networks and recipes:",
      Object.keys(presets).join(", "),
    ),
    option(
      "--config FILE",
      `with --preset: JSON with any of {"model": {…}, "adaptation": {…}} on top of it (model/config.ts and train/config.ts`,
      "explain each value)",
    ),
  ].join("\n");
}

/**
 * The configuration of `--preset` and `--config`.
 *
 * @throws {UsageError} naming what would play no part
 * @throws {Error} naming each wrong or unknown key
 */
async function untrainedConfig({ values }: Arguments, preset: Preset): Promise<Config> {
  const { model, adaptation, ...others } = await readOverrides(values.config);
  const idle = [...Object.keys(others), ...(model?.tokens === undefined ? [] : ["model.tokens"])];
  if (idle.length) {
    throw new UsageError(
      `--config ${values.config}: ${
        idle.join(", ")
      } would play no part; with --preset it may hold model and adaptation, and the canvas is each task's`,
    );
  }
  return makeConfig(preset, MAX_SIDE, { model, adaptation, training: adaptation });
}

const BACKENDS: readonly BackendName[] = ["auto", "webgpu", "cpu"];

/**
 * Starts the backend and loads the weights that `--backend` and `--weights` name, or takes the configuration of `--preset` and `--config`.
 *
 * @param report takes the line about the backend
 * @throws {UsageError} for an unknown backend or preset, or arguments that exclude each other
 * @throws {Error} when the weights are not there, naming the command that makes them; or for a wrong configuration
 */
export async function loadSolver(given: Arguments, report: (line: string) => void): Promise<Solver> {
  const wanted = choiceOption(given, "backend", BACKENDS, "auto");
  const { values } = given;
  const path = values.weights ?? DEFAULT_WEIGHTS;
  const preset = values.preset === undefined
    ? undefined
    : choiceOption(given, "preset", Object.keys(presets) as Preset[], "loop");
  if (preset && values.weights !== undefined) throw new UsageError("--weights and --preset exclude each other");
  if (preset && values.adapt === "never") throw new UsageError("--preset needs to adapt: nothing was learned before");
  if (!preset && values.config !== undefined) throw new UsageError("--config needs --preset: weights have their own");
  if (!preset) await requireWeights(path);
  const config = preset ? await untrainedConfig(given, preset) : await loadConfig(path);
  // Members of an ensemble train on few rows at a time: for a narrow network a GPU waits for JavaScript, and each core is as fast as it.
  const narrow = wanted === "auto" && config.model.width < WIDE;
  const backend = await startBackend(narrow ? "cpu" : wanted);
  report(
    narrow ? `${backend.description}, for so narrow a network (--backend webgpu asks for a GPU)` : backend.description,
  );
  return preset
    ? new Solver({ config }, `${preset}, from nothing`, backend.name, backend.threads)
    : new Solver(await loadWeights(path), basename(path), backend.name, backend.threads);
}

async function requireWeights(path: string): Promise<void> {
  try {
    await Deno.stat(path);
  } catch {
    throw new Error(
      `Cannot read weights: there is no ${path}; make it with \`deno task train --out ${path}\` or name a file with --weights`,
    );
  }
}
