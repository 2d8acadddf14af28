/**
 * The command `deno task parity`: fixtures of the official code beside this project's numbers.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { type BackendName, startBackend } from "../model/backend.ts";
import { compareFixture, table } from "./parity.ts";

const HELP = `Usage: deno task parity DIR… [--backend cpu|webgpu|stock]

Recomputes everything in each fixture folder and prints how far off it is.

  --backend NAME  where to compute: cpu (default), webgpu, or stock, which is unaided tfjs on the processor
  --help          this text

Exit status: 0 if all is within its tolerance, 1 if not, 2 on wrong usage.`;

const BACKENDS: BackendName[] = ["cpu", "webgpu", "stock"];

async function main(args: string[]): Promise<number> {
  let folders: string[], values: { backend?: string; help?: boolean };
  try {
    const options = { backend: { type: "string" }, help: { type: "boolean" } } as const;
    ({ positionals: folders, values } = parseArgs({ args, options, allowPositionals: true }));
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${HELP}`);
    return 2;
  }
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const backend = BACKENDS.find((name) => name === (values.backend ?? "cpu"));
  if (!backend || !folders.length) {
    console.error(`${backend ? "No folder given" : `Unknown backend ${values.backend}`}\n\n${HELP}`);
    return 2;
  }
  try {
    console.log((await startBackend(backend)).description);
  } catch (error) {
    console.error((error as Error).message);
    return 1;
  }
  let failures = 0;
  for (const folder of folders) {
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

if (import.meta.main) Deno.exit(await main(Deno.args));
