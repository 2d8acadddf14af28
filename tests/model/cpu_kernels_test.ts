/** Every kernel of the CPU backend against the composition of stock operations that defines it. */
import * as tf from "@tensorflow/tfjs";
import assert from "node:assert/strict";
import { createRandom, type Random } from "../../arc/random.ts";
import { CPU_BACKEND, startCpu } from "../../model/cpu/backend.ts";
import { attention } from "../../model/kernels/attention.ts";
import "../../model/kernels/adam.ts";
import "../../model/kernels/correct_tokens.ts";
import { crossEntropy } from "../../model/kernels/cross_entropy.ts";
import { neighbourShift } from "../../model/kernels/neighbour_shift.ts";
import { type Attributes, compose, type Inputs, registerCompositions, run } from "../../model/kernels/operation.ts";
import { rmsNorm } from "../../model/kernels/rms_norm.ts";
import { swiGlu } from "../../model/kernels/swiglu.ts";
import { tokenEmbedding } from "../../model/kernels/token_embedding.ts";

startCpu();
await tf.setBackend("cpu");
registerCompositions("cpu");

/** A tensor's contents, independent of any backend. */
interface Plain {
  shape: number[];
  values: Float32Array | Int32Array;
}

function normal(random: Random, shape: number[], scale = 1): Plain {
  const values = Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => scale * random.normal());
  return { shape, values };
}

function whole(random: Random, shape: number[], from: number, to: number): Plain {
  const values = Int32Array.from(
    { length: tf.util.sizeFromShape(shape) },
    () => from + random.integer(to - from),
  );
  return { shape, values };
}

/** Runs on a backend; the results as plain values. */
async function on(
  backend: string,
  inputs: Record<string, Plain>,
  compute: (inputs: Inputs) => tf.Tensor[],
): Promise<Plain[]> {
  await tf.setBackend(backend);
  const tensors = Object.fromEntries(
    Object.entries(inputs).map(([name, { shape, values }]) => [
      name,
      tf.tensor(values.slice(), shape, values instanceof Int32Array ? "int32" : "float32"),
    ]),
  );
  const outputs = compute(tensors);
  const plain = outputs.map((tensor) => ({ shape: tensor.shape, values: tensor.dataSync() as Float32Array }));
  tf.dispose([tensors, outputs]);
  return plain;
}

function assertClose(actual: Plain[], expected: Plain[], tolerance: number, what: string) {
  assert.equal(actual.length, expected.length, `${what}: number of outputs`);
  actual.forEach(({ shape, values }, output) => {
    assert.deepEqual(shape, expected[output].shape, `${what}: shape of output ${output}`);
    for (let i = 0; i < values.length; i++) {
      const [a, b] = [values[i], expected[output].values[i]];
      assert.ok(
        Math.abs(a - b) <= tolerance * Math.max(1, Math.abs(b)),
        `${what}: output ${output}[${i}] is ${a}, stock operations give ${b}`,
      );
    }
  });
}

async function compare(name: string, inputs: Record<string, Plain>, attributes: Attributes = {}, tolerance = 1e-5) {
  const expected = await on("cpu", inputs, (tensors) => compose(name, tensors, attributes));
  const actual = await on(CPU_BACKEND, inputs, (tensors) => run(name, tensors, attributes));
  const sizes = Object.entries(inputs).map(([key, { shape }]) => `${key} [${shape}]`).join(", ");
  assertClose(actual, expected, tolerance, `${name}(${sizes})`);
}

Deno.test("the RmsNorm kernel and its gradient agree with their compositions at odd sizes", async () => {
  const random = createRandom(1);
  for (const shape of [[1, 1], [3, 7, 20], [2, 101, 64], [5, 6]]) {
    const [x, residual] = [normal(random, shape), normal(random, shape)];
    await compare("RmsNorm", { x, residual }, { epsilon: 1e-5 });
    const inverse = normal(random, [...shape.slice(0, -1), 1]);
    await compare("RmsNormGradient", { dy: x, y: residual, inverse });
  }
});

Deno.test("the SwiGlu kernel and its gradient agree with their compositions at odd sizes", async () => {
  const random = createRandom(2);
  for (const [rows, inner] of [[1, 4], [7, 176], [13, 5], [101, 20]]) {
    const gateUp = normal(random, [rows, 2 * inner], 2);
    await compare("SwiGlu", { gateUp });
    await compare("SwiGluGradient", { gateUp, dy: normal(random, [rows, inner]) });
  }
});

Deno.test("the SwiGlu kernel stays finite and right for gates of 1000", async () => {
  const gateUp = { shape: [1, 8], values: Float32Array.of(1000, -1000, 90, -90, 1, 1, 1, 1) };
  await compare("SwiGlu", { gateUp });
  await compare("SwiGluGradient", { gateUp, dy: { shape: [1, 4], values: new Float32Array(4).fill(1) } });
});

