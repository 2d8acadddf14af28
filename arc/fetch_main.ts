/**
 * The command that fetches the published task sets. Knows only how to read its arguments and report.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { DATA_SETS, fetchDataSet } from "./fetch.ts";

const HELP = `Fetches published task sets into the folder data/ and checks them.

Usage: deno task data [name…] [--from DIR]

  name        ${DATA_SETS.map(({ name }) => name).join(", ")}; all of them without a name
  --from DIR  copy from a folder with the same layout instead of downloading
  --help      show this text

HRM_DATA_URL, in the environment, stands for https://github.com.
`;

/**
 * Runs the command.
 *
 * @returns The exit code: 0, 1 if a set could not be had, 2 if the arguments are wrong.
 */
export async function main(args: string[]): Promise<number> {
  let parsed;
  try {
    parsed = parseArgs({
      args,
      allowPositionals: true,
      options: { from: { type: "string" }, help: { type: "boolean", short: "h" } },
    });
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${HELP}`);
    return 2;
  }
  const { values, positionals } = parsed;
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const unknown = positionals.find((wanted) => !DATA_SETS.some(({ name }) => name === wanted));
  if (unknown !== undefined) {
    console.error(`There is no task set ${unknown}.\n\n${HELP}`);
    return 2;
  }
  const sets = DATA_SETS.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  let code = 0;
  for (const set of sets) {
    try {
      const how = await fetchDataSet(set, { data: "data", from: values.from, baseUrl: Deno.env.get("HRM_DATA_URL") });
      console.log(`${set.name}: ${how}, ${set.tasks} tasks`);
    } catch (error) {
      console.error((error as Error).message);
      code = 1;
    }
  }
  return code;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
