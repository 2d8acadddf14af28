import assert from "node:assert/strict";
import { trainingCanvas, trainingTasks } from "../../arc/dataset.ts";
import { rolesWidth } from "../../model/config.ts";
import { decodeSafetensors } from "../../model/safetensors.ts";
import { companionPath } from "../../train/checkpoint.ts";
import { type Config, makeConfig } from "../../train/config.ts";
import { train, type TrainReport } from "../../train/loop.ts";
import { eachBackend } from "../backends.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";

const small = { width: 8, heads: 1, headWidth: 8, feedForward: 8, hLayers: 1, maxSegments: 3 };
const size = { vocabulary: 11, prefix: 2, width: 8 };
// Rows of mini halt one by one and explore; those of loop go on together.
const configs: Record<string, (side: number) => Config> = {
  mini: (side) =>
    makeConfig("mini", side, {
      model: { ...small, lLayers: 1, puzzleWidth: 8 },
      // Four batches an epoch.
      training: { batchSize: 100, augmentations: 3, exploration: 0.5 },
    }),
  loop: (side) =>
    makeConfig("loop", side, {
      model: { ...small, ...size, puzzleWidth: rolesWidth(size) },
      training: { batchSize: 3 },
    }),
};
const task = (id: string, [a, b]: [number, number]) => ({
  id,
  train: [{ input: [[a, b]], output: [[b, a]] }, { input: [[b, a, a]], output: [[a, a, b]] }],
  test: [{ input: [[a], [b]] }],
});
const tasks = trainingTasks([{ tasks: [task("one", [1, 2]), task("two", [0, 3])], useTest: false }]);

/** What a step reports that time has no part in. */
const lasting = ({ seconds: _, examplesPerSecond: __, weights: ___, ...report }: TrainReport) => report;

/** Trains to step 11, or stops after step `stopAfter`; the reports. */
async function reports(config: Config, side: number, out: string, resume: boolean, stopAfter?: number) {
  const controller = new AbortController();
  const found: Omit<TrainReport, "seconds" | "examplesPerSecond" | "weights">[] = [];
  for await (const report of train({ tasks, config, side, steps: 11, out, resume, signal: controller.signal })) {
    found.push(lasting(report));
    if (report.step === stopAfter) controller.abort();
  }
  return found;
}

/** Everything in the companion of a weights file but the time that training took. */
async function stateIn(out: string) {
  const { tensors, metadata } = decodeSafetensors(await Deno.readFile(companionPath(out)));
  const { seconds: _, ...run } = JSON.parse(metadata.run);
  return { tensors, metadata: { ...metadata, run } };
}

for (const [name, configOn] of Object.entries(configs)) {
  eachBackend(`train() stopped and resumed twice gives the same bits as in one go: ${name}`, async () => {
    await inTemporaryFolder(async (folder) => {
      const { side } = trainingCanvas(tasks, configOn(1).training.marking);
      const [whole, parts] = [`${folder}/whole.safetensors`, `${folder}/parts.safetensors`];
      const config = configOn(side);
      const expected = await reports(config, side, whole, false);
      const actual = [
        ...await reports(config, side, parts, false, 4),
        ...await reports(config, side, parts, true, 8),
        ...await reports(config, side, parts, true),
      ];
      assert.deepEqual(actual, expected);
      assert.deepEqual(await stateIn(parts), await stateIn(whole));
      assert.deepEqual(await Deno.readFile(parts), await Deno.readFile(whole));
    });
  }, ["cpu"]);
}

eachBackend("train() resumes with the same pairs only: test pairs among them would be held out no more", async () => {
  await inTemporaryFolder(async (folder) => {
    const { side } = trainingCanvas(tasks, configs.loop(1).training.marking);
    const [config, out] = [configs.loop(side), `${folder}/weights.safetensors`];
    await reports(config, side, out, false, 1);
    const shorter = tasks.map((one) => ({ ...one, pairs: one.pairs.slice(0, 1) }));
    const again = train({ tasks: shorter, config, side, steps: 2, out, resume: true });
    await assert.rejects(() => again.next(), /it was trained on other tasks, or other pairs of theirs/);
  });
}, ["cpu"]);
