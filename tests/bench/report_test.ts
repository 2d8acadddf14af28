import * as tf from "@tensorflow/tfjs";
import assert from "node:assert/strict";
import { UsageError } from "../../train/command_line.ts";
import { eachBackend } from "../backends.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";
import { hasOwnProducts, withoutShaders } from "./device.ts";
import { bench } from "./main.ts";
import { timeProducts, timeQueued } from "./queued.ts";
import { peakOf } from "./report.ts";
import { ReportFile } from "./report_file.ts";

/** The rows below each heading of a report, cells trimmed. */
function tablesOf(markdown: string): Record<string, string[][]> {
  return Object.fromEntries(
    markdown.split("\n## ").slice(1).map((section) => {
      const rows = section.split("\n").filter((line) => line.startsWith("|")).slice(2);
      const cells = rows.map((line) => line.split(/(?<!\\)\|/).slice(1, -1).map((cell) => cell.trim()));
      return [section.split("\n")[0], cells];
    }),
  );
}

Deno.test("bench() refuses a report without webgpu, with a shape, and --quick without a report", async () => {
  for (
    const args of [
      ["--report", "x.md"],
      ["--report", "x.md", "--backend", "cpu"],
      ["--report", "x.md", "--backend", "webgpu", "--shape", "64,4,2,16,2"],
      ["--quick"],
      ["--shape", "64,4,2,15,2"],
    ]
  ) await assert.rejects(bench(args), UsageError, args.join(" "));
});

Deno.test("peakOf() knows the cards of the data sheet and no others", () => {
  assert.equal(peakOf("webgpu: NVIDIA H100 80GB HBM3"), 67);
  assert.equal(peakOf("webgpu: NVIDIA H200"), 67);
  assert.equal(peakOf("webgpu: NVIDIA H100 PCIe"), undefined);
  assert.equal(peakOf("webgpu: llvmpipe (LLVM 15.0.6, 256 bits)"), undefined);
});

Deno.test("ReportFile is whole after every item, tells what failed, and goes on", () =>
  inTemporaryFolder(async (folder) => {
    const file = `${folder}/report.md`;
    const report = new ReportFile(file, "title", { item: 0.05, all: 60 });
    const first = report.section("First", "text", ["what", "value"]);
    const second = report.section("Second", "text", ["what", "value"]);
    await second("broken", () => Promise.reject(new Error("a | b\nmore")));
    assert.deepEqual(tablesOf(await Deno.readTextFile(file)), { First: [], Second: [["broken", "failed: a \\| b"]] });
    await first("sound", () => Promise.resolve([["x", "1"], ["y", "2"]]));
    await first("endless", () => new Promise(() => {}));
    await second("after", () => Promise.resolve([["z", "3"]]));
    assert.deepEqual(tablesOf(await Deno.readTextFile(file)), {
      First: [["x", "1"], ["y", "2"], ["endless", "failed: not ended after 0.05 s"]],
      Second: [["broken", "failed: a \\| b"], ["after", "failed: not begun: an item before it did not end"]],
    });
  }));

Deno.test("ReportFile begins nothing after its time", () =>
  inTemporaryFolder(async (folder) => {
    const file = `${folder}/report.md`;
    const measure = new ReportFile(file, "title", { item: 1, all: 0 }).section("Only", "text", ["what"]);
    await measure("late", () => Promise.resolve([["x"]]));
    assert.deepEqual(tablesOf(await Deno.readTextFile(file)), { Only: [["late", "failed: not begun after 0 s"]] });
  }));

eachBackend("timeQueued() and timeProducts() count all work and leave no tensors behind", async () => {
  const before = tf.memory().numTensors;
  const x = tf.ones([2, 2]);
  let calls = 0;
  await timeQueued(() => (calls++, [tf.neg(x)]), 30);
  assert.ok(calls >= 4, `${calls} calls`);
  x.dispose();
  const times = await timeProducts(3, [5, 7], 1);
  assert.deepEqual(times.map(({ name, flop }) => [name, flop]), [["x Wᵀ", 210], ["dy W", 210], ["dyᵀ x", 210]]);
  assert.equal(tf.memory().numTensors, before);
});

eachBackend("withoutShaders() runs tfjs' own kernels and then brings this project's back", async () => {
  const found = tf.getKernel("BatchMatMul", "webgpu");
  const ours = { ...found };
  tf.unregisterKernel("BatchMatMul", "webgpu");
  tf.registerKernel(ours);
  assert.ok(hasOwnProducts());
  const attention = tf.getKernel("Attention", "webgpu");
  await withoutShaders(() => {
    assert.ok(!hasOwnProducts());
    assert.notEqual(tf.getKernel("Attention", "webgpu"), attention);
    return Promise.resolve();
  });
  assert.equal(tf.getKernel("BatchMatMul", "webgpu"), ours);
  assert.equal(tf.getKernel("Attention", "webgpu"), attention);
  tf.unregisterKernel("BatchMatMul", "webgpu");
  tf.registerKernel(found);
}, ["webgpu"]);

eachBackend("--report --quick measures every section", () =>
  inTemporaryFolder(async (folder) => {
    const file = `${folder}/report.md`;
    await bench(["--backend", "webgpu", "--report", file, "--quick"]);
    const text = await Deno.readTextFile(file);
    assert.ok(!text.includes("failed"), text);
    const tables = tablesOf(text);
    assert.ok(tables.Adapter.some(([name]) => name === "maxStorageBufferBindingSize"));
    const [ours, stock] = tables["Requests of one training step"];
    assert.ok(Number(ours[1]) < Number(stock[1]) / 2, "this project asks for fewer dispatches");
    const kernels = (section: string) => new Set(tables[section].map((row) => row[1]));
    assert.deepEqual(kernels("Training"), new Set(["this project", "stock tfjs"]));
    assert.deepEqual(kernels("Attention"), new Set(["this project", "stock tfjs"]));
    assert.equal(tables.Products.filter((row) => row[1] === "stock tfjs").length, 3);
    for (const row of [...tables.Products, ...tables.Training, ...tables.Attention]) {
      assert.ok(Number(row[2]) > 0 && Number(row[3]) > 0, row.join(" "));
    }
    assert.ok(Number(tables.Inference[0][1]) > 0);
  }), ["webgpu"]);
