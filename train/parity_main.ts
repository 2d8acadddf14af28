/**
 * The command `deno task parity`: fixtures of the official code beside this project's numbers.
 *
 * @module
 */
import { type BackendName, startBackend } from "../model/backend.ts";
import { choiceOption, parseArguments, runCommand, UsageError } from "./command_line.ts";
import { compareFixture, table } from "./parity.ts";

const HELP = `Usage: deno task parity DIR… [--backend cpu|webgpu|stock]

Recomputes everything in each fixture folder and prints how far off it is: deno task parity tests/fixtures/*

  --backend NAME  where to compute: cpu (default), webgpu, or stock, which is unaided tfjs on the processor
  --help          this text

Exit status: 0 if all is within its tolerance, 1 if not, 2 on wrong usage.`;

const BACKENDS: readonly BackendName[] = ["cpu", "webgpu", "stock"];

async function run(args: string[]): Promise<number> {
  const given = parseArguments(args, ["backend"]);
  const backend = choiceOption(given, "backend", BACKENDS, "cpu");
  if (!given.positionals.length) {
    throw new UsageError("Name a fixture folder; those of the project are tests/fixtures/*");
  }
  console.log((await startBackend(backend)).description);
  let failures = 0;
  for (const folder of given.positionals) {
    try {
      const comparisons = await compareFixture(folder);
      const failed = comparisons.filter(({ pass }) => !pass).length;
      failures += failed;
      console.log(`\n${folder}\n${table(comparisons)}`);
      console.log(`${comparisons.length - failed} of ${comparisons.length} pass`);
    } catch (error) {
      failures++;
      console.error(`\n${folder}\n${(error as Error).message}`);
    }
  }
  return failures ? 1 : 0;
}

if (import.meta.main) Deno.exit(await runCommand(HELP, Deno.args, run));
