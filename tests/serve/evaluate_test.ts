import { deepEqual, equal, match, ok, rejects, throws } from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readTasks, samplesFolder, writeWhole } from "../../arc/read.ts";
import { createRandom } from "../../arc/random.ts";
import { type Task, type UnansweredTask, withoutAnswers } from "../../arc/task.ts";
import { validateSubmission } from "../../arc/submission.ts";
import { initialise } from "../../model/parameters.ts";
import { evaluate, readShard, shardOf } from "../../serve/evaluate.ts";
import { main } from "../../serve/evaluate_main.ts";
import { judge, outcomeText, writeOutcome } from "../../serve/outcome.ts";
import {
  type Configuration,
  hasResult,
  openRun,
  readConfiguration,
  readResults,
  RunError,
  tasksDigest,
  writeResult,
} from "../../serve/run.ts";
import { saveWeights } from "../../train/checkpoint.ts";
import { run } from "../command.ts";
import { filesIn } from "../temporary_folder.ts";
import { FakeSolver, mirrorTask, tinyWeights } from "./support.ts";

const tasks: Task[] = ["a", "b", "c/d", "..", "e"].map((id) => ({ ...mirrorTask, id }));
const questions = tasks.map(withoutAnswers);

const configuration: Configuration = {
  weights: "fake.safetensors",
  weights_sha256: "0",
  tasks: tasks.map(({ id }) => id),
  tasks_sha256: tasksDigest(questions),
  options: { adapt: "never", seed: 0 },
  data: "somewhere",
};

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function solveAll(folder: string, some: readonly UnansweredTask[], solver = new FakeSolver()): Promise<string[]> {
  return (await Array.fromAsync(evaluate(folder, some, solver, {}))).map(({ id }) => id);
}

Deno.test("evaluate() solves what has no result yet, whatever the ids", () =>
  inFolder(async (folder) => {
    deepEqual(await solveAll(folder, questions.slice(0, 2)), ["a", "b"]);
    const solver = new FakeSolver();
    deepEqual(await solveAll(folder, questions, solver), ["c/d", "..", "e"]);
    deepEqual(solver.asked.map(({ task }) => task.id), ["c/d", "..", "e"]);
    deepEqual(await solveAll(folder, questions), []);
  }));

Deno.test("evaluate() shows the solver no answer", () =>
  inFolder(async (folder) => {
    const solver = new FakeSolver();
    await solveAll(folder, questions, solver);
    ok(solver.asked.every(({ task }) => task.test.every((test) => !("output" in test))));
    // @ts-expect-error a task that may carry answers is not taken
    const _refused: Parameters<typeof evaluate>[1] = tasks;
  }));

Deno.test("evaluate() leaves no result of a task in whose work it was aborted", () =>
  inFolder(async (folder) => {
    const controller = new AbortController();
    const solver = new FakeSolver(({ task }) => {
      if (task.id === "b") controller.abort();
    });
    const solved = await Array.fromAsync(evaluate(folder, questions, solver, {}, controller.signal));
    deepEqual(solved.map(({ id }) => id), ["a"]);
    equal(await hasResult(folder, "b"), false);
  }));

Deno.test("evaluate() is not begun on a task when it is aborted while looking for its result", () =>
  inFolder(async (folder) => {
    const controller = new AbortController();
    const solver = new FakeSolver();
    const solving = evaluate(folder, questions, solver, {}, controller.signal).next();
    controller.abort();
    deepEqual([await solving, solver.asked], [{ value: undefined, done: true }, []]);
  }));

Deno.test("evaluate() tells what failed, writes no result of it, solves the others, and tries it again", () =>
  inFolder(async (folder) => {
    const solver = new FakeSolver(({ task }) => {
      if (task.id === "b") throw new Error("no room on the canvas");
    });
    const found = await Array.fromAsync(evaluate(folder, questions, solver, {}));
    deepEqual(found.map(({ id }) => id), configuration.tasks);
    deepEqual(found.filter((one) => "failure" in one), [{ id: "b", failure: "no room on the canvas" }]);
    deepEqual(await solveAll(folder, questions), ["b"]);
  }));

