import { deepEqual, equal, match, rejects, throws } from "node:assert/strict";
import OpenAI from "openai";
import type { Grid } from "../../arc/task.ts";
import { createApp } from "../../serve/app.ts";
import { parsePrompt } from "../../serve/openai.ts";
import { FakeSolver, mirrorTask } from "./support.ts";

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
  const app = createApp(solver);
  await using server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    (request) => app.fetch(request),
  );
  await work(new OpenAI({ apiKey: "none", baseURL: `http://127.0.0.1:${server.addr.port}/v1`, maxRetries: 0 }));
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
  });
});
