/**
 * What commands share: reading arguments, stopping on signals, the right exit code. Knows no puzzles and no network.
 *
 * @module
 */
import { parseArgs, type ParseArgsConfig } from "node:util";
import type { ConfigOverrides } from "./config.ts";

/** A mistake in the arguments: exit code 2. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** Arguments by name, and the rest. */
export interface Arguments {
  /** Values of the options that take one. */
  values: Partial<Record<string, string>>;
  /** Values of the options that may be repeated, in order. */
  lists: Partial<Record<string, string[]>>;
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
 * @param lists options that take a value and may be repeated
 * @throws {UsageError} for an unknown option or a missing value
 */
export function parseArguments(
  args: string[],
  names: readonly string[],
  flags: readonly string[] = [],
  lists: readonly string[] = [],
): Arguments {
  const options: ParseArgsConfig["options"] = {};
  for (const name of names) options[name] = { type: "string" };
  for (const flag of flags) options[flag] = { type: "boolean" };
  for (const list of lists) options[list] = { type: "string", multiple: true };
  try {
    const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
    const given = (among: readonly string[]) => Object.entries(values).filter(([name]) => among.includes(name));
    return {
      values: Object.fromEntries(given(names)) as Arguments["values"],
      lists: Object.fromEntries(given(lists)) as Arguments["lists"],
      flags: new Set(given(flags).map(([name]) => name)),
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
  const bounds = min === -Infinity ? "" : max === Infinity ? `, at least ${min}` : `, ${min} to ${max}`;
  throw new UsageError(`--${name} must be a ${whole ? "whole " : ""}number${bounds}, not ${text}`);
}

/**
 * One of a few words among the arguments.
 *
 * @throws {UsageError} when it is another
 */
export function choiceOption<Choice extends string>(
  { values }: Arguments,
  name: string,
  choices: readonly Choice[],
  otherwise: Choice,
): Choice {
  const text = values[name] ?? otherwise;
  const choice = choices.find((choice) => choice === text);
  if (choice === undefined) throw new UsageError(`--${name} must be one of ${choices.join(", ")}, not ${text}`);
  return choice;
}

/**
 * Those that `--tasks` names, separated by commas; all without it.
 *
 * @throws {UsageError} when it names one that is not there
 */
export function namedTasks<Item extends { id: string }>(items: readonly Item[], { values }: Arguments): Item[] {
  const wanted = values.tasks?.split(",").map((id) => id.trim());
  const unknown = wanted?.find((id) => !items.some((item) => item.id === id));
  if (unknown !== undefined) throw new UsageError(`--tasks: there is no task ${unknown} in what was read`);
  return items.filter(({ id }) => !wanted || wanted.includes(id));
}

/**
 * Reads the file of --config.
 *
 * @throws {Error} when it cannot be read, or holds no JSON object
 */
export async function readOverrides(file: string | undefined): Promise<ConfigOverrides> {
  if (!file) return {};
  try {
    const overrides = JSON.parse(await Deno.readTextFile(file));
    if (typeof overrides === "object" && overrides !== null) return overrides;
    throw new Error("it holds no JSON object");
  } catch (error) {
    throw new Error(`Cannot read --config ${file}: ${(error as Error).message}`);
  }
}

/**
 * The only argument that is no option.
 *
 * @throws {UsageError} when there is none or there are several
 */
export function onlyPositional({ positionals }: Arguments, what: string): string {
  if (positionals.length === 1) return positionals[0];
  throw new UsageError(`Name one ${what}${positionals.length ? `, not ${positionals.length}` : ""}`);
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