Deno.test("readShard() reads K/N, a SLURM array's place and a Kubernetes Job's", () => {
  const from = (variables: Record<string, string>, text?: string) => readShard(text, (name) => variables[name]);
  deepEqual(from({}), { index: 1, count: 1 });
  deepEqual(from({}, "2/4"), { index: 2, count: 4 });
  const slurm = { SLURM_ARRAY_TASK_ID: "3", SLURM_ARRAY_TASK_COUNT: "4", SLURM_ARRAY_TASK_MIN: "0" };
  deepEqual(from(slurm), { index: 4, count: 4 });
  deepEqual(from({ ...slurm, SLURM_ARRAY_TASK_MIN: "1" }), { index: 3, count: 4 });
  deepEqual(from({ ...slurm, SLURM_ARRAY_TASK_ID: "6", SLURM_ARRAY_TASK_STEP: "2" }), { index: 4, count: 4 });
  deepEqual(from(slurm, "1/2"), { index: 1, count: 2 });
  deepEqual(from({ JOB_COMPLETION_INDEX: "0", JOB_COMPLETIONS: "8" }), { index: 1, count: 8 });
  for (const text of ["0/4", "5/4", "2", "a/b", "1/0"]) throws(() => from({}, text), /must be K\/N/);
  throws(() => from({ JOB_COMPLETION_INDEX: "0" }), /JOB_COMPLETIONS/);
});

Deno.test("shardOf() divides a set without loss or overlap", () => {
  const numbers = Array.from({ length: 10 }, (_, i) => i);
  const parts = [1, 2, 3, 4].map((index) => shardOf(numbers, { index, count: 4 }));
  deepEqual(parts.flat().sort((a, b) => a - b), numbers);
  deepEqual(parts.map((part) => part.length), [3, 3, 2, 2]);
});

Deno.test("openRun() goes on with the same configuration and refuses another, naming what differs", () =>
  inFolder(async (folder) => {
    await openRun(folder, configuration);
    await openRun(folder, { ...configuration, data: "elsewhere" });
    equal((await readConfiguration(folder)).data, "somewhere");
    const refused = (changed: Partial<Configuration>, pattern: RegExp) =>
      rejects(() => openRun(folder, { ...configuration, ...changed }), pattern);
    await refused({ options: { adapt: "never", seed: 1 } }, /seed was 0 and is 1; give the same options/);
    await refused({ options: { adapt: "never", seed: 0, steps: 9 } }, /steps was not set and is 9/);
    await refused(
      { options: { adapt: "never", seed: 0, ranking: "invariants" } },
      /ranking was votes and is invariants/,
    );
    await openRun(folder, { ...configuration, options: { adapt: "never", seed: 0, ranking: "votes" } });
    await refused({ weights_sha256: "1" }, /weights_sha256 was 0 and is 1/);
    await refused({ tasks: ["a"], tasks_sha256: "x" }, /tasks was 5 and is 1/);
  }));

Deno.test("readResults() joins folders in the order of the tasks and refuses what is missing, double, strange or different", () =>
  inFolder(async (root) => {
    const folders = ["one", "two"].map((name) => join(root, name));
    for (const folder of folders) await openRun(folder, configuration);
    await solveAll(folders[0], shardOf(questions, { index: 1, count: 2 }));
    await rejects(() => readResults(folders), /2 of 5 tasks are missing: b, \.\./);
    await solveAll(folders[1], shardOf(questions, { index: 2, count: 2 }));
    await rejects(() => readResults([folders[0]]), RunError);
    deepEqual((await readResults(folders)).map(({ id }) => id), configuration.tasks);

    await solveAll(folders[1], [questions[0]]);
    await rejects(() => readResults(folders), /a is double, in .*one.* and .*two/);
    await Deno.remove(join(folders[1], "tasks", "a.json"));
    await solveAll(folders[1], [{ ...questions[0], id: "stranger" }]);
    await rejects(() => readResults(folders), /holds stranger, no task of this run/);
    await Deno.remove(join(folders[1], "tasks", "stranger.json"));

    // What a killed process leaves: an unfinished file under a temporary name.
    await Deno.writeTextFile(join(folders[1], "tasks", ".a.json.0.tmp"), "{");
    equal((await readResults(folders)).length, 5);
    await writeWhole(join(folders[1], "configuration.json"), JSON.stringify({ ...configuration, weights: "other" }));
    await rejects(
      () => readResults(folders),
      /Cannot join .*two with .*one: weights was fake.safetensors and is other/,
    );
  }));

Deno.test("judge() tells what votes alone would have scored, where answers were doubted", async () => {
  const solution = await new FakeSolver().solve(withoutAnswers(mirrorTask));
  // The wrong answer has more votes and is doubted.
  const ranked = solution.answers.map((answer) => ({
    ...answer,
    candidates: answer.candidates.map((candidate, i) => ({ ...candidate, votes: i + 1, doubt: 3 * i })),
  }));
  const result = {
    ...solution,
    answers: ranked,
    started: "2026-01-01T00:00:00.000Z",
    ended: "2026-01-01T00:00:01.000Z",
  };
  const outcome = judge([mirrorTask], [result]);
  deepEqual(outcome.byVotes!.map(({ k, tasks }) => [k, tasks.solved]), [[1, 0], [2, 1]]);
  equal(outcome.scores[0].tasks.solved, 1);
  match(outcomeText(outcome, 1), /^tasks with all outputs by votes alone: pass@1 0 of 1, pass@2 1 of 1$/m);
  equal(judge([mirrorTask], [{ ...result, ...solution }]).byVotes, undefined, "no doubts");
});

