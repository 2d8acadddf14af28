/**
 * Where the network runs: a GPU through Deno's WebGPU, or the processor. Nothing happens on import.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { CPU_BACKEND, startCpu } from "./cpu/backend.ts";
import { registerCompositions } from "./kernels/operation.ts";
import "./kernels/adam.ts";
import "./kernels/attention.ts";
import "./kernels/binary_cross_entropy.ts";
import "./kernels/clip.ts";
import "./kernels/correct_tokens.ts";
import "./kernels/cross_entropy.ts";
import "./kernels/feed_forward.ts";
import "./kernels/linear.ts";
import "./kernels/neighbour_shift.ts";
import "./kernels/rms_norm.ts";
import "./kernels/self_attention.ts";
import "./kernels/sum_of_three.ts";
import "./kernels/swiglu.ts";
import "./kernels/token_embedding.ts";
import { largestTensor, registerWebGpu } from "./webgpu/backend.ts";
import { type Precision, setLayerPrecision } from "./webgpu/precision.ts";

export type { Precision };

/** What may be asked for: `auto` takes a real GPU, else the processor; `stock` is unaided tfjs on the processor, for comparison. */
export type BackendName = "auto" | "webgpu" | "cpu" | "stock";

/** What was chosen. */
export interface Backend {
  /** The backend that runs. */
  name: "webgpu" | "cpu" | "stock";
  /** One line for people: what was chosen and why. */
  description: string;
  /** Threads that compute, on the processor. */
  threads?: number;
  /** Bytes that a tensor may have, where there is such a limit. */
  largestTensor?: number;
  /**
   * Bytes that the largest tensor of a training step is kept to by working on a batch in parts: HRM's step holds about thirty times as much at its
   * peak, no GPU says how much memory it has, and all are busy with far smaller tensors.
   */
  moderateTensor?: number;
}

/** {@link Backend.moderateTensor} of a GPU, and of the processor, whose memory ends at 4 GiB. */
const MODERATE = { webgpu: 2 ** 28, cpu: 2 ** 26 };

/** Adapters that are processors in disguise. */
const SOFTWARE = /llvmpipe|swiftshader|software|basic render|lavapipe/i;

async function requestAdapter(): Promise<GPUAdapter | undefined> {
  // Vulkan's loader complains on stderr where this is unset, though it needs nothing from it here.
  if (
    Deno.build.os === "linux" &&
    Deno.permissions.querySync({ name: "env", variable: "XDG_RUNTIME_DIR" }).state === "granted"
  ) {
    if (!Deno.env.get("XDG_RUNTIME_DIR")) Deno.env.set("XDG_RUNTIME_DIR", "/tmp");
  }
  // Deno may lack navigator.gpu altogether (edge), or find no driver.
  return await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" }) ?? undefined;
}

function adapterName({ info }: GPUAdapter): string {
  return info.description || info.device || info.vendor || "unnamed adapter";
}

/** tfjs asks for features in a way that some adapters refuse and never for the adapter's own limits; so the device is made here. */
async function startWebGpu(adapter: GPUAdapter): Promise<GPUDevice> {
  const wanted: GPUFeatureName[] = ["shader-f16", "subgroups" as GPUFeatureName, "timestamp-query"];
  const { limits } = adapter;
  // Metal allows a shader fewer threads the more registers it takes; one with more does not run, and nobody is told (gfx-rs/wgpu issue 9176).
  const threads = Math.min(limits.maxComputeInvocationsPerWorkgroup, Deno.build.os === "darwin" ? 256 : Infinity);
  const device = await adapter.requestDevice({
    requiredFeatures: wanted.filter((feature) => adapter.features.has(feature)),
    requiredLimits: {
      maxBufferSize: limits.maxBufferSize,
      maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
      maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
      maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
      maxComputeInvocationsPerWorkgroup: threads,
      maxComputeWorkgroupSizeX: limits.maxComputeWorkgroupSizeX,
      maxComputeWorkgroupsPerDimension: limits.maxComputeWorkgroupsPerDimension,
    },
  });
  registerWebGpu(device, adapter.info);
  // Small tensors would silently be computed on the processor, and tests would judge the wrong kernels.
  tf.env().set("WEBGPU_CPU_FORWARD", false);
  await tf.setBackend("webgpu");
  await tf.ready();
  return device;
}

/**
 * Chooses and starts a backend.
 *
 * @param threads of the processor; all its cores if not given
 * @param precision of the GPU's layers; the processor knows f32 only
 * @throws {Error} when `webgpu` is asked for and there is no adapter, or f16 and the adapter lacks it
 */
export async function startBackend(
  name: BackendName = "auto",
  threads?: number,
  precision: Precision = "f32",
): Promise<Backend> {
  tf.enableProdMode();
  let why = "";
  if (name === "auto" || name === "webgpu") {
    const adapter = await requestAdapter();
    const software = adapter !== undefined && (SOFTWARE.test(adapterName(adapter)) || adapter.info.isFallbackAdapter);
    if (adapter && (name === "webgpu" || !software)) {
      if (precision === "f16" && !adapter.features.has("shader-f16")) {
        throw new Error(`Cannot use f16: ${adapterName(adapter)} lacks shader-f16; use f32`);
      }
      const device = await startWebGpu(adapter);
      registerCompositions("webgpu");
      setLayerPrecision(precision);
      return {
        name: "webgpu",
        description: `webgpu: ${adapterName(adapter)}${precision === "f16" ? ", f16" : ""}${
          software ? " (a processor, not a GPU: slow)" : ""
        }`,
        largestTensor: largestTensor(device),
        moderateTensor: MODERATE.webgpu,
      };
    }
    why = adapter ? ` (the only GPU adapter, ${adapterName(adapter)}, is a processor itself)` : " (no GPU found)";
    if (name === "webgpu") {
      throw new Error(
        "Cannot start webgpu: no adapter found; install a Vulkan driver (software: mesa-vulkan-drivers libvulkan1) or use --backend cpu",
      );
    }
  }
  if (precision === "f16") throw new Error(`Cannot use f16: the processor knows f32 only${why}; use --backend webgpu`);
  if (name === "stock") {
    await tf.setBackend("cpu");
    registerCompositions("cpu");
    return { name, description: "cpu: stock tfjs" };
  }
  const { description, threads: used } = startCpu(threads);
  await tf.setBackend(CPU_BACKEND);
  // The state of a batch exists four times where a step begins.
  const limits = { largestTensor: 2 ** 29, moderateTensor: MODERATE.cpu };
  return { name: "cpu", description: description + why, threads: used, ...limits };
}