function rotations(T: number, K: number): { cos: Plain; sin: Plain } {
  const angle = (i: number) => Math.floor(i / K) * 100 ** (-(i % (K / 2)) / (K / 2));
  const table = (f: (x: number) => number) => ({
    shape: [T, K],
    values: Float32Array.from({ length: T * K }, (_, i) => f(angle(i))),
  });
  return { cos: table(Math.cos), sin: table(Math.sin) };
}

Deno.test("the Attention kernel and its gradient agree with their compositions at odd sizes", async () => {
  const random = createRandom(3);
  for (const [B, T, heads, K] of [[1, 1, 1, 6], [2, 7, 3, 6], [1, 101, 2, 42], [2, 26, 4, 16], [1, 300, 1, 8]]) {
    const qkv = normal(random, [B, T, 3 * heads * K]);
    const { cos, sin } = rotations(T, K);
    await compare("Attention", { qkv, cos, sin }, { heads });
    const [output, logSumExp] = await on("cpu", { qkv, cos, sin }, (inputs) => compose("Attention", inputs, { heads }));
    const dy = normal(random, output.shape);
    await compare("AttentionGradient", { dy, qkv, cos, sin, output, logSumExp }, { heads });
  }
});

Deno.test("the Attention kernel does not overflow where scores are in the thousands", async () => {
  const qkv = normal(createRandom(4), [1, 5, 3 * 6], 60);
  const [output, logSumExp] = await on(
    CPU_BACKEND,
    { qkv, ...rotations(5, 6) },
    (inputs) => run("Attention", inputs, { heads: 1 }),
  );
  assert.ok([...output.values, ...logSumExp.values].every(Number.isFinite));
});

Deno.test("the NeighbourShift kernel agrees with its composition in both directions", async () => {
  const random = createRandom(5);
  for (const [B, side, prefix, D] of [[2, 3, 0, 16], [1, 5, 2, 20], [3, 1, 1, 64], [2, 4, 3, 100]]) {
    const x = normal(random, [B, prefix + side * side, D]);
    for (const direction of [1, -1]) await compare("NeighbourShift", { x }, { side, prefix, direction });
  }
});

Deno.test("the TokenEmbedding kernel and its gradient agree with their compositions, with one table and one a sample", async () => {
  const random = createRandom(6);
  for (const [B, S, V, D] of [[1, 1, 11, 4], [3, 7, 12, 20], [2, 101, 11, 64]]) {
    const tokens = whole(random, [B, S], 0, V);
    for (const perSample of [false, true]) {
      const table = normal(random, perSample ? [B, V, D] : [V, D]);
      await compare("TokenEmbedding", { tokens, table }, { vocabulary: V, perSample });
      const dy = normal(random, [B, S, D]);
      await compare("TokenEmbeddingGradient", { dy, tokens }, { vocabulary: V, perSample });
    }
  }
});

Deno.test("the CrossEntropy kernel and its gradient agree with their compositions, ignored labels included", async () => {
  const random = createRandom(7);
  for (const [R, V] of [[1, 11], [7, 12], [101, 12]]) {
    const labels = whole(random, [R], -2, V);
    const inputs = { logits: normal(random, [R, V], 3), labels, weights: normal(random, [R]) };
    for (const likelihood of ["stablemax", "softmax"]) {
      await compare("CrossEntropy", inputs, { likelihood });
      await compare("CrossEntropyGradient", { dy: normal(random, [R]), ...inputs }, { likelihood });
    }
  }
});

Deno.test("the CorrectTokens kernel agrees with its composition", async () => {
  const random = createRandom(8);
  await compare("CorrectTokens", { logits: normal(random, [101, 12]), labels: whole(random, [101], -1, 3) });
});

Deno.test("the AdamUpdate kernel agrees with its composition under both rules, at the origin too", async () => {
  const random = createRandom(9);
  for (const size of [1, 3, 77, 1030]) {
    const [parameter, first, gradient] = [0, 1, 2].map(() => normal(random, [size]));
    const second = { shape: [size], values: normal(random, [size]).values.map((v) => v * v) };
    first.values[0] = second.values[0] = gradient.values[0] = 0;
    const scale = { shape: [], values: Float32Array.of(0.7) };
    for (const rule of ["atan2", "adamw"]) {
      await compare("AdamUpdate", { parameter, first, second, gradient, scale }, {
        rule,
        learningRate: 0.01,
        weightDecay: 0.1,
        beta1: 0.9,
        beta2: 0.95,
        step: 3,
      });
    }
  }
});

