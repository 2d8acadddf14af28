/**
 * What the commands of this room share: reading arguments, loading a solver, stopping on signals, the right exit code. Knows no
 * puzzles and no HTTP.
 *
 * @module
 */
import { basename } from "node:path";
import { parseArgs, type ParseArgsConfig } from "node:util";
import { type BackendName, startBackend } from "../model/backend.ts";
import { loadWeights } from "../train/checkpoint.ts";
import { OptionsError, parseOptions } from "./options.ts";
import { type SolveOptions, Solver } from "./solver.ts";

/** A mistake in the arguments: exit code 2. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** Arguments by name, and the rest. */
export interface Arguments {
  /** Values of the options that take one. */
  values: Partial<Record<string, string>>;
  /** The options without a value that were given. */
  flags: Set<string>;
  /** What is not an option. */
  positionals: string[];
}

/**
 * Reads arguments.
 *
 * @param names options that take a value
 * @param flags options that take none
 * @throws {UsageError} for an unknown option or a missing value
 */
export function parseArguments(args: string[], names: readonly string[], flags: readonly string[] = []): Arguments {
  const options: ParseArgsConfig["options"] = {};
  for (const name of names) options[name] = { type: "string" };
  for (const flag of flags) options[flag] = { type: "boolean" };
  try {
    const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
    const given = Object.entries(values);
    return {
      values: Object.fromEntries(given.filter(([name]) => names.includes(name))) as Arguments["values"],
      flags: new Set(given.filter(([name]) => flags.includes(name)).map(([name]) => name)),
      positionals,
    };
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/**
 * A number among the arguments.
 *
 * @throws {UsageError} when it is none, or out of bounds
 */
export function numberOption(
  { values }: Arguments,
  name: string,
  { min, max = Infinity, whole = false }: { min: number; max?: number; whole?: boolean },
): number | undefined {
  const text = values[name];
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() && value >= min && value <= max && (!whole || Number.isInteger(value))) return value;
  const bounds = max === Infinity ? `at least ${min}` : `${min} to ${max}`;
  throw new UsageError(`--${name} must be a ${whole ? "whole " : ""}number, ${bounds}, not ${text}`);
}

/** The names on a command line of those {@link SolveOptions} that every command takes; budgets have names of their own. */
export const SOLVE_OPTIONS = ["augmentations", "max-segments", "adapt", "seed"] as const;

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
  try {
    return parseOptions(given);
  } catch (error) {
    if (error instanceof OptionsError) throw new UsageError(error.message);
    throw error;
  }
}

/** Where weights are looked for. */
export const DEFAULT_WEIGHTS = "weights/default.safetensors";

const BACKENDS: readonly BackendName[] = ["auto", "webgpu", "cpu"];

/**
 * Starts the backend and loads the weights that `--backend` and `--weights` name.
 *
 * @param report takes the line about the backend
 * @throws {UsageError} for an unknown backend
 * @throws {Error} when the weights are not there; it names the command that makes them
 */
export async function loadSolver({ values }: Arguments, report: (line: string) => void): Promise<Solver> {
  const name = (values.backend ?? "auto") as BackendName;
  if (!BACKENDS.includes(name)) throw new UsageError(`--backend must be one of ${BACKENDS.join(", ")}, not ${name}`);
  const path = values.weights ?? DEFAULT_WEIGHTS;
  try {
    await Deno.stat(path);
  } catch {
    throw new Error(
      `Cannot read weights: there is no ${path}; make it with \`deno task train --out ${path}\` or name a file with --weights`,
    );
  }
  const backend = await startBackend(name);
  report(backend.description);
  return new Solver(await loadWeights(path), basename(path), backend.name);
}

/** A signal that SIGINT and SIGTERM abort. */
export function stopSignal(): { signal: AbortSignal; [Symbol.dispose](): void } {
  const controller = new AbortController();
  const stop = () => controller.abort();
  const signals: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];
  signals.forEach((signal) => Deno.addSignalListener(signal, stop));
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => signals.forEach((signal) => Deno.removeSignalListener(signal, stop)),
  };
}

/**
 * Runs a command; `--help` prints the help instead.
 *
 * @returns the exit code: 0 or what the command returns, 1 after an error, 2 after a mistake in the arguments
 */
export async function runCommand(
  help: string,
  args: string[],
  command: (args: string[]) => Promise<number | void>,
): Promise<number> {
  if (args.includes("--help") || args.includes("-h")) {
    console.log(help);
    return 0;
  }
  try {
    return await command(args) ?? 0;
  } catch (error) {
    console.error((error as Error).message);
    if (!(error instanceof UsageError)) return 1;
    console.error("--help tells how this command is used.");
    return 2;
  }
}
