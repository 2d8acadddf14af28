/**
 * The command `deno task export`: weights of this project in, tensors under official names out. Knows no file format.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { exportCheckpoint } from "../model/import.ts";

const HELP = `Writes weights under the names of the official PyTorch code, to be loaded there with load_state_dict.

Usage: deno task export W.safetensors --to torch-names --out X.safetensors

  --to torch-names   the only form there is: safetensors, f32, names as in the official state dict (model.inner.…)
  --out FILE         the file to write
  --help             this text

In Python: model.load_state_dict(safetensors.torch.load_file("X.safetensors")), for a model whose puzzle table has as many rows.
`;

/** A mistake in the arguments: exit code 2. */
class UsageError extends Error {}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        to: { type: "string" },
        out: { type: "string" },
        help: { type: "boolean", short: "h", default: false },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

async function run(args: string[]): Promise<void> {
  const { values: { to, out, help }, positionals } = parse(args);
  if (help) {
    console.log(HELP);
    return;
  }
  if (positionals.length !== 1) throw new UsageError(`one weights file is needed, ${positionals.length} are given`);
  if (to !== "torch-names") throw new UsageError(`--to must be torch-names, not ${to ?? "left out"}`);
  if (out === undefined) throw new UsageError("--out is missing: where should the tensors go?");
  await exportCheckpoint(positionals[0], out);
  console.log(`saved ${out}`);
}

/** The command itself. Its exit code: 0, 1 if the file cannot be exported; then nothing is written, 2 for a mistake in the arguments. */
export async function main(args: string[]): Promise<number> {
  try {
    await run(args);
    return 0;
  } catch (error) {
    console.error((error as Error).message);
    if (!(error instanceof UsageError)) return 1;
    console.error("See deno task export --help.");
    return 2;
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
