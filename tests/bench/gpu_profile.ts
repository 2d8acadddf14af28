/**
 * Where a GPU's time goes, dispatch by dispatch, and what the host does meanwhile. Knows no training.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import type { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import { replaceMethod } from "./device.ts";
import { aroundKernels } from "./profile.ts";

/** Dispatches of one kernel with one shape of outputs; sums over all steps. */
export interface DispatchTime {
  /** The tfjs kernel, the shader, the shapes of what it writes. */
  name: string;
  /** How many. */
  count: number;
  /** Milliseconds of the GPU in them. */
  ms: number;
  /** Milliseconds between the ends of dispatches before these and their beginnings: waiting for the host, copying, clearing. */
  gapMs: number;
}

/** Calls of the WebGPU interface that take the host's time; sums over all steps. */
export interface HostTime {
  /** The method. */
  name: string;
  /** How many calls. */
  count: number;
  /** Milliseconds in them; of `mapAsync` until it is done. */
  ms: number;
}

/** What {@link profileGpu} finds. */
export interface GpuProfile {
  /** Steps in each half of the profile. */
  steps: number;
  /** Dispatches, the most expensive first. */
  dispatches: DispatchTime[];
  /** Milliseconds of the GPU in all dispatches. */
  busyMs: number;
  /** Milliseconds from the first dispatch's beginning to the last one's end, step by step. */
  spanMs: number;
  /** Calls of the host, the most expensive first, from steps whose dispatches are not timed. */
  host: HostTime[];
  /** Milliseconds of those steps. */
  wallMs: number;
  /** Bytes of buffers that those steps filled from the host, and of those read by it. */
  bytes: { uploaded: number; read: number };
  /** Bytes of buffers newly made. */
  newBytes: number;
}

/** Most queries that a set may have. */
const QUERIES = 4096;

type Pass = GPUComputePassEncoder;

/** The names of dispatches in the order they are asked for, each with its two timestamps in `sets`. */
class Timeline {
  names: string[] = [];
  sets: GPUQuerySet[] = [];
  kernel = "(no kernel)";
  shape?: number[];

  constructor(private device: GPUDevice) {}

