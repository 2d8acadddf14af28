/**
 * The command `deno task import`: an official checkpoint in, weights for this project out. Knows no file format.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { importCheckpoint, type ImportOptions, type PuzzleTableChoice } from "../model/import.ts";
import type { ModelConfig } from "../model/config.ts";
import { countParameters } from "../model/parameters.ts";
import { type Config, recipes } from "./config.ts";

const HELP = `Turns an official HRM or TRM checkpoint into weights that this project trains on and answers with.

Usage: deno task import FILE --out W.safetensors [options]

FILE is what the official trainer saved (step_N; a zip file or PyTorch's older format), or a safetensors file with the same names.

  --out FILE            the weights to write
  --config FILE         the all_config.yaml beside the checkpoint. Without it, the official HRM's heads and cycles are assumed
  --puzzle-table WHAT   mean: one row, the mean of all (default); keep: all rows; drop: none. Which row belongs to which puzzle
                        cannot be told from a checkpoint, so new tasks are adapted to in each case
  --tokens N            tokens of the grid, a square: 81 for Sudoku, 900 for mazes. Default: 900, the canvas of ARC
  --help                this text

Nothing that a checkpoint asks for is executed, and nothing is written when it cannot be read in full.
`;

/** A mistake in the arguments: exit code 2. */
class UsageError extends Error {}

const CHOICES: readonly PuzzleTableChoice[] = ["mean", "keep", "drop"];

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        out: { type: "string" },
        config: { type: "string" },
        "puzzle-table": { type: "string", default: "mean" },
        tokens: { type: "string" },
        help: { type: "boolean", short: "h", default: false },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function options(values: ReturnType<typeof parse>["values"]): ImportOptions {
  const { out, config, tokens } = values;
  const puzzleTable = CHOICES.find((choice) => choice === values["puzzle-table"]);
  if (!puzzleTable) {
    throw new UsageError(`--puzzle-table must be one of ${CHOICES.join(", ")}, not ${values["puzzle-table"]}`);
  }
  if (out === undefined) throw new UsageError("--out is missing: where should the weights go?");
  if (tokens !== undefined && !(Number(tokens) > 0 && Number.isInteger(Number(tokens)))) {
    throw new UsageError(`--tokens must be a positive whole number, not ${tokens}`);
  }
  return { out, config, puzzleTable, tokens: tokens === undefined ? undefined : Number(tokens), metadata };
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
  const { values, positionals } = parse(args);
  if (values.help) {
    console.log(HELP);
    return;
  }
  if (positionals.length !== 1) throw new UsageError(`one checkpoint is needed, ${positionals.length} are given`);
  const [file] = positionals;
  const chosen = options(values);
  const { config, rows } = await importCheckpoint(file, chosen);
  const kind = config.shared ? "TRM" : "HRM";
  const count = countParameters(config).toLocaleString("en");
  console.log(
    `${file}: ${kind} of ${count} parameters, ${rows.toLocaleString("en")} puzzle rows (${chosen.puzzleTable})`,
  );
  console.log(`saved ${chosen.out}`);
}

/** The command itself. Its exit code: 0, 1 if the file cannot be imported; then nothing is written, 2 for a mistake in the arguments. */
export async function main(args: string[]): Promise<number> {
  try {
    await run(args);
    return 0;
  } catch (error) {
    console.error((error as Error).message);
    if (!(error instanceof UsageError)) return 1;
    console.error("See deno task import --help.");
    return 2;
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
