/**
 * Every kernel of the CPU backend against the composition of stock operations that defines it, in one process. Knows no training.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { measure } from "mitata";
import { createRandom } from "../../arc/random.ts";
import { CPU_BACKEND } from "../../model/cpu/backend.ts";
import { type Attributes, compose, type Inputs, run } from "../../model/kernels/operation.ts";

/** One kernel's times. */
export interface KernelResult {
  /** What ran, at which size. */
  name: string;
  /** Microseconds of the kernel, the least. */
  us: number;
  /** Microseconds of the composition on the stock CPU backend, the least. */
  stockUs: number;
  /** GFLOP/s of products, GB/s of everything else: bytes that must be read and written. */
  rate: number;
  /** The unit of the rate. */
  unit: "GFLOP/s" | "GB/s";
}

interface Case {
  name: string;
  inputs: Record<string, number[]>;
  compute: (inputs: Inputs) => tf.Tensor | tf.Tensor[];
  stock: (inputs: Inputs) => tf.Tensor | tf.Tensor[];
  /** Floating-point operations, where that is what limits. */
  flop?: number;
}

/** Whole numbers 0 … 10 where the name says so, else normal numbers. */
function tensorOf(name: string, shape: number[]): tf.Tensor {
  const random = createRandom(1);
  const length = tf.util.sizeFromShape(shape);
  if (name === "tokens" || name === "labels") {
    return tf.tensor(Int32Array.from({ length }, () => random.integer(11)), shape, "int32");
  }
  const values = Float32Array.from({ length }, () => random.normal());
  return tf.tensor(name === "second" || name === "logSumExp" ? values.map((v) => Math.abs(v) + 5) : values, shape);
}

function operation(name: string, inputs: Record<string, number[]>, attributes: Attributes = {}, flop?: number): Case {
  return {
    name: `${name} ${Object.values(inputs)[0].join("x")}`,
    inputs,
    compute: (tensors) => run(name, tensors, attributes),
    stock: (tensors) => compose(name, tensors, attributes),
    flop,
  };
}

function product(m: number, n: number, k: number, transposeA: boolean, transposeB: boolean): Case {
  const compute = ({ a, b }: Inputs) => tf.matMul(a, b, transposeA, transposeB);
  return {
    name: `matMul ${m}x${n}x${k} ${transposeA ? "T" : "N"}${transposeB ? "T" : "N"}`,
    inputs: { a: transposeA ? [k, m] : [m, k], b: transposeB ? [n, k] : [k, n] },
    compute,
    stock: compute,
    flop: 2 * m * n * k,
  };
}

function cases(B: number, side: number, D: number, heads: number, F: number): Case[] {
  const T = side * side + 1;
  const K = D / heads;
  const [rows, x, V] = [B * T, [B, T, D], 12];
  const places = { cos: [T, K], sin: [T, K] };
  const parameters = { parameter: [2 * F, D], first: [2 * F, D], second: [2 * F, D], gradient: [2 * F, D], scale: [] };
  const rule = { rule: "atan2", learningRate: 1e-4, weightDecay: 0.1, beta1: 0.9, beta2: 0.95, step: 10 };
  return [
    product(rows, 2 * F, D, false, true),
    product(rows, D, 2 * F, false, false),
    product(2 * F, D, rows, true, false),
    operation("Attention", { qkv: [B, T, 3 * D], ...places }, { heads }, 4 * B * T * T * D),
    operation(
      "AttentionGradient",
      { dy: x, qkv: [B, T, 3 * D], ...places, output: x, logSumExp: [B, heads, T] },
      { heads },
      10 * B * T * T * D,
    ),
    operation("RmsNorm", { x, residual: x }, { epsilon: 1e-5 }),
    operation("RmsNormGradient", { dy: x, y: x, inverse: [B, T, 1] }),
    operation("SwiGlu", { gateUp: [B, T, 2 * F] }),
    operation("SwiGluGradient", { dy: [B, T, F], gateUp: [B, T, 2 * F] }),
    operation("NeighbourShift", { x }, { side, prefix: 1, direction: 1 }),
    operation("TokenEmbedding", { tokens: [B, T], table: [V, D] }, { vocabulary: V, perSample: false }),
    operation("TokenEmbeddingGradient", { dy: x, tokens: [B, T] }, { vocabulary: V, perSample: false }),
    operation("CrossEntropy", { logits: [rows, V], labels: [rows], weights: [rows] }, { likelihood: "stablemax" }),
    operation("CrossEntropyGradient", { dy: [rows], logits: [rows, V], labels: [rows], weights: [rows] }, {
      likelihood: "stablemax",
    }),
    operation("CorrectTokens", { logits: [rows, V], labels: [rows] }),
    operation("AdamUpdate", parameters, rule),
    operation("MovingAverage", { average: [2 * F, D], parameter: [2 * F, D] }, { decay: 0.99 }),
    ...([["add", tf.add], ["mul", tf.mul]] as const).map(([name, f]): Case => ({
      name: `${name} ${x.join("x")}`,
      inputs: { a: x, b: x },
      compute: ({ a, b }) => f(a, b),
      stock: ({ a, b }) => f(a, b),
    })),
    {
      name: `sum of leading axes ${x.join("x")}`,
      inputs: { x },
      compute: ({ x }) => tf.sum(x, [0, 1]),
      stock: ({ x }) => tf.sum(x, [0, 1]),
    },
    {
      name: `slice off the prefix ${x.join("x")}`,
      inputs: { x },
      compute: ({ x }) => tf.slice(x, [0, 1, 0], [B, T - 1, D]),
      stock: ({ x }) => tf.slice(x, [0, 1, 0], [B, T - 1, D]),
    },
  ];
}

/** The least microseconds of one call, and the bytes that went in and out. */
async function time(backend: string, inputs: Record<string, number[]>, compute: Case["compute"]) {
  await tf.setBackend(backend);
  const tensors = Object.fromEntries(Object.entries(inputs).map(([name, shape]) => [name, tensorOf(name, shape)]));
  const outputs = compute(tensors);
  const moved = [...Object.values(tensors), ...(Array.isArray(outputs) ? outputs : [outputs])];
  const bytes = moved.reduce((sum, tensor) => sum + tensor.size * 4, 0);
  tf.dispose(outputs);
  const { min } = await measure(() => tf.dispose(compute(tensors)), { min_cpu_time: 5e7, min_samples: 5 });
  tf.dispose(tensors);
  return { us: min / 1e3, bytes };
}

/** Times all kernels at a width of 256 on 10 x 10 cells and at the loop's 64. */
export async function timeKernels(report: (result: KernelResult) => void): Promise<void> {
  for (const { name, inputs, compute, stock, flop } of [...cases(8, 10, 256, 8, 768), ...cases(8, 10, 64, 4, 176)]) {
    const { us, bytes } = await time(CPU_BACKEND, inputs, compute);
    const { us: stockUs } = await time("cpu", inputs, stock);
    report({ name, us, stockUs, rate: (flop ?? bytes) / us / 1e3, unit: flop ? "GFLOP/s" : "GB/s" });
  }
}
