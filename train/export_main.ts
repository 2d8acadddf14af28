/**
 * The command `deno task export`: weights of this project in, tensors under official names out. Knows no file format.
 *
 * @module
 */
import { exportCheckpoint } from "../model/import.ts";
import { onlyPositional, parseArguments, runCommand, UsageError } from "./command_line.ts";

const HELP = `Writes weights under the names of the official PyTorch code, to be loaded there with load_state_dict.

Usage: deno task export W.safetensors --to torch-names --out X.safetensors

  --to torch-names   the only form there is: safetensors, f32, names as in the official state dict (model.inner.…)
  --out FILE         the file to write
  --help             this text

In Python: model.load_state_dict(safetensors.torch.load_file("X.safetensors")), for a model whose puzzle table has as many rows.
`;

async function run(args: string[]): Promise<void> {
  const given = parseArguments(args, ["to", "out"]);
  const file = onlyPositional(given, "weights file");
  const { to, out } = given.values;
  if (to !== "torch-names") throw new UsageError(`--to must be torch-names, not ${to ?? "left out"}`);
  if (out === undefined) throw new UsageError("--out is missing: where should the tensors go?");
  await exportCheckpoint(file, out);
  console.log(`saved ${out}`);
}

/** The command; returns its exit code. When the file cannot be exported, nothing is written. */
export function main(args: string[]): Promise<number> {
  return runCommand(HELP, args, run);
}

if (import.meta.main) Deno.exit(await main(Deno.args));
