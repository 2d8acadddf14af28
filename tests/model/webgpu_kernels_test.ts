/** Every WGSL kernel against the composition of stock operations that defines it, on the same device. */
import * as tf from "@tensorflow/tfjs";
import type { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import assert from "node:assert/strict";
import { createRandom } from "../../arc/random.ts";
import type { UpdateAttributes } from "../../model/kernels/adam.ts";
import { attention } from "../../model/kernels/attention.ts";
import { type Attributes, compose, type Inputs, run } from "../../model/kernels/operation.ts";
import { attend, attendGradient } from "../../model/webgpu/attention.ts";
import { SHADERS, type Tiling } from "../../model/webgpu/attention_tiles.ts";
import { dispatch, elementwise, output } from "../../model/webgpu/dispatch.ts";
import { update } from "../../model/webgpu/update.ts";
import { eachBackend } from "../backends.ts";
import { outputOf } from "../script.ts";

/** Normal numbers, `whole` ones below a bound, `positive` ones, or normal ones in rows whose second half is the first again. */
type Filling =
  | { normal: number[] }
  | { whole: number[]; from: number; to: number }
  | { positive: number[] }
  | { repeated: number[] };

function filled(fillings: Record<string, Filling>): Inputs {
  const random = createRandom(1);
  const fill = (filling: Filling): tf.Tensor => {
    if ("whole" in filling) {
      const { whole, from, to } = filling;
      const length = tf.util.sizeFromShape(whole);
      return tf.tensor(Int32Array.from({ length }, () => from + random.integer(to - from)), whole, "int32");
    }
    if ("repeated" in filling) {
      const half = fill({ normal: [filling.repeated[0], filling.repeated[1] / 2] });
      return tf.concat([half, half], 1);
    }
    const shape = "normal" in filling ? filling.normal : filling.positive;
    const length = tf.util.sizeFromShape(shape);
    const draw = () => "normal" in filling ? random.normal() : 0.1 + Math.abs(random.normal());
    return tf.tensor(Float32Array.from({ length }, draw), shape);
  };
  return Object.fromEntries(Object.entries(fillings).map(([name, filling]) => [name, fill(filling)]));
}

/** Compares `f` with `expected`, which is read before: a shader that is refused takes everything queued with it down to zeros. */
async function close(f: () => tf.Tensor[], expected: tf.Tensor[], tolerance: number, what: string): Promise<void> {
  const wanted = await Promise.all(expected.map((tensor) => tensor.data()));
  const actual = f();
  assert.equal(actual.length, expected.length, what);
  for (const [output, tensor] of actual.entries()) {
    assert.deepEqual(tensor.shape, expected[output].shape, `${what}: shape of output ${output}`);
    const [a, b] = [await tensor.data(), wanted[output]];
    for (let i = 0; i < a.length; i++) {
      const bound = tolerance * Math.max(1, Math.abs(b[i]));
      assert.ok(Math.abs(a[i] - b[i]) <= bound, `${what}: output ${output}[${i}] is ${a[i]}, by composition ${b[i]}`);
    }
  }
  tf.dispose(actual);
}

async function compare(name: string, fillings: Record<string, Filling>, attributes: Attributes = {}, tolerance = 2e-5) {
  const inputs = filled(fillings);
  const expected = compose(name, inputs, attributes);
  await close(() => run(name, inputs, attributes), expected, tolerance, `${name} ${JSON.stringify(attributes)}`);
  tf.dispose([inputs, expected]);
}

const normal = (...shape: number[]): Filling => ({ normal: shape });
const rotations = (T: number, K: number): { cos: Filling; sin: Filling } => ({
  cos: { repeated: [T, K] },
  sin: { repeated: [T, K] },
});

/** A test of WGSL kernels: there are none on the processor. */
const onDevice = (name: string, test: () => Promise<void>) => eachBackend(name, test, ["webgpu"]);

onDevice("dispatch() throws in tests where a key stands for two texts", async () => {
  const backend = tf.backend() as WebGPUBackend;
  const y = output(backend, [4]);
  const fill = (value: string) => dispatch(backend, "fill", () => elementwise(4, `y[index] = ${value};`), {}, { y });
  fill("1.0");
  fill("1.0");
  assert.throws(() => fill("2.0"), /stands for two texts: fill/);
  const tensor = tf.engine().makeTensorFromTensorInfo(y);
  assert.deepEqual([...await tensor.data()], [1, 1, 1, 1]);
  tensor.dispose();
});

onDevice("SwiGlu and its gradient agree with their compositions", async () => {
  for (const shape of [[3, 5, 2 * 7], [2, 2 * 130]]) {
    await compare("SwiGlu", { gateUp: normal(...shape) });
    await compare("SwiGluGradient", { dy: normal(...shape.slice(0, -1), shape.at(-1)! / 2), gateUp: normal(...shape) });
  }
});

onDevice(
  "RmsNorm and its gradient agree with their compositions, rows longer and shorter than a workgroup",
  async () => {
    for (const D of [1, 7, 64, 150]) {
      await compare("RmsNorm", { x: normal(2, 3, D), residual: normal(2, 3, D) }, { epsilon: 1e-5 });
      await compare("RmsNormGradient", { dy: normal(2, 3, D), y: normal(2, 3, D), inverse: { positive: [2, 3, 1] } });
    }
  },
);

onDevice("NeighbourShift agrees with its composition in both directions, with and without a prefix", async () => {
  for (const [side, prefix, D] of [[3, 0, 16], [4, 2, 37], [1, 1, 33]]) {
    for (const direction of [1, -1]) {
      await compare("NeighbourShift", { x: normal(2, prefix + side * side, D) }, { side, prefix, direction });
    }
  }
});

onDevice("TokenEmbedding and its gradient agree with their compositions, one table or one a sample", async () => {
  const tokens: Filling = { whole: [3, 5], from: 0, to: 7 };
  for (const perSample of [false, true]) {
    const attributes = { vocabulary: 7, perSample };
    await compare("TokenEmbedding", { tokens, table: perSample ? normal(3, 7, 9) : normal(7, 9) }, attributes);
    await compare("TokenEmbeddingGradient", { dy: normal(3, 5, 9), tokens }, attributes);
    // So many that a workgroup shares them.
    const many: Filling = { whole: [2, 300], from: 0, to: 7 };
    await compare("TokenEmbeddingGradient", { dy: normal(2, 300, 9), tokens: many }, attributes);
  }
});

onDevice(
  "CrossEntropy, its gradient and CorrectTokens agree with their compositions, ignored labels included",
  async () => {
    const labels: Filling = { whole: [300], from: -1, to: 12 };
    const rows = { logits: normal(300, 12), labels, weights: { positive: [300] } };
    for (const likelihood of ["stablemax", "softmax"]) {
      await compare("CrossEntropy", rows, { likelihood });
      await compare("CrossEntropyGradient", { dy: normal(300), ...rows }, { likelihood });
    }
    await compare("CorrectTokens", { logits: normal(300, 12), labels });
  },
);

onDevice("AdamUpdate and MovingAverage agree with their compositions, untouched moments included", async () => {
  const shape = [17, 19];
  const moments = { parameter: normal(...shape), first: normal(...shape), second: { positive: shape } };
  for (const rule of ["atan2", "adamw"]) {
    const attributes = { rule, learningRate: 0.1, weightDecay: 0.2, beta1: 0.9, beta2: 0.95, step: 3 };
    await compare("AdamUpdate", { ...moments, gradient: normal(...shape), scale: normal() }, attributes);
    const zeros = () => tf.zeros(shape);
    const inputs = {
      parameter: tf.ones(shape),
      first: zeros(),
      second: zeros(),
      gradient: zeros(),
      scale: tf.scalar(1),
    };
    await close(
      () => run("AdamUpdate", inputs, attributes),
      compose("AdamUpdate", inputs, attributes),
      1e-6,
      `${rule} of zeros`,
    );
  }
  await compare("MovingAverage", { average: normal(...shape), parameter: normal(...shape) }, { decay: 0.9 });
});

onDevice("AdamUpdates agree with their composition, more of them than one dispatch binds", async () => {
  const shapes = Array.from({ length: 9 }, (_, i) => [i + 1, 40 * i + 3]);
  for (const averaged of [false, true]) {
    const inputs: Record<string, Filling> = { scale: normal() };
    for (const [i, shape] of shapes.entries()) {
      Object.assign(inputs, { [`parameter${i}`]: normal(...shape), [`first${i}`]: normal(...shape) });
      Object.assign(inputs, { [`second${i}`]: { positive: shape }, [`gradient${i}`]: normal(...shape) });
      if (averaged) inputs[`average${i}`] = normal(...shape);
    }
    const weightDecays = shapes.map((_, i) => i / 4);
    const rule = { rule: "atan2", learningRate: 0.1, beta1: 0.9, beta2: 0.95, step: 3 };
    await compare("AdamUpdates", inputs, { ...rule, weightDecays, averageDecay: 0.7 });
  }
});

onDevice("AdamUpdates agree with their composition where eight tensors are all that a dispatch binds", async () => {
  const shape = [5, 7];
  const names = ["parameter", "first", "gradient", "average"];
  const own = (i: number): Record<string, Filling> => ({
    ...Object.fromEntries(names.map((name) => [name + i, normal(...shape)])),
    [`second${i}`]: { positive: shape },
  });
  const inputs = filled({ scale: normal(), ...own(0), ...own(1) });
  const attributes: UpdateAttributes = {
    ...{ rule: "adamw", learningRate: 0.1, beta1: 0.9, beta2: 0.95, step: 3, averageDecay: 0.7 },
    weightDecays: [0.5, 2],
  };
  const states = [0, 1].map((i) =>
    Object.fromEntries(["parameter", "first", "second", "gradient", "average"].map((name) => [name, inputs[name + i]]))
  );
  const moved = () =>
    update(tf.backend() as WebGPUBackend, states, inputs.scale, attributes, 8)
      .map((info) => tf.engine().makeTensorFromTensorInfo(info));
  await close(moved, compose("AdamUpdates", inputs, { ...attributes }), 2e-5, "eight tensors");
  tf.dispose(inputs);
});

onDevice("ClipScale agrees with its composition, over more gradients than one dispatch binds", async () => {
  const gradients = Array.from({ length: 40 }, (_, i) => [`gradient${i}`, normal(60 * i + 1)]);
  for (const clipNorm of [1, 1e6]) await compare("ClipScale", Object.fromEntries(gradients), { clipNorm });
});

onDevice("Attention and its gradient agree with their compositions at odd lengths and head widths", async () => {
  // Lengths around the tiles' 16, 32 and 64 positions; widths that memory is read in fours for and others, and one that fills the tiles' memory.
  const sizes = [
    [2, 5, 1, 4],
    [1, 26, 2, 42],
    [1, 101, 1, 16],
    [2, 17, 2, 64],
    [1, 108, 2, 32],
    [1, 64, 1, 6],
    [1, 33, 1, 64],
    [1, 40, 1, 128],
  ];
  for (const [B, T, heads, K] of sizes) {
    const packed = normal(B, T, 3 * heads * K);
    const places = rotations(T, K);
    await compare("Attention", { qkv: packed, ...places }, { heads }, 1e-4);
    const inputs = filled({ qkv: packed, ...places, dy: normal(B, T, heads * K) });
    const [output, logSumExp] = compose("Attention", inputs, { heads });
    const all = { ...inputs, output, logSumExp };
    const what = `AttentionGradient of ${[B, T, heads, K]}`;
    await close(
      () => run("AttentionGradient", all, { heads }),
      compose("AttentionGradient", all, { heads }),
      1e-3,
      what,
    );
  }
});

for (const K of [48, 64]) {
  onDevice(`Attention and its gradient are the same in every tiling with long strips, heads of ${K}`, async () => {
    // Strips of eight, six, four or three pairs; those of two are what the sizes above are computed in. The largest tilings take 48 KiB:
    // adapters that promise less run them here nevertheless.
    const long = (tilings: Tiling[]) => tilings.filter(({ lines }) => lines > 16);
    const T = 70;
    const inputs = filled({ qkv: normal(1, T, 3 * K), ...rotations(T, K), dy: normal(1, T, K) });
    const expected = compose("Attention", inputs, { heads: 1 });
    const all = { ...inputs, output: expected[0], logSumExp: expected[1] };
    const gradient = compose("AttentionGradient", all, { heads: 1 });
    const backend = tf.backend() as WebGPUBackend;
    const tensors = (infos: tf.TensorInfo[]) => infos.map((info) => tf.engine().makeTensorFromTensorInfo(info));
    for (const tiling of long(SHADERS.forward.tilings)) {
      await close(() => tensors(attend(backend, inputs, 1, tiling)), expected, 1e-4, JSON.stringify(tiling));
    }
    for (const [shader, half] of [["queryGradient", "queries"], ["keyValueGradient", "keys"]] as const) {
      for (const tiling of long(SHADERS[shader].tilings)) {
        const what = `${shader} ${JSON.stringify(tiling)}`;
        await close(() => tensors(attendGradient(backend, all, 1, { [half]: tiling })), gradient, 1e-3, what);
      }
    }
    tf.dispose([all, gradient]);
  });
}

onDevice("Attention is right where strips hold more pairs of fours than a vector has", async () => {
  const [T, K] = [40, 80];
  const inputs = filled({ qkv: normal(1, T, 3 * K), ...rotations(T, K) });
  const expected = compose("Attention", inputs, { heads: 1 });
  const tiling = SHADERS.forward.tilings.find(({ down, lines }) => down === 8 && lines === 32)!;
  const actual = () =>
    attend(tf.backend() as WebGPUBackend, inputs, 1, tiling).map((info) => tf.engine().makeTensorFromTensorInfo(info));
  await close(actual, expected, 1e-4, JSON.stringify(tiling));
  tf.dispose([inputs, expected]);
});

onDevice("attention() stays finite where scores are large", async () => {
  const qkv = tf.mul(tf.ones([1, 3, 12]), 60);
  const places = { cos: tf.ones([3, 4]), sin: tf.zeros([3, 4]) };
  const values = await attention(qkv, places, 1).data();
  assert.ok(values.every((value) => Math.abs(value - 60) < 1e-3), String(values));
});

onDevice(
  "a shader that the device refuses makes the next reading fail, naming the reason, rather than give zeros",
  async () => {
    // A device of its own: after a failure it hands out nothing any more.
    const script = `
    import * as tf from "@tensorflow/tfjs";
    import { startBackend } from "${new URL("../../model/backend.ts", import.meta.url)}";
    import { dispatch, elementwise, output } from "${new URL("../../model/webgpu/dispatch.ts", import.meta.url)}";
    await startBackend("webgpu");
    const y = output(tf.backend(), [4]);
    dispatch(tf.backend(), "refused", () => elementwise(4, "let from = 1.0; y[index] = from;"), {}, { y });
    await tf.engine().makeTensorFromTensorInfo(y).data().then(
      (values) => console.log(String(values)),
      (error) => console.log(error.message),
    );
    Deno.exit(0);`;
    assert.match(await outputOf(script), /^WebGPU failed: .*from/s);
  },
);
