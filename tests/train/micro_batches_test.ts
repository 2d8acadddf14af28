import assert from "node:assert/strict";
import { presets } from "../../model/config.ts";
import { countParts } from "../../train/micro_batches.ts";

const model = presets.arc({ side: 30 });

Deno.test("countParts() is one without a limit and where the batch fits", () => {
  assert.equal(countParts(model, 768), 1);
  assert.equal(countParts(model, 24, { largestTensor: 2 ** 31, moderateTensor: 2 ** 28 }), 1);
});

Deno.test("countParts() keeps the largest tensor of a part within the limits", () => {
  // The gate and up of SwiGLU: 901 tokens of 3,072 numbers.
  const row = 901 * 3072 * 4;
  for (const limit of ["largestTensor", "moderateTensor"]) {
    assert.equal(countParts(model, 9, { [limit]: 3 * row }), 3);
    assert.equal(countParts(model, 9, { [limit]: 3 * row - 1 }), 5);
    assert.equal(countParts(model, 9, { [limit]: 9 * row }), 1);
  }
  assert.equal(countParts(model, 768, { largestTensor: 2 ** 40, moderateTensor: 2 ** 28 }), 32);
});

Deno.test("countParts() refuses a row that is too large alone, naming both sizes", () => {
  assert.throws(() => countParts(model, 9, { largestTensor: 1000 }), /11071488 bytes, at most 1000 fit/);
  assert.equal(countParts(model, 9, { moderateTensor: 1000 }), 9);
});

Deno.test("countParts() refuses a batch whose state is too large, naming the largest that is not", () => {
  const state = 901 * 512 * 4;
  const limits = { largestTensor: 10 * state, moderateTensor: 2 ** 26 };
  assert.equal(countParts(model, 10, limits), 10);
  assert.throws(
    () => countParts(model, 11, limits),
    /the state of 11 rows .* at most 10, training\.batchSize in --config/,
  );
});
