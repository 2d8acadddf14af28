import assert from "node:assert/strict";
import { join } from "node:path";
import { trainingTasks } from "../../arc/dataset.ts";
import { createRandom } from "../../arc/random.ts";
import { rolesWidth } from "../../model/config.ts";
import { initialise } from "../../model/parameters.ts";
import { makeConfig } from "../../train/config.ts";
import { train } from "../../train/loop.ts";
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
