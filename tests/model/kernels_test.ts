import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs";
import { createRandom, type Random } from "../../arc/random.ts";
import { adamUpdate, movingAverage } from "../../model/kernels/adam.ts";
import { attention } from "../../model/kernels/attention.ts";
import { clipScale } from "../../model/kernels/clip.ts";
import { correctTokens } from "../../model/kernels/correct_tokens.ts";
import { crossEntropy } from "../../model/kernels/cross_entropy.ts";
import { feedForward } from "../../model/kernels/feed_forward.ts";
import { linear } from "../../model/kernels/linear.ts";
import { neighbourShift } from "../../model/kernels/neighbour_shift.ts";
import { compose, recording, run, withoutGradient } from "../../model/kernels/operation.ts";
import { rmsNorm } from "../../model/kernels/rms_norm.ts";
import { selfAttention } from "../../model/kernels/self_attention.ts";
import { sumOfThree } from "../../model/kernels/sum_of_three.ts";
import { swiGlu } from "../../model/kernels/swiglu.ts";
import { tokenEmbedding } from "../../model/kernels/token_embedding.ts";
import { eachBackend } from "../backends.ts";
import * as oracle from "../oracle.ts";
import { assertNumbers, assertTensor, randomVector, rowsOf } from "../relatives.ts";

/** Random rows that tensors hold exactly. */
function randomMatrix(rows: number, width: number, random: Random): oracle.Matrix {
  return rowsOf(randomVector(rows * width, random), width);
}

/** Batches of rows. */
function batches(rows: oracle.Matrix, length: number): oracle.Matrix[] {
  return Array.from({ length: rows.length / length }, (_, b) => rows.slice(b * length, (b + 1) * length));
}

/**
 * Asserts the value of an operation, and its gradient by one input against differences of the oracle: both of Σ c·y with random c, so that
 * no element's error is hidden by another's.
 */
async function assertOperation(
  operation: (x: tf.Tensor) => tf.Tensor,
  byOracle: (x: oracle.Matrix) => oracle.Matrix,
  x: oracle.Matrix,
  shape: number[],
): Promise<void> {
  const expected = byOracle(x);
  const tensor = tf.tensor(x.flat(), shape);
  const before = tf.memory().numTensors;
  const y = operation(tensor);
  assert.equal(tf.memory().numTensors, before + 1, "an operation leaves its value and nothing else");
  await assertTensor(y, expected, "value");
  const c = randomVector(y.size, createRandom(99));
  const weights = tf.tensor(c, y.shape);
  const gradient = tf.tidy(() => tf.grad((x: tf.Tensor) => tf.sum(tf.mul(operation(x), weights)))(tensor));
  assert.equal(tf.memory().numTensors, before + 3, "a gradient leaves its value and nothing else");
  const slopes = oracle.differences(() => byOracle(x).flat().reduce((sum, value, i) => sum + c[i] * value, 0), x);
  assert.ok(slopes.flat().some((slope) => Math.abs(slope) > 0.1), "the gradient is not all but zero");
  await assertTensor(gradient, slopes, "gradient");
  tf.dispose([tensor, y, weights, gradient]);
}

eachBackend("rmsNorm() divides the sum by its root mean square, and its gradient is the same for both", async () => {
  const [x, residual] = [1, 2].map((seed) => randomMatrix(3 * 5, 7, createRandom(seed)));
  // Small rows make ε count.
  x[4] = x[4].map((value) => Math.fround(value * 1e-3));
  residual[4] = residual[4].map((value) => Math.fround(value * 1e-3));
  const other = tf.tensor(residual.flat(), [3, 5, 7]);
  const byOracle = (x: oracle.Matrix) =>
    x.map((row, i) => oracle.rmsNorm(row.map((value, j) => value + residual[i][j]), 1e-5));
  await assertOperation((x) => rmsNorm(x, other, 1e-5), byOracle, x, [3, 5, 7]);
  await assertOperation((x) => rmsNorm(other, x, 1e-5), byOracle, x, [3, 5, 7]);
  other.dispose();
});

