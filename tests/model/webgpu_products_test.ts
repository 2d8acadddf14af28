/** Products in WGSL against sums in float64, and the layers made of them against their compositions. */
import * as tf from "@tensorflow/tfjs";
import type { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import assert from "node:assert/strict";
import { createRandom } from "../../arc/random.ts";
import { binaryCrossEntropy } from "../../model/kernels/binary_cross_entropy.ts";
import { type Attributes, compose, type Inputs, run } from "../../model/kernels/operation.ts";
import { normalisedLayer, product } from "../../model/webgpu/layers.ts";
import { holdsRowSums, ROW_TILES, type Tile, TILES } from "../../model/webgpu/product_tiles.ts";
import { setLayerPrecision } from "../../model/webgpu/precision.ts";
import { eachBackend } from "../backends.ts";
import { randomVector } from "../relatives.ts";

const onDevice = (name: string, test: () => Promise<void>) => eachBackend(name, test, ["webgpu"]);

const ALL: [boolean, boolean][] = [[false, false], [false, true], [true, false], [true, true]];

interface Case {
  /** m, n, k */
  size: number[];
  /** The outer shapes of both sides. */
  outers?: [number[], number[]];
  /** Which side is given transposed. */
  transposes?: [boolean, boolean][];
  compute?: (a: tf.Tensor, b: tf.Tensor, transposeA: boolean, transposeB: boolean) => tf.Tensor;
}

/** The flat index of the matrix that an operand of outer shape `own` gives to a matrix of the result. */
function matrixOf(batch: number, own: number[], outer: number[]): number {
  let [index, stride] = [0, 1];
  for (let axis = 1; axis <= outer.length; axis++) {
    const length = own.at(-axis) ?? 1;
    if (length > 1) index += stride * (batch % outer.at(-axis)!);
    stride *= length;
    batch = Math.floor(batch / outer.at(-axis)!);
  }
  return index;
}

/** Asserts a b, with either transposed, against sums in float64. */
async function assertProduct({ size, outers = [[], []], transposes = ALL, compute = tf.matMul }: Case): Promise<void> {
  const [m, n, k] = size;
  const random = createRandom(1);
  const outer = tf.broadcast_util.assertAndGetBroadcastShape(...outers);
  for (const [transposeA, transposeB] of transposes) {
    const values = (own: number[], size: number) => randomVector(tf.util.sizeFromShape(own) * size, random);
    const [valuesA, valuesB] = [values(outers[0], m * k), values(outers[1], k * n)];
    const a = tf.tensor(valuesA, [...outers[0], ...(transposeA ? [k, m] : [m, k])]);
    const b = tf.tensor(valuesB, [...outers[1], ...(transposeB ? [n, k] : [k, n])]);
    const c = compute(a, b, transposeA, transposeB);
    assert.deepEqual(c.shape, [...outer, m, n]);
    const actual = await c.data();
    for (let i = 0; i < actual.length; i++) {
      const [batch, row, column] = [Math.floor(i / m / n), Math.floor(i / n) % m, i % n];
      const [fromA, fromB] = [matrixOf(batch, outers[0], outer) * m * k, matrixOf(batch, outers[1], outer) * k * n];
      let sum = 0;
      for (let q = 0; q < k; q++) {
        sum += valuesA[fromA + (transposeA ? q * m + row : row * k + q)] *
          valuesB[fromB + (transposeB ? column * k + q : q * n + column)];
      }
      const off = Math.abs(actual[i] - sum);
      assert.ok(off < 3e-6 * Math.sqrt(k), `[${size}], ${transposeA}, ${transposeB}, element ${i} is off by ${off}`);
    }
    tf.dispose([a, b, c]);
  }
}

onDevice("matMul() of any size is right in all four transpositions", async () => {
  for (const size of [[1, 1, 1], [5, 7, 3], [33, 65, 17], [64, 64, 64]]) await assertProduct({ size });
});

onDevice("matMul() with a long summed axis adds its parts", async () => {
  for (const size of [[12, 20, 2000], [5, 3, 1025]]) await assertProduct({ size, transposes: [[true, false]] });
});

onDevice("matMul() broadcasts batches on either side", async () => {
  const outers: Case["outers"][] = [[[3], [3]], [[3], [1]], [[], [3]], [[2, 1], [3]], [[2, 3], [2, 1]]];
  for (const each of outers) await assertProduct({ size: [5, 6, 4], outers: each, transposes: [[false, true]] });
  await assertProduct({ size: [3, 4, 9], outers: [[2, 3], []] });
  await assertProduct({ size: [3, 4, 1100], outers: [[2], [2]], transposes: [[true, false]] });
});

const tiles = new Set<Tile>([...Object.values(TILES), ...ROW_TILES.flatMap(({ tiles }) => tiles)]);
for (const tile of tiles) {
  const name = `${tile.rows}x${tile.columns}`;
  onDevice(`a product in tiles of ${name} is right inside and at the edges, in one part and in three`, async () => {
    const backend = tf.backend() as WebGPUBackend;
    const inParts = (parts: number): Case["compute"] => (a, b, transposeA, transposeB) =>
      tf.engine().makeTensorFromTensorInfo(product(backend, a, b, transposeA, transposeB, { tile, parts }));
    const [m, n] = [tile.rows + 5, tile.columns + 4];
    await assertProduct({ size: [m, n, 20], transposes: [[false, true]], compute: inParts(1) });
    await assertProduct({ size: [m - 1, n, 43], transposes: [[true, false]], compute: inParts(3) });
  });
}

for (const { tiles: rowTiles } of ROW_TILES) {
  for (const tile of rowTiles.flatMap((tile) => [tile, { ...tile, depth: 4 }]).filter(holdsRowSums)) {
    const name = `${tile.rows}x${tile.columns}x${tile.depth}`;
    onDevice(`a normalised layer in tiles of ${name} is a product and a norm`, async () => {
      const backend = tf.backend() as WebGPUBackend;
      for (const [m, n] of [[tile.rows + 5, tile.columns], [tile.rows - 1, tile.columns - 3]]) {
        const { x, W, residual } = randomTensors({ x: [m, 20], W: [n, 20], residual: [m, n] });
        const layer = (tile: Tile | null) =>
          normalisedLayer(backend, x, W, residual, 1e-5, tile).map((info) =>
            tf.engine().makeTensorFromTensorInfo(info)
          );
        const [apart, whole] = [layer(null), layer(tile)];
        for (const output of [0, 1]) {
          const [wanted, values] = [await apart[output].data(), await whole[output].data()];
          const off = Math.max(...values.map((value, i) => Math.abs(value - wanted[i])));
          assert.ok(off < 2e-6 * Math.max(...wanted), `[${m}, ${n}], output ${output} is off by ${off}`);
        }
        tf.dispose([x, W, residual, apart, whole]);
      }
    });
  }
}

onDevice("FeedForward in f16 is near that in f32", async () => {
  assert.ok((tf.backend() as WebGPUBackend).device.features.has("shader-f16"));
  for (const [T, D, F] of [[37, 100, 40], [5, 516, 7]]) {
    const inputs = randomTensors({ x: [1, T, D], residual: [1, T, D], gateUp: [2 * F, D], down: [D, F] });
    const attributes = { epsilon: 1e-5, recorded: true };
    const expected = run("FeedForward", inputs, attributes);
    setLayerPrecision("f16");
    const actual = run("FeedForward", inputs, attributes);
    setLayerPrecision("f32");
    for (const [output, tensor] of actual.entries()) {
      const [values, wanted] = [await tensor.data(), await expected[output].data()];
      const unit = Math.max(1, ...wanted.map(Math.abs));
      let largest = 0;
      for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i] - wanted[i]));
      assert.ok(largest < 3e-3 * unit, `output ${output} is off by ${largest}`);
      assert.ok(largest > 1e-6, `output ${output} was rounded at all`);
    }
    tf.dispose([inputs, expected, actual]);
  }
});

