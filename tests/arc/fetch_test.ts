import { Uint8ArrayReader, Uint8ArrayWriter, ZipWriter } from "@zip.js/zip.js";
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DATA_SETS, type DataSet, digest, fetchDataSet } from "../../arc/fetch.ts";
import { writeWhole } from "../../arc/read.ts";
import { dataFolder } from "./data.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const tasks = new Map([["b/b1.json", bytes("{}")], ["a/a1.json", bytes("[1]")], ["list.txt", bytes("a\nb\n")]]);
const set: DataSet = {
  name: "toy",
  repository: "someone/toys",
  commit: "c0ffee",
  folder: "deep/corpus",
  files: /^(\w+)\/\1\d\.json$|^list\.txt$/,
  tasks: 2,
  digest: digest(tasks),
};

async function archive(entries: Map<string, Uint8Array>): Promise<Uint8Array> {
  const writer = new ZipWriter(new Uint8ArrayWriter(), { useWebWorkers: false });
  for (const [path, content] of entries) await writer.add(path, new Uint8ArrayReader(content));
  return await writer.close();
}

const published = new Map([
  ...[...tasks].map(([path, content]) => [`toys-c0ffee/deep/corpus/${path}`, content] as const),
  ["toys-c0ffee/LICENSE", bytes("free")],
  ["toys-c0ffee/README.md", bytes("not wanted")],
  ["toys-c0ffee/deep/corpus/b/bMinimal.json", bytes("not wanted")],
]);

interface Place {
  data: string;
  baseUrl: string;
  /** Path and range of each request. */
  requests: { path: string; range: string | null }[];
}

/** Runs `work` beside a server on this machine and with an empty data folder. */
async function serving(answer: (request: Request) => Response, work: (place: Place) => Promise<void>): Promise<void> {
  const requests: Place["requests"] = [];
  const data = await Deno.makeTempDir();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    requests.push({ path: new URL(request.url).pathname, range: request.headers.get("range") });
    return answer(request);
  });
  try {
    await work({ data, baseUrl: `http://127.0.0.1:${server.addr.port}`, requests });
  } finally {
    await server.shutdown();
    await Deno.remove(data, { recursive: true });
  }
}

async function listing(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) found.push(...(await listing(join(folder, name))).map((path) => `${name}/${path}`));
    else found.push(name);
  }
  return found.sort();
}

const whole = ["LICENSE-toy", "toy/a/a1.json", "toy/b/b1.json", "toy/list.txt"];

Deno.test("digest() sees names and contents but not the order, and only .json files", () => {
  const changed = (change: (files: Map<string, Uint8Array>) => void) => {
    const files = new Map([...tasks].reverse());
    change(files);
    return digest(files);
  };
  assert.equal(changed(() => {}), set.digest);
  assert.equal(changed((files) => files.delete("list.txt")), set.digest);
  assert.notEqual(changed((files) => files.delete("a/a1.json")), set.digest);
  assert.notEqual(changed((files) => files.set("a/a1.json", bytes("[2]"))), set.digest);
  assert.notEqual(changed((files) => files.set("a/a2.json", bytes("{}"))), set.digest);
});

Deno.test("fetchDataSet() downloads the archive of the commit, unpacks what belongs to the set, and does so once", async () => {
  const zip = await archive(published);
  await serving(() => new Response(zip as BodyInit), async ({ requests, ...options }) => {
    assert.equal(await fetchDataSet(set, options), "fetched");
    assert.deepEqual(requests, [{ path: "/someone/toys/archive/c0ffee.zip", range: null }]);
    assert.deepEqual(await listing(options.data), whole);
    assert.deepEqual(await Deno.readFile(join(options.data, "toy/a/a1.json")), tasks.get("a/a1.json"));
    assert.equal(await fetchDataSet(set, options), "present");
    assert.equal(requests.length, 1);
  });
});

