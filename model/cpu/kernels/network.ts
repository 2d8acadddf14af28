/**
 * The network's own operations on the CPU: norm, gate, attention, tokens. Their definitions are in model/kernels.
 *
 * @module
 */
import type * as tf from "@tensorflow/tfjs";
import { attentionScratch } from "../machine.ts";
import { type Cpu, type Kernel, sizeOf, widthOf } from "./kernel.ts";

/** Kernels by operation name. */
export function networkKernels(cpu: Cpu): Record<string, Kernel> {
  const { tensors } = cpu;
  const at = (tensor: tf.TensorInfo) => tensors.address(tensor);

  /** Tokens as i32, whatever they came as; the caller frees the copy. */
  function withWhole<T>(tokens: tf.TensorInfo, use: (address: number) => T): T {
    if (tokens.dtype === "int32") return use(at(tokens));
    const copy = tensors.output(tokens.shape, "int32");
    tensors.values(copy).set(tensors.values(tokens));
    const result = use(at(copy));
    tensors.disposeData(copy.dataId);
    return result;
  }

  return {
    RmsNorm({ x, residual }, { epsilon }) {
      const width = widthOf(x);
      const rows = sizeOf(x) / width;
      const y = tensors.output(x.shape);
      const inverse = tensors.output([...x.shape.slice(0, -1), 1]);
      cpu.run("rmsNorm", rows, 1, width, [at(x), at(residual), at(y), at(inverse), width, epsilon]);
      return [y, inverse];
    },
    RmsNormGradient({ dy, y, inverse }) {
      const width = widthOf(y);
      const dx = tensors.output(y.shape);
      cpu.run("rmsNormGradient", sizeOf(y) / width, 1, width, [at(dy), at(y), at(inverse), at(dx), width]);
      return dx;
    },
    SwiGlu({ gateUp }) {
      const inner = widthOf(gateUp) / 2;
      const y = tensors.output([...gateUp.shape.slice(0, -1), inner]);
      cpu.run("swiGlu", sizeOf(y) / inner, 1, 2 * inner, [at(gateUp), at(y), inner]);
      return y;
    },
    SwiGluGradient({ dy, gateUp }) {
      const inner = widthOf(dy);
      const dx = tensors.output(gateUp.shape);
      cpu.run("swiGluGradient", sizeOf(dy) / inner, 1, 3 * inner, [at(dy), at(gateUp), at(dx), inner]);
      return dx;
    },
    Attention({ qkv, cos, sin }, { heads }) {
      const [B, T, wide] = qkv.shape;
      const K = wide / 3 / heads;
      const output = tensors.output([B, T, heads * K]);
      const logSumExp = tensors.output([B, heads, T]);
      const scratch = cpu.scratch(attentionScratch(T, K) * 4);
      cpu.run("attention", B * heads, 1, T * T * (1 + K / 16), [
        ...[qkv, cos, sin, output, logSumExp].map(at),
        ...[T, heads, K, scratch],
      ]);
      return [output, logSumExp];
    },
    AttentionGradient({ dy, qkv, cos, sin, output, logSumExp }, { heads }) {
      const [B, T, wide] = qkv.shape;
      const K = wide / 3 / heads;
      const dqkv = tensors.output(qkv.shape);
      const scratch = cpu.scratch(attentionScratch(T, K) * 4);
      cpu.run("attentionGradient", B * heads, 1, T * T * (1 + K / 8), [
        ...[dy, qkv, cos, sin, output, logSumExp, dqkv].map(at),
        ...[T, heads, K, scratch],
      ]);
      return dqkv;
    },
    NeighbourShift({ x }, { side, prefix, direction }) {
      const [B, T, D] = x.shape;
      const y = tensors.output(x.shape);
      cpu.run("neighbourShift", B * T, 1, D / 2 + 16, [at(x), at(y), T, side, prefix, D, direction]);
      return y;
    },
    TokenEmbedding({ tokens, table }, { vocabulary, perSample }) {
      const [B, S] = tokens.shape;
      const D = widthOf(table);
      const y = tensors.output([B, S, D]);
      withWhole(tokens, (address) => {
        cpu.run("tokenEmbedding", B * S, 1, D / 4, [address, at(table), at(y), D, vocabulary, perSample ? S : 0]);
      });
      return y;
    },
    TokenEmbeddingGradient({ dy, tokens }, { vocabulary, perSample }) {
      const [B, S, D] = dy.shape;
      const table = tensors.output(perSample ? [B, vocabulary, D] : [vocabulary, D]);
      withWhole(tokens, (address) => {
        const places = [at(dy), address, at(table)];
        if (perSample) cpu.run("sampleEmbeddingGradient", B, 1, S * D / 2, [...places, S, D, vocabulary]);
        else cpu.run("tokenEmbeddingGradient", D, 16, B * S / 2, [...places, B * S, D, vocabulary]);
      });
      return table;
    },
    CrossEntropy({ logits, labels, weights }, { likelihood }) {
      const [R, V] = logits.shape;
      const loss = tensors.output([R]);
      withWhole(labels, (address) => {
        cpu.run("crossEntropy", R, 1, 30 + 4 * V, [
          ...[at(logits), address, at(weights), at(loss)],
          ...[V, +(likelihood === "softmax")],
        ]);
      });
      return loss;
    },
    CrossEntropyGradient({ dy, logits, labels, weights }, { likelihood }) {
      const [R, V] = logits.shape;
      const dx = tensors.output([R, V]);
      withWhole(labels, (address) => {
        cpu.run("crossEntropyGradient", R, 1, 30 + 8 * V, [
          ...[at(dy), at(logits), address, at(weights), at(dx)],
          ...[V, +(likelihood === "softmax")],
        ]);
      });
      return dx;
    },
    CorrectTokens({ logits, labels }) {
      const [R, V] = logits.shape;
      const y = tensors.output([R]);
      withWhole(labels, (address) => cpu.run("correctTokens", R, 1, 2 * V, [at(logits), address, at(y), V]));
      return y;
    },
    AdamUpdate({ parameter, first, second, gradient, scale }, attributes) {
      const { rule, learningRate, weightDecay, beta1, beta2, step } = attributes;
      const outputs = [0, 1, 2].map(() => tensors.output(parameter.shape));
      cpu.run("adam", sizeOf(parameter), 16, 2, [
        ...[parameter, first, second, gradient, ...outputs].map(at),
        tensors.values(scale)[0],
        1 - learningRate * weightDecay,
        learningRate / (1 - beta1 ** step),
        1 / (1 - beta2 ** step),
        ...[beta1, beta2, 1e-8, +(rule === "atan2")],
      ]);
      return outputs;
    },
    MovingAverage({ average, parameter }, { decay }) {
      const y = tensors.output(average.shape);
      cpu.run("blend", sizeOf(y), 16, 0.3, [at(average), at(parameter), at(y), decay]);
      return y;
    },
  };
}