  /** A pass whose every dispatch is a real pass of its own, timed. */
  begin(beginPass: (descriptor: GPUComputePassDescriptor) => Pass): Pass {
    let pipeline: GPUComputePipeline;
    let group: GPUBindGroup;
    const pass = {
      setPipeline: (value: GPUComputePipeline) => pipeline = value,
      setBindGroup: (_: number, value: GPUBindGroup) => group = value,
      dispatchWorkgroups: (...grid: [number, number, number]) => {
        const real = beginPass({ timestampWrites: this.#next(pipeline.label) });
        real.setPipeline(pipeline);
        real.setBindGroup(0, group);
        real.dispatchWorkgroups(...grid);
        real.end();
      },
      end: () => {},
    };
    return pass as unknown as Pass;
  }

  #next(label: string): GPUComputePassTimestampWrites {
    const index = 2 * this.names.length;
    if (index % QUERIES === 0) this.sets.push(this.device.createQuerySet({ type: "timestamp", count: QUERIES }));
    const shader = this.shape ? `${label} → [${this.shape}]` : label;
    this.names.push(shader.startsWith(this.kernel) ? shader : `${this.kernel}: ${shader}`);
    this.shape = undefined;
    const beginningOfPassWriteIndex = index % QUERIES;
    return {
      querySet: this.sets.at(-1)!,
      beginningOfPassWriteIndex,
      endOfPassWriteIndex: beginningOfPassWriteIndex + 1,
    };
  }

  /** Nanoseconds at which dispatches began and ended, two a dispatch; forgets them. */
  async take(): Promise<{ name: string; begin: number; end: number }[]> {
    const { names, sets, device } = this;
    [this.names, this.sets] = [[], []];
    const size = sets.length * QUERIES * 8;
    if (!size) return [];
    const resolved = device.createBuffer({ size, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC });
    const read = device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    const encoder = device.createCommandEncoder();
    sets.forEach((set, i) => {
      const used = Math.min(QUERIES, 2 * names.length - i * QUERIES);
      encoder.resolveQuerySet(set, 0, used, resolved, i * QUERIES * 8);
    });
    encoder.copyBufferToBuffer(resolved, 0, read, 0, size);
    device.queue.submit([encoder.finish()]);
    await read.mapAsync(GPUMapMode.READ);
    // Deno does not tell a timestamp's unit, which on NVIDIA's and software adapters is a nanosecond.
    const times = new BigUint64Array(read.getMappedRange().slice(0));
    [resolved, read, ...sets].forEach((one) => one.destroy());
    return names.map((name, i) => ({
      name,
      begin: Number(times[2 * i] - times[0]),
      end: Number(times[2 * i + 1] - times[0]),
    }));
  }
}

async function timeDispatches(step: () => Promise<unknown>, steps: number) {
  const backend = tf.backend() as WebGPUBackend;
  const timeline = new Timeline(backend.device);
  const times = new Map<string, DispatchTime>();
  let [busyMs, spanMs] = [0, 0];
  const undo = [
    replaceMethod(GPUCommandEncoder.prototype, "beginComputePass", (original) =>
      function (this: GPUCommandEncoder) {
        return timeline.begin((descriptor) => original.call(this, descriptor));
      }),
    replaceMethod(
      backend,
      "runWebGPUProgram",
      (original) =>
        function (this: unknown, program: { outputShape: number[] }, ...others: unknown[]) {
          timeline.shape = program.outputShape;
          return original.call(this, program, ...others);
        },
    ),
  ];
  const named = <Result>(kernel: string, run: () => Result): Result => {
    const outer = timeline.kernel;
    timeline.kernel = kernel;
    const result = run();
    timeline.kernel = outer;
    return result;
  };
  try {
    await aroundKernels(named, async () => {
      for (let i = 0; i < steps; i++) {
        await step();
        const all = await timeline.take();
        for (const [j, { name, begin, end }] of all.entries()) {
          const own = times.get(name) ?? { name, count: 0, ms: 0, gapMs: 0 };
          times.set(name, own);
          own.count++;
          own.ms += (end - begin) / 1e6;
          own.gapMs += (begin - (all[j - 1]?.end ?? begin)) / 1e6;
          busyMs += (end - begin) / 1e6;
        }
        if (all.length) spanMs += all.at(-1)!.end / 1e6;
      }
    });
  } finally {
    undo.forEach((restore) => restore());
  }
  return { dispatches: [...times.values()].sort((a, b) => b.ms - a.ms), busyMs, spanMs };
}

/** What a step calls, but for what costs nothing. */
const HOST_CALLS: [prototype: object, methods: string[]][] = [
  [GPUDevice.prototype, [
    "createBuffer",
    "createBindGroup",
    "createBindGroupLayout",
    "createPipelineLayout",
    "createShaderModule",
    "createComputePipeline",
    "createCommandEncoder",
  ]],
  [GPUQueue.prototype, ["submit", "writeBuffer"]],
  [GPUCommandEncoder.prototype, ["beginComputePass", "copyBufferToBuffer", "finish"]],
  [GPUComputePassEncoder.prototype, ["setPipeline", "setBindGroup", "dispatchWorkgroups", "end"]],
  [GPUBuffer.prototype, ["mapAsync", "getMappedRange", "unmap", "destroy"]],
];

async function timeHost(step: () => Promise<unknown>, steps: number) {
  const bytes = { uploaded: 0, read: 0 };
  let newBytes = 0;
  const seen: Record<string, (self: GPUBuffer, values: unknown[]) => void> = {
    createBuffer: (_, [made]) => {
      const { size, mappedAtCreation } = made as GPUBufferDescriptor;
      newBytes += size;
      if (mappedAtCreation) bytes.uploaded += size;
    },
    writeBuffer: (_, [, , data, , size]) => bytes.uploaded += size as number ?? (data as ArrayBuffer).byteLength,
    mapAsync: ({ size }) => bytes.read += size,
  };
  const times: HostTime[] = [];
  const undo = HOST_CALLS.flatMap(([prototype, methods]) =>
    methods.map((name) => {
      const own: HostTime = { name, count: 0, ms: 0 };
      times.push(own);
      return replaceMethod(prototype, name, (original) =>
        function (this: GPUBuffer, ...values: unknown[]) {
          own.count++;
          seen[name]?.(this, values);
          const start = performance.now();
          const stop = () => own.ms += performance.now() - start;
          const result = original.apply(this, values);
          if (result instanceof Promise) result.then(stop, stop);
          else stop();
          return result;
        });
    })
  );
  const start = performance.now();
  try {
    for (let i = 0; i < steps; i++) await step();
  } finally {
    undo.forEach((restore) => restore());
  }
  const wallMs = performance.now() - start;
  const host = times.filter(({ count }) => count).sort((a, b) => b.ms - a.ms);
  const rest = wallMs - host.reduce((sum, { ms }) => sum + ms, 0);
  return { host: [...host, { name: "(everything else)", count: steps, ms: rest }], wallMs, bytes, newBytes };
}

/**
 * Profiles `steps` calls of `step` twice, after it has run often enough to have compiled and allocated what it needs: once with the host's calls
 * timed, once with every dispatch in a pass of its own between two timestamps, which slows the host but not the dispatches.
 *
 * @throws {Error} where the device has no timestamps
 */
export async function profileGpu(step: () => Promise<unknown>, steps: number): Promise<GpuProfile> {
  const { device } = tf.backend() as WebGPUBackend;
  if (!device.features.has("timestamp-query")) {
    throw new Error("Cannot profile: this adapter lacks timestamp-query; time whole steps, without --profile");
  }
  const host = await timeHost(step, steps);
  return { steps, ...host, ...await timeDispatches(step, steps) };
}

/** Rows below this share of the whole are summed up in one. */
const LEAST_SHARE = 0.002;

const number = (value: number, digits: number, width: number) => value.toFixed(digits).padStart(width);

/** A profile as text: tables of one step. */
export function showGpuProfile(
  { steps, dispatches, busyMs, spanMs, host, wallMs, bytes, newBytes }: GpuProfile,
): string {
  const dispatchLine = ({ name, count, ms, gapMs }: DispatchTime) =>
    `${number(100 * ms / busyMs, 1, 6)} % ${number(ms / steps, 3, 10)} ms ${number(gapMs / steps, 3, 9)} ms ${
      number(count / steps, 1, 7)
    }  ${name}`;
  const shown = dispatches.filter(({ ms, gapMs }) => ms + gapMs >= LEAST_SHARE * spanMs);
  const small = dispatches.filter((one) => !shown.includes(one));
  const sum = (all: DispatchTime[], key: "count" | "ms" | "gapMs") => all.reduce((sum, one) => sum + one[key], 0);
  const others = {
    name: `(${small.length} others)`,
    count: sum(small, "count"),
    ms: sum(small, "ms"),
    gapMs: sum(small, "gapMs"),
  };
  const megabytes = (bytes: number) => (bytes / steps / 1e6).toFixed(3);
  return [
    "one step on the GPU: share, time, gap before, dispatches",
    ...[...shown, ...(small.length ? [others] : [])].map(dispatchLine),
    "",
    "one step on the host: time, calls",
    ...host.map(({ name, count, ms }) => `${number(ms / steps, 3, 10)} ms ${number(count / steps, 1, 7)}  ${name}`),
    "",
    `one step: ${(wallMs / steps).toFixed(2)} ms, the GPU busy for ${
      (busyMs / steps).toFixed(2)
    } ms, idle or copying for ${((wallMs - busyMs) / steps).toFixed(2)} ms; with timestamps, ${
      (spanMs / steps).toFixed(2)
    } ms from the first dispatch to the last; ${megabytes(bytes.uploaded)} MB up, ${
      megabytes(bytes.read)
    } MB read back, ${megabytes(newBytes)} MB of buffers made`,
  ].join("\n");
}
