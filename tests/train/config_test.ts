import assert from "node:assert/strict";
import { type Preset, presets } from "../../model/config.ts";
import { rowsOn } from "../../arc/dataset.ts";
import { makeConfig, parseConfig, requireTokens } from "../../train/config.ts";

Deno.test("makeConfig() makes a configuration of every preset", () => {
  for (const preset of Object.keys(presets) as Preset[]) {
    const config = makeConfig(preset, 9);
    assert.equal(config.model.tokens, 81);
    assert.equal(config.seed, 0);
    assert.deepEqual(parseConfig(JSON.parse(JSON.stringify(config))), config, "it survives a checkpoint's header");
  }
});

Deno.test("makeConfig() puts overrides over the preset", () => {
  const config = makeConfig("arc", 30, { model: { hLayers: 2 }, training: { batchSize: 5 }, seed: 7 });
  assert.equal(config.model.hLayers, 2);
  assert.equal(config.training.batchSize, 5);
  assert.equal(config.seed, 7);
  assert.equal(config.training.learningRate, 1e-4, "the rest is the official recipe");
});

Deno.test("makeConfig() names unknown keys at every level", () => {
  const cases: [Record<string, unknown>, RegExp][] = [
    [{ model: { widht: 3 } }, /^Cannot use configuration: model: .*"widht"$/],
    [{ training: { learningRat: 3 } }, /^Cannot use configuration: training: .*"learningRat"$/],
    [{ sead: 3 }, /^Cannot use configuration: configuration: .*"sead"$/],
  ];
  for (const [overrides, message] of cases) assert.throws(() => makeConfig("mini", 5, overrides), { message });
});

Deno.test("makeConfig() names a wrong value by its path, those that only fit together included", () => {
  const training = { batchSize: 0, ema: 1.5 };
  assert.throws(
    () => makeConfig("mini", 5, { training }),
    (error: Error) => /training\.batchSize: /.test(error.message) && /training\.ema: /.test(error.message),
  );
  assert.throws(
    () => makeConfig("mini", 5, { model: { gradientCalls: 7 } }),
    { message: "Cannot use configuration: model.gradientCalls: must be at most the number of calls in a segment" },
  );
});

Deno.test("makeConfig() adapts the looped network with eight rows up to side 10, and one on the largest", () => {
  const { adaptation } = makeConfig("loop", 10);
  assert.deepEqual([5, 10, 11, 20, 28, 30].map((side) => rowsOn(side, adaptation)), [8, 8, 6, 2, 1, 1]);
});

Deno.test("makeConfig() adapts official networks with 32 rows on canvases up to side 10, and 3 on the largest", () => {
  for (const preset of ["arc", "mini", "trm", "transformer"] as const) {
    const { adaptation } = makeConfig(preset, 30);
    assert.deepEqual([5, 10, 20, 30].map((side) => rowsOn(side, adaptation)), [32, 32, 8, 3], preset);
  }
});

Deno.test("makeConfig() refuses batches by size where rows end one by one", () => {
  assert.equal(makeConfig("loop", 5, { training: { bySize: true } }).training.bySize, true);
  assert.throws(() => makeConfig("mini", 5, { training: { bySize: true } }), { message: /training\.bySize: needs/ });
});

Deno.test("makeConfig() refuses ways to tell a puzzle that the network has no ear for", () => {
  const refused = (preset: Preset, overrides: Parameters<typeof makeConfig>[2], message: string) =>
    assert.throws(() => makeConfig(preset, 5, overrides), { message: `Cannot use configuration: ${message}` });
  for (const recipe of ["training", "adaptation"]) {
    refused("loop", { [recipe]: { marking: "eos" } }, `${recipe}.marking: must be outside with identity task`);
    refused(
      "loop",
      { [recipe]: { identity: "augmentation" } },
      `${recipe}.identity: must be task with conditioning roles`,
    );
    refused(
      "mini",
      { [recipe]: { identity: "task", marking: "outside" } },
      `${recipe}.identity: must be augmentation with conditioning prefix`,
    );
  }
});

Deno.test("requireTokens() tells networks for other puzzles from those that know grids", () => {
  const { model } = makeConfig("mini", 5, { model: { vocabulary: 11 } });
  requireTokens(model, { side: 5, marking: "outside" });
  assert.throws(() => requireTokens(model, { side: 5, marking: "eos" }), {
    message: "Cannot show grids to this network: it knows 11 tokens, grids need 12",
  });
});
