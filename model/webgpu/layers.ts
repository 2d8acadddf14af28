/**
 * Products as kernels: tfjs' matrix product, and the halves of HRM's block with everything but attention inside their products.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import type { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import { attentionKernels } from "./attention.ts";
import { dispatch, elementOf, elementwise, output, type Shader, workgroupLimits } from "./dispatch.ts";
import { gated, gatedGradient, normalised, stored } from "./epilogues.ts";
import { type Kernel, sizeOf } from "./kernel.ts";
import { layerPrecision } from "./precision.ts";
import { type Epilogue, type Product, productShader } from "./product.ts";
import { rowKernels } from "./rows.ts";
import { partsFor, rowTileFor, type Tile, tileFor } from "./product_tiles.ts";

/** Tensors by their names in a shader. */
type Tensors = Record<string, tf.TensorInfo>;

const widthOf = ({ shape }: tf.TensorInfo) => shape.at(-1) ?? 1;

/** Queues products as one dispatch; `widths` names tensors that are read in pieces of another length than their last axis. */
function multiply(
  backend: WebGPUBackend,
  products: Product[],
  tile: Tile,
  inputs: Tensors,
  outputs: Tensors,
  widths: Record<string, number> = {},
): void {
  const lengths = (tensors: Tensors) =>
    Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, widths[name] ?? widthOf(tensor)]));
  const shader = () => productShader(products, tile, lengths(inputs), lengths(outputs));
  dispatch(backend, JSON.stringify([products, tile, widths]), shader, inputs, outputs);
}

/** The shader of {@link sumParts}, parts0 to sum0 and so on. */
function partsShader(all: tf.TensorInfo[]): Shader {
  const sizes = all.map((parts) => sizeOf(parts) / parts.shape[0]);
  const fours = sizes.every((size) => size % 4 === 0);
  let count = 0;
  const bodies = all.map((parts, i) => {
    const size = sizes[i] / (fours ? 4 : 1);
    const body = `if (index < ${count + size}u) {
    let at = index - ${count}u;
    var sum = parts${i}[at];
    for (var part = 1u; part < ${parts.shape[0]}u; part++) { sum += parts${i}[part * ${size}u + at]; }
    sum${i}[at] = sum;
    return;
  }`;
    count += size;
    return body;
  });
  const shader = elementwise(count, bodies.join("\n  "));
  return fours ? { ...shader, fours: all.flatMap((_, i) => [`parts${i}`, `sum${i}`]) } : shader;
}

/** Sums of the slices of their first axis, f32[parts, …] to f32[…], all by one dispatch; those of one part are handed on. The parts are disposed. */
function sumParts(backend: WebGPUBackend, all: tf.TensorInfo[]): tf.TensorInfo[] {
  const sums = all.map((parts) => parts.shape[0] === 1 ? { ...parts, shape: parts.shape.slice(1) } : undefined);
  const open = all.filter((_, i) => !sums[i]);
  if (!open.length) return sums as tf.TensorInfo[];
  const inputs = Object.fromEntries(open.map((parts, i) => [`parts${i}`, parts]));
  const outputs = Object.fromEntries(open.map(({ shape }, i) => [`sum${i}`, output(backend, shape.slice(1))]));
  dispatch(backend, "sumParts", () => partsShader(open), inputs, outputs);
  open.forEach(({ dataId }) => backend.disposeData(dataId));
  const made = Object.values(outputs);
  return sums.map((sum) => sum ?? made.shift()!);
}

/** WGSL: where the matrix of `batch` begins in a tensor of the outer shape `own` that is broadcast to `outer`. */
function beginOf(own: number[], outer: number[], size: number): string {
  const terms: string[] = [];
  let [stride, step] = [1, size];
  for (let axis = 1; axis <= outer.length; axis++) {
    const [length, ownLength] = [outer.at(-axis)!, own.at(-axis) ?? 1];
    if (ownLength > 1) terms.push(`batch / ${stride}u % ${length}u * ${step}u`);
    stride *= length;
    step *= ownLength;
  }
  return terms.join(" + ") || "0u";
}

/**
 * c = a b with either transposed, batches broadcast.
 *
 * @param choice tile and number of parts; the table's if not given
 */
