/**
 * The solver over HTTP: a function from Request to Response. Knows no sockets, no files and no network (the neural kind).
 *
 * @module
 */
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { HTTPException } from "hono/http-exception";
import { methodNotAllowed } from "hono/method-not-allowed";
import { secureHeaders } from "hono/secure-headers";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { TaskError } from "../arc/task.ts";
import { openaiError, openaiRoutes } from "./openai.ts";
import { MOST_SECONDS, OptionsError, parseAskedTask, parseOptions, withDefaults } from "./options.ts";
import type { SolveOptions, TaskSolver } from "./solver.ts";

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
 * @param defaults how it is asked where a request says nothing else
 */
export function createApp(solver: TaskSolver, defaults: SolveOptions = {}): App {
  const app = new Hono();
  const refuse = (context: Context, status: ContentfulStatusCode, message: string) =>
    context.json(context.req.path.startsWith("/v1/") ? openaiError(status, message) : { error: message }, status);
  app.use(secureHeaders());
  app.use(methodNotAllowed({
    app,
    onMethodNotAllowed: (context, methods) => {
      const allow = methods.join(", ");
      context.header("Allow", allow);
      return refuse(context, 405, `${context.req.path} takes ${allow}`);
    },
  }));
  app.use(bodyLimit({
    maxSize: MAX_BODY,
    onError: (context) => refuse(context, 413, `The body must be at most ${MAX_BODY} bytes`),
  }));
  app.notFound((context) => refuse(context, 404, `There is nothing at ${context.req.path}`));
  app.onError((error, context) => {
    if (error instanceof HTTPException) return refuse(context, error.status as ContentfulStatusCode, error.message);
    if (error instanceof TaskError || error instanceof OptionsError) return refuse(context, 400, error.message);
    // A client that went away hears nothing, and nothing went wrong.
    if (context.req.raw.signal.aborted) return context.body(null, 408);
    console.error(error);
    return refuse(context, 500, "Cannot solve: an internal error; the server's log tells more");
  });

  app.get("/health", (context) => context.json({ status: "ok", weights: solver.name, backend: solver.backend }));

  app.post("/solve", async (context) => {
    const { options, ...document } = await readJson(context.req.raw);
    const task = parseAskedTask(document);
    const asked = withDefaults(parseOptions(options ?? {}), defaults);
    return context.json(await solver.solve(task, asked, { signal: context.req.raw.signal, mostSeconds: MOST_SECONDS }));
  });

  app.route("/v1", openaiRoutes(solver, defaults));
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