onDevice("matMul() of nothing is empty, and over nothing is zero", async () => {
  assert.deepEqual(tf.matMul(tf.zeros([0, 3]), tf.zeros([3, 2])).shape, [0, 2]);
  assert.deepEqual([...await tf.matMul(tf.zeros([2, 0]), tf.zeros([0, 2])).data()], [0, 0, 0, 0]);
});

onDevice("binaryCrossEntropy() takes truths that were cast", async () => {
  const x = tf.tensor1d([0, 2]);
  const target = tf.cast(tf.greater(x, 1), "float32");
  const gradient = tf.grad((x) => binaryCrossEntropy(x, target))(x);
  const [first, second] = await gradient.data();
  assert.ok(Math.abs(first - 0.5) < 1e-6 && Math.abs(second + 1 / (1 + Math.exp(2))) < 1e-6, `${first}, ${second}`);
});

onDevice("matMul() takes whole numbers that were cast", async () => {
  const a = tf.cast(tf.tensor2d([[1, 2], [3, 4]], [2, 2], "int32"), "float32");
  assert.deepEqual([...await tf.matMul(a, tf.tensor2d([[1, 0.5], [0, 2]])).data()], [1, 4.5, 3, 9.5]);
});

/** Runs an operation and its composition; values that are small against the largest may differ by its rounding. */
async function compare(name: string, inputs: Inputs, attributes: Attributes, what: string): Promise<void> {
  const expected = compose(name, inputs, attributes);
  const wanted = await Promise.all(expected.map((tensor) => tensor.data()));
  const actual = run(name, inputs, attributes);
  assert.equal(actual.length, expected.length, what);
  for (const [output, tensor] of actual.entries()) {
    assert.deepEqual(tensor.shape, expected[output].shape, `${what}: shape of output ${output}`);
    const values = await tensor.data();
    const unit = Math.max(1, ...wanted[output].map(Math.abs));
    for (let i = 0; i < values.length; i++) {
      const off = Math.abs(values[i] - wanted[output][i]);
      assert.ok(off <= 1e-5 * unit, `${what}: output ${output}[${i}] is off by ${off} of ${unit}`);
    }
  }
  tf.dispose([...expected, ...actual]);
}

