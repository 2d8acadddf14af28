/**
 * The command `deno task serve`: weights in, an HTTP server out. Knows no puzzles.
 *
 * @module
 */
import { createApp } from "./app.ts";
import { numberOption, parseArguments, runCommand, stopSignal, UsageError } from "../train/command_line.ts";
import { loadSolver } from "./command_line.ts";

const HELP =
  `Answers ARC tasks over HTTP: POST /solve, GET /health, and OpenAI's POST /v1/chat/completions and GET /v1/models.

Usage: deno task serve [options]

  --port N         Default: 8000
  --host NAME      the address to listen on. Default: 127.0.0.1, this machine only
  --weights FILE   Default: weights/default.safetensors
  --backend NAME   auto (a GPU if there is one, else the processor), webgpu or cpu. Default: auto
  --help           this text

A task: curl -H 'content-type: application/json' -d @arc/samples/recolour.json http://127.0.0.1:8000/solve`;

/** The command; returns its exit code. */
export function main(args: string[]): Promise<number> {
  return runCommand(HELP, args, run);
}

async function run(args: string[]): Promise<void> {
  const given = parseArguments(args, ["port", "host", "weights", "backend"]);
  if (given.positionals.length) throw new UsageError(`Unexpected argument: ${given.positionals[0]}`);
  const port = numberOption(given, "port", { min: 0, max: 65535, whole: true }) ?? 8000;
  const app = createApp(await loadSolver(given, console.log));
  using stop = stopSignal();
  const server = Deno.serve({
    port,
    hostname: given.values.host ?? "127.0.0.1",
    signal: stop.signal,
    onListen: ({ hostname, port }) => console.log(`listening on http://${hostname}:${port}`),
  }, (request) => app.fetch(request));
  await server.finished;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
