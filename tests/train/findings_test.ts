import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs";
import { loadWeights } from "../../train/checkpoint.ts";
import { makeConfig } from "../../train/config.ts";
import { type Finding, findings, planTrials } from "../../train/findings.ts";
import { main } from "../../train/findings_main.ts";
import { countParameters } from "../../model/parameters.ts";
import { parseModelConfig } from "../../model/config.ts";
import { eachBackend } from "../backends.ts";
import { run } from "../command.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";

const all = Object.keys(findings) as Finding[];
const config = makeConfig("mini", 3);

Deno.test("planTrials() varies one thing at a time, and every configuration is one", () => {
  const trials = planTrials(config, all, true);
  const changed = new Map(trials.map(({ variant: { name, overrides, alone } }) => {
    const keys = [...Object.keys(overrides.model ?? {}), ...Object.keys(overrides.training ?? {})];
    return [name, [...keys, ...alone ? ["alone"] : []].join()];
  }));
  const stack = "hLayers,lLayers,hCycles,lCycles,gradientCalls,maxSegments";
  assert.deepEqual([...changed], [
    ["hrm-1-segments", "maxSegments"],
    ["transformer-1-segments", stack],
    ["hrm", ""],
    ["transformer-8-segments", stack],
    ["hrm-1-cycles", "hCycles,lCycles,gradientCalls"],
    ["hrm-3-cycles", "hCycles,lCycles,gradientCalls"],
    ["hrm-2-segments", "maxSegments"],
    ["hrm-4-segments", "maxSegments"],
    ["hrm-fixed", "halting"],
    ["hrm-alone", "alone"],
    ["hrm-0-augmentations", "augmentations"],
    ["hrm-30-augmentations", "augmentations"],
    ["hrm-1000-augmentations", "augmentations"],
  ]);
  // Nor with as many calls with gradient as there are, of which fewer cycles have fewer.
  for (const base of [config, makeConfig("mini", 3, { model: { gradientCalls: 6 } })]) {
    for (const { variant } of planTrials(base, all, true)) {
      parseModelConfig({ ...base.model, ...variant.overrides.model });
    }
  }
});

Deno.test("planTrials() sets HRM beside a transformer of as many parameters", () => {
  const [, , hrm, transformer] = planTrials(config, ["hierarchy"], false).map(({ variant }) =>
    parseModelConfig({ ...config.model, ...variant.overrides.model })
  );
  assert.equal(transformer.lLayers, 0);
  assert.equal(countParameters(transformer), countParameters(hrm));
});

Deno.test("planTrials() answers with as many segments as a network was trained with, and where it says so with others", () => {
  const segments = planTrials(config, ["refinement"], false).map(({ variant, maxSegments }) => [
    variant.overrides.model?.maxSegments ?? 8,
    maxSegments,
  ]);
  const asTrained = [1, 2, 4, 8].map((count) => [count, count]);
  assert.deepEqual(segments, [...asTrained, [8, 1], [8, 2], [8, 4], [8, 16], [8, 8]]);
});

Deno.test("planTrials() says why a network cannot be varied", () => {
  const plan = (model: Parameters<typeof makeConfig>[2]) => planTrials(makeConfig("mini", 3, model), all, false);
  assert.throws(() => planTrials(makeConfig("transformer", 3), all, false), /has no hierarchy of two levels/);
  assert.throws(() => plan({ model: { maxSegments: 1 } }), /maxSegments must be at least 2/);
});

const tiny = {
  model: { width: 8, heads: 1, headWidth: 8, feedForward: 8, hLayers: 1, lLayers: 1, puzzleWidth: 8, maxSegments: 2 },
  training: { batchSize: 2, augmentations: 2 },
};
const swap = { train: [{ input: [[1, 2]], output: [[2, 1]] }], test: [{ input: [[3, 4]], output: [[4, 3]] }] };

