/**
 * Where the published data sets are, for the tests that need them.
 *
 * @module
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The folder that the environment variable ARC_DATA names, else the one that `deno task data` fills; `undefined` if it is not there. */
export function dataFolder(): string | undefined {
  const fetched = fileURLToPath(new URL("../../data", import.meta.url));
  return [Deno.env.get("ARC_DATA"), fetched].find((folder) => folder !== undefined && existsSync(folder));
}