export function product(
  backend: WebGPUBackend,
  a: tf.TensorInfo,
  b: tf.TensorInfo,
  transposeA: boolean,
  transposeB: boolean,
  { half = false, ...choice }: { tile?: Tile; parts?: number; half?: boolean } = {},
): tf.TensorInfo {
  const [k, m] = transposeA ? a.shape.slice(-2) : a.shape.slice(-2).reverse();
  const [n, kB] = transposeB ? b.shape.slice(-2) : b.shape.slice(-2).reverse();
  if (k !== kB) throw new Error(`Cannot multiply [${a.shape}] by [${b.shape}]: inner lengths ${k} and ${kB} differ`);
  const [outerA, outerB] = [a.shape.slice(0, -2), b.shape.slice(0, -2)];
  const outer = tf.broadcast_util.assertAndGetBroadcastShape(outerA, outerB);
  const shape = [...outer, m, n];
  const count = tf.util.sizeFromShape(outer);
  // One matrix on the right of all: the batch is nothing but more rows.
  const merged = !transposeA && tf.util.sizeFromShape(outerB) === 1;
  const [rows, batch] = merged ? [count * m, 1] : [m, count];
  if (rows * n * batch === 0 || k === 0) {
    return backend.makeTensorInfo(shape, "float32", new Float32Array(count * m * n));
  }
  const tile = choice.tile ?? tileFor(rows, n, { batch, half });
  const parts = choice.parts ?? partsFor(rows, n, k, batch, tile);
  const c = output(backend, parts === 1 ? shape : [parts, ...shape]);
  const operand = (tensor: string, alongDepth: boolean, own: number[], size: number) => ({
    tensor,
    alongDepth,
    begin: batch === 1 ? undefined : beginOf(own, outer, size),
  });
  const all: Product = {
    m: rows,
    n,
    k,
    left: operand("a", !transposeA, outerA, m * k),
    right: operand("b", transposeB, outerB, n * k),
    batch,
    parts,
    half,
    epilogue: stored("c"),
  };
  multiply(backend, [all], tile, { a, b }, { c });
  return parts === 1 ? c : sumParts(backend, [c])[0];
}

/**
 * rms(residual + x Wᵀ) and the norm's inverse: one dispatch where a workgroup can hold whole rows.
 *
 * @param tile the table's if not given; with `null`, a product and a norm
 */
export function normalisedLayer(
  backend: WebGPUBackend,
  x: tf.TensorInfo,
  W: tf.TensorInfo,
  residual: tf.TensorInfo,
  epsilon: number,
  tile?: Tile | null,
): tf.TensorInfo[] {
  const [n, k] = W.shape;
  const m = sizeOf(x) / k;
  const half = layerPrecision() === "f16";
  if (tile === undefined) tile = rowTileFor(m, n, workgroupLimits(backend), half);
  if (!tile) {
    const sum = layer(backend, x, W);
    const outputs = rowKernels.RmsNorm(backend, { x: residual, residual: sum }, { epsilon });
    backend.disposeData(sum.dataId);
    return outputs;
  }
  const y = output(backend, residual.shape);
  const inverse = output(backend, [...residual.shape.slice(0, -1), 1]);
  const epilogue = normalised({ y: "y", inverse: "inverse", residual: "residual" }, epsilon);
  multiply(backend, [layerOf({ m, n, k }, "x", "W", epilogue)], tile, { x, W, residual }, { y, inverse });
  return [y, inverse];
}

/** y = x Wᵀ as a product. */
function layerOf(size: { m: number; n: number; k: number }, x: string, W: string, epilogue: Epilogue): Product {
  return {
    ...size,
    left: { tensor: x, alongDepth: true },
    right: { tensor: W, alongDepth: true },
    half: layerPrecision() === "f16",
    epilogue,
  };
}

/** x Wᵀ, f32[…, in] to f32[…, out]. */
function layer(
  backend: WebGPUBackend,
  x: tf.TensorInfo,
  W: tf.TensorInfo,
  half = layerPrecision() === "f16",
): tf.TensorInfo {
  const rows = { ...x, shape: [sizeOf(x) / widthOf(x), widthOf(x)] };
  return {
    ...product(backend, rows, W, false, true, { half }),
    shape: [...x.shape.slice(0, -1), W.shape[0]],
  };
}

/** What a layer's gradient is made of. */
interface LayerGradient {
  /** The gradient of the layer's value, f32[…, out]. */
  dy: tf.TensorInfo;
  /** The layer's input, f32[…, in]. */
  x: tf.TensorInfo;
  /** f32[out, in] */
  W: tf.TensorInfo;
  /** The output of the epilogue, by its name there. */
  dx: Tensors;
  /** What becomes of dy W. */
  epilogue: Epilogue;
  /** Further tensors of the epilogue. */
  more?: Tensors;
  /** As in {@link multiply}. */
  widths?: Record<string, number>;
}

/** Queues dx = dy W and the parts of dW = dyᵀ x as one dispatch: the few tiles of dW leave no part of the device idle. Returns the parts. */
function layerGradient(
  backend: WebGPUBackend,
  { dy, x, W, dx, epilogue, more = {}, widths }: LayerGradient,
): tf.TensorInfo {
  const [into, out] = W.shape.toReversed();
  const rows = sizeOf(x) / into;
  const tile = tileFor(rows, into);
  const parts = partsFor(out, into, rows, 1, tile);
  const dW = output(backend, [parts, out, into]);
  // dW first: its workgroups run the longest, and what is left at the end should be short.
  const products: Product[] = [
    {
      m: out,
      n: into,
      k: rows,
      left: { tensor: "dy", alongDepth: false },
      right: { tensor: "x", alongDepth: false },
      parts,
      epilogue: stored("dW"),
    },
    {
      m: rows,
      n: into,
      k: out,
      left: { tensor: "dy", alongDepth: true },
      right: { tensor: "W", alongDepth: false },
      epilogue,
    },
  ];
  multiply(backend, products, tile, { dy, x, W, ...more }, { ...dx, dW }, widths);
  return dW;
}

