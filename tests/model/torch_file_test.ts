import assert from "node:assert/strict";
import { openCheckpoint, openTorch } from "../../model/import.ts";
import { officialName } from "../../model/official_names.ts";
import { float32 } from "../../model/safetensors.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";
import { dictionary, tensorOps, zip } from "./torch_files.ts";

const fixtures = new URL("../fixtures/torch/", import.meta.url).pathname;

/** [Σ x, Σ |x|, √Σ x², Σ x_i cos(0.7 i + 0.3)]; the last moves when two elements swap. */
function probe(values: ArrayLike<number>): number[] {
  const sums = [0, 0, 0, 0];
  Array.from(values).forEach((x, i) => {
    [x, Math.abs(x), x * x, x * Math.cos(0.7 * i + 0.3)].forEach((term, k) => sums[k] += term);
  });
  return [sums[0], sums[1], Math.sqrt(sums[2]), sums[3]];
}

for (const file of ["step_100", "step_100_uncompiled", "step_100_legacy"]) {
  Deno.test(`openTorch() reads every tensor of ${file}`, async () => {
    // Computed from step_100 with Python's own pickle and NumPy.
    const probes = JSON.parse(await Deno.readTextFile(`${fixtures}probes.json`));
    const source = await openTorch(fixtures + file);
    try {
      const names = new Map(source.names().map((name) => [officialName(name), name]));
      assert.equal(names.size, 15);
      for (const [long, { shape, probe: expected }] of Object.entries<{ shape: number[]; probe: number[] }>(probes)) {
        const name = names.get(officialName(long))!;
        const tensor = await source.read(name);
        assert.deepEqual(tensor.shape, shape, name);
        assert.deepEqual(source.info(name), { dtype: tensor.dtype, shape });
        probe(float32(tensor)).forEach((sum, k) => assert.ok(Math.abs(sum - expected[k]) < 1e-9, `${name} ${k}`));
      }
    } finally {
      source.close();
    }
  });
}

Deno.test("openTorch() reads shared, sliced, transposed, f16, bf16, i64 and bool tensors", async () => {
  const expected = JSON.parse(await Deno.readTextFile(`${fixtures}strides.expected.json`));
  const source = await openTorch(`${fixtures}strides`);
  try {
    assert.deepEqual(source.names(), Object.keys(expected));
    const dtypes = source.names().map((name) => source.info(name).dtype);
    assert.deepEqual(dtypes, ["F32", "F32", "F16", "BF16", "I64", "BOOL"]);
    for (const [name, values] of Object.entries<number[] | boolean>(expected)) {
      const numbers = [values].flat(Infinity).map(Number);
      assert.deepEqual([...float32(await source.read(name))], numbers, name);
      const [rows, width = 1] = source.info(name).shape;
      if (rows === undefined) continue;
      for (const [from, to] of [[0, rows], [1, rows], [1, 1], [rows - 1, rows]]) {
        const part = numbers.slice(from * width, to * width);
        assert.deepEqual([...await source.rows(name, from, to)], part, `${name} rows ${from} to ${to}`);
      }
    }
    await assert.rejects(source.rows("a", 0, 7), /"a" of shape \[6,4\] has no rows 0 to 7/);
    await assert.rejects(source.rows("f", 0, 1), /"f" of shape \[\] has no rows/);
    await assert.rejects(source.read("g"), /Cannot read strides: it has no tensor "g"/);
  } finally {
    source.close();
  }
});

Deno.test("openTorch() reads a zip file whose sizes and offsets stand in 64-bit fields", async () => {
  await inTemporaryFolder(async (folder) => {
    await Deno.writeFile(`${folder}/step_1`, zip({}, [], true));
    const source = await openTorch(`${folder}/step_1`);
    assert.deepEqual([...float32(await source.read("w"))], [0, 1, 2, 3, 4, 5]);
    source.close();
  });
});

Deno.test("openTorch() reads tensors that are empty or not whole in their storage", async () => {
  await inTemporaryFolder(async (folder) => {
    const storage = { key: "0", elements: 6 };
    const tensors = dictionary({
      none: tensorOps({ ...storage, offset: 6, shape: [0, 3] }),
      column: tensorOps({ ...storage, offset: 1, shape: [2, 1], strides: [3, 9] }),
      cube: tensorOps({ ...storage, shape: [3, 1, 2], strides: [1, 1, 3] }),
    });
    await Deno.writeFile(`${folder}/step_1`, zip({ "x/data.pkl": tensors }));
    const source = await openCheckpoint(`${folder}/step_1`);
    assert.deepEqual((await source.read("none")).data.length, 0);
    assert.deepEqual([...float32(await source.read("column"))], [1, 4]);
    assert.deepEqual([...float32(await source.read("cube"))], [0, 3, 1, 4, 2, 5]);
    source.close();
  });
});
