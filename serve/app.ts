/**
 * The solver over HTTP: a function from Request to Response. Knows no sockets, no files and no network (the neural kind).
 *
 * @module
 */
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { HTTPException } from "hono/http-exception";
import { methodNotAllowed } from "hono/method-not-allowed";
import { secureHeaders } from "hono/secure-headers";
import { parseTask, TaskError, withoutAnswers } from "../arc/task.ts";
import { openaiRoutes } from "./openai.ts";
import { OptionsError, parseOptions } from "./options.ts";
import type { TaskSolver } from "./solver.ts";

/** Most bytes of a request's body. */
export const MAX_BODY = 1_000_000;

/** An HTTP application: what `Deno.serve` takes, and a way to ask it without a socket. */
export interface App {
  /** Answers a request. */
  fetch(request: Request): Response | Promise<Response>;
  /** Answers a request for a path. */
  request(path: string, init?: RequestInit): Response | Promise<Response>;
}

/**
 * `POST /solve` (an ARC task in, a {@link Solution} out), `GET /health`, and the OpenAI-compatible routes under `/v1`.
 *
 * @param solver asked for every answer
 */
export function createApp(solver: TaskSolver): App {
  const app = new Hono();
  app.use(secureHeaders());
  app.use(methodNotAllowed({
    app,
    onMethodNotAllowed: (context, methods) => {
      const allow = methods.join(", ");
      return context.json({ error: `${context.req.path} takes ${allow}` }, 405, { Allow: allow });
    },
  }));
  app.use(bodyLimit({
    maxSize: MAX_BODY,
    onError: (context) => context.json({ error: `The body must be at most ${MAX_BODY} bytes` }, 413),
  }));
  app.notFound((context) => context.json({ error: `There is nothing at ${context.req.path}` }, 404));
  app.onError((error, context) => {
    if (error instanceof HTTPException) return context.json({ error: error.message }, error.status);
    if (error instanceof TaskError || error instanceof OptionsError) return context.json({ error: error.message }, 400);
    // A client that went away hears nothing, and nothing went wrong.
    if (context.req.raw.signal.aborted) return context.body(null, 408);
    console.error(error);
    return context.json({ error: "Cannot solve: an internal error; the server's log tells more" }, 500);
  });

  app.get("/health", (context) => context.json({ status: "ok", weights: solver.name, backend: solver.backend }));

  app.post("/solve", async (context) => {
    const { options, ...document } = await readJson(context.req.raw);
    const task = withoutAnswers(parseTask(document));
    return context.json(
      await solver.solve(task, parseOptions(options ?? {}), { signal: context.req.raw.signal }),
    );
  });

  app.route("/v1", openaiRoutes(solver));
  return app;
}

/** The JSON object of a request's body. */
async function readJson(request: Request): Promise<Record<string, unknown>> {
  const type = request.headers.get("content-type")?.split(";")[0].trim().toLowerCase();
  if (type !== "application/json") {
    throw new HTTPException(415, { message: `The content type is ${type ?? "missing"}, must be application/json` });
  }
  let value: unknown;
  try {
    value = await request.json();
  } catch (error) {
    throw new HTTPException(400, { message: `Cannot parse task: the body is not JSON (${(error as Error).message})` });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new HTTPException(400, { message: "Cannot parse task: the body must be a JSON object with train and test" });
}