/** Kernels by operation. */
export const layerKernels: Record<string, Kernel> = {
  /** Always in f32: answers and Q values are made by it. */
  Linear: (backend, { x, W }) => [layer(backend, x, W, false)],

  LinearGradient(backend, { dy, x, W }) {
    const dx = output(backend, x.shape);
    return [dx, ...sumParts(backend, [layerGradient(backend, { dy, x, W, dx: { dx }, epilogue: stored("dx") })])];
  },

  FeedForward(backend, { x, residual, gateUp, down }, { epsilon, recorded }) {
    const [width, D] = gateUp.shape;
    const m = sizeOf(x) / D;
    const inner = output(backend, [...x.shape.slice(0, -1), width / 2]);
    const both = recorded ? output(backend, [...x.shape.slice(0, -1), width]) : undefined;
    const all = layerOf({ m, n: width, k: D }, "x", "W", gated("inner", both && "both"));
    const outputs: Tensors = both ? { inner, both } : { inner };
    const tile = tileFor(m, width, { halves: true, half: all.half });
    multiply(backend, [all], tile, { x, W: gateUp }, outputs, { both: width / 2 });
    const [y, inverse] = normalisedLayer(backend, inner, down, residual, epsilon);
    if (both) return [y, inverse, both, inner];
    [inverse, inner].forEach(({ dataId }) => backend.disposeData(dataId));
    return [y];
  },

  FeedForwardGradient(backend, { dy, x, gateUp, down, y, inverse, both, inner }, { one }) {
    const [dSum] = rowKernels.RmsNormGradient(backend, { dy, y, inverse }, {});
    const dBoth = output(backend, both.shape);
    const dDown = layerGradient(backend, {
      dy: dSum,
      x: inner,
      W: down,
      dx: { dBoth },
      epilogue: gatedGradient("dBoth", "both"),
      more: { both },
      widths: { both: widthOf(inner), dBoth: widthOf(inner) },
    });
    const dx = output(backend, x.shape);
    const dGateUp = layerGradient(backend, {
      dy: dBoth,
      x,
      W: gateUp,
      dx: { dx },
      epilogue: stored("dx", one ? "dSum" : undefined),
      more: one ? { dSum } : {},
    });
    backend.disposeData(dBoth.dataId);
    const gradients = [dx, ...sumParts(backend, [dGateUp, dDown])];
    if (!one) return [...gradients, dSum];
    backend.disposeData(dSum.dataId);
    return gradients;
  },

  SelfAttention(backend, { x, qkv, o, cos, sin }, { heads, epsilon, recorded }) {
    const packed = layer(backend, x, qkv);
    const [mixed, logSumExp] = attentionKernels.Attention(backend, { qkv: packed, cos, sin }, { heads });
    const [y, inverse] = normalisedLayer(backend, mixed, o, x, epsilon);
    if (recorded) return [y, inverse, packed, mixed, logSumExp];
    [inverse, packed, mixed, logSumExp].forEach(({ dataId }) => backend.disposeData(dataId));
    return [y];
  },

  SelfAttentionGradient(backend, inputs, { heads }) {
    const { dy, x, qkv, o, cos, sin, y, inverse, packed, mixed, logSumExp } = inputs;
    const [dSum] = rowKernels.RmsNormGradient(backend, { dy, y, inverse }, {});
    const dMixed = output(backend, mixed.shape);
    const dO = layerGradient(backend, { dy: dSum, x: mixed, W: o, dx: { dMixed }, epilogue: stored("dMixed") });
    const ofHeads = { dy: dMixed, qkv: packed, cos, sin, output: mixed, logSumExp };
    const [dPacked] = attentionKernels.AttentionGradient(backend, ofHeads, { heads });
    const dx = output(backend, x.shape);
    const dQkv = layerGradient(backend, {
      dy: dPacked,
      x,
      W: qkv,
      dx: { dx },
      epilogue: stored("dx", "dSum"),
      more: { dSum },
    });
    [dSum, dMixed, dPacked].forEach(({ dataId }) => backend.disposeData(dataId));
    return [dx, ...sumParts(backend, [dQkv, dO])];
  },
};

/** Kernels in place of tfjs' own, given what they replace. */
export const replacements: Record<string, (stock: tf.KernelFunc) => tf.KernelFunc> = {
  BatchMatMul: (stock) => (given) => {
    const { a, b } = given.inputs as Tensors;
    const backend = given.backend as WebGPUBackend;
    if ([a, b].some((tensor) => elementOf(backend, tensor) !== "f32")) return stock(given);
    const { transposeA, transposeB } = given.attrs as unknown as { transposeA: boolean; transposeB: boolean };
    return product(backend, a, b, transposeA, transposeB);
  },
};
