/**
 * The command `deno task import`: an official checkpoint in, weights for this project out. Knows no file format.
 *
 * @module
 */
import { importCheckpoint, type ImportOptions, type PuzzleTableChoice } from "../model/import.ts";
import type { ModelConfig } from "../model/config.ts";
import { countParameters } from "../model/parameters.ts";
import {
  type Arguments,
  choiceOption,
  numberOption,
  onlyPositional,
  parseArguments,
  runCommand,
  UsageError,
} from "./command_line.ts";
import { type Config, recipes } from "./config.ts";

const HELP = `Turns an official HRM or TRM checkpoint into weights that this project trains on and answers with.

Usage: deno task import FILE --out W.safetensors [options]

FILE is what the official trainer saved (step_N; a zip file or PyTorch's older format), or a safetensors file with the same names.

  --out FILE            the weights to write
  --config FILE         the all_config.yaml beside the checkpoint; TRM needs it. Without it, heads of width 64 and the official HRM's
                        cycles are assumed
  --puzzle-table WHAT   mean: one row, the mean of all (default); keep: all rows; drop: none. Which row belongs to which puzzle
                        cannot be told from a checkpoint, so new tasks are adapted to in each case
  --tokens N            tokens of the grid, a square, where no tensor tells: 81 for Sudoku, 900 for mazes. Default: 900, the canvas of ARC
  --help                this text

Evaluate these weights with --ranking votes for answers ranked as officially. Every task is adapted to, on the official canvas: give it a
GPU and minutes a task (--seconds-per-task). What official weights then score was not measured.
Nothing that a checkpoint asks for is executed, and nothing is written when it cannot be read in full.
`;

const CHOICES: readonly PuzzleTableChoice[] = ["mean", "keep", "drop"];

function options(given: Arguments): ImportOptions {
  const { out, config } = given.values;
  const puzzleTable = choiceOption(given, "puzzle-table", CHOICES, "mean");
  const tokens = numberOption(given, "tokens", { min: 1, whole: true });
  if (out === undefined) throw new UsageError("--out is missing: where should the weights go?");
  return { out, config, puzzleTable, tokens, metadata };
}

/** What a weights file says of itself: the official recipe, no steps and no known tasks. */
function metadata(model: ModelConfig): Record<string, string> {
  const side = Math.sqrt(model.tokens);
  if (!Number.isInteger(side)) {
    throw new Error(`Cannot import: ${model.tokens} grid tokens are not a square canvas; say how many with --tokens`);
  }
  const config: Config = { model, ...recipes.arc, seed: 0 };
  return { config: JSON.stringify(config), tasks: "[]", steps: "0", side: String(side) };
}

async function run(args: string[]): Promise<void> {
  const given = parseArguments(args, ["out", "config", "puzzle-table", "tokens"]);
  const file = onlyPositional(given, "checkpoint");
  const chosen = options(given);
  const { config, rows } = await importCheckpoint(file, chosen);
  const kind = config.shared ? "TRM" : "HRM";
  const count = countParameters(config).toLocaleString("en");
  console.log(
    `${file}: ${kind} of ${count} parameters, ${rows.toLocaleString("en")} puzzle rows (${chosen.puzzleTable})`,
  );
  console.log(`saved ${chosen.out}`);
}

/** The command; returns its exit code. When the file cannot be imported, nothing is written. */
export function main(args: string[]): Promise<number> {
  return runCommand(HELP, args, run);
}

if (import.meta.main) Deno.exit(await main(Deno.args));
