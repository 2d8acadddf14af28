/**
 * Where the published data sets are, for the tests that need them.
 *
 * @module
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The folder that the environment variable ARC_DATA names, else ../shared/data; `undefined` if it is not there. */
export function dataFolder(): string | undefined {
  const beside = fileURLToPath(new URL("../../../shared/data", import.meta.url));
  return [Deno.env.get("ARC_DATA"), beside].find((folder) => folder !== undefined && existsSync(folder));
}
