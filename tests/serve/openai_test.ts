import { deepEqual, equal, match, rejects, throws } from "node:assert/strict";
import OpenAI from "openai";
import type { Grid } from "../../arc/task.ts";
import { createApp } from "../../serve/app.ts";
import { parsePrompt } from "../../serve/openai.ts";
import { FakeSolver, mirrorTask, onPort } from "./support.ts";

/** A prompt with the marks of arc-agi-benchmarking. */
function prompt(test: Grid, grid: (grid: Grid) => string = JSON.stringify): string {
  const examples = mirrorTask.train.map(({ input, output }, i) =>
    `--Example ${i}-- \n\n INPUT: \n\n${grid(input)}\n\nOUTPUT: \n\n${grid(output)}\n\n`
  );
  return `A puzzle [with rows]. Answer as the examples do.\n\n--Training Examples--\n${
    examples.join("")
  }\n--End of Training Examples--\n\n--Test Input--\n${grid(test)}\n--End of Test Input--\n\nYour response:`;
}

/** Runs `work` with an official client of a server that asks `solver`. */
async function withClient(solver: FakeSolver, work: (client: OpenAI) => Promise<void>): Promise<void> {
  await using server = await onPort(createApp(solver));
  await work(new OpenAI({ apiKey: "none", baseURL: `${server.url}/v1`, maxRetries: 0 }));
}

const ask = (client: OpenAI, content: string) =>
  client.chat.completions.create({ model: "fake", messages: [{ role: "user", content }], temperature: 0.5 });

Deno.test("parsePrompt() reads demonstrations and test input, however the JSON is laid out", () => {
  const expected = { train: mirrorTask.train, test: [{ input: [[7, 8]] }] };
  for (const layout of [JSON.stringify, (grid: Grid) => JSON.stringify(grid, null, 2)]) {
    const { train, test } = parsePrompt(prompt([[7, 8]], layout));
    deepEqual({ train, test }, expected);
  }
});

Deno.test("parsePrompt() refuses a prompt without a task, and a task with a bad grid", () => {
  throws(() => parsePrompt("What is the capital of France?"), /holds no ARC task/);
  throws(() => parsePrompt(prompt([[7, 8]]).replace("--Test Input--", "")), /holds no ARC task/);
  throws(() => parsePrompt(prompt([[7, 8], [9]])), /test\[0\]\.input\[1\] has 1 columns, must be 2/);
  throws(() => parsePrompt(prompt([[7, 8]]).replace("[[7,8]]", "[[7,,8]]")), /is not a JSON grid/);
});

Deno.test("POST /v1/chat/completions answers the official client with attempt 1, then attempt 2, solving once", async () => {
  const solver = new FakeSolver();
  await withClient(solver, async (client) => {
    const first = await ask(client, prompt([[7, 8]]));
    equal(first.choices[0].message.content, "[[8,7]]");
    equal(first.choices[0].finish_reason, "stop");
    equal(first.model, "fake.safetensors");
    equal((await ask(client, prompt([[1, 2, 3]]))).choices[0].message.content, "[[3,2,1]]");
    equal((await ask(client, prompt([[7, 8]]))).choices[0].message.content, "[[7,8]]");
    equal((await ask(client, prompt([[7, 8]]))).choices[0].message.content, "[[8,7]]");
    equal(solver.asked.length, 2);
  });
});

Deno.test("POST /v1/chat/completions gives two clients that ask at once both attempts", async () => {
  await withClient(new FakeSolver(), async (client) => {
    const replies = await Promise.all([ask(client, prompt([[7, 8]])), ask(client, prompt([[7, 8]]))]);
    deepEqual(replies.map(({ choices }) => choices[0].message.content).sort(), ["[[7,8]]", "[[8,7]]"]);
  });
});

Deno.test("POST /v1/chat/completions refuses in OpenAI's error format what holds no task or asks for a stream", async () => {
  await withClient(new FakeSolver(), async (client) => {
    await rejects(() => ask(client, "Hello"), (error: InstanceType<typeof OpenAI.BadRequestError>) => {
      equal(error.status, 400);
      equal(error.type, "invalid_request_error");
      match(error.message, /holds no ARC task/);
      return true;
    });
    const stream = client.chat.completions.create({
      model: "fake",
      messages: [{ role: "user", content: prompt([[7, 8]]) }],
      stream: true,
    });
    await rejects(async () => await stream, /400 Cannot read the request: stream: must be false/);
  });
});

/** A server that asks `solver`, and what posts a prompt to it. */
async function listening(solver: FakeSolver) {
  const { url, [Symbol.asyncDispose]: close } = await onPort(createApp(solver, { seconds: 5 }));
  const post = async (
    body: unknown,
    signal?: AbortSignal,
  ): Promise<{ status: number; content?: string; error?: string }> => {
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: typeof body === "string" ? body : JSON.stringify(body),
      signal,
    });
    const reply = await response.json();
    return { status: response.status, content: reply.choices?.[0].message.content, error: reply.error?.message };
  };
  return { post, [Symbol.asyncDispose]: close };
}

