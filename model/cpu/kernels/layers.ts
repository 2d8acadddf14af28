/**
 * The halves of a block on the CPU, each one task a thread from its rows' first product to their norm. Their definitions are in model/kernels.
 *
 * @module
 */
import type * as tf from "@tensorflow/tfjs";
import { compose, type Inputs } from "../../kernels/operation.ts";
import { attentionScratch } from "../machine.ts";
import { type Cpu, type Infos, type Kernel, sizeOf, widthOf } from "./kernel.ts";
import { multiply } from "./product.ts";

/** Kernels by operation name. */
export function layerKernels(cpu: Cpu): Record<string, Kernel> {
  const { tensors } = cpu;
  const at = (tensor: tf.TensorInfo) => tensors.address(tensor);
  const dispose = (...infos: tf.TensorInfo[]) => infos.forEach(({ dataId }) => tensors.disposeData(dataId));
  /** A fresh tensor over the leading axes of another. */
  const like = ({ shape }: tf.TensorInfo, width: number) => tensors.output([...shape.slice(0, -1), width]);

  /** dW = dyᵀ x over all rows. */
  function weightGradient(dy: tf.TensorInfo, x: tf.TensorInfo): tf.TensorInfo {
    const [out, into] = [widthOf(dy), widthOf(x)];
    const dW = tensors.output([out, into]);
    multiply(cpu, [at(dy), at(x), at(dW)], [out, into, sizeOf(x) / into], true, false);
    return dW;
  }

  /** Whether every thread gets as many samples as the others, so that none waits. */
  const even = (samples: number) => samples % cpu.threads.count === 0;

  return {
    FeedForward(inputs, { epsilon, recorded }) {
      const { x, residual, gateUp, down } = inputs;
      const [D, F] = [widthOf(x), widthOf(down)];
      const [y, inverse, both, inner] = [D, 1, 2 * F, F].map((width) => like(x, width));
      cpu.threads.run("feedForward", sizeOf(x) / D, 16, 1, [
        ...[x, residual, gateUp, down, both, inner, y, inverse].map(at),
        ...[D, F, epsilon],
      ]);
      if (recorded) return [y, inverse, both, inner];
      dispose(inverse, both, inner);
      return [y];
    },
    FeedForwardGradient({ dy, x, gateUp, down, y, inverse, both, inner }, { one }) {
      const [D, F] = [widthOf(x), widthOf(down)];
      const [dSum, dInner, dBoth, dx] = [D, F, 2 * F, D].map((width) => like(x, width));
      cpu.threads.run("feedForwardGradient", sizeOf(x) / D, 16, 1, [
        ...[dy, y, inverse, gateUp, down, both, dSum, dInner, dBoth, dx].map(at),
        ...[D, F, +one],
      ]);
      const weights = [weightGradient(dBoth, x), weightGradient(dSum, inner)];
      dispose(dInner, dBoth);
      if (!one) return [dx, ...weights, dSum];
      dispose(dSum);
      return [dx, ...weights];
    },
    SelfAttention(inputs, attributes) {
      const { x, qkv, o, cos, sin } = inputs;
      const { heads, epsilon, recorded } = attributes;
      const [B, T, D] = x.shape;
      if (!even(B)) return composed("SelfAttention", inputs, attributes);
      const K = widthOf(o) / heads;
      const [y, inverse, packed, mixed] = [D, 1, 3 * heads * K, heads * K].map((width) => like(x, width));
      const logSumExp = tensors.output([B, heads, T]);
      const scratch = cpu.scratch(attentionScratch(T, K) * 4);
      cpu.threads.run("selfAttention", B, 1, 1, [
        ...[x, qkv, o, cos, sin, packed, mixed, logSumExp, y, inverse].map(at),
        ...[T, heads, K, D, epsilon, scratch],
      ]);
      if (recorded) return [y, inverse, packed, mixed, logSumExp];
      dispose(inverse, packed, mixed, logSumExp);
      return [y];
    },
    SelfAttentionGradient(inputs, attributes) {
      const { dy, x, qkv, o, cos, sin, y, inverse, packed, mixed, logSumExp } = inputs;
      const { heads } = attributes;
      const [B, T, D] = x.shape;
      if (!even(B)) return composed("SelfAttentionGradient", inputs, attributes);
      const K = widthOf(o) / heads;
      const [dSum, dMixed, dPacked, dx] = [D, heads * K, 3 * heads * K, D].map((width) => like(x, width));
      const scratch = cpu.scratch(attentionScratch(T, K) * 4);
      cpu.threads.run("selfAttentionGradient", B, 1, 1, [
        ...[dy, qkv, o, cos, sin, y, inverse, packed, mixed, logSumExp, dSum, dMixed, dPacked, dx].map(at),
        ...[T, heads, K, D, scratch],
      ]);
      const weights = [weightGradient(dPacked, x), weightGradient(dSum, mixed)];
      dispose(dSum, dMixed, dPacked);
      return [dx, ...weights];
    },
  };
}

/** The operation in its parts, each of which divides as it can. */
function composed(name: string, inputs: Infos, attributes: Record<string, unknown>): tf.TensorInfo[] {
  return compose(name, inputs as Inputs, attributes);
}
