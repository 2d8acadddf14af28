import assert from "node:assert/strict";
import { join } from "node:path";
import { readTasks, writeWhole } from "../../arc/read.ts";
import { dataFolder } from "./data.ts";

const grid = [[1]];
const document = { train: [{ input: grid, output: grid }], test: [{ input: grid }, { input: [[2]] }] };

async function inFolder(files: Record<string, unknown>, work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    for (const [name, content] of Object.entries(files)) {
      await writeWhole(join(folder, name), typeof content === "string" ? content : JSON.stringify(content));
    }
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("readTasks() reads one file and takes its name for the id", () =>
  inFolder({ "abc.json": { ...document, name: "other", id: "another" } }, async (folder) => {
    assert.deepEqual(await readTasks(join(folder, "abc.json")), [{ id: "abc", ...document }]);
  }));

Deno.test("readTasks() reads a folder with its subfolders, sorted, and only its .json files", () =>
  inFolder({
    "b.json": document,
    "Count/c2.json": document,
    "Count/c1.json": document,
    "a.json": document,
    "x.txt": "-",
  }, async (folder) => {
    assert.deepEqual((await readTasks(folder)).map(({ id }) => id), ["c1", "c2", "a", "b"]);
  }));

for (const mark of ["-", "_"]) {
  Deno.test(`readTasks() joins challenges and solutions named with "${mark}"`, () => {
    const challenges = `arc-agi_evaluation${mark}challenges.json`;
    const solutions = `arc-agi_evaluation${mark}solutions.json`;
    return inFolder({
      [challenges]: { t1: document, t2: document },
      [solutions]: { t1: [[[3]], [[4]]], t2: [[[5]], [[6]]] },
    }, async (folder) => {
      const tasks = await readTasks(join(folder, challenges));
      assert.deepEqual(tasks.map(({ id, test }) => [id, test[0].output, test[1].output]), [["t1", [[3]], [[4]]], [
        "t2",
        [[5]],
        [[6]],
      ]]);
    });
  });
}

Deno.test(
  "readTasks() follows links, once, and passes over what is no task behind one",
  {
    ignore: Deno.build.os === "windows",
  },
  () =>
    inFolder({ "set/a.json": document, "elsewhere/b.json": document, "elsewhere/c.txt": "no task" }, async (folder) => {
      const link = (to: string, name: string) => Deno.symlink(`${folder}/${to}`, `${folder}/set/${name}`);
      await link("elsewhere", "linked");
      await link("set", "circle");
      await link("elsewhere/c.txt", "text");
      assert.deepEqual((await readTasks(`${folder}/set`)).map(({ id }) => id), ["a", "b"]);
    }),
);

Deno.test("readTasks() says what to name instead of a file of answers", () =>
  inFolder(
    { "x_solutions.json": { t1: [[[1]]] } },
    (folder) =>
      assert.rejects(readTasks(folder), /x_solutions.json: it holds answers only; name the challenges file beside it/),
  ));

Deno.test("readTasks() reads challenges without solutions", () =>
  inFolder({ "test_challenges.json": { t1: document } }, async (folder) => {
    assert.deepEqual(await readTasks(join(folder, "test_challenges.json")), [{ id: "t1", ...document }]);
  }));

Deno.test("readTasks() names the file and the fault", () =>
  inFolder({
    "bad.json": { ...document, train: [] },
    "broken.json": "{",
    "nothing.json": {},
    "joined.json": { t1: { ...document, test: [] } },
    "x_challenges.json": { t1: document },
    "x_solutions.json": { t1: [[[1]]] },
    "twice/a/t.json": document,
    "twice/b/t.json": document,
    "empty/readme.txt": "",
  }, async (folder) => {
    const rejects = (name: string, message: string | RegExp) =>
      assert.rejects(readTasks(join(folder, name)), { name: "TaskError", message });
    await rejects("bad.json", `Cannot read ${folder}/bad.json: Cannot parse task bad: train has 0 pairs, must be >= 1`);
    await rejects(
      "nothing.json",
      `Cannot read ${folder}/nothing.json: Cannot parse task nothing: train is missing, must be a list of pairs`,
    );
    await rejects("broken.json", new RegExp(`^Cannot read ${folder}/broken.json: .*JSON`));
    await rejects(
      "joined.json",
      `Cannot read ${folder}/joined.json: Cannot parse task t1: test has 0 pairs, must be >= 1`,
    );
    await rejects(
      "x_challenges.json",
      `Cannot read ${folder}/x_challenges.json: x_solutions.json must hold a list of 2 outputs for t1`,
    );
    await rejects("none.json", `Cannot read ${folder}/none.json: there is no such file or folder`);
    await rejects("empty", `Cannot read tasks: ${folder}/empty holds no .json file`);
    await rejects(
      "twice",
      `Cannot read tasks: ${folder}/twice/a/t.json and ${folder}/twice/b/t.json both hold the task t; read them apart`,
    );
  }));

Deno.test("writeWhole() replaces a file, makes its folder and leaves nothing else", () =>
  inFolder({}, async (folder) => {
    await writeWhole(join(folder, "deep/file"), "one");
    await writeWhole(join(folder, "deep/file"), new Uint8Array([116, 119, 111]));
    assert.equal(await Deno.readTextFile(join(folder, "deep/file")), "two");
    assert.deepEqual((await Array.fromAsync(Deno.readDir(join(folder, "deep")))).map(({ name }) => name), ["file"]);
  }));

Deno.test("writeWhole() leaves the old file and no other when it fails", () =>
  inFolder({ "taken/inside": "" }, async (folder) => {
    await assert.rejects(writeWhole(join(folder, "taken"), "new"));
    assert.deepEqual((await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name), ["taken"]);
  }));

Deno.test({
  name: "readTasks() reads the published data sets whole",
  ignore: dataFolder() === undefined,
  fn: async () => {
    for (const [set, count] of [["arc-agi-1/evaluation", 400], ["concept-arc", 160], ["mini-arc", 149]] as const) {
      const tasks = await readTasks(join(dataFolder()!, set));
      assert.equal(tasks.length, count);
      assert(tasks.every(({ test }) => test.every(({ output }) => output !== undefined)));
    }
  },
});
