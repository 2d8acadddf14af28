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
import { updateKernels } from "./update.ts";

/** Bytes that a tensor on the device may have. */
export function largestTensor({ limits }: GPUDevice): number {
  return Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize);
}

/** How the elements of a tensor lie on the device, four bytes each. */
const ELEMENTS = { float32: Float32Array, int32: Int32Array, bool: Int32Array };

/** A backend whose uploads do not wait, and which refuses to hand out numbers after its device has failed: what fails there reads as zeros. */
class CheckedBackend extends WebGPUBackend {
  #fault?: string;

  constructor(device: GPUDevice, info: GPUAdapterInfo) {
    super(device, info);
    device.addEventListener("uncapturederror", (event) => {
      const { error } = event as GPUUncapturedErrorEvent;
      this.#fault ??= error instanceof GPUOutOfMemoryError
        ? `out of memory (${error.message}); use a smaller batch`
        : error.message;
    });
    // It is behind whatever else went wrong.
    device.lost.then(({ message, reason }) => this.#fault = `device lost (${reason}): ${message}`);
  }

  /**
   * tfjs uploads through buffers that are mapped when they are made, and Deno reads what it maps, at 30 MB a second on an NVIDIA H100. The
   * queue copies without reading. It writes before the commands that are recorded but not handed in, and none of those uses the buffer: that of
   * a tensor goes back to the pool when the commands that read it have been handed in (tfjs' `commandQueueOwnedIds`).
   */
  override uploadToGPU(dataId: object): void {
    const tensor = this.tensorMap.get(dataId);
    const { shape, dtype, values, resource } = tensor;
    if (resource != null) return;
    const [bytes, most] = [4 * tf.util.sizeFromShape(shape), largestTensor(this.device)];
    if (bytes > most) {
      throw new Error(
        `Cannot hold a tensor ${dtype}[${shape}] of ${bytes} bytes on the GPU: its buffers have at most ${most}; use a smaller batch`,
      );
    }
    if (!values || !(dtype in ELEMENTS)) return super.uploadToGPU(dataId);
    const Elements = ELEMENTS[dtype as keyof typeof ELEMENTS];
    const elements = values instanceof Elements ? values : Elements.from(values as ArrayLike<number>);
    const buffer = this.bufferManager.acquireBuffer(
      bytes,
      GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    );
    this.queue.writeBuffer(buffer, 0, elements as Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>);
    tensor.resource = buffer;
    tensor.values = null!;
  }

  override async read(dataId: object): Promise<tf.backend_util.BackendValues> {
    const values = await super.read(dataId).catch((error) => {
      this.#fault ??= error.message;
    });
    if (this.#fault !== undefined) {
      // A lost device tells so a little later than the operations that it fails.
      await Promise.race([this.device.lost, new Promise((resolve) => setTimeout(resolve, 100))]);
      throw new Error(`WebGPU failed: ${this.#fault}`);
    }
    return values!;
  }
}

/** The kernel of each operation that has one. */
export const shaders: Record<string, Kernel> = {
  ...elementKernels,
  ...rowKernels,
  ...attentionKernels,
  ...updateKernels,
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