/** A solver that keeps everyone waiting until it is told, or aborted. */
function waitingSolver() {
  const [begun, going, aborted] = [1, 2, 3].map(() => Promise.withResolvers<void>());
  const solver = new FakeSolver(async ({ call: { signal } }) => {
    begun.resolve();
    signal!.addEventListener("abort", () => aborted.resolve());
    await Promise.race([going.promise, aborted.promise]);
  });
  return { solver, begun: begun.promise, go: () => going.resolve(), aborted: aborted.promise };
}

const asked = { messages: [{ role: "user", content: prompt([[7, 8]]) }] };

/** Asks; what it returns makes the client go away. */
function asking({ post }: Awaited<ReturnType<typeof listening>>): () => Promise<void> {
  const client = new AbortController();
  const reply = post(asked, client.signal).catch((error) => error.name);
  return async () => {
    client.abort();
    equal(await reply, "AbortError");
  };
}

Deno.test("POST /v1/chat/completions ends what nobody waits for any more, and has not handed out an attempt", async () => {
  const { solver, begun, aborted } = waitingSolver();
  await using server = await listening(solver);
  const leave = asking(server);
  await begun;
  await leave();
  await aborted;
  equal((await server.post(asked)).content, "[[8,7]]");
  equal(solver.asked.length, 2);
});

Deno.test("POST /v1/chat/completions goes on for who still waits, and counts the attempts of who is there", async () => {
  const { solver, begun, go } = waitingSolver();
  await using server = await listening(solver);
  const leave = asking(server);
  await begun;
  const second = server.post(asked);
  // The server has to have heard of both, and then that one is gone.
  await new Promise((resolve) => setTimeout(resolve, 100));
  await leave();
  await new Promise((resolve) => setTimeout(resolve, 100));
  go();
  equal((await second).content, "[[8,7]]");
  equal((await server.post(asked)).content, "[[7,8]]");
  equal(solver.asked.length, 1);
});

Deno.test("POST /v1/chat/completions takes options as POST /solve does, on top of the server's", async () => {
  const solver = new FakeSolver();
  await using server = await listening(solver);
  for (const options of [undefined, { ranking: "votes" }, { steps: 3 }]) {
    await server.post({ ...asked, options, seed: 4 });
  }
  deepEqual(solver.asked.map(({ options }) => JSON.parse(JSON.stringify(options))), [
    { seconds: 5, seed: 4 },
    { seconds: 5, ranking: "votes", seed: 4 },
    { steps: 3, seed: 4 },
  ]);
  deepEqual(await server.post({ ...asked, options: { minutes: 1 } }), {
    status: 400,
    content: undefined,
    error: 'Cannot use options: Unrecognized key: "minutes"',
  });
});

Deno.test("all refusals under /v1 have OpenAI's form", async () => {
  const app = createApp(new FakeSolver());
  const refused = async (status: number, message: RegExp, path: string, init?: RequestInit) => {
    const response = await app.request(path, init);
    const { error } = await response.json();
    equal(response.status, status);
    equal(error.type, "invalid_request_error");
    match(error.message, message);
  };
  const post = (body: string) => ({ method: "POST", body, headers: { "content-type": "application/json" } });
  await refused(400, /^Cannot read the request: the body is not JSON \(/, "/v1/chat/completions", post("{"));
  await refused(413, /at most 1000000 bytes/, "/v1/chat/completions", post(" ".repeat(1_000_001)));
  await refused(405, /takes POST/, "/v1/chat/completions");
  await refused(404, /nothing at \/v1\/embeddings/, "/v1/embeddings");
  await refused(404, /There is no model gpt-5, only fake.safetensors/, "/v1/models/gpt-5");
});

Deno.test("POST /v1/chat/completions tries again after a failure", async () => {
  const { error } = console;
  console.error = () => {};
  let broken = true;
  try {
    const solver = new FakeSolver(() => {
      if (broken) throw new Error("out of memory");
    });
    await withClient(solver, async (client) => {
      await rejects(() => ask(client, prompt([[7, 8]])), /500 Cannot solve: an internal error/);
      broken = false;
      equal((await ask(client, prompt([[7, 8]]))).choices[0].message.content, "[[8,7]]");
    });
  } finally {
    console.error = error;
  }
});

Deno.test("GET /v1/models lists the weights", async () => {
  await withClient(new FakeSolver(), async (client) => {
    deepEqual((await Array.fromAsync(await client.models.list())).map(({ id }) => id), ["fake.safetensors"]);
    equal((await client.models.retrieve("fake.safetensors")).object, "model");
  });
});
