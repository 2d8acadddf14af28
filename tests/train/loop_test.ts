import assert from "node:assert/strict";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { trainingTasks } from "../../arc/dataset.ts";
import { createRandom } from "../../arc/random.ts";
import { rolesWidth } from "../../model/config.ts";
import { initialise } from "../../model/parameters.ts";
import { makeConfig } from "../../train/config.ts";
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
const tasks = trainingTasks([{ tasks: [{ id: "swap", train: [pair], test: [{ input: [[3, 4]] }] }], useTest: false }]);

eachBackend("train() starts from a network and a puzzle's row where it is given them", async () => {
  await inTemporaryFolder(async (folder) => {
    const network = initialise(config.model, createRandom(9));
    const row = Float32Array.from({ length: config.model.puzzleWidth }, (_, i) => i / 100);
    const out = join(folder, "W.safetensors");
    const run = train({ tasks, config, side: 2, steps: 1, out, start: { config, network, row } });
    let next = await run.next();
    while (!next.done) next = await run.next();
    assert.deepEqual(next.value.table.row(1), row);
    for (const [name, tensor] of Object.entries(network.parameters)) {
      assert.deepEqual(await next.value.network.parameters[name].data(), await tensor.data(), name);
    }
  });
}, ["cpu"]);

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
    const network = initialise(config.model, createRandom(9));
    network.parameters.readout.dispose();
    network.parameters.readout = tf.fill([size.width, size.width], NaN);
    await assert.rejects(
      finish({ start: { config, network } }),
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
