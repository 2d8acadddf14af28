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
  tensorMap: { get(dataId: tf.DataId): { dtype: tf.DataType; resource: GPUBuffer } };
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
  /** Names of tensors bound as `array<vec4<f32>>` instead; their sizes must be multiples of four. */
  fours?: string[];
  /** Workgroups in all. */
  groups: number;
  /** Whether the code uses f16. */
  half?: boolean;
  /** What people call it; its key if not given. */
  name?: string;
}

/** A shader made ready for tensors of certain shapes. */
interface Compiled {
  /** The whole text. */
  text: string;
  pipeline: GPUComputePipeline;
  layout: GPUBindGroupLayout;
  /** Workgroups along x and y. */
  grid: [number, number];
}

/** Tensors by their names in a shader. */
type Tensors = Record<string, tf.TensorInfo>;

const MOST_GROUPS = 65535;

const compiled = new WeakMap<GPUDevice, Map<string, Compiled | null>>();

let check: ((text: string) => void) | undefined;

/** From now on every dispatch makes its text, and throws where its key has stood for another one or `own` finds fault with it; for tests. */
export function checkTexts(own: (text: string) => void): void {
  check = own;
}

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

/** Bytes of memory that the threads of a workgroup can share, and how many they can be. */
export function workgroupLimits(backend: WebGPUBackend): { bytes: number; threads: number } {
  const { limits } = (backend as unknown as Internals).device;
  const threads = Math.min(limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX);
  return { bytes: limits.maxComputeWorkgroupStorageSize, threads };
}

/** Tensors that one dispatch may bind. */
export function storageBuffers(backend: WebGPUBackend): number {
  return (backend as unknown as Internals).device.limits.maxStorageBuffersPerShaderStage;
}

/** The whole text of a shader, with what it binds declared in order. */
function textOf(
  backend: WebGPUBackend,
  { code, groups, fours = [], half }: Shader,
  inputs: Tensors,
  outputs: Tensors,
  uniformVectors: number,
): string {
  const tensors = [...Object.entries(inputs), ...Object.entries(outputs)];
  const readOnly = Object.keys(inputs).length;
  const declarations = tensors.map(([name, tensor], i) =>
    `@group(0) @binding(${i}) var<storage, ${i < readOnly ? "read" : "read_write"}> ${name}: array<${
      fours.includes(name) ? "vec4<f32>" : elementOf(backend, tensor)
    }>;`
  );
  if (uniformVectors) {
    declarations.push(
      `@group(0) @binding(${tensors.length}) var<uniform> uniforms: array<vec4<f32>, ${uniformVectors}>;`,
    );
  }
  const head = [...(half ? ["enable f16;"] : []), ...declarations];
  return [...head, `const GROUPS_X = ${Math.min(groups, MOST_GROUPS)}u;`, code].join("\n");
}

/** The shapes of tensors for people, those that are alike told once. */
function shapesOf(tensors: Tensors): string {
  const shapes = Object.values(tensors).map(({ shape }) => `[${shape}]`);
  return [...new Set(shapes)].map((shape) => {
    const count = shapes.filter((other) => other === shape).length;
    return count > 1 ? `${count} ${shape}` : shape;
  }).join(" ");
}

/** Makes a shader ready; null where there is nothing to do. */
function compile(
  backend: WebGPUBackend,
  key: string,
  shader: Shader,
  inputs: Tensors,
  outputs: Tensors,
  uniformVectors: number,
): Compiled | null {
  if (shader.groups === 0) return null;
  const { device } = backend as unknown as Internals;
  const text = textOf(backend, shader, inputs, outputs, uniformVectors);
  const types: GPUBufferBindingType[] = [
    ...Object.keys(inputs).map(() => "read-only-storage" as const),
    ...Object.keys(outputs).map(() => "storage" as const),
    ...(uniformVectors ? ["uniform" as const] : []),
  ];
  const layout = device.createBindGroupLayout({
    entries: types.map((type, binding) => ({ binding, visibility: GPUShaderStage.COMPUTE, buffer: { type } })),
  });
  const pipeline = device.createComputePipeline({
    label: `${shader.name ?? key} → ${shapesOf(outputs)}`,
    layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
    compute: { module: device.createShaderModule({ code: text }), entryPoint: "main" },
  });
  const groupsX = Math.min(shader.groups, MOST_GROUPS);
  return { text, pipeline, layout, grid: [groupsX, Math.ceil(shader.groups / groupsX)] };
}

/** What a shader's text depends on beside `key`: names, types and shapes of its tensors, the number of its uniforms. */
function bindingKey(backend: WebGPUBackend, tensors: [string, tf.TensorInfo][], uniformVectors: number): string {
  let key = String(uniformVectors);
  for (const [name, tensor] of tensors) key += `|${name} ${elementOf(backend, tensor)} ${tensor.shape}`;
  return key;
}

/**
 * Queues one dispatch.
 *
 * @param key says, with the tensors' names, types and shapes, all that the shader's text depends on: the text is only made when they are new
 * @param inputs tensors by their names in the shader
 * @param outputs the same, written
 * @param uniforms numbers that change from call to call
 */
export function dispatch(
  backend: WebGPUBackend,
  key: string,
  shader: () => Shader,
  inputs: Tensors,
  outputs: Tensors,
  uniforms: number[] = [],
): void {
  const own = backend as unknown as Internals;
  const tensors = [...Object.entries(inputs), ...Object.entries(outputs)];
  tensors.forEach(([, { dataId }]) => own.uploadToGPU(dataId));
  const uniformVectors = Math.ceil(uniforms.length / 4);

  let known = compiled.get(own.device);
  if (!known) compiled.set(own.device, known = new Map());
  const whole = `${key}|${Object.keys(inputs).length}|${bindingKey(backend, tensors, uniformVectors)}`;
  let ready = known.get(whole);
  if (ready === undefined) known.set(whole, ready = compile(backend, key, shader(), inputs, outputs, uniformVectors));
  if (ready === null) return;
  if (check) {
    const text = textOf(backend, shader(), inputs, outputs, uniformVectors);
    if (ready.text !== text) throw new Error(`The key of a shader stands for two texts: ${whole}`);
    check(text);
  }

  const buffers = tensors.map(([, { dataId }]) => own.tensorMap.get(dataId).resource);
  if (uniformVectors) {
    const buffer = own.bufferManager.acquireBuffer(
      16 * uniformVectors,
      GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    );
    const padded = new Float32Array(4 * uniformVectors);
    padded.set(uniforms);
    own.queue.writeBuffer(buffer, 0, padded);
    own.uniformPendingDisposal.push(buffer);
    buffers.push(buffer);
  }
  tensors.forEach(([, { dataId }]) => own.commandQueueOwnedIds.add(dataId));
  const bindGroup = own.device.createBindGroup({
    layout: ready.layout,
    entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  own.ensureCommandEncoderReady();
  own.computePassEncoder ??= own.commandEncoder.beginComputePass();
  own.computePassEncoder.setPipeline(ready.pipeline);
  own.computePassEncoder.setBindGroup(0, bindGroup);
  own.computePassEncoder.dispatchWorkgroups(...ready.grid);
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
  declarations = "",
): Shader {
  return {
    groups: Math.ceil(count / ELEMENT_THREADS),
    code: `${declarations}
@compute @workgroup_size(${ELEMENT_THREADS})
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let index = (workgroup.y * GROUPS_X + workgroup.x) * ${ELEMENT_THREADS}u + thread;
  if (index >= ${count}u) { return; }
  ${body}
}`,
  };
}
