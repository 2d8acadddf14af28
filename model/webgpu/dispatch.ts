/**
 * How an operation becomes one dispatch of a WGSL shader among those of tfjs: the same queue, buffers and life of tensors. Knows no operation.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import type { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";

/** What is used here of tfjs' backend and is not declared public there. */
type Internals = {
  device: GPUDevice;
  queue: GPUQueue;
  tensorMap: { get(dataId: tf.DataId): { resource: GPUBuffer; dtype: tf.DataType } };
  bufferManager: { acquireBuffer(size: number, usage: number): GPUBuffer };
  uniformPendingDisposal: GPUBuffer[];
  commandQueueOwnedIds: WeakSet<tf.DataId>;
  commandEncoder: GPUCommandEncoder;
  computePassEncoder: GPUComputePassEncoder | null;
  dispatchCountInPass: number;
  uploadToGPU(dataId: tf.DataId): void;
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
};

/** A shader with everything that is fixed for a shape written into its text. */
export interface Shader {
  /**
   * WGSL whose entry is `main`. Every tensor is an `array<f32>` or `array<i32>` under its name; uniforms are `uniforms[0].x`, `.y`, … in fours;
   * `GROUPS_X` is the first of the dispatch's dimensions.
   */
  code: string;
  /** Workgroups in all. */
  groups: number;
  /** Numbers that change from call to call. */
  uniforms?: number[];
  /** Names of f32 tensors that the code sees as `array<vec4<f32>>`; their sizes are multiples of 4. */
  fours?: string[];
  /** Whether the code uses f16. */
  half?: boolean;
}

const MOST_GROUPS = 65535;

/** By the code and then by what goes before it: where long code is one string from call to call, it is not read again. */
const pipelines = new WeakMap<GPUDevice, Map<string, Map<string, GPUComputePipeline>>>();

/**
 * WGSL's name for a tensor's elements as they lie on the device: booleans as i32, and so what was cast from either, for tfjs changes nothing but
 * the tensor's type then.
 */
export function elementOf(backend: WebGPUBackend, { dataId }: tf.TensorInfo): "f32" | "i32" {
  return (backend as unknown as Internals).tensorMap.get(dataId).dtype === "float32" ? "f32" : "i32";
}

/** A fresh tensor on the device, its contents not yet written. */
export function output(backend: WebGPUBackend, shape: number[]): tf.TensorInfo {
  return backend.makeTensorInfo(shape, "float32");
}

/** Bytes of memory that the threads of a workgroup can share. */
export function workgroupBytes(backend: WebGPUBackend): number {
  return (backend as unknown as Internals).device.limits.maxComputeWorkgroupStorageSize;
}

/** Tensors that one dispatch may bind. */
export function storageBuffers(backend: WebGPUBackend): number {
  return (backend as unknown as Internals).device.limits.maxStorageBuffersPerShaderStage;
}

/**
 * Queues one dispatch.
 *
 * @param inputs tensors by their names in the shader
 * @param outputs the same, written
 */
export function dispatch(
  backend: WebGPUBackend,
  { code, groups, uniforms, fours = [], half }: Shader,
  inputs: Record<string, tf.TensorInfo>,
  outputs: Record<string, tf.TensorInfo>,
): void {
  const own = backend as unknown as Internals;
  const tensors = [...Object.entries(inputs), ...Object.entries(outputs)];
  tensors.forEach(([, { dataId }]) => own.uploadToGPU(dataId));
  if (groups === 0) return;
  const groupsX = Math.min(groups, MOST_GROUPS);
  const readOnly = Object.keys(inputs).length;
  const declarations = tensors.map(([name, tensor], i) =>
    `@group(0) @binding(${i}) var<storage, ${i < readOnly ? "read" : "read_write"}> ${name}: array<${
      fours.includes(name) ? "vec4<f32>" : elementOf(backend, tensor)
    }>;`
  );
  const uniformVectors = uniforms && Math.ceil(uniforms.length / 4);
  if (uniformVectors) {
    declarations.push(
      `@group(0) @binding(${tensors.length}) var<uniform> uniforms: array<vec4<f32>, ${uniformVectors}>;`,
    );
  }
  const head = [...(half ? ["enable f16;"] : []), ...declarations, `const GROUPS_X = ${groupsX}u;`].join("\n");

  const all = pipelines.get(own.device) ?? new Map<string, Map<string, GPUComputePipeline>>();
  pipelines.set(own.device, all);
  const known = all.get(code) ?? new Map<string, GPUComputePipeline>();
  all.set(code, known);
  let pipeline = known.get(head);
  if (!pipeline) {
    const types = tensors.map((_, i) => i < readOnly ? "read-only-storage" as const : "storage" as const);
    const layout = own.device.createBindGroupLayout({
      entries: [...types, ...(uniforms ? ["uniform" as const] : [])].map((type, binding) => ({
        binding,
        visibility: GPUShaderStage.COMPUTE,
        buffer: { type },
      })),
    });
    pipeline = own.device.createComputePipeline({
      layout: own.device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module: own.device.createShaderModule({ code: `${head}\n${code}` }), entryPoint: "main" },
    });
    known.set(head, pipeline);
  }

  const buffers = tensors.map(([, { dataId }]) => own.tensorMap.get(dataId).resource);
  if (uniforms && uniformVectors) {
    const buffer = own.bufferManager.acquireBuffer(
      16 * uniformVectors,
      GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    );
    own.queue.writeBuffer(buffer, 0, Float32Array.from({ length: 4 * uniformVectors }, (_, i) => uniforms[i] ?? 0));
    own.uniformPendingDisposal.push(buffer);
    buffers.push(buffer);
  }
  tensors.forEach(([, { dataId }]) => own.commandQueueOwnedIds.add(dataId));
  const bindGroup = own.device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  own.ensureCommandEncoderReady();
  own.computePassEncoder ??= own.commandEncoder.beginComputePass();
  own.computePassEncoder.setPipeline(pipeline);
  own.computePassEncoder.setBindGroup(0, bindGroup);
  own.computePassEncoder.dispatchWorkgroups(groupsX, Math.ceil(groups / groupsX));
  own.dispatchCountInPass++;
  if (tf.env().getNumber("WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE") <= own.dispatchCountInPass) {
    own.endComputePassEncoder();
    own.submitQueue();
  }
}

/** Threads of a workgroup that works on elements. */
const ELEMENT_THREADS = 256;

/** A shader that runs `body` once for each `index` below `count`. */
export function elementwise(
  count: number,
  body: string,
  more: { declarations?: string; uniforms?: number[] } = {},
): Shader {
  return {
    groups: Math.ceil(count / ELEMENT_THREADS),
    uniforms: more.uniforms,
    code: `${more.declarations ?? ""}
@compute @workgroup_size(${ELEMENT_THREADS})
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let index = (workgroup.y * GROUPS_X + workgroup.x) * ${ELEMENT_THREADS}u + thread;
  if (index >= ${count}u) { return; }
  ${body}
}`,
  };
}
