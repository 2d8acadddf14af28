import assert from "node:assert/strict";
import { loadWeights } from "../../train/checkpoint.ts";
import type { ConfigOverrides } from "../../train/config.ts";
import { main } from "../../train/main.ts";
import { eachBackend } from "../backends.ts";
import { run } from "../command.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";

const tiny: ConfigOverrides = {
  model: { width: 8, heads: 1, headWidth: 8, feedForward: 8, hLayers: 1, lLayers: 1, puzzleWidth: 8, maxSegments: 2 },
  training: { batchSize: 2, augmentations: 2 },
};
const swap = { train: [{ input: [[1, 2]], output: [[2, 1]] }], test: [{ input: [[3, 4]], output: [[4, 3]] }] };

/** What names the configuration in the folder of {@link inFolder}. */
const tinyPreset = (folder: string) => ["--preset", "mini", "--config", `${folder}/tiny.json`];

/** Runs `work` with a folder that holds `swap.json` and `tiny.json`, and the arguments that train on them. */
function inFolder(work: (folder: string, args: string[]) => Promise<void>): Promise<void> {
  return inTemporaryFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/swap.json`, JSON.stringify(swap));
    await Deno.writeTextFile(`${folder}/tiny.json`, JSON.stringify(tiny));
    await work(folder, ["--data", `${folder}/swap.json`, "--backend", "cpu", "--out", `${folder}/W.safetensors`]);
  });
}

eachBackend("deno task train shows the loss of the whole batch by its rows", async () => {
  await inFolder(async (folder, args) => {
    const { printed } = await run(main, ...args, ...tinyPreset(folder), "--steps", "1");
    const report = JSON.parse((await Deno.readTextFile(`${folder}/W.jsonl`)).split("\n")[0]);
    assert.equal(report.rows, 2);
    assert.ok(printed.includes(`loss ${(report.losses.total / 2).toFixed(4)} `), printed);
  });
}, ["cpu"]);

eachBackend("deno task train --resume goes on with the stored configuration, which may be told again", async () => {
  await inFolder(async (folder, args) => {
    const out = `${folder}/W.safetensors`;
    const told = [...tinyPreset(folder), "--seed", "3"];
    assert.equal((await run(main, ...args, ...told, "--steps", "1")).code, 0);
    const first = await loadWeights(out);
    assert.deepEqual([first.side, first.config.training.marking, first.config.seed], [3, "eos", 3]);
    for (const [again, steps] of [[[], 2], [tinyPreset(folder), 3], [told, 4]]) {
      const { code, printed } = await run(main, ...args, ...again as string[], "--steps", String(steps), "--resume");
      assert.equal(code, 0, printed);
      assert.match(printed, /training \(resumed\) .* canvas 3x3, batch 2, seed 3/);
      const resumed = await loadWeights(out);
      assert.deepEqual([resumed.steps, resumed.side, resumed.config], [steps, 3, first.config]);
    }
  });
}, ["cpu"]);

eachBackend("deno task train --resume refuses other values than the stored ones, naming them", async () => {
  await inFolder(async (folder, args) => {
    await Deno.writeTextFile(`${folder}/other.json`, JSON.stringify({ ...tiny, training: { ema: 0.5 }, seed: 4 }));
    assert.equal((await run(main, ...args, ...tinyPreset(folder), "--steps", "1")).code, 0);
    const refusals: [string[], RegExp][] = [
      [["--seed", "1"], /with other values: seed is 0, not 1$/m],
      [["--preset", "mini"], /model\.width is 8, not 128; .*model\.maxSegments is 2, not 8$/m],
      [["--config", `${folder}/other.json`], /with other values: training\.ema is 0\.99, not 0\.5; seed is 0, not 4$/m],
    ];
    for (const [other, message] of refusals) {
      const { code, printed } = await run(main, ...args, ...other, "--steps", "2", "--resume");
      assert.equal(code, 2, printed);
      assert.match(printed, message);
    }
    const { code, printed } = await run(main, ...args, "--out", `${folder}/nothing`, "--resume");
    assert.equal(code, 1);
    assert.match(printed, /^Cannot resume: .*nothing\.state\.safetensors cannot be read/);
  });
}, ["cpu"]);

eachBackend("deno task train writes over nothing", async () => {
  await inFolder(async (folder, args) => {
    const told = [...args, ...tinyPreset(folder), "--steps", "1"];
    assert.equal((await run(main, ...told)).code, 0);
    const before = await Deno.readFile(`${folder}/W.safetensors`);
    const refused = async (file: string) => {
      const { code, printed } = await run(main, ...told, "--seed", "1");
      assert.equal(code, 2);
      const message = `/${file} is there: go on with --resume, name another file with --out, or remove it\n`;
      assert.ok(printed.includes(message), printed);
    };
    await refused("W.safetensors");
    assert.deepEqual(await Deno.readFile(`${folder}/W.safetensors`), before);
    await Deno.remove(`${folder}/W.safetensors`);
    await refused("W.state.safetensors");
    await Deno.remove(`${folder}/W.state.safetensors`);
    assert.equal((await run(main, ...told)).code, 0);
  });
}, ["cpu"]);

eachBackend(
  "deno task train works on the canvas that a configuration asks for, and an option counts before the file",
  async () => {
    await inFolder(async (folder, args) => {
      const told = async (tokens: number) => {
        const config = { ...tiny, model: { ...tiny.model, tokens }, seed: 4 };
        await Deno.writeTextFile(`${folder}/canvas.json`, JSON.stringify(config));
        return await run(
          main,
          ...args,
          "--preset",
          "mini",
          "--config",
          `${folder}/canvas.json`,
          "--steps",
          "1",
          "--seed",
          "5",
          "--out",
          `${folder}/${tokens}.safetensors`,
        );
      };
      const { code, printed } = await told(36);
      assert.equal(code, 0, printed);
      assert.match(printed, /canvas 6x6, batch 2, seed 5$/m);
      const { side, config } = await loadWeights(`${folder}/36.safetensors`);
      assert.deepEqual([side, config.model.tokens, config.seed], [6, 36, 5]);
      for (const tokens of [4, 10]) {
        const refused = await told(tokens);
        assert.equal(refused.code, 2);
        assert.match(
          refused.printed,
          /model\.tokens is \d+, must be the square of a side of at least 3, which these tasks need/,
        );
      }
      const resumed = await run(main, ...args, "--out", `${folder}/36.safetensors`, "--steps", "2", "--resume");
      assert.match(resumed.printed, /canvas 6x6, batch 2, seed 5$/m);
    });
  },
  ["cpu"],
);

eachBackend("deno task train does not score test pairs that it was trained on, and says so", async () => {
  await inFolder(async (folder, args) => {
    const grow = `${folder}/grow.json`;
    await Deno.writeTextFile(grow, JSON.stringify({ train: [{ input: [[5]], output: [[5, 5]] }], test: swap.test }));
    const trained = (...more: string[]) =>
      run(main, ...args, ...tinyPreset(folder), "--steps", "1", "--data", grow, ...more);
    assert.match(
      (await trained("--out", `${folder}/first.safetensors`)).printed,
      /step 1, held-out test pairs of 2 tasks, .*pass@1: \d of 2 test outputs/s,
    );
    await Deno.mkdir(`${folder}/set`);
    await Deno.writeTextFile(
      `${folder}/set/x.json`,
      JSON.stringify({ ...swap, test: [{ input: [[7]], output: [[7]] }] }),
    );
    const { code, printed } = await trained("--training-set", `${folder}/set`);
    assert.equal(code, 0, printed);
    assert.match(printed, /^1 of the 2 tasks of --data are in --training-set, too, so .* not held out: swap$/m);
    assert.match(printed, /step 1, held-out test pairs of 1 tasks, .*pass@1: \d of 1 test outputs/s);
  });
}, ["cpu"]);

eachBackend(
  "deno task train stopped while test pairs are scored exits with 130 and tells that the weights are saved",
  async () => {
    await inFolder(async (folder, args) => {
      // So many that they are not all scored before the signal is heard.
      const many = Object.fromEntries(Array.from({ length: 600 }, (_, i) => [`task ${i}`, swap]));
      await Deno.writeTextFile(`${folder}/many.json`, JSON.stringify(many));
      const told = [...tinyPreset(folder), "--steps", "1", "--data", `${folder}/many.json`];
      const stopped = (args: string[]) => {
        const { log } = console;
        console.log = (line: string) => {
          log(line);
          // Not SIGINT, which ends the tests, too.
          if (line.includes("held-out test pairs of 601 tasks")) Deno.kill(Deno.pid, "SIGTERM");
        };
        return main(args);
      };
      const { code, printed } = await run(stopped, ...args, ...told);
      assert.equal(code, 130, printed);
      assert.match(printed, /looks each:\nstopped; the weights are saved, the held-out test pairs were not scored$/);
      assert.equal((await loadWeights(`${folder}/W.safetensors`)).steps, 1);
    });
  },
  // A process cannot send itself a signal there that is heard.
  Deno.build.os === "windows" ? [] : ["cpu"],
);
