import assert from "node:assert/strict";
import { presets } from "../../model/config.ts";
import { countParts } from "../../train/micro_batches.ts";

Deno.test("countParts() is one without a limit and where the batch fits", () => {
  const model = presets.arc({ side: 30 });
  assert.equal(countParts(model, 768), 1);
  assert.equal(countParts(model, 24, 2 ** 31), 1);
});

Deno.test("countParts() keeps the largest tensor of a part within the limit", () => {
  const model = presets.arc({ side: 30 });
  // The gate and up of SwiGLU: 901 tokens of 3,072 numbers.
  const row = 901 * 3072 * 4;
  assert.equal(countParts(model, 9, 3 * row), 3);
  assert.equal(countParts(model, 9, 3 * row - 1), 5);
  assert.equal(countParts(model, 9, 9 * row), 1);
});

Deno.test("countParts() refuses a row that is too large alone, naming both sizes", () => {
  const model = presets.arc({ side: 30 });
  assert.throws(() => countParts(model, 9, 1000), /11071488 bytes.*1000/);
});

Deno.test("countParts() keeps tensors moderate however much a buffer may hold", () => {
  assert.equal(countParts(presets.arc({ side: 30 }), 768, 2 ** 40), 32);
});
