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
import { type Grid, parseTask, TaskError, type UnansweredTask, withoutAnswers } from "../arc/task.ts";
import type { Solution, TaskSolver } from "./solver.ts";

/** Prompts whose solutions are kept for the second attempt. */
const MAX_KEPT = 1000;

const text = z.object({ type: z.literal("text"), text: z.string() });

// Clients send many parameters that mean nothing to a solver of puzzles: those are let through.
const requestSchema = z.looseObject({
  messages: z.array(z.looseObject({ content: z.union([z.string(), z.array(z.union([text, z.looseObject({})]))]) }))
    .min(1),
  stream: z.literal(false, { error: "must be false: answers come whole" }).nullish(),
  seed: z.int().nullish(),
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
  return withoutAnswers(parseTask({ train, test: [{ input: grid(test) }] }, id));
}

/** `GET /models` and `POST /chat/completions`. The same task asked again gets the other attempt. */
export function openaiRoutes(solver: TaskSolver): Hono {
  const routes = new Hono();
  const model = { id: solver.name, object: "model", created: 0, owned_by: "local" };
  const kept = new Map<string, { solution: Promise<Solution>; answered: number }>();

  const solveOnce = (task: UnansweredTask, seed?: number) => {
    const key = JSON.stringify([task.train, task.test, seed]);
    let known = kept.get(key);
    if (!known) {
      if (kept.size === MAX_KEPT) kept.delete(kept.keys().next().value!);
      // Two clients may wait for it: one that goes away must not end the other's.
      known = { solution: solver.solve(task, seed === undefined ? {} : { seed }), answered: 0 };
      kept.set(key, known);
      known.solution.catch(() => kept.delete(key));
    }
    return known;
  };

  routes.onError((error) => {
    if (error instanceof TaskError || error instanceof HTTPException) {
      return refuse(error instanceof HTTPException ? error.status : 400, error.message);
    }
    console.error(error);
    return refuse(500, "Cannot solve: an internal error; the server's log tells more");
  });

  routes.get("/models", (context) => context.json({ object: "list", data: [model] }));

  routes.post("/chat/completions", async (context) => {
    const request = parseRequest(await context.req.json().catch(() => undefined));
    const task = parsePrompt(request.messages.map(({ content }) => readContent(content)).join("\n\n"));
    const known = solveOnce(task, request.seed ?? undefined);
    const [{ attempt_1, attempt_2 }] = (await known.solution).answers;
    // Nobody reads the reply to a client that went away, so it uses up no attempt.
    const second = known.answered % 2 === 1;
    if (!context.req.raw.signal.aborted) known.answered++;
    return context.json({
      id: `chatcmpl-${crypto.randomUUID()}`,
      object: "chat.completion",
      created: Math.floor(Date.now() / 1000),
      model: solver.name,
      choices: [{
        index: 0,
        message: { role: "assistant", content: JSON.stringify(second ? attempt_2 : attempt_1), refusal: null },
        logprobs: null,
        finish_reason: "stop",
      }],
      usage: { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 },
    });
  });
  return routes;
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

function refuse(status: number, message: string): Response {
  const type = status < 500 ? "invalid_request_error" : "server_error";
  const body = { error: { message, type, param: null, code: null } };
  return new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json" } });
}
