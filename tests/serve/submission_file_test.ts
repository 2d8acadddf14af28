import { deepEqual, equal, match, rejects } from "node:assert/strict";
import { join } from "node:path";
import type { Submission } from "../../arc/submission.ts";
import { type Task, withoutAnswers } from "../../arc/task.ts";
import { tasksDigest } from "../../serve/run.ts";
import { main as scoreMain } from "../../serve/score_main.ts";
import { readSubmission, scoreSubmission } from "../../serve/submission_file.ts";
import { main as validateMain } from "../../serve/validate_main.ts";
import { mirrorTask } from "./support.ts";

const one: Task = { ...mirrorTask, id: "one", test: [mirrorTask.test[0]] };
const two: Task = { ...mirrorTask, id: "two" };
const attempts = (first: number[][], second: number[][]) => ({ attempt_1: first, attempt_2: second });

/** Right at the second attempt for one, at the first for the first of two's test inputs. */
const good: Submission = {
  one: [attempts([[0]], [[8, 7]])],
  two: [attempts([[8, 7]], [[0]]), attempts([[0]], [[0]])],
};

const bad: [string, unknown, string][] = [
  ["a missing task", { one: good.one }, "two is missing."],
  ["a strange task", { ...good, three: [] }, "three is not a task of this set."],
  ["too few test outputs", { ...good, two: [good.two[0]] }, "two has 1 entries, must have 2, one for each test input."],
  ["a missing attempt", { ...good, one: [{ attempt_1: [[0]] }] }, "one[0].attempt_2 is missing."],
  ["an empty grid", { ...good, one: [attempts([], [[0]])] }, "one[0].attempt_1 must be a non-empty list of rows."],
  [
    "a colour above 9",
    { ...good, one: [attempts([[0, 10]], [[0]])] },
    "one[0].attempt_1[0][1] is 10, must be an integer 0 to 9.",
  ],
  [
    "a ragged grid",
    { ...good, one: [attempts([[0, 1], [2]], [[0]])] },
    "one[0].attempt_1[1] has 1 columns, must have 2 as the first row.",
  ],
  ["a list", [], "The submission must be an object {task id: [{attempt_1, attempt_2}, …]}."],
];

/** A folder with the tasks in `data/`, and files to check. */
async function withFolder(
  work: (folder: string, write: (name: string, value: unknown) => Promise<string>) => Promise<void>,
) {
  const folder = await Deno.makeTempDir();
  const write = async (name: string, value: unknown) => {
    const path = join(folder, name);
    await Deno.writeTextFile(path, typeof value === "string" ? value : JSON.stringify(value));
    return path;
  };
  try {
    await Deno.mkdir(join(folder, "data"));
    for (const { id, train, test } of [one, two]) await write(`data/${id}.json`, { train, test });
    await work(folder, write);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** What a command prints, and its exit code. */
async function printed(command: () => Promise<number>): Promise<[number, string]> {
  const { log, error } = console;
  const lines: string[] = [];
  console.log = console.error = (...values: unknown[]) => lines.push(values.join(" "));
  try {
    return [await command(), lines.join("\n")];
  } finally {
    Object.assign(console, { log, error });
  }
}

Deno.test("deno task validate says precisely what is wrong", () =>
  withFolder(async (folder, write) => {
    const check = (path: string) => printed(() => validateMain([path, "--data", join(folder, "data")]));
    const path = await write("good.json", good);
    deepEqual(await check(path), [0, `${path}: good, 2 tasks`]);
    for (const [name, document, fault] of bad) {
      const [code, text] = await check(await write("bad.json", document));
      equal(code, 1, name);
      equal(text.split("\n")[0], fault);
    }
    match((await check(await write("bad.json", "{")))[1], /^The file is not JSON/);
  }));

Deno.test("deno task score counts by the three rules, and refuses a faulty submission", () =>
  withFolder(async (folder, write) => {
    const data = join(folder, "data");
    const [code, text] = await printed(async () => await scoreMain([await write("good.json", good), "--data", data]));
    equal(code, 0);
    match(text, /pass@1 +1 of 3 \(33\.3 %\) +25\.0 % +0 of 2 \(0\.0 %\)/);
    match(text, /pass@2 +2 of 3 \(66\.7 %\) +75\.0 % +1 of 2 \(50\.0 %\)/);
    const path = await write("bad.json", { one: good.one });
    const [refused, why] = await printed(() => scoreMain([path, "--data", data]));
    equal(refused, 1);
    match(why, /two is missing\.\nCannot score .*bad\.json: 1 fault$/m);
  }));

Deno.test("deno task score and validate end with 2 after a mistake in the arguments", async () => {
  for (const main of [scoreMain, validateMain]) {
    equal((await printed(() => main([])))[0], 2);
    match((await printed(() => main(["a", "--nothing"])))[1], /--nothing/);
    const [code, text] = await printed(() => main(["--help"]));
    equal(code, 0);
    match(text, /^Usage: deno task/m);
  }
});

Deno.test("readSubmission() finds the tasks of the run in whose folder the file lies, and else asks for --data", () =>
  withFolder(async (folder, write) => {
    const path = await write("submission.json", { one: good.one });
    await rejects(() => readSubmission(path), /Cannot tell which tasks .* answers: name them with --data/);
    const tasks_sha256 = tasksDigest([withoutAnswers(one)]);
    await write("configuration.json", { tasks: ["one"], tasks_sha256, data: join(folder, "data") });
    const { tasks, faults } = await readSubmission(path);
    deepEqual(faults, []);
    deepEqual(tasks, [one]);
    equal(scoreSubmission({ one: good.one }, tasks)[1].tasks.solved, 1);
    await write("data/one.json", { ...one, train: two.train.slice(1) });
    await rejects(
      () => readSubmission(path),
      /Cannot score the run: .*data is not what it solved; name it with --data/,
    );
  }));
