/**
 * Parity with the official code: everything that a fixture folder holds is recomputed by this project's own code and laid beside it. Knows no
 * command line.
 *
 * @module
 */
import { type Comparison, table } from "./parity/ledger.ts";
import { compareNetwork } from "./parity/network.ts";
import { comparePipeline } from "./parity/pipeline.ts";
import { compareTorch } from "./parity/torch.ts";
import { compareUnits } from "./parity/units.ts";

export { type Comparison, table };

/**
 * Recomputes a fixture on the current backend.
 *
 * @param folder holds config.json, whose `kind` says what else is there: `hrm`, `trm`, `units`, `arc-pipeline` or `torch`
 * @returns one comparison for each value, failing ones included; a value that nothing was compared with fails
 * @throws {Error} when the folder is no fixture of a known kind, or its files cannot be used
 */
export async function compareFixture(folder: string): Promise<Comparison[]> {
  const fixture = JSON.parse(await Deno.readTextFile(`${folder}/config.json`));
  switch (fixture.kind) {
    case "hrm":
    case "trm":
      return await compareNetwork(folder, fixture);
    case "units":
      return await compareUnits(folder);
    case "arc-pipeline":
      return await comparePipeline(folder, fixture.files, taskFolders());
    case "torch":
      return await compareTorch(folder, fixture);
    default:
      throw new Error(`Cannot compare ${folder}: config.json is of kind ${fixture.kind}, which is not known`);
  }
}

/** Where the tasks of ARC-AGI-1 may lie: the folder that ARC_DATA names, or the one that `deno task data` fills. */
function taskFolders(): string[] {
  const named = Deno.env.get("ARC_DATA");
  return [...(named ? [named] : []), "data"];
}
