import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs";
import { largestTensor } from "../../model/webgpu/backend.ts";
import { loadWeights } from "../../train/checkpoint.ts";
import { eachBackend } from "../backends.ts";
import { outputOf } from "../script.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";

const at = (path: string) => new URL(`../../${path}`, import.meta.url).href;

eachBackend(
  "train() on a device that is lost ends with an error that names it, and the last weights file is whole",
  () =>
    inTemporaryFolder(async (folder) => {
      const out = `${folder}/w.safetensors`;
      const program = `
  import * as tf from "@tensorflow/tfjs";
  import { trainingCanvas, trainingTasks } from "${at("arc/dataset.ts")}";
  import { readTasks, samplesFolder } from "${at("arc/read.ts")}";
  import { startBackend } from "${at("model/backend.ts")}";
  import { makeConfig } from "${at("train/config.ts")}";
  import { train } from "${at("train/loop.ts")}";
  await startBackend("webgpu");
  const tasks = trainingTasks([{ tasks: (await readTasks(samplesFolder())).slice(0, 1), useTest: false }]);
  const { side } = trainingCanvas(tasks, "outside");
  const config = makeConfig("loop", side, { training: { batchSize: 2 } });
  try {
    for await (const { step } of train({ tasks, config, side, steps: 9, out: ${JSON.stringify(out)}, saveEvery: 0 })) {
      if (step === 3) tf.backend().device.destroy();
    }
  } catch (error) {
    console.log(error.message);
  }
  Deno.exit(0);`;
      assert.match(
        await outputOf(program),
        /^Training stopped at step 3: WebGPU failed: device lost .destroyed.*last saved are intact/s,
      );
      assert.equal((await loadWeights(out)).steps, 2);
    }),
  ["webgpu"],
);

eachBackend("a tensor larger than the device's buffers is refused, naming its size and what to do", () => {
  const device = (tf.backend() as unknown as { device: GPUDevice }).device;
  const rows = Math.floor(largestTensor(device) / 4 / 1024) + 1;
  assert.throws(
    () => tf.tidy(() => tf.tile(tf.zeros([1, 1024]), [rows, 1])),
    new RegExp(`float32\\[${rows},1024\\] of ${rows * 4096} bytes.*at most ${largestTensor(device)}.*smaller batch`),
  );
}, ["webgpu"]);