eachBackend("rmsNorm() of one tensor with itself gives it both gradients", async () => {
  const x = randomMatrix(3, 5, createRandom(3));
  const byOracle = (x: oracle.Matrix) => x.map((row) => oracle.rmsNorm(row.map((value) => 2 * value), 0.1));
  await assertOperation((x) => rmsNorm(x, x, 0.1), byOracle, x, [3, 5]);
});

eachBackend("swiGlu() gates the second half by silu of the first", async () => {
  const x = randomMatrix(3 * 5, 14, createRandom(4));
  x[0] = x[0].map((value) => Math.fround(10 * value));
  await assertOperation(swiGlu, (x) => x.map(oracle.swiGlu), x, [3, 5, 14]);
});

/** Rows that go through a layer without bias. */
function through(rows: oracle.Matrix, W: oracle.Matrix): oracle.Matrix {
  return rows.map((row) => oracle.linear(row, W));
}

/** The norm of sums of rows. */
function normOfSums(a: oracle.Matrix, b: oracle.Matrix): oracle.Matrix {
  return a.map((row, i) => oracle.rmsNorm(row.map((value, j) => value + b[i][j]), 1e-5));
}

eachBackend("linear() is x Wᵀ, by either", async () => {
  const random = createRandom(20);
  const [x, W] = [randomMatrix(6, 5, random), randomMatrix(3, 5, random)];
  const [rows, weights] = [tf.tensor(x.flat(), [2, 3, 5]), tf.tensor2d(W)];
  await assertOperation((x) => linear(x, weights), (x) => through(x, W), x, [2, 3, 5]);
  await assertOperation((W) => linear(rows, W), (W) => through(x, W), W, [3, 5]);
  tf.dispose([rows, weights]);
});

eachBackend("feedForward() is the norm of its residual and a gated layer, by each of its inputs", async () => {
  const [D, F] = [6, 5];
  const random = createRandom(21);
  const [x, other, gateUp, down] = [[6, D], [6, D], [2 * F, D], [D, F]].map(([rows, width]) =>
    randomMatrix(rows, width, random)
  );
  const tensor = (matrix: oracle.Matrix) => tf.tensor2d(matrix);
  const [residual, wide, narrow, rows] = [
    tf.tensor(other.flat(), [2, 3, D]),
    ...[gateUp, down].map(tensor),
    tf.tensor(x.flat(), [2, 3, D]),
  ];
  const byOracle = (x: oracle.Matrix, residual: oracle.Matrix, gateUp: oracle.Matrix, down: oracle.Matrix) =>
    normOfSums(residual, through(through(x, gateUp).map(oracle.swiGlu), down));
  const shape = [2, 3, D];
  await assertOperation((x) => feedForward(x, x, wide, narrow, 1e-5), (x) => byOracle(x, x, gateUp, down), x, shape);
  await assertOperation(
    (x) => feedForward(x, residual, wide, narrow, 1e-5),
    (x) => byOracle(x, other, gateUp, down),
    x,
    shape,
  );
  await assertOperation(
    (r) => feedForward(rows, r, wide, narrow, 1e-5),
    (r) => byOracle(x, r, gateUp, down),
    other,
    shape,
  );
  await assertOperation(
    (W) => feedForward(rows, rows, W, narrow, 1e-5),
    (W) => byOracle(x, x, W, down),
    gateUp,
    [2 * F, D],
  );
  await assertOperation((W) => feedForward(rows, rows, wide, W, 1e-5), (W) => byOracle(x, x, gateUp, W), down, [D, F]);
  tf.dispose([residual, wide, narrow, rows]);
});