Deno.test("judge() scores by rank, leaves out tasks without answers and tells the cost", () =>
  inFolder(async (folder) => {
    await openRun(folder, configuration);
    await solveAll(folder, questions);
    const results = await readResults([folder]);
    const judged = tasks.map((task, i): Task => {
      if (i === 0) return withoutAnswers(task);
      // The repeated input is the second attempt's answer.
      return i === 1 ? { ...task, test: [{ input: [[7, 8]], output: [[7, 8]] }, task.test[1]] } : task;
    });
    const outcome = judge(judged, results, 3600);
    deepEqual(outcome.scores.map(({ k, outputs, meanTask, tasks }) => [k, outputs.solved, meanTask, tasks.solved]), [
      [1, 7, 3.5 / 4, 3],
      [2, 8, 1, 4],
      [10, 8, 1, 4],
      [100, 8, 1, 4],
    ]);
    equal(outcome.unscored, 1);
    equal(outcome.seconds, 7.5);
    equal(outcome.dollars, 7.5);
    const text = outcomeText(outcome, 5);
    match(text, /pass@1 +7 of 8 \(87\.5 %\) +87\.5 % +3 of 4 \(75\.0 %\)/);
    match(text, /1 of 5 tasks come without answers/);
    match(text, /cost: \$7\.50, \$1\.5000 a task/);
    deepEqual(judge(questions, results).scores, []);
  }));

Deno.test("writeOutcome() writes a valid submission and files that name the right pair", () =>
  inFolder(async (folder) => {
    await openRun(folder, configuration);
    await solveAll(folder, questions);
    const results = await readResults([folder]);
    await writeOutcome(folder, tasks, results, judge(tasks, results, 2), configuration);
    const read = async (name: string) => JSON.parse(await Deno.readTextFile(join(folder, name)));
    const submission = await read("submission.json");
    deepEqual(validateSubmission(submission, tasks), []);
    deepEqual(Object.keys(submission), configuration.tasks);
    deepEqual(submission.a, [{ attempt_1: [[8, 7]], attempt_2: [[7, 8]] }, {
      attempt_1: [[9, 1, 1]],
      attempt_2: [[1, 1, 9]],
    }]);
    const file = await read("arc-agi-benchmarking/a.json");
    deepEqual(
      file.map((pair: Record<string, { metadata: { pair_index: number } }>) => pair.attempt_2.metadata.pair_index),
      [0, 1],
    );
    const summary = await read("results.json");
    deepEqual(summary.tasks[0].outputs, [true, true]);
    equal(summary.scores.length, 4);
    match(await Deno.readTextFile(join(folder, "report.html")), /^<!doctype html>/);
  }));

/** The command in a process of its own. */
function command(...args: string[]): Deno.Command {
  const script = fileURLToPath(new URL("../../serve/evaluate_main.ts", import.meta.url));
  const allowed = ["--allow-read", "--allow-write", "--allow-env", "--allow-sys", "--allow-ffi"];
  return new Deno.Command(Deno.execPath(), {
    args: ["run", ...allowed, script, ...args],
    stdout: "piped",
    stderr: "piped",
  });
}

Deno.test("deno task evaluate killed in the middle, resumed, and in shards that are merged: the same submission", () =>
  inFolder(async (root) => {
    const weights = join(root, "tiny.safetensors");
    await saveWeights(weights, await tinyWeights());
    const common = ["--data", samplesFolder(), "--weights", weights, "--backend", "cpu", "--augmentations", "2"];
    const run = async (...args: string[]) => {
      const { code, stdout, stderr } = await command(...args).output();
      const text = new TextDecoder();
      equal(code, 0, text.decode(stderr));
      return text.decode(stdout);
    };
    const options = [...common, "--adapt", "always", "--steps-per-task", "2"];

    const killed = command(...options, "--out", join(root, "killed")).spawn();
    for await (const text of killed.stdout.pipeThrough(new TextDecoderStream())) {
      if (text.includes("3 of ")) break;
    }
    killed.kill("SIGKILL");
    await killed.status;
    await killed.stderr.cancel();
    const before = Array.from(Deno.readDirSync(join(root, "killed", "tasks"))).length;
    ok(before >= 3);
    match(await run(...options, "--out", join(root, "killed")), /tasks, (?!0)\d+ solved before/);

    const shards = join(root, "shards");
    await Promise.all([1, 2].map((k) => run(...options, "--out", shards, "--shard", `${k}/2`)));
    const printed = await run("--merge", shards);
    match(printed, /pass@2/);
    const submission = (folder: string) => Deno.readTextFile(join(root, folder, "submission.json"));
    equal(await submission("killed"), await submission("shards"));
    deepEqual(validateSubmission(JSON.parse(await submission("shards")), await readTasks(samplesFolder())), []);

    const { code, stderr } = await command(...options, "--out", shards, "--seed", "1").output();
    equal(code, 1);
    match(new TextDecoder().decode(stderr), /Cannot go on with .*: seed was 0 and is 1/);
  }));

