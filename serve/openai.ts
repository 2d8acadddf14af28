/**
 * The solver behind OpenAI's chat completions, so that harnesses made for language models can ask it: the grids of an ARC prompt in, the
 * answer's grid as JSON out. Knows no files and no network.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import { z } from "zod";
import { type Grid, TaskError, type UnansweredTask } from "../arc/task.ts";
import { MOST_SECONDS, parseAskedTask, parseOptions, withDefaults } from "./options.ts";
import type { SolveOptions, TaskSolver } from "./solver.ts";

/** Prompts whose solutions are kept for the second attempt. */
const MAX_KEPT = 1000;

const text = z.object({ type: z.literal("text"), text: z.string() });

// Clients send many parameters that mean nothing to a solver of puzzles: those are let through.
const requestSchema = z.looseObject({
  messages: z.array(z.looseObject({ content: z.union([z.string(), z.array(z.union([text, z.looseObject({})]))]) }))
    .min(1),
  stream: z.literal(false, { error: "must be false: answers come whole" }).nullish(),
  seed: z.int().nullish(),
  // The same as for POST /solve.
  options: z.unknown().optional(),
});

type ChatRequest = z.infer<typeof requestSchema>;

const GRID = String.raw`\[\s*\[[\d\s,[\]]*\]\s*\]`;
const EXAMPLE = new RegExp(String.raw`INPUT:\s*(${GRID})\s*OUTPUT:\s*(${GRID})`, "gi");
const TEST = new RegExp(String.raw`--\s*Test Input\s*--\s*(${GRID})`, "i");

/**
 * Reads the task of a prompt in the form of arc-agi-benchmarking: `INPUT:` and `OUTPUT:` with a JSON grid each for every demonstration,
 * then `--Test Input--` with one grid.
 *
 * @throws {TaskError} when the prompt holds no such task
 */
export function parsePrompt(prompt: string): UnansweredTask {
  const grid = (json: string): Grid => {
    try {
      return JSON.parse(json);
    } catch {
      throw new TaskError(`Cannot read the prompt: ${json.slice(0, 40)}… is not a JSON grid`);
    }
  };
  const train = Array.from(prompt.matchAll(EXAMPLE), ([, input, output]) => ({
    input: grid(input),
    output: grid(output),
  }));
  const test = TEST.exec(prompt)?.[1];
  if (!train.length || !test) {
    throw new TaskError(
      "Cannot read the prompt: it holds no ARC task; it must have INPUT: and OUTPUT: with JSON grids for each demonstration, " +
        "then --Test Input-- and one grid",
    );
  }
  const id = createHash("sha256").update(JSON.stringify([train, test])).digest("hex").slice(0, 8);
  return parseAskedTask({ train, test: [{ input: grid(test) }] }, id);
}

/** A task that was asked, and who waits for it. */
interface Kept {
  attempts: Promise<[Grid, Grid]>;
  /** Attempts handed out. */
  answered: number;
  /** Requests that wait. */
  waiting: number;
  /** Ends the solving. */
  controller: AbortController;
}

/**
 * `GET /models` and `POST /chat/completions`. The same task asked again gets the other attempt.
 *
 * @param defaults how the solver is asked where a request says nothing else
 */
export function openaiRoutes(solver: TaskSolver, defaults: SolveOptions): Hono {
  const routes = new Hono();
  const model = { id: solver.name, object: "model", created: 0, owned_by: "local" };
  const kept = new Map<string, Kept>();

  const solveOnce = (task: UnansweredTask, options: SolveOptions) => {
    const key = JSON.stringify([task.train, task.test, options]);
    const known = kept.get(key);
    if (known) return known;
    if (kept.size === MAX_KEPT) kept.delete(kept.keys().next().value!);
    const controller = new AbortController();
    const attempts = solver.solve(task, options, { signal: controller.signal, mostSeconds: MOST_SECONDS })
      .then(({ answers: [{ attempt_1, attempt_2 }] }): [Grid, Grid] => [attempt_1, attempt_2]);
    const fresh: Kept = { attempts, answered: 0, waiting: 0, controller };
    kept.set(key, fresh);
    const forget = () => kept.get(key) === fresh && kept.delete(key);
    attempts.catch(forget);
    // Aborted when nobody waits any more: what was found by then is no answer to keep.
    controller.signal.addEventListener("abort", forget);
    return fresh;
  };

  /** The attempts, as long as somebody waits for them. */
  const waitFor = async (known: Kept, signal: AbortSignal): Promise<[Grid, Grid]> => {
    const leave = () => --known.waiting || known.controller.abort();
    known.waiting++;
    signal.addEventListener("abort", leave);
    if (signal.aborted) leave();
    try {
      return await known.attempts;
    } finally {
      signal.removeEventListener("abort", leave);
    }
  };

  routes.get("/models", (context) => context.json({ object: "list", data: [model] }));

  routes.get("/models/:id", (context) => {
    if (context.req.param("id") === model.id) return context.json(model);
    throw new HTTPException(404, { message: `There is no model ${context.req.param("id")}, only ${model.id}` });
  });

  routes.post("/chat/completions", async (context) => {
    const { signal } = context.req.raw;
    const { messages, seed, options } = parseRequest(await readBody(context.req.raw));
    const task = parsePrompt(messages.map(({ content }) => readContent(content)).join("\n\n"));
    const asked = { ...parseOptions(options ?? {}), ...seed === undefined || seed === null ? {} : { seed } };
    const known = solveOnce(task, withDefaults(asked, defaults));
    const attempts = await waitFor(known, signal);
    const attempt = attempts[known.answered % 2];
    // Nobody reads the reply to a client that went away, so it uses up no attempt.
    if (!signal.aborted) known.answered++;
    return context.json({
      id: `chatcmpl-${crypto.randomUUID()}`,
      object: "chat.completion",
      created: Math.floor(Date.now() / 1000),
      model: solver.name,
      choices: [{
        index: 0,
        message: { role: "assistant", content: JSON.stringify(attempt), refusal: null },
        logprobs: null,
        finish_reason: "stop",
      }],
      usage: { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 },
    });
  });
  return routes;
}

async function readBody(request: Request): Promise<unknown> {
  try {
    return await request.json();
  } catch (error) {
    throw new HTTPException(400, {
      message: `Cannot read the request: the body is not JSON (${(error as Error).message})`,
    });
  }
}

function parseRequest(body: unknown): ChatRequest {
  const result = requestSchema.safeParse(body);
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0];
  throw new HTTPException(400, { message: `Cannot read the request: ${path.join(".") || "the body"}: ${message}` });
}

function readContent(content: ChatRequest["messages"][number]["content"]): string {
  if (typeof content === "string") return content;
  return content.map((part) => "text" in part && typeof part.text === "string" ? part.text : "").join("\n");
}

/** The body of a refusal in OpenAI's form. */
export function openaiError(status: number, message: string): object {
  const type = status < 500 ? "invalid_request_error" : "server_error";
  return { error: { message, type, param: null, code: null } };
}