eachBackend(
  "selfAttention() is the norm of its input and attention between layers, by each of its inputs",
  async () => {
    const [T, D, heads, K] = [3, 6, 2, 4];
    const random = createRandom(22);
    const [x, qkv, o] = [[2 * T, D], [3 * heads * K, D], [D, heads * K]].map(([rows, width]) =>
      randomMatrix(rows, width, random)
    );
    const turns = randomMatrix(T, K / 2, random);
    const table = (f: (angle: number) => number) => tf.tensor2d(turns.map((row) => [...row, ...row].map(f)));
    const rotary = { cos: table(Math.cos), sin: table(Math.sin) };
    const [rows, first, last] = [tf.tensor(x.flat(), [2, T, D]), tf.tensor2d(qkv), tf.tensor2d(o)];
    const byOracle = (x: oracle.Matrix, qkv: oracle.Matrix, o: oracle.Matrix) => {
      const mixed = batches(through(x, qkv), T).flatMap((sample) => oracle.attention(sample, turns, heads));
      return normOfSums(x, through(mixed, o));
    };
    const own = (x: tf.Tensor, qkv: tf.Tensor, o: tf.Tensor) => selfAttention(x, qkv, o, rotary, heads, 1e-5);
    await assertOperation((x) => own(x, first, last), (x) => byOracle(x, qkv, o), x, [2, T, D]);
    await assertOperation((W) => own(rows, W, last), (W) => byOracle(x, W, o), qkv, [3 * heads * K, D]);
    await assertOperation((W) => own(rows, first, W), (W) => byOracle(x, qkv, W), o, [D, heads * K]);
    tf.dispose([rows, first, last, rotary.cos, rotary.sin]);
  },
);

eachBackend("sumOfThree() adds, and gives each of three its gradient, even to one tensor thrice", async () => {
  const x = randomMatrix(3, 5, createRandom(23));
  const [b, c] = [tf.ones([3, 5]), tf.fill([3, 5], 2)];
  const more = (by: number) => (x: oracle.Matrix) => x.map((row) => row.map((value) => value + by));
  await assertOperation((x) => sumOfThree(x, b, c), more(3), x, [3, 5]);
  await assertOperation((x) => sumOfThree(b, x, c), more(3), x, [3, 5]);
  await assertOperation((x) => sumOfThree(b, c, x), more(3), x, [3, 5]);
  await assertOperation((x) => sumOfThree(x, x, x), (x) => x.map((row) => row.map((v) => 3 * v)), x, [3, 5]);
  tf.dispose([b, c]);
});

for (const [T, heads, K] of [[5, 3, 4], [1, 1, 2], [37, 2, 6]]) {
  eachBackend(`attention() of ${heads} heads over ${T} positions is softmax of rotated products`, async () => {
    const x = randomMatrix(2 * T, 3 * heads * K, createRandom(5));
    const turns = randomMatrix(T, K / 2, createRandom(6));
    const table = (f: (angle: number) => number) => tf.tensor2d(turns.map((row) => [...row, ...row].map(f)));
    const rotary = { cos: table(Math.cos), sin: table(Math.sin) };
    const byOracle = (x: oracle.Matrix) => batches(x, T).flatMap((sample) => oracle.attention(sample, turns, heads));
    // Differences of every element cost T³; the long case is there for its value.
    if (T > 10) {
      const qkv = tf.tensor(x.flat(), [2, T, 3 * heads * K]);
      await assertTensor(attention(qkv, rotary, heads), byOracle(x), "value");
      tf.dispose(qkv);
    } else await assertOperation((qkv) => attention(qkv, rotary, heads), byOracle, x, [2, T, 3 * heads * K]);
    tf.dispose([rotary.cos, rotary.sin]);
  });
}

eachBackend("attention() stays finite where scores are large", async () => {
  const x = randomMatrix(4, 6, createRandom(7)).map((row) => row.map((value) => Math.fround(20 * value)));
  const rotary = { cos: tf.ones([4, 2]), sin: tf.zeros([4, 2]) };
  const turns = x.map(() => [0]);
  await assertTensor(attention(tf.tensor(x.flat(), [1, 4, 6]), rotary, 1), oracle.attention(x, turns, 1), "value");
});

for (const [D, prefix] of [[18, 2], [16, 0], [35, 1]]) {
  eachBackend(`neighbourShift() of ${D} channels takes eight groups from the neighbours, past ${prefix}`, async () => {
    const [side, B] = [3, 2];
    const T = prefix + side * side;
    const x = randomMatrix(B * T, D, createRandom(8));
    const byOracle = (x: oracle.Matrix) => batches(x, T).flatMap((h) => oracle.shiftNeighbours(h, side, prefix));
    await assertOperation((x) => neighbourShift(x, side, prefix), byOracle, x, [B, T, D]);
  });
}