Deno.test("fetchDataSet() goes on with a download that broke off", async () => {
  const zip = await archive(published);
  const answer = (request: Request) => {
    const from = Number(request.headers.get("range")?.match(/^bytes=(\d+)-$/)?.[1] ?? 0);
    return from >= zip.length
      ? new Response(null, { status: 416 })
      : new Response(zip.slice(from) as BodyInit, { status: from ? 206 : 200 });
  };
  for (const had of [100, zip.length]) {
    await serving(answer, async ({ requests, ...options }) => {
      await Deno.writeFile(join(options.data, ".toy.zip.part"), zip.subarray(0, had));
      assert.equal(await fetchDataSet(set, options), "fetched");
      assert.equal(requests[0].range, `bytes=${had}-`);
      assert.deepEqual(await listing(options.data), whole);
    });
  }
});

Deno.test("fetchDataSet() starts anew where the server cannot go on", async () => {
  const zip = await archive(published);
  await serving(() => new Response(zip as BodyInit), async (options) => {
    await Deno.writeFile(join(options.data, ".toy.zip.part"), new Uint8Array(zip.length + 5));
    assert.equal(await fetchDataSet(set, options), "fetched");
  });
});

Deno.test("fetchDataSet() keeps the part of a download that breaks off", async () => {
  const zip = await archive(published);
  const data = await Deno.makeTempDir();
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serveOnce = async () => {
    using connection = await listener.accept();
    await connection.read(new Uint8Array(4096));
    const head = bytes(`HTTP/1.1 200 OK\r\ncontent-length: ${zip.length}\r\n\r\n`);
    await connection.write(new Uint8Array([...head, ...zip.subarray(0, 100)]));
  };
  try {
    const served = serveOnce();
    const baseUrl = `http://127.0.0.1:${listener.addr.port}`;
    await assert.rejects(fetchDataSet(set, { data, baseUrl }), {
      name: "FetchError",
      message: /Try again to go on from where it broke off/,
    });
    await served;
    assert.deepEqual(await listing(data), [".toy.zip.part"]);
    assert.deepEqual(await Deno.readFile(join(data, ".toy.zip.part")), zip.subarray(0, 100));
  } finally {
    await Deno.remove(data, { recursive: true });
  }
});

Deno.test("fetchDataSet() refuses an archive with other tasks and leaves nothing behind", async () => {
  const other = new Map(published);
  other.set("toys-c0ffee/deep/corpus/a/a1.json", bytes("[2]"));
  const zip = await archive(other);
  await serving(() => new Response(zip as BodyInit), async (options) => {
    await assert.rejects(fetchDataSet(set, options), {
      name: "FetchError",
      message: "Cannot fetch toy: the archive does not hold the 2 tasks of someone/toys at c0ffee",
    });
    assert.deepEqual(await listing(options.data), []);
  });
});

Deno.test("fetchDataSet() refuses an archive with a file larger than any task", async () => {
  const zip = await archive(new Map([...published, ["toys-c0ffee/deep/corpus/a/a9.json", new Uint8Array(1_000_001)]]));
  await serving(() => new Response(zip as BodyInit), async (options) => {
    await assert.rejects(fetchDataSet(set, options), {
      name: "FetchError",
      message: /the archive is broken: deep\/corpus\/a\/a9\.json has 1000001 bytes; try again$/,
    });
    assert.deepEqual(await listing(options.data), []);
  });
});

for (
  const name of [
    "toys-c0ffee/../../evil.json",
    "/etc/evil.json",
    "toys-c0ffee/deep/corpus/..\\evil.json",
    "C:/evil.json",
  ]
) {
  Deno.test(`fetchDataSet() refuses an archive with the path ${name}`, async () => {
    const zip = await archive(new Map([...published, [name, bytes("{}")]]));
    await serving(() => new Response(zip as BodyInit), async (options) => {
      await assert.rejects(fetchDataSet(set, options), {
        name: "FetchError",
        message: /the archive is broken: Unsafe filename/,
      });
      assert.deepEqual(await listing(options.data), []);
    });
  });
}

Deno.test("fetchDataSet() throws a broken archive away", async () => {
  await serving(() => new Response("no zip"), async (options) => {
    await assert.rejects(fetchDataSet(set, options), {
      name: "FetchError",
      message: /^Cannot fetch toy: the archive is broken: /,
    });
    assert.deepEqual(await listing(options.data), []);
  });
});

