import * as tf from "@tensorflow/tfjs";
import assert from "node:assert/strict";
import { think } from "../../model/act.ts";
import { decodeSafetensors, float32 } from "../../model/safetensors.ts";
import { loadWeights } from "../../train/checkpoint.ts";
import { main as exportMain } from "../../train/export_main.ts";
import { main as importMain } from "../../train/import_main.ts";
import { eachBackend } from "../backends.ts";
import { run } from "../command.ts";
import { filesIn, inTemporaryFolder } from "../temporary_folder.ts";

const fixtures = new URL("../fixtures/torch/", import.meta.url).pathname;
const official = ["--config", `${fixtures}all_config.yaml`, "--tokens", "16"];

eachBackend("deno task import writes weights that answer like the official network, in every segment", async () => {
  await inTemporaryFolder(async (folder) => {
    const out = `${folder}/weights.safetensors`;
    const result = await run(importMain, `${fixtures}step_100`, ...official, "--puzzle-table", "keep", "--out", out);
    assert.equal(result.code, 0, result.printed);
    const { network, table, tasks, side, steps } = await loadWeights(out);
    assert.deepEqual([table.rows, tasks.length, side, steps], [23, 0, 4, 0]);

    const expected = decodeSafetensors(await Deno.readFile(`${fixtures}expected.safetensors`)).tensors;
    const numbers = (name: string) => Array.from(float32(expected.get(name)!));
    const rows = table.gather(numbers("puzzle_identifiers"));
    const input = {
      tokens: tf.tensor(numbers("inputs"), [3, 16], "int32"),
      rows: tf.tensor(rows, [3, table.width], "float32"),
    };
    // Rounding grows from segment to segment: by the fourth, PyTorch's f32 logits are 8e-5 from those computed in f64.
    for (const [segment, tolerance] of [[1, 2e-5], [2, 5e-5], [3, 2e-4], [4, 4e-4]]) {
      const thoughts = await think(network, input, { maxSegments: segment });
      const logits = thoughts.flatMap((thought) => [...thought.logits]);
      const halts = numbers(`segment_${segment}.q_halt_logits`).map((q) => 1 / (1 + Math.exp(-q)));
      const distance = (a: number[], b: number[]) => Math.max(...a.map((value, i) => Math.abs(value - b[i])));
      assert.equal(logits.length, 3 * 16 * 12);
      assert.ok(distance(numbers(`segment_${segment}.logits`), logits) < tolerance, `logits of segment ${segment}`);
      assert.ok(distance(halts, thoughts.map(({ halt }) => halt!)) < tolerance, `halting of segment ${segment}`);
    }
  });
});

Deno.test("deno task import and deno task export describe themselves with --help", async () => {
  for (const main of [importMain, exportMain]) {
    const { code, printed } = await run(main, "--help");
    assert.equal(code, 0);
    assert.match(printed, /Usage: deno task (import|export)/);
  }
});

Deno.test("deno task import and deno task export exit with 2 for mistakes in the arguments", async () => {
  const file = `${fixtures}step_100`;
  const mistakes: [typeof importMain, string[], RegExp][] = [
    [importMain, [], /Name one checkpoint/],
    [importMain, [file, file, "--out", "x"], /Name one checkpoint, not 2/],
    [importMain, [file], /--out is missing/],
    [importMain, [file, "--out", "x", "--puzzle-table", "median"], /one of mean, keep, drop, not median/],
    [importMain, [file, "--out", "x", "--tokens", "2.5"], /--tokens must be a whole number, at least 1, not 2\.5/],
    [importMain, [file, "--out", "x", "--fast"], /--fast/],
    [exportMain, [], /Name one weights file/],
    [exportMain, [file, "--out", "x"], /--to must be torch-names, not left out/],
    [exportMain, [file, "--to", "onnx", "--out", "x"], /--to must be torch-names, not onnx/],
    [exportMain, [file, "--to", "torch-names"], /--out is missing/],
  ];
  for (const [main, args, message] of mistakes) {
    const { code, printed } = await run(main, ...args);
    assert.equal(code, 2, printed);
    assert.match(printed, message);
    assert.match(printed, /--help tells how this command is used\./);
  }
});

Deno.test("deno task import exits with 1 and writes nothing when the checkpoint is refused", async () => {
  await inTemporaryFolder(async (folder) => {
    const failures: [string[], RegExp][] = [
      [[`${fixtures}hostile_global`], /asks for __builtin__\.print/],
      [[`${folder}/nothing`], /nothing/],
      [[`${fixtures}step_100`, ...official, "--tokens", "17"], /17 grid tokens are not a square canvas/],
    ];
    for (const [args, message] of failures) {
      const { code, printed } = await run(importMain, ...args, "--out", `${folder}/out`);
      assert.equal(code, 1, printed);
      assert.match(printed, message);
      assert.deepEqual(filesIn(folder), []);
    }
  });
});

Deno.test("deno task export writes what deno task import reads back to the same bytes", async () => {
  await inTemporaryFolder(async (folder) => {
    const path = (name: string) => `${folder}/${name}.safetensors`;
    const codes = [
      await run(importMain, `${fixtures}step_100`, ...official, "--puzzle-table", "keep", "--out", path("first")),
      await run(exportMain, path("first"), "--to", "torch-names", "--out", path("official")),
      await run(importMain, path("official"), ...official, "--puzzle-table", "keep", "--out", path("second")),
    ].map(({ code }) => code);
    assert.deepEqual(codes, [0, 0, 0]);
    assert.deepEqual(await Deno.readFile(path("second")), await Deno.readFile(path("first")));
  });
});
