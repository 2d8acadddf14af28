/**
 * The command `deno task serve`: weights in, an HTTP server out. Knows no puzzles.
 *
 * @module
 */
import { createApp } from "./app.ts";
import { numberOption, parseArguments, runCommand, stopSignal, UsageError } from "../train/command_line.ts";
import { backendHelp, budgetOptions, loadSolver, SOLVE_OPTIONS, solveOptions } from "./command_line.ts";
import { listen } from "./listen.ts";
import { defaults } from "./solver.ts";

const HELP =
  `Answers ARC tasks over HTTP: POST /solve, GET /health, and OpenAI's POST /v1/chat/completions and GET /v1/models.

Usage: deno task serve [options]

  --port N         Default: 8000
  --host NAME      the address to listen on. Default: 127.0.0.1, this machine only
  --weights FILE   Default: weights/default.safetensors
  --backend NAME   ${backendHelp(19)}
  --help           this text

How tasks are solved where a request does not say (its options, of POST /solve and /v1/chat/completions alike)
  --seconds S        seconds, at most, for adapting to an unseen task. Default: ${defaults.seconds}
  --steps N          steps of each of two adaptations; without --seconds the answers are then decided by the seed
  --adapt, --augmentations, --max-segments, --ranking, --seed   as \`deno task solve --help\` tells

A task: curl -H 'content-type: application/json' -d @arc/samples/recolour.json http://127.0.0.1:8000/solve`;

/** The command; returns its exit code. */
export function main(args: string[]): Promise<number> {
  return runCommand(HELP, args, run);
}

async function run(args: string[]): Promise<void> {
  const given = parseArguments(args, ["port", "host", "weights", "backend", "seconds", "steps", ...SOLVE_OPTIONS]);
  if (given.positionals.length) throw new UsageError(`Unexpected argument: ${given.positionals[0]}`);
  const port = numberOption(given, "port", { min: 0, max: 65535, whole: true }) ?? 8000;
  const options = { ...solveOptions(given), ...budgetOptions(given) };
  const app = createApp(await loadSolver(given, console.log), options);
  using stop = stopSignal();
  await listen(app, {
    port,
    hostname: given.values.host ?? "127.0.0.1",
    signal: stop.signal,
    onListen: (url) => console.log(`listening on ${url}`),
  });
}

if (import.meta.main) Deno.exit(await main(Deno.args));