Deno.test("deno task evaluate solves what it can, names the task that failed and ends with 1", () =>
  inFolder(async (root) => {
    const weights = await tinyWeights();
    // Positions are learned for the weights' own canvas, and only one of the tasks fits it.
    weights.config.model.positions = "learned";
    weights.network = initialise(weights.config.model, createRandom(1));
    await saveWeights(join(root, "W.safetensors"), weights);
    const wide = [Array(9).fill(1)];
    const set = {
      small: mirrorTask,
      wide: { train: [{ input: wide, output: wide }], test: [{ input: wide, output: [[0]] }] },
    };
    await Deno.writeTextFile(join(root, "set.json"), JSON.stringify(set));
    const [data, out] = [join(root, "set.json"), join(root, "run")];
    const common = ["--adapt", "never", "--augmentations", "1", "--backend", "cpu"];
    const args = ["--data", data, "--out", out, "--weights", join(root, "W.safetensors"), ...common];
    const { code, printed } = await run(main, ...args);
    equal(code, 1);
    match(printed, /^1 of 2 solved: small.*\nwide failed: .+\n1 of 2 tasks failed: wide: .+; the same command tries/m);
    deepEqual(filesIn(out), ["configuration.json", "tasks"]);
    deepEqual(filesIn(join(out, "tasks")), ["small.json"]);

    match(
      (await run(main, "--merge", out)).printed,
      /1 of 2 tasks are missing: wide \(--partial goes on without them\)/,
    );
    const merged = await run(main, "--merge", out, "--partial");
    equal(merged.code, 0, merged.printed);
    match(merged.printed, /^1 of 2 tasks have no result and count as not solved: wide$/m);
    const submission = JSON.parse(await Deno.readTextFile(join(out, "submission.json")));
    deepEqual(validateSubmission(submission, await readTasks(data)), []);
    deepEqual(submission.wide, [{ attempt_1: [[0]], attempt_2: [[0]] }]);
    // Though it is the answer.
    const { tasks } = JSON.parse(await Deno.readTextFile(join(out, "results.json")));
    deepEqual(tasks.map(({ id, outputs }: { id: string; outputs: boolean[] }) => [id, outputs.at(-1)]).at(-1), [
      "wide",
      false,
    ]);
    deepEqual(filesIn(join(out, "tasks")), ["small.json"]);
    equal((await run(main, ...args, "--partial")).code, 2);
  }));

Deno.test("deno task evaluate --preset learns from nothing and goes on with the same configuration only", () =>
  inFolder(async (root) => {
    const config = join(root, "config.json");
    const ask = async (learningRate: number) => {
      await Deno.writeTextFile(config, JSON.stringify({ adaptation: { learningRate } }));
      const what = ["--data", samplesFolder(), "--limit", "1", "--out", join(root, "run")];
      return await run(main, ...what, "--steps-per-task", "1", "--preset", "loop", "--config", config);
    };
    equal((await ask(0.001)).code, 0);
    match((await ask(0.001)).printed, /1 tasks, 1 solved before/);
    const other = await ask(0.002);
    match(other.printed, /Cannot go on with .*: weights_sha256 was \w+ and is \w+; give the same options/);
    equal(other.code, 1);
    const { configuration } = JSON.parse(await Deno.readTextFile(join(root, "run", "results.json")));
    equal(configuration.weights, "loop, from nothing");
  }));

Deno.test("writeResult() and hasResult() keep ids apart that look like paths", () =>
  inFolder(async (folder) => {
    const solution = await new FakeSolver().solve(questions[3]);
    await writeResult(folder, { ...solution, started: "", ended: "" });
    equal(await hasResult(folder, ".."), true);
    equal(await hasResult(folder, "."), false);
    deepEqual(Array.from(Deno.readDirSync(folder), ({ name }) => name), ["tasks"]);
  }));
