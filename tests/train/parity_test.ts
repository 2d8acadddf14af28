import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { compareFixture, type Comparison, table } from "../../train/parity.ts";
import { Ledger } from "../../train/parity/ledger.ts";
import { comparePipeline } from "../../train/parity/pipeline.ts";
import { eachBackend, type TestedBackend } from "../backends.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";

const fixtures = fileURLToPath(new URL("../fixtures", import.meta.url));

// A software adapter takes half a minute for TRM, which has no kernel that HRM has not.
const forTrm: TestedBackend[] = Deno.env.get("HRM_REQUIRE_GPU") === "1" ? ["cpu", "webgpu"] : ["cpu"];

function allPass(comparisons: Comparison[], least: number): void {
  const failed = comparisons.filter(({ pass }) => !pass);
  ok(failed.length === 0, `\n${table(failed)}`);
  ok(comparisons.length >= least, `only ${comparisons.length} comparisons`);
}

const holdsTasks = [Deno.env.get("ARC_DATA"), "data"].some((folder) => {
  try {
    return folder && Deno.statSync(`${folder}/arc-agi-1`).isDirectory;
  } catch {
    return false;
  }
});

eachBackend("compareFixture() finds the units as the official code computes them", async () => {
  allPass(await compareFixture(`${fixtures}/hrm-units`), 36);
});

eachBackend(
  "compareFixture() finds HRM's segments, gradients and updates as the official code computes them",
  async () => {
    allPass(await compareFixture(`${fixtures}/hrm-tiny`), 69);
  },
);

eachBackend("compareFixture() finds TRM's segments, gradients, updates and averages as officially", async () => {
  allPass(await compareFixture(`${fixtures}/trm-tiny`), 69);
}, forTrm);

eachBackend("compareFixture() finds TRM with token mixing as the official code computes it", async () => {
  allPass(await compareFixture(`${fixtures}/trm-tiny-mlp`), 67);
}, forTrm);

eachBackend("compareFixture() finds imported checkpoints answering as the official network does", async () => {
  allPass(await compareFixture(`${fixtures}/torch`), 45);
});

Deno.test({
  name: "compareFixture() finds tokens, crops, symmetries, hashes and votes as the official pipeline makes them",
  ignore: !holdsTasks,
  fn: async () => allPass(await compareFixture(`${fixtures}/arc-pipeline`), 19),
});

Deno.test("comparePipeline() tells tasks that are not there from tasks that cannot be read", () =>
  inTemporaryFolder(async (folder) => {
    const { files } = JSON.parse(await Deno.readTextFile(`${fixtures}/arc-pipeline/config.json`));
    const absent = await comparePipeline(`${fixtures}/arc-pipeline`, files, [folder]);
    const failed = absent.filter(({ pass }) => !pass).map(({ name, note }) => [name, note]);
    deepEqual(failed, [["sequences.puzzle_hashes", "needs the tasks of ARC-AGI-1; deno task data fetches them"]]);
    for (const subset of ["training", "evaluation"]) {
      await Deno.mkdir(`${folder}/arc-agi-1/${subset}`, { recursive: true });
      await Deno.writeTextFile(`${folder}/arc-agi-1/${subset}/cut.json`, "{");
    }
    await rejects(comparePipeline(`${fixtures}/arc-pipeline`, files, [folder]), /Cannot read .*cut\.json: /);
  }));

Deno.test("compareFixture() refuses a folder of unknown kind", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/config.json`, JSON.stringify({ kind: "sudoku" }));
    await rejects(compareFixture(folder), /of kind sudoku, which is not known/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("Ledger.near() fails an error above the tolerance, NaN and another length, and nothing else", () => {
  const ledger = new Ledger([]);
  const cases: [number[], number[]][] = [[[1, 2], [1, 2.09]], [[1, 2], [1, 2.11]], [[1], [NaN]], [[1], [1, 1]]];
  for (const [expected, actual] of cases) ledger.near("x", [2], expected, actual, { tolerance: 0.1 });
  const rows = ledger.close();
  deepEqual(rows.map(({ pass }) => pass), [true, false, false, false]);
  deepEqual(rows.slice(2).map(({ error }) => error), [Infinity, Infinity]);
});

Deno.test("Ledger.near() divides each error by its scale", () => {
  const ledger = new Ledger([]);
  ledger.near("x", [2], [10, 1], [11, 1.05], { tolerance: 0.1, scale: (i) => [10, 1][i] });
  const [{ error, pass }] = ledger.close();
  equal(error, 0.1);
  ok(pass);
});

Deno.test("Ledger.equal() counts unequal and missing parts", () => {
  const ledger = new Ledger([]);
  ledger.equal("x", [[1, 2], "a", 3], [[1, 2], "b"]);
  equal(ledger.close()[0].error, 2);
});

Deno.test("Ledger.close() fails whatever was never compared", () => {
  const ledger = new Ledger(["logits", "inputs", "steps"]);
  ledger.given("inputs");
  ledger.near("steps", [1], [4], [4], { tolerance: 0 });
  const rows = ledger.close();
  deepEqual(rows.map(({ name, pass, note }) => [name, pass, note]), [
    ["steps", true, ""],
    ["logits", false, "not compared"],
  ]);
  match(table(rows), /logits +\[\] +inf +0 +FAIL +not compared/);
});
