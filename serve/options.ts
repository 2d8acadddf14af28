/**
 * The bounds of what may be asked of a solver, for HTTP and command line alike. Knows neither.
 *
 * @module
 */
import { z } from "zod";
import type { SolveOptions } from "./solver.ts";

const whole = z.int().min(1);

const schema = z.strictObject({
  seconds: z.number().positive().max(600),
  steps: whole.max(100_000),
  augmentations: whole.max(1000),
  maxSegments: whole.max(256),
  adapt: z.enum(["auto", "never", "always"]),
  ranking: z.enum(["invariants", "votes"]),
  seed: z.int(),
}).partial();

/** Options that cannot be used; the message names each wrong or unknown key. */
export class OptionsError extends Error {
  override name = "OptionsError";
}

/**
 * Checks options.
 *
 * @throws {OptionsError} naming each wrong or unknown key
 */
export function parseOptions(value: unknown): SolveOptions {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => [path.join("."), message].filter(Boolean).join(": "));
  throw new OptionsError(`Cannot use options: ${problems.join("; ")}`);
}
