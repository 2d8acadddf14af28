/**
 * What the commands of this room share: the solver's options and the solver. Knows no puzzles and no HTTP.
 *
 * @module
 */
import { basename } from "node:path";
import { type BackendName, startBackend } from "../model/backend.ts";
import { loadConfig, loadWeights } from "../train/checkpoint.ts";
import { type Arguments, choiceOption, numberOption, UsageError } from "../train/command_line.ts";
import { OptionsError, parseOptions } from "./options.ts";
import { type SolveOptions, Solver } from "./solver.ts";

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

const BACKENDS: readonly BackendName[] = ["auto", "webgpu", "cpu"];

/**
 * Starts the backend and loads the weights that `--backend` and `--weights` name.
 *
 * @param report takes the line about the backend
 * @throws {UsageError} for an unknown backend
 * @throws {Error} when the weights are not there; it names the command that makes them
 */
export async function loadSolver(given: Arguments, report: (line: string) => void): Promise<Solver> {
  const name = choiceOption(given, "backend", BACKENDS, "auto");
  const path = given.values.weights ?? DEFAULT_WEIGHTS;
  try {
    await Deno.stat(path);
  } catch {
    throw new Error(
      `Cannot read weights: there is no ${path}; make it with \`deno task train --out ${path}\` or name a file with --weights`,
    );
  }
  // Members of an ensemble train on few rows at a time: for a narrow network a GPU waits for JavaScript, and each core is as fast as it.
  const narrow = name === "auto" && (await loadConfig(path)).model.width < WIDE;
  const backend = await startBackend(narrow ? "cpu" : name);
  report(
    narrow ? `${backend.description}, for so narrow a network (--backend webgpu asks for a GPU)` : backend.description,
  );
  return new Solver(await loadWeights(path), basename(path), backend.name, backend.threads);
}