/** Runs `work` with a folder and the arguments of a tiny study in it. */
function inStudy(work: (folder: string, args: string[]) => Promise<void>): Promise<void> {
  return inTemporaryFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/swap.json`, JSON.stringify(swap));
    await Deno.writeTextFile(`${folder}/tiny.json`, JSON.stringify(tiny));
    const told = ["--data", `${folder}/swap.json`, "--config", `${folder}/tiny.json`, "--out", `${folder}/study`];
    await work(folder, [...told, "--backend", "cpu", "--steps", "2"]);
  });
}

eachBackend("deno task findings prints a table a finding, and what was measured is not measured again", async () => {
  await inStudy(async (folder, args) => {
    const before = tf.memory().numTensors;
    const { code, printed } = await run(main, ...args, "--findings", "hierarchy,transfer");
    assert.equal(code, 0, printed);
    assert.match(printed, /^6 trials of 6 networks, 2 steps of 2 rows each, on 1 tasks, .* of 1 tasks are scored$/m);
    assert.match(printed, /^hierarchy\n {2}published: .*\n.*pass@1 +pass@2\n( {2}\S.* [01] of 1 \(.*\n){6}/m);
    for (const label of ["HRM, 1 segment ", "transformer, 1 segment ", "HRM, 2 segments", "transformer, 2 segments"]) {
      assert.ok(printed.includes(`\n  ${label}`), label);
    }
    assert.match(printed, /^transfer\n {2}published: .*\n {2}not rerun: it needs --training-set$/m);
    assert.equal(tf.memory().numTensors, before);

    // An outcome that no network could have: it is taken from the file.
    const file = `${folder}/study/findings.json`;
    const stored = JSON.parse(await Deno.readTextFile(file));
    const key = Object.keys(stored.outcomes).find((name) => name.startsWith("transformer-2"))!;
    stored.outcomes[key] = { first: { solved: 7, total: 9 }, second: { solved: 8, total: 9 } };
    await Deno.writeTextFile(file, JSON.stringify(stored));
    const again = await run(main, ...args, "--findings", "hierarchy");
    assert.match(again.printed, /^ {2}transformer, 2 segments +7 of 9 \(77\.8 %\) +8 of 9 \(88\.9 %\)$/m);
    assert.doesNotMatch(again.printed, /^training /m);
  });
}, ["cpu"]);

eachBackend("deno task findings trains on the training set where it has one, but alone", async () => {
  await inStudy(async (folder, args) => {
    const grow = { train: [{ input: [[5]], output: [[5, 5]] }], test: [{ input: [[6]], output: [[6, 6]] }] };
    await Deno.writeTextFile(`${folder}/grow.json`, JSON.stringify(grow));
    const { code, printed } = await run(
      main,
      ...args,
      ...["--findings", "transfer", "--training-set", `${folder}/grow.json`],
    );
    assert.equal(code, 0, printed);
    assert.match(printed, /on 2 tasks, 2 train pairs, 1 test pairs/);
    const tasksOf = async (name: string) =>
      (await loadWeights(`${folder}/study/${name}.safetensors`)).tasks.map(({ id }) => id);
    assert.deepEqual(await tasksOf("hrm"), ["swap", "grow"]);
    assert.deepEqual(await tasksOf("hrm-alone"), ["swap"]);
  });
}, ["cpu"]);

eachBackend("deno task findings refuses to go on in another study's folder, naming what differs", async () => {
  await inStudy(async (folder, args) => {
    const some = [...args, "--findings", "hierarchy"];
    assert.equal((await run(main, ...some)).code, 0);
    const { code, printed } = await run(main, ...some, "--steps", "3", "--seed", "1");
    assert.equal(code, 1);
    assert.match(
      printed,
      /Cannot go on in .*study: steps is 2, not 3; config\.seed is 0, not 1; give the same options/,
    );
    await Deno.writeTextFile(`${folder}/other.json`, JSON.stringify({ ...swap, test: swap.train }));
    const other = await run(main, ...some, "--data", `${folder}/other.json`);
    assert.match(other.printed, /Cannot go on in .*: tasks_sha256 is /);
  });
}, ["cpu"]);

Deno.test("deno task findings names a wrong argument", async () => {
  const { code, printed } = await run(main, "--findings", "hierarchy,luck");
  assert.equal(code, 2);
  assert.match(printed, /^--findings must name some of hierarchy, refinement, transfer, augmentation, not luck$/m);
  await inStudy(async (folder, args) => {
    const { train } = swap;
    await Deno.writeTextFile(`${folder}/unknown.json`, JSON.stringify({ train, test: [{ input: [[1, 2]] }] }));
    const unknown = await run(main, ...args.slice(2), "--data", `${folder}/unknown.json`);
    assert.equal(unknown.code, 2);
    assert.match(unknown.printed, /^There is nothing to score/);
  });
});

eachBackend(
  "deno task findings tells which network diverged, goes on with the others, and goes on after that",
  async () => {
    await inStudy(async (folder, args) => {
      // At so high a rate the parameters overflow after the first steps.
      const wild = { ...tiny, training: { ...tiny.training, learningRate: 1e38, rule: "adamw", warmup: 0 } };
      await Deno.writeTextFile(`${folder}/tiny.json`, JSON.stringify(wild));
      for (let time = 0; time < 2; time++) {
        const { code, printed } = await run(main, ...args, "--findings", "hierarchy", "--steps", "9");
        assert.equal(code, 0, printed);
        assert.match(printed, /^ {2}HRM, 1 segment +diverged$/m);
        assert.match(printed, /^ {2}transformer, 2 segments +diverged$/m);
      }
    });
  },
  ["cpu"],
);

eachBackend("deno task findings trains a network that is alone for as many epochs, not steps", async () => {
  await inStudy(async (folder, args) => {
    const pair = { input: [[5]], output: [[5, 5]] };
    await Deno.writeTextFile(`${folder}/grow.json`, JSON.stringify({ train: [pair, pair], test: [pair] }));
    const set = ["--findings", "transfer", "--training-set", `${folder}/grow.json`, "--steps", "8"];
    assert.equal((await run(main, ...args, ...set)).code, 0);
    const stepsOf = async (name: string) => (await loadWeights(`${folder}/study/${name}.safetensors`)).steps;
    assert.deepEqual([await stepsOf("hrm"), await stepsOf("hrm-alone")], [8, 2]);
  });
}, ["cpu"]);