eachBackend("tokenEmbedding() picks rows of one table", async () => {
  const table = randomMatrix(5, 7, createRandom(9));
  // Token 3 never occurs, token 0 often.
  const tokens = [[0, 4, 0], [2, 1, 0]];
  const picked = tf.tensor2d(tokens, [2, 3], "int32");
  const byOracle = (table: oracle.Matrix) => tokens.flat().map((token) => table[token]);
  await assertOperation((table) => tokenEmbedding(picked, table), byOracle, table, [5, 7]);
  picked.dispose();
});

eachBackend("tokenEmbedding() picks rows of each sample's own table", async () => {
  const tables = randomMatrix(2 * 5, 7, createRandom(10));
  const tokens = [[0, 4, 0], [2, 1, 0]];
  const picked = tf.tensor2d(tokens, [2, 3], "int32");
  const byOracle = (tables: oracle.Matrix) => tokens.flatMap((own, b) => own.map((token) => tables[5 * b + token]));
  await assertOperation((tables) => tokenEmbedding(picked, tables), byOracle, tables, [2, 5, 7]);
  picked.dispose();
});

for (const likelihood of ["stablemax", "softmax"] as const) {
  eachBackend(
    `crossEntropy() under ${likelihood} weighs -log p of the labels and passes ignored tokens over`,
    async () => {
      const logits = randomMatrix(7, 5, createRandom(11));
      logits[1] = [50, -50, 1, 12, -3];
      logits[2] = [1, 1, 1, 1, 1];
      const labels = [2, 1, 0, -100, 4, 3, -1];
      const weights = [1, 0.5, 0.25, 1, 0, 2, 0];
      const [label, weight] = [tf.tensor1d(labels, "int32"), tf.tensor1d(weights)];
      const byOracle = (logits: oracle.Matrix) =>
        logits.map((row, r) => [oracle.crossEntropy(row, labels[r], weights[r], likelihood)]);
      await assertOperation((x) => crossEntropy(x, label, weight, likelihood), byOracle, logits, [7, 5]);
      tf.dispose([label, weight]);
    },
  );
}

eachBackend("crossEntropy() has a finite gradient at a logit of exactly 0 and 1", async () => {
  const [labels, weights] = [tf.tensor1d([0, 1], "int32"), tf.ones([2])];
  const loss = (logits: tf.Tensor) => tf.sum(crossEntropy(logits, labels, weights, "stablemax"));
  const gradient = tf.grad(loss)(tf.tensor2d([[0, 1], [1, 0]]));
  // s is 1 and 2, its slope 1: 1/3 - 1 and 1/3.
  await assertTensor(gradient, [[-2 / 3, 1 / 3], [1 / 3, -2 / 3]], "gradient");
});

eachBackend("correctTokens() is 1 where the largest logit is the label's and where the label is ignored", async () => {
  const logits = tf.tensor2d([[0, 2, 1], [0, 2, 1], [-3, -2, -1], [5, 4, 3], [5, 4, 3]]);
  const labels = tf.tensor1d([1, 2, 2, -100, 1], "int32");
  assert.deepEqual([...await correctTokens(logits, labels).data()], [1, 0, 1, 1, 0]);
});

