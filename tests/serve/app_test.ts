import { deepEqual, equal, match, ok } from "node:assert/strict";
import { parseTask } from "../../arc/task.ts";
import { createRandom } from "../../arc/random.ts";
import { initialise } from "../../model/parameters.ts";
import { type App, createApp, MAX_BODY } from "../../serve/app.ts";
import { MAX_PAIRS, MOST_SECONDS } from "../../serve/options.ts";
import { Solver } from "../../serve/solver.ts";
import { FakeSolver, mirrorTask, onPort, tinyWeights } from "./support.ts";

const json = { "content-type": "application/json" };

function post(app: App, body: unknown, headers: Record<string, string> = json) {
  return app.request("/solve", {
    method: "POST",
    headers,
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

async function refusal(response: Response | Promise<Response>): Promise<[number, string]> {
  const { status, headers, body } = await response;
  equal(headers.get("content-type"), "application/json");
  return [status, (await new Response(body).json()).error];
}

Deno.test("POST /solve replies one entry of answers per test input, in order", async () => {
  const solver = new FakeSolver();
  const reply = await (await post(createApp(solver), mirrorTask)).json();
  equal(solver.asked[0].call.mostSeconds, MOST_SECONDS);
  deepEqual(reply, {
    id: "mirror",
    answers: [
      {
        attempt_1: [[8, 7]],
        attempt_2: [[7, 8]],
        candidates: [{ grid: [[8, 7]], votes: 5, halt: 0.9, doubt: 0 }, {
          grid: [[7, 8]],
          votes: 1,
          halt: 0.5,
          doubt: 0,
        }],
      },
      {
        attempt_1: [[9, 1, 1]],
        attempt_2: [[1, 1, 9]],
        candidates: [{ grid: [[9, 1, 1]], votes: 5, halt: 0.9, doubt: 0 }, {
          grid: [[1, 1, 9]],
          votes: 1,
          halt: 0.5,
          doubt: 0,
        }],
      },
    ],
    solver: {
      weights: "fake.safetensors",
      backend: "none",
      known: false,
      adaptation_steps: 7,
      augmentations: 6,
      segments: 2,
    },
    seconds: { adapt: 1, infer: 0.5, total: 1.5 },
  });
});

Deno.test("POST /solve hands the solver its options and a task without answers", async () => {
  const solver = new FakeSolver();
  const options = {
    seconds: 600,
    steps: 3,
    augmentations: 1000,
    maxSegments: 2,
    adapt: "always",
    ranking: "votes",
    seed: -1,
  };
  equal((await post(createApp(solver), { ...mirrorTask, options })).status, 200);
  deepEqual(solver.asked[0].options, options);
  deepEqual(solver.asked[0].task, { ...mirrorTask, test: mirrorTask.test.map(({ input }) => ({ input })) });
});

Deno.test("POST /solve refuses a bad task with the parser's message", async () => {
  const app = createApp(new FakeSolver());
  const bad = { ...mirrorTask, train: [{ input: [[10]], output: [[1]] }] };
  let message = "";
  try {
    parseTask(bad);
  } catch (error) {
    message = (error as Error).message;
  }
  deepEqual(await refusal(post(app, bad)), [400, message]);
  match((await refusal(post(app, "{")))[1], /^Cannot parse task: the body is not JSON/);
  deepEqual(await refusal(post(app, "[]")), [
    400,
    "Cannot parse task: the body must be a JSON object with train and test",
  ]);
});

Deno.test("POST /solve refuses options that are unknown or out of bounds, and names them", async () => {
  const app = createApp(new FakeSolver());
  const named = async (options: unknown, pattern: RegExp) => {
    const [status, message] = await refusal(post(app, { ...mirrorTask, options }));
    equal(status, 400);
    match(message, pattern);
  };
  await named({ seconds: 600.1 }, /^Cannot use options: seconds: .*600/);
  await named({ seconds: 0 }, /seconds/);
  await named({ augmentations: 1001 }, /augmentations: .*1000/);
  await named({ steps: 1.5 }, /steps/);
  await named({ adapt: "sometimes" }, /adapt: .*"auto"/);
  await named({ ranking: "best" }, /ranking: .*"votes"/);
  await named({ temperature: 1 }, /temperature/);
  await named("fast", /expected object/);
});

Deno.test("POST /solve refuses a task of more pairs than anyone has, and one that the weights have no room for", async () => {
  const { train, test } = mirrorTask;
  const app = createApp(new FakeSolver());
  const many = <Item>(list: readonly Item[], count: number) => Array.from({ length: count }, (_, i) => list[i % 2]);
  equal((await post(app, { train: many(train, MAX_PAIRS), test: many(test, MAX_PAIRS) })).status, 200);
  deepEqual(await refusal(post(app, { train: many(train, MAX_PAIRS + 1), test })), [
    400,
    "Cannot solve task task: train has 51 pairs, must be <= 50",
  ]);
  match((await refusal(post(app, { train, test: many(test, 51) })))[1], /test has 51 pairs/);

  const weights = await tinyWeights();
  weights.config.model.positions = "learned";
  weights.network = initialise(weights.config.model, createRandom(1));
  const solver = new Solver(weights, "tiny.safetensors", "cpu", 1);
  const wide = { train, test: [{ input: [[1, 2, 3, 4, 5]] }] };
  // Without adapting only the test input is shown; learning needs room for the end of an answer, too.
  for (const [adapt, side] of [["never", 5], ["always", 6]]) {
    deepEqual(await refusal(post(createApp(solver), { ...wide, options: { adapt, steps: 1 } })), [
      400,
      `Cannot solve task task: it needs a canvas of side ${side}, these weights work on one of side 4 only`,
    ]);
  }
});

Deno.test("POST /solve takes what a request does not say from the server's defaults, but for budgets", async () => {
  const solver = new FakeSolver();
  const app = createApp(solver, { seconds: 5, ranking: "votes", augmentations: 9 });
  for (const options of [undefined, { augmentations: 3 }, { steps: 7 }]) await post(app, { ...mirrorTask, options });
  deepEqual(solver.asked.map(({ options }) => JSON.parse(JSON.stringify(options))), [
    { ranking: "votes", augmentations: 9, seconds: 5 },
    { ranking: "votes", augmentations: 3, seconds: 5 },
    { ranking: "votes", augmentations: 9, steps: 7 },
  ]);
});

Deno.test("createApp() replies 413 above the largest body, declared or streamed", async () => {
  const app = createApp(new FakeSolver());
  const large = " ".repeat(MAX_BODY + 1);
  deepEqual(await refusal(post(app, large, { ...json, "content-length": String(large.length) })), [
    413,
    `The body must be at most ${MAX_BODY} bytes`,
  ]);
  equal((await refusal(post(app, large)))[0], 413);
});

Deno.test("createApp() replies 415, 404 and 405 as JSON", async () => {
  const app = createApp(new FakeSolver());
  deepEqual(await refusal(post(app, mirrorTask, { "content-type": "text/plain" })), [
    415,
    "The content type is text/plain, must be application/json",
  ]);
  equal((await post(app, mirrorTask, { "content-type": "application/json; charset=utf-8" })).status, 200);
  deepEqual(await refusal(app.request("/nothing")), [404, "There is nothing at /nothing"]);
  const wrongMethod = await app.request("/solve");
  equal(wrongMethod.headers.get("allow"), "POST");
  deepEqual(await refusal(wrongMethod), [405, "/solve takes POST"]);
});

Deno.test("createApp() keeps the cause of an internal error to itself", async () => {
  const printed: unknown[] = [];
  const { error } = console;
  console.error = (...values: unknown[]) => printed.push(...values);
  try {
    const app = createApp(
      new FakeSolver(() => {
        throw new Error("secret path");
      }),
    );
    const [status, message] = await refusal(post(app, mirrorTask));
    equal(status, 500);
    ok(!message.includes("secret"));
    match(String(printed[0]), /secret path/);
  } finally {
    console.error = error;
  }
});

Deno.test("GET /health names the weights and the backend", async () => {
  const reply = await createApp(new FakeSolver()).request("/health");
  deepEqual(await reply.json(), { status: "ok", weights: "fake.safetensors", backend: "none" });
});

Deno.test("POST /solve works over a socket, and a client that goes away aborts its adaptation", async () => {
  const aborted = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const solver = new FakeSolver(async ({ options, call }) => {
    if (options.seed !== 13) return;
    call.signal!.addEventListener("abort", () => aborted.resolve());
    begun.resolve();
    await aborted.promise;
    call.signal!.throwIfAborted();
  });
  await using server = await onPort(createApp(solver));
  const url = `${server.url}/solve`;
  const answered = await fetch(url, { method: "POST", headers: json, body: JSON.stringify(mirrorTask) });
  equal((await answered.json()).answers.length, 2);

  const client = new AbortController();
  const going = fetch(url, {
    method: "POST",
    headers: json,
    // As long as a real task is.
    body: JSON.stringify({ ...mirrorTask, options: { seed: 13 } }) + " ".repeat(10_000),
    signal: client.signal,
  }).catch((error) => error.name);
  await begun.promise;
  client.abort();
  equal(await going, "AbortError");
  await aborted.promise;
});

Deno.test("a request without a length is answered over a socket as any other", async () => {
  await using server = await onPort(createApp(new FakeSolver()));
  const ask = async (method: string, body?: ReadableStream) => {
    const response = await fetch(`${server.url}/solve`, { method, headers: json, body });
    return [response.status, Object.keys(await response.json())];
  };
  const streamed = (text: string) => new Blob([text]).stream();
  deepEqual(await ask("POST", streamed(JSON.stringify(mirrorTask))), [200, ["id", "answers", "solver", "seconds"]]);
  deepEqual(await ask("POST", streamed(" ".repeat(MAX_BODY + 1))), [413, ["error"]]);
  deepEqual(await ask("DELETE"), [405, ["error"]]);
  deepEqual(await ask("GET"), [405, ["error"]]);
});

Deno.test("listen() ends with its signal, whatever is in work", async () => {
  const begun = Promise.withResolvers<void>();
  const solver = new FakeSolver(() => {
    begun.resolve();
    return new Promise(() => {});
  });
  let broken: Promise<string>;
  {
    await using server = await onPort(createApp(solver));
    broken = fetch(`${server.url}/solve`, { method: "POST", headers: json, body: JSON.stringify(mirrorTask) })
      .then(({ status }) => String(status), (error) => error.name);
    await begun.promise;
  }
  equal(await broken, "TypeError");
});

Deno.test("POST /solve adapts a real network, repeatably, and leaves the served weights as they were", async () => {
  const weights = await tinyWeights();
  const { network, table } = weights;
  const solver = new Solver(weights, "tiny.safetensors", "cpu", 1);
  const bits = async () => {
    const tensors = { ...network.parameters, ...network.buffers };
    const entries = await Promise.all(
      Object.entries(tensors).map(async (
        [name, tensor],
      ) => [name, new Uint32Array((await tensor.data()).slice().buffer)]),
    );
    return { tensors: Object.fromEntries(entries), table: new Uint32Array(table.values.slice().buffer) };
  };
  const before = await bits();
  const app = createApp(solver);
  const body = { ...mirrorTask, options: { steps: 3, augmentations: 4, seed: 5 } };
  const ask = async (asked: unknown) => {
    const response = await post(app, asked);
    equal(response.status, 200);
    return await response.json();
  };
  const replies = [await ask(body), await ask(body)];
  for (const reply of replies) delete reply.seconds;
  deepEqual(replies[0], replies[1]);
  equal(replies[0].answers.length, 2);
  // Two members; of their snapshots only the last falls on one of three steps.
  for (const { candidates } of replies[0].answers) {
    equal(candidates.reduce((sum: number, { votes }: { votes: number }) => sum + votes, 0), 8);
  }
  deepEqual(replies[0].solver, {
    weights: "tiny.safetensors",
    backend: "cpu",
    known: false,
    adaptation_steps: 6,
    augmentations: 4,
    segments: 2,
  });
  deepEqual(await bits(), before);
  const other = await ask({ ...body, options: { ...body.options, seed: 6 } });
  ok(JSON.stringify(other.answers) !== JSON.stringify(replies[0].answers));
  await solver.close();
});
