/**
 * tfjs' WebGPU backend with this project's operations and matrix products: a WGSL kernel for each, and errors that are heard.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import { attentionKernels } from "./attention.ts";
import { elementKernels } from "./elements.ts";
import type { Kernel } from "./kernel.ts";
import { layerKernels, replacements } from "./layers.ts";
import { rowKernels } from "./rows.ts";

/** A backend that refuses to hand out numbers after its device has failed: what fails on a device otherwise reads as zeros. */
class CheckedBackend extends WebGPUBackend {
  #fault?: string;

  constructor(device: GPUDevice, info: GPUAdapterInfo) {
    super(device, info);
    device.addEventListener("uncapturederror", (event) => {
      this.#fault ??= (event as GPUUncapturedErrorEvent).error.message;
    });
    device.lost.then(({ message, reason }) => {
      if (reason !== "destroyed") this.#fault ??= `the device was lost: ${message}`;
    });
  }

  override async read(dataId: object): Promise<tf.backend_util.BackendValues> {
    const values = await super.read(dataId);
    if (this.#fault !== undefined) throw new Error(`WebGPU failed: ${this.#fault}`);
    return values;
  }
}

/** The kernel of each operation that has one. */
export const shaders: Record<string, Kernel> = {
  ...elementKernels,
  ...rowKernels,
  ...attentionKernels,
  ...layerKernels,
};

/** tfjs' own kernels of what is replaced here. */
export const stockKernels: tf.KernelConfig[] = [];

/** Makes `device` the backend `webgpu`, with all kernels. */
export function registerWebGpu(device: GPUDevice, info: GPUAdapterInfo): void {
  tf.removeBackend("webgpu");
  tf.registerBackend("webgpu", () => new CheckedBackend(device, info), 5);
  for (const [kernelName, kernel] of Object.entries(shaders)) {
    if (tf.getKernel(kernelName, "webgpu")) continue;
    tf.registerKernel({
      kernelName,
      backendName: "webgpu",
      kernelFunc: ({ inputs, attrs, backend }) =>
        kernel(backend as WebGPUBackend, inputs as Record<string, tf.TensorInfo>, attrs ?? {}),
    });
  }
  if (stockKernels.length) return;
  for (const [kernelName, replace] of Object.entries(replacements)) {
    const stock = tf.getKernel(kernelName, "webgpu");
    stockKernels.push(stock);
    tf.unregisterKernel(kernelName, "webgpu");
    tf.registerKernel({ ...stock, kernelFunc: replace(stock.kernelFunc) });
  }
}
