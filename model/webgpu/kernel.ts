/**
 * What a WGSL kernel is to tfjs.
 *
 * @module
 */
import type * as tf from "@tensorflow/tfjs";
import type { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import type { Attributes } from "../kernels/operation.ts";

/** A kernel: its outputs from its inputs. */
export type Kernel = (
  backend: WebGPUBackend,
  inputs: Record<string, tf.TensorInfo>,
  attributes: Attributes,
) => tf.TensorInfo[];

/** The number of elements. */
export function sizeOf({ shape }: tf.TensorInfo): number {
  return shape.reduce((size, length) => size * length, 1);
}