Deno.test("the AdamUpdate kernel's angle is right to 3e-7 in all directions", async () => {
  const size = 4001;
  const angles = Array.from({ length: size }, (_, i) => (i / (size - 1) - 0.5) * Math.PI);
  const zero = { shape: [size], values: new Float32Array(size) };
  const first = { shape: [size], values: Float32Array.from(angles, Math.sin) };
  const second = { shape: [size], values: Float32Array.from(angles, (a) => Math.cos(a) ** 2) };
  const attributes = { rule: "atan2", learningRate: 1, weightDecay: 0, beta1: 0.5, beta2: 0.5, step: 1 };
  const scale = { shape: [], values: Float32Array.of(1) };
  const [moved] = await on(
    CPU_BACKEND,
    { parameter: zero, first, second, gradient: zero, scale },
    (inputs) => run("AdamUpdate", inputs, attributes),
  );
  moved.values.forEach((value, i) => {
    const [m, root] = [first.values[i] / 2, Math.sqrt(second.values[i])];
    const expected = -2 * Math.atan2(m, root);
    assert.ok(Math.abs(value - expected) <= 6e-7 * Math.max(1, Math.abs(expected)), `${value}, not ${expected}`);
  });
});

Deno.test("the MovingAverage kernel agrees with its composition", async () => {
  const random = createRandom(10);
  for (const size of [1, 6, 1003]) {
    await compare("MovingAverage", { average: normal(random, [size]), parameter: normal(random, [size]) }, {
      decay: 0.98,
    });
  }
});

/** Stock operations under both CPU backends. */
async function compareStock(
  what: string,
  inputs: Record<string, Plain>,
  compute: (inputs: Inputs) => tf.Tensor,
  tolerance = 1e-5,
) {
  const expected = await on("cpu", inputs, (tensors) => [compute(tensors)]);
  assertClose(await on(CPU_BACKEND, inputs, (tensors) => [compute(tensors)]), expected, tolerance, what);
}

Deno.test("tf.matMul agrees with stock tfjs for all transpositions and batches", async () => {
  const random = createRandom(11);
  const outer: [number[], number[]][] = [[[], []], [[3], [3]], [[3], []], [[2, 3], [2, 3]], [[], [3]], [[1], [3]]];
  for (const [outerA, outerB] of outer) {
    for (const [m, n, k] of [[1, 1, 1], [5, 7, 3], [17, 9, 33], [101, 42, 176], [300, 20, 70]]) {
      for (const transposeA of [false, true]) {
        for (const transposeB of [false, true]) {
          const a = normal(random, [...outerA, ...(transposeA ? [k, m] : [m, k])], 1 / Math.sqrt(k));
          const b = normal(random, [...outerB, ...(transposeB ? [n, k] : [k, n])]);
          await compareStock(
            `matMul([${a.shape}], [${b.shape}], ${transposeA}, ${transposeB})`,
            { a, b },
            (inputs) => tf.matMul(inputs.a, inputs.b, transposeA, transposeB),
          );
        }
      }
    }
  }
});

Deno.test("tf.add, sub, mul and addN agree with stock tfjs, broadcasting in both directions", async () => {
  const random = createRandom(12);
  const shapes: [number[], number[]][] = [
    [[3, 5], [3, 5]],
    [[2, 3, 20], [20]],
    [[20], [2, 3, 20]],
    [[2, 7], []],
    [[], [2, 7]],
    [[2, 3, 4], [1, 3, 4]],
    [[2, 3, 4], [2, 1, 4]],
    [[2, 3, 4], [2, 3, 1]],
    [[1], [1]],
    [[1, 3], [3, 1]],
    [[100, 100], [100]],
  ];
  for (const [left, right] of shapes) {
    const inputs = { a: normal(random, left), b: normal(random, right) };
    for (const operation of [tf.add, tf.sub, tf.mul]) {
      await compareStock(`${operation.name}([${left}], [${right}])`, inputs, ({ a, b }) => operation(a, b));
    }
  }
  const terms = { a: normal(random, [7, 3]), b: normal(random, [7, 3]), c: normal(random, [7, 3]) };
  await compareStock("addN", terms, ({ a, b, c }) => tf.addN([a, b, c]));
});

Deno.test("tf.sum and square agree with stock tfjs over leading, trailing, inner and all axes", async () => {
  const x = normal(createRandom(14), [3, 5, 7, 9]);
  for (const axis of [undefined, 0, [0, 1], -1, [2, 3], 1, [0, 3], [0, 1, 2, 3]]) {
    for (const keepDims of [false, true]) {
      await compareStock(`sum(${axis}, ${keepDims})`, { x }, ({ x }) => tf.sum(x, axis, keepDims));
    }
  }
  await compareStock("square", { x }, ({ x }) => tf.square(x));
});

