import assert from "node:assert/strict";
import {
  dependsOnTokens,
  type ModelConfig,
  parseModelConfig,
  presets,
  segmentCalls,
  sequenceLength,
} from "../../model/config.ts";
import { countParameters, specify } from "../../model/parameters.ts";
import { relativeNamed, relatives } from "../relatives.ts";

const { arc, trm, transformer, loop } = presets;

Deno.test("parseModelConfig() names an unknown key", () => {
  assert.throws(
    () => parseModelConfig({ ...arc({ side: 30 }), widht: 3 }),
    { message: /^Cannot use model configuration: model: .*"widht"/ },
  );
});

Deno.test("parseModelConfig() names a missing key and a wrong value, both at once", () => {
  const { width: _, ...rest } = arc({ side: 30 });
  assert.throws(
    () => parseModelConfig({ ...rest, heads: 0 }),
    (error: Error) => /model\.width: /.test(error.message) && /model\.heads: /.test(error.message),
  );
});

const refused: [string, ModelConfig, Partial<ModelConfig>, string][] = [
  [
    "no H network of its own",
    arc({ side: 4 }),
    { hLayers: 0 },
    "hLayers: must be at least 1 unless both levels are shared",
  ],
  [
    "nothing to share",
    trm({ side: 4 }),
    { lLayers: 0, lCycles: 0, gradientCalls: 1 },
    "lLayers: must be at least 1 where both levels are shared",
  ],
  [
    "L cycles without L layers",
    transformer({ side: 4 }),
    { lCycles: 1 },
    "lCycles: must be 0 exactly where lLayers is 0",
  ],
  ["L layers without L cycles", arc({ side: 4 }), { lCycles: 0 }, "lCycles: must be 0 exactly where lLayers is 0"],
  [
    "more gradient than calls",
    arc({ side: 4 }),
    { gradientCalls: 7 },
    "gradientCalls: must be at most the number of calls in a segment",
  ],
  [
    "a token mixer without a width",
    arc({ side: 4 }),
    { mixer: "tokens" },
    "mixerWidth: must be 0 exactly with attention",
  ],
  [
    "attention with a mixer's width",
    arc({ side: 4 }),
    { mixerWidth: 8 },
    "mixerWidth: must be 0 exactly with attention",
  ],
  [
    "a puzzle row longer than the prefix",
    arc({ side: 4 }),
    { puzzleWidth: 513 },
    "puzzleWidth: must be at most prefix times width",
  ],
  [
    "a row without room for the roles",
    loop({ side: 4 }),
    { puzzleWidth: 64 },
    "puzzleWidth: must be 1728 = (vocabulary + 8 + prefix) x width with roles",
  ],
  ["odd heads under rope", arc({ side: 4 }), { headWidth: 63 }, "headWidth: must be even with attention"],
  [
    "heads that two axes cannot share",
    loop({ side: 4 }),
    { headWidth: 18 },
    "headWidth: must be a multiple of 4 with rope2d",
  ],
  [
    "a canvas that is no square",
    loop({ side: 4 }),
    { tokens: 15 },
    "tokens: must be a square where rows and columns matter",
  ],
  [
    "a canvas with more rows than have positions",
    loop({ side: 4 }),
    { tokens: 31 ** 2 },
    "tokens: must be at most 900 with gridPositions, which are for 30 rows",
  ],
];
for (const [what, config, change, message] of refused) {
  Deno.test(`parseModelConfig() refuses ${what}`, () => {
    assert.deepEqual(parseModelConfig(config), config);
    assert.throws(
      () => parseModelConfig({ ...config, ...change }),
      { message: `Cannot use model configuration: model.${message}` },
    );
  });
}

Deno.test("presets are configurations for every canvas", () => {
  for (const preset of Object.values(presets)) {
    for (const side of [1, 10, 30]) {
      const config = preset({ side });
      assert.deepEqual(parseModelConfig(config), config);
      assert.equal(sequenceLength(config), config.prefix + side * side);
    }
  }
});

Deno.test("presets.arc has the official number of parameters, and presets.loop about 110 thousand", () => {
  assert.equal(countParameters(arc({ side: 30 })), 27_276_290);
  // 2 blocks of 4·64² and 3·64·176, embeddings 11·64, the read-out 64², rows and columns 30·64 each.
  assert.equal(countParameters(loop({ side: 10 })), 2 * (4 * 64 ** 2 + 3 * 64 * 176) + 11 * 64 + 64 ** 2 + 2 * 30 * 64);
});

Deno.test("dependsOnTokens() tells where a parameter has another shape on another canvas", () => {
  const shapes = (model: ModelConfig) => specify(model).map(({ name, shape }) => `${name} ${shape}`).join();
  const found = relatives.map(({ name, config: { model } }) => {
    assert.equal(dependsOnTokens(model), shapes(model) !== shapes({ ...model, tokens: 16 }), name);
    return [name, dependsOnTokens(model)];
  });
  assert.deepEqual(found.filter(([, depends]) => depends).map(([name]) => name), [
    "trm with a token mixer",
    "transformer",
  ]);
});

Deno.test("segmentCalls() lists L calls, then H, once a cycle", () => {
  assert.equal(segmentCalls(relativeNamed("hrm").config.model).join(""), "LLHLLH");
  assert.equal(segmentCalls(trm({ side: 4 })).join(""), "LLLLHLLLLHLLLLH");
  assert.equal(segmentCalls(transformer({ side: 4 })).join(""), "H");
  assert.equal(segmentCalls(loop({ side: 4 })).join(""), "HH");
});