/** Random tensors by shape; weights are divided by the root of their last axis. */
function randomTensors(shapes: Record<string, number[]>): Inputs {
  const random = createRandom(2);
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const scale = shape.length === 2 ? 1 / Math.sqrt(shape[1]) : 1;
      return [name, tf.tensor(randomVector(tf.util.sizeFromShape(shape), random).map((x) => x * scale), shape)];
    }),
  );
}

// Widths below, at and beyond what a workgroup can hold, of multiples of four and not; one with a summed axis that is cut.
for (
  const [B, T, D, F] of [[2, 5, 6, 7], [1, 3, 32, 10], [2, 33, 100, 36], [3, 7, 200, 12], [1, 37, 512, 8], [
    1,
    9,
    516,
    9,
  ], [2, 600, 12, 20]]
) {
  onDevice(
    `FeedForward and its gradient agree with their compositions, ${T} positions of ${D}, ${F} inside`,
    async () => {
      const x = [B, T, D];
      const inputs = randomTensors({ x, residual: x, gateUp: [2 * F, D], down: [D, F], dy: x });
      const { dy, ...forward } = inputs;
      const attributes = { epsilon: 1e-5 };
      await compare("FeedForward", forward, { ...attributes, recorded: false }, "unrecorded");
      await compare("FeedForward", forward, { ...attributes, recorded: true }, "recorded");
      const [y, inverse, both, inner] = compose("FeedForward", forward, { ...attributes, recorded: true });
      const { x: input, gateUp, down } = forward;
      for (const one of [true, false]) {
        await compare(
          "FeedForwardGradient",
          { dy, x: input, gateUp, down, y, inverse, both, inner },
          { one },
          `one: ${one}`,
        );
      }
      tf.dispose([inputs, y, inverse, both, inner]);
    },
  );
}

for (const [B, T, heads, K, D] of [[2, 5, 3, 2, 6], [1, 17, 2, 16, 40], [1, 9, 1, 8, 520], [2, 600, 1, 4, 8]]) {
  onDevice(
    `SelfAttention and its gradient agree with their compositions, ${heads} heads of ${K} over ${T} of ${D}`,
    async () => {
      const [x, wide] = [[B, T, D], heads * K];
      const inputs = randomTensors({ x, qkv: [3 * wide, D], o: [D, wide], dy: x });
      const half = tf.tensor(randomVector(T * K / 2, createRandom(3)), [T, K / 2]);
      const angles = tf.concat([half, half], 1);
      const { dy, ...weights } = inputs;
      const forward = { ...weights, cos: tf.cos(angles), sin: tf.sin(angles) };
      const attributes = { heads, epsilon: 1e-5 };
      await compare("SelfAttention", forward, { ...attributes, recorded: false }, "unrecorded");
      await compare("SelfAttention", forward, { ...attributes, recorded: true }, "recorded");
      const [y, inverse, packed, mixed, logSumExp] = compose("SelfAttention", forward, {
        ...attributes,
        recorded: true,
      });
      await compare(
        "SelfAttentionGradient",
        { dy, ...forward, y, inverse, packed, mixed, logSumExp },
        { heads },
        "gradient",
      );
      tf.dispose([forward, dy, y, inverse, packed, mixed, logSumExp]);
    },
  );
}