Deno.test("a sum of a million tenths is right to 1e-7", async () => {
  const x = { shape: [1_000_000], values: new Float32Array(1_000_000).fill(0.1) };
  const [sum] = await on(CPU_BACKEND, { x }, ({ x }) => [tf.sum(x)]);
  assert.ok(Math.abs(sum.values[0] / (1e6 * Math.fround(0.1)) - 1) < 1e-7);
});

Deno.test("tf.slice, split, concat, pad, tile, transpose and unstack agree with stock tfjs", async () => {
  const random = createRandom(15);
  const inputs = { x: normal(random, [3, 5, 7]), row: normal(random, [1, 1, 7]), y: normal(random, [3, 2, 7]) };
  const operations: Record<string, (inputs: Inputs) => tf.Tensor> = {
    "slice of the first axis": ({ x }) => tf.slice(x, [1, 0, 0], [2, 5, 7]),
    "slice of the second axis": ({ x }) => tf.slice(x, [0, 2, 0], [3, -1, 7]),
    "slice of the last axis": ({ x }) => tf.slice(x, [0, 0, 3], [3, 5, 4]),
    "slice of two axes": ({ x }) => tf.slice(x, [1, 0, 3], [1, 5, 4]),
    "slice of everything": ({ x }) => tf.slice(x, [0, 0, 0], [3, 5, 7]),
    "split of the second axis": ({ x }) => tf.split(x, [1, 4], 1)[1],
    "split of the last axis": ({ x }) => tf.split(x, 7, -1)[3],
    "concat of the second axis": ({ x, y }) => tf.concat([x, y, x], 1),
    "concat with nothing": ({ x }) => tf.concat([x, tf.zeros([3, 0, 7])], 1),
    "pad of the second axis": ({ x }) => tf.pad(x, [[0, 0], [2, 1], [0, 0]], 3),
    "pad of two axes": ({ x }) => tf.pad(x, [[0, 0], [2, 1], [1, 0]]),
    "gather of the first axis": ({ x }) => tf.gather(x, tf.tensor2d([1, 0, 0, 1, 1, 0], [2, 3], "int32")),
    "gather of the second axis": ({ x }) => tf.gather(x, tf.tensor1d([1, 0], "int32"), 1),
    "tile of a vector": ({ row }) => tf.tile(row, [2, 3, 1]),
    "tile of a matrix": ({ x }) => tf.tile(x, [2, 3, 1]),
    "transpose of matrices": ({ x }) => tf.transpose(x, [0, 2, 1]),
    "transpose of all axes": ({ x }) => tf.transpose(x, [2, 0, 1]),
    "unstack of the second axis": ({ x }) => tf.unstack(x, 1)[3],
    "stack": ({ x }) => tf.stack([x, x], 1),
  };
  for (const [name, operation] of Object.entries(operations)) await compareStock(name, inputs, operation);
});

Deno.test("gradients through a block of all operations agree with stock tfjs", async () => {
  const random = createRandom(13);
  const [B, side, prefix, D, heads, F, V] = [2, 3, 1, 20, 2, 12, 11];
  const T = prefix + side * side;
  const inputs = {
    table: normal(random, [V, D]),
    qkv: normal(random, [3 * D, D], 1 / Math.sqrt(D)),
    gateUp: normal(random, [2 * F, D], 1 / Math.sqrt(D)),
    down: normal(random, [D, F], 1 / Math.sqrt(F)),
    head: normal(random, [V, D], 1 / Math.sqrt(D)),
    tokens: whole(random, [B, T], 0, V),
    labels: whole(random, [B * T], -1, V),
    weights: normal(random, [B * T]),
    ...rotations(T, D / heads),
  };
  const linear = (x: tf.Tensor, W: tf.Tensor) =>
    tf.reshape(tf.matMul(tf.reshape(x, [B * T, -1]), W as tf.Tensor2D, false, true), [B, T, -1]);
  const gradients = ({ table, qkv, gateUp, down, head, tokens, labels, weights, cos, sin }: Inputs) =>
    tf.grads((...[table, qkv, gateUp, down, head]) => {
      const x = tokenEmbedding(tokens, table);
      const h = rmsNorm(x, attention(linear(x, qkv), { cos, sin }, heads), 1e-5);
      const u = neighbourShift(h, side, prefix);
      const y = rmsNorm(h, linear(swiGlu(linear(u, gateUp)), down), 1e-5);
      return tf.sum(crossEntropy(tf.reshape(linear(y, head), [B * T, V]), labels, weights, "stablemax"));
    })([table, qkv, gateUp, down, head]);
  assertClose(await on(CPU_BACKEND, inputs, gradients), await on("cpu", inputs, gradients), 1e-5, "gradients");
});