for (const rule of ["atan2", "adamw"] as const) {
  eachBackend(`adamUpdate() by ${rule} follows the rule over several steps`, async () => {
    const random = createRandom(12);
    const size = 7;
    let numbers = randomVector(size, random).map((p) => ({ p, m: 0, v: 0 }));
    let state = {
      parameter: tf.tensor1d(numbers.map(({ p }) => p)) as tf.Tensor,
      first: tf.zeros([size]),
      second: tf.zeros([size]),
    };
    for (let step = 1; step <= 4; step++) {
      // One gradient is always zero, one tiny, one large.
      const gradient = randomVector(size, random).map((g, i) =>
        Math.fround(i === 0 ? 0 : i === 1 ? g * 1e-4 : i === 2 ? 100 * g : g)
      );
      const attributes = { rule, learningRate: 0.1, weightDecay: 0.3, beta1: 0.9, beta2: 0.95, step };
      state = adamUpdate(state, tf.tensor1d(gradient), tf.scalar(0.5), attributes);
      numbers = numbers.map((number, i) => oracle.adam(number, 0.5 * gradient[i], rule, 0.1, 0.3, 0.9, 0.95, step));
      await assertTensor(state.parameter, numbers.map(({ p }) => p), `parameter at step ${step}`);
      await assertTensor(state.first, numbers.map(({ m }) => m), `first moment at step ${step}`);
      await assertTensor(state.second, numbers.map(({ v }) => v), `second moment at step ${step}`);
    }
  });
}

eachBackend(
  "adamUpdate() by atan2 first moves every element by 0.9967 of the rate, and none without a gradient",
  async () => {
    const state = { parameter: tf.zeros([4]), first: tf.zeros([4]), second: tf.zeros([4]) };
    // WGSL promises atan2 to 4096 units in the last place only, so the rate is not 1.
    const attributes = { rule: "atan2", learningRate: 0.1, weightDecay: 0, beta1: 0.9, beta2: 0.95, step: 1 } as const;
    const updated = adamUpdate(state, tf.tensor1d([3, -1e-3, 0, 1e3]), tf.scalar(1), attributes);
    const move = 0.1 * Math.atan(0.1) / 0.1;
    await assertTensor(updated.parameter, [-move, move, 0, -move], "parameter");
  },
);

eachBackend("movingAverage() keeps a share of the average and takes the rest of the parameter", async () => {
  const average = movingAverage(tf.tensor1d([1, 2, -3]), tf.tensor1d([5, 0, 1]), 0.75);
  await assertTensor(average, [2, 1.5, -2], "average");
});

eachBackend("clipScale() is the norm of all gradients together and what brings it down to the bound", async () => {
  const gradients = [tf.tensor1d([3, 0]), tf.tensor2d([[0, -4], [12, 0]])];
  for (const [clipNorm, expected] of [[6.5, 0.5], [20, 1]]) {
    const { scale, norm } = clipScale(gradients, clipNorm);
    await assertTensor(norm, [13], "norm");
    await assertTensor(scale, [expected], "scale");
  }
});

eachBackend("withoutGradient() makes a constant of what it runs", async () => {
  const x = tf.tensor1d([3, -2]);
  const gradient = tf.grad((x) => tf.sum(tf.mul(x, withoutGradient(() => tf.square(x)))))(x);
  // Of x · x², with x² held: x², not 3x².
  await assertTensor(gradient, [9, 4], "gradient");
});

eachBackend("withoutGradient() records again afterwards, even after an error", async () => {
  const x = tf.tensor1d([3, -2]);
  const gradient = tf.grad((x) => {
    assert.throws(() =>
      withoutGradient(() => {
        throw new Error("in the middle");
      }), /in the middle/);
    return tf.sum(tf.square(x));
  })(x);
  await assertTensor(gradient, [6, -4], "gradient");
});

eachBackend("recording() is true inside a gradient, but not inside withoutGradient()", () => {
  const seen = [recording()];
  tf.tidy(() => {
    tf.grad((x) => {
      seen.push(recording());
      withoutGradient(() => {
        seen.push(recording());
        return [];
      });
      return tf.square(x);
    })(tf.scalar(1));
  });
  seen.push(recording());
  assert.deepEqual(seen, [false, true, false, false]);
});

eachBackend("compose() gives the values that run() gives", async () => {
  const random = createRandom(13);
  const inputs = { x: tf.tensor1d(randomVector(5, random)), residual: tf.tensor1d(randomVector(5, random)) };
  const [composed, ran] = [compose("RmsNorm", inputs, { epsilon: 0.1 }), run("RmsNorm", inputs, { epsilon: 0.1 })];
  assert.equal(composed.length, ran.length);
  for (const [i, tensor] of composed.entries()) assertNumbers(await tensor.data(), await ran[i].data(), `output ${i}`);
});
