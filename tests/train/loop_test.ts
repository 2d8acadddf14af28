import assert from "node:assert/strict";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { identityAugmentation } from "../../arc/augment.ts";
import { trainingTasks } from "../../arc/dataset.ts";
import { createRandom } from "../../arc/random.ts";
import { rolesWidth } from "../../model/config.ts";
import { initialise } from "../../model/parameters.ts";
import { makeConfig } from "../../train/config.ts";
import { PuzzleTable } from "../../train/puzzle_table.ts";
import { DivergedError, train, type TrainOptions } from "../../train/loop.ts";
import { eachBackend } from "../backends.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";

const size = { vocabulary: 11, prefix: 1, width: 16 };
// Nothing moves: what comes out is what a run starts from.
const config = makeConfig("loop", 2, {
  model: { ...size, heads: 1, feedForward: 16, hLayers: 1, puzzleWidth: rolesWidth(size), maxSegments: 1 },
  training: { batchSize: 2, learningRate: 0, puzzleLearningRate: 0, ema: 0 },
});
const pair = { input: [[1, 2]], output: [[2, 1]] };
const taskNamed = (id: string) => ({ id, train: [pair], test: [{ input: [[3, 4]] }] });
const tasks = trainingTasks([{ tasks: [taskNamed("swap"), taskNamed("new")], useTest: false }]);

/** Weights of two tasks, one of them named swap, both recognised by their names only. */
function start(): NonNullable<TrainOptions["start"]> {
  const table = new PuzzleTable(3, config.model.puzzleWidth, "adamw");
  table.row(1).fill(1);
  table.row(2).fill(4);
  const known = (id: string, row: number) => ({
    id,
    key: "",
    canonical: identityAugmentation(),
    views: [{ row, augmentation: identityAugmentation() }],
  });
  return { network: initialise(config.model, createRandom(9)), table, tasks: [known("other", 1), known("swap", 2)] };
}

eachBackend(
  "train() starts from a network, its rows for tasks of the same names, and their mean for others",
  async () => {
    await inTemporaryFolder(async (folder) => {
      const out = join(folder, "W.safetensors");
      const from = start();
      const run = train({ tasks, config, side: 2, steps: 1, out, start: from });
      let next = await run.next();
      while (!next.done) next = await run.next();
      const { table } = next.value;
      assert.deepEqual([1, 2].map((row) => new Set(table.row(row))), [new Set([4]), new Set([2.5])]);
      for (const [name, tensor] of Object.entries(from.network.parameters)) {
        assert.deepEqual(await next.value.network.parameters[name].data(), await tensor.data(), name);
      }
    });
  },
  ["cpu"],
);

eachBackend("train() needs steps or seconds, and of both schedules by the fewer steps", async () => {
  await inTemporaryFolder(async (folder) => {
    const totalSteps = async (bounds: Pick<TrainOptions, "steps" | "seconds">) => {
      const run = train({ tasks, config, side: 2, out: join(folder, "W.safetensors"), ...bounds });
      for await (const { totalSteps } of run) return totalSteps;
    };
    assert.equal(await totalSteps({ steps: 5 }), 5);
    assert.equal(await totalSteps({ steps: 5, seconds: 60 }), 5);
    // Before the first step it is taken for at least a thousandth of the seconds.
    const affordable = await totalSteps({ steps: 1e6, seconds: 60 });
    assert.ok(affordable! >= 1 && affordable! <= 1000, String(affordable));
    await assert.rejects(totalSteps({}), { message: "Cannot train: it needs steps or seconds" });
  });
}, ["cpu"]);

eachBackend("train() that diverges says what to do, and whether there are weights to do it with", async () => {
  await inTemporaryFolder(async (folder) => {
    const out = join(folder, "W.safetensors");
    const finish = (options: Partial<TrainOptions>) =>
      Array.fromAsync(train({ tasks, config, side: 2, steps: 9, out, ...options }));
    const from = start();
    const { network } = from;
    network.parameters.readout.dispose();
    network.parameters.readout = tf.fill([size.width, size.width], NaN);
    await assert.rejects(
      finish({ start: from }),
      new DivergedError(
        "Training diverged at step 1: the loss is NaN; no weights were saved yet. Start a new run with a lower learningRate.",
      ),
    );
    const wild = { ...config, training: { ...config.training, learningRate: 1e38 } };
    await assert.rejects(
      finish({ config: wild, saveEvery: 0 }),
      /last saved are intact\. Start a new run from them with a lower learningRate\.$/,
    );
  });
}, ["cpu"]);

eachBackend(
  "train() by size and cells works on batches of different sizes one after the other, and keeps no tensor",
  async () => {
    await inTemporaryFolder(async (folder) => {
      const wide = { input: [Array(7).fill(1)], output: [Array(7).fill(2)] };
      const mixed = trainingTasks([{
        tasks: [taskNamed("swap"), { id: "wide", train: [wide, wide], test: [] }].map((task) => ({
          ...task,
          train: Array(4).fill(task.train[0]),
        })),
        useTest: false,
      }]);
      const sized = { ...config, training: { ...config.training, batchSize: 3, batchCells: 75, bySize: true } };
      const [sizes, tensors] = [new Set<number>(), new Set<number>()];
      for await (
        const { step, rows, losses } of train({
          tasks: mixed,
          config: sized,
          side: 7,
          steps: 24,
          out: join(folder, "W.safetensors"),
        })
      ) {
        assert.ok(losses.total > 0);
        sizes.add(rows);
        if (step > 1) tensors.add(tf.memory().numTensors);
      }
      assert.deepEqual([...sizes].sort(), [1, 3]);
      assert.equal(tensors.size, 1, `${[...tensors]}`);
    });
  },
  ["cpu"],
);