Deno.test("fetchDataSet() says what to do without a network", async () => {
  await serving(() => new Response("no such page", { status: 404 }), async (options) => {
    const advice = "take a local copy with `deno task data --from DIR`, or name it with --data where tasks are read";
    const complains = (about: string) => (error: Error) => {
      assert.equal(error.name, "FetchError");
      assert(error.message.includes(about) && error.message.endsWith(advice), error.message);
      return true;
    };
    await assert.rejects(fetchDataSet(set, options), complains("the server answers 404"));
    // Nothing listens on port 1.
    await assert.rejects(
      fetchDataSet(set, { ...options, baseUrl: "http://127.0.0.1:1" }),
      complains("127.0.0.1:1/someone/toys"),
    );
  });
});

Deno.test("fetchDataSet() copies from a folder, checks it, and never replaces what is there", async () => {
  await serving(() => new Response(null, { status: 500 }), async ({ data, requests }) => {
    const from = join(data, "elsewhere");
    await assert.rejects(fetchDataSet(set, { data, from }), {
      message: `Cannot copy toy: there is no folder ${from}/toy`,
    });
    for (const [path, content] of tasks) await writeWhole(join(from, "toy", path), content);
    const copy = join(data, "copy");
    assert.equal(await fetchDataSet(set, { data: copy, from }), "copied");
    assert.deepEqual(await listing(copy), whole.slice(1));
    await writeWhole(join(from, "toy/a/a1.json"), "spoiled");
    await assert.rejects(fetchDataSet(set, { data: join(data, "other"), from }), {
      message: `Cannot fetch toy: ${from} does not hold the 2 tasks of someone/toys at c0ffee`,
    });
    await assert.rejects(fetchDataSet(set, { data: from }), {
      message: /is there but differs from .*; move it away and try again$/,
    });
    assert.equal(await Deno.readTextFile(join(from, "toy/a/a1.json")), "spoiled");
    assert.equal(requests.length, 0);
  });
});

Deno.test({
  name: "DATA_SETS are the published sets",
  ignore: dataFolder() === undefined,
  fn: async () => {
    for (const set of DATA_SETS) assert.equal(await fetchDataSet(set, { data: dataFolder()! }), "present");
  },
});

async function command(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const config = fileURLToPath(new URL("../../deno.json", import.meta.url));
  const script = fileURLToPath(new URL("../../arc/fetch_main.ts", import.meta.url));
  const cwd = await Deno.makeTempDir();
  try {
    const flags = [
      "run",
      "--no-check",
      "--config",
      config,
      "--allow-read",
      "--allow-write=data",
      "--allow-env=HRM_DATA_URL",
      "--allow-net=127.0.0.1",
    ];
    const env = { HRM_DATA_URL: "http://127.0.0.1:1", NO_COLOR: "1" };
    const run = new Deno.Command(Deno.execPath(), { args: [...flags, script, ...args], cwd, env });
    const { code, stdout, stderr } = await run.output();
    const text = (output: Uint8Array) => new TextDecoder().decode(output);
    return { code, stdout: text(stdout), stderr: text(stderr) };
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
}

Deno.test("the data command explains itself and refuses unknown sets and options", async () => {
  const help = await command("--help");
  assert.equal(help.code, 0);
  assert.match(help.stdout, /Usage: deno task data \[name…\] \[--from DIR\]/);
  const unknown = await command("arc-agi-9");
  assert.deepEqual([unknown.code, unknown.stderr.split("\n")[0]], [2, "There is no task set arc-agi-9."]);
  assert.equal((await command("--form", "x")).code, 2);
});

Deno.test("the data command fails without a network and says where to look", async () => {
  const { code, stderr } = await command("mini-arc");
  assert.equal(code, 1);
  assert.match(stderr, /^Cannot fetch mini-arc from http:\/\/127\.0\.0\.1:1\/KSB21ST\/MINI-ARC\/archive\/792d082c/);
});

Deno.test({
  name: "the data command copies sets from a folder",
  ignore: dataFolder() === undefined,
  fn: async () => {
    const { code, stdout } = await command("mini-arc", "concept-arc", "--from", dataFolder()!);
    assert.deepEqual([code, stdout], [0, "concept-arc: copied, 160 tasks\nmini-arc: copied, 149 tasks\n"]);
  },
});
