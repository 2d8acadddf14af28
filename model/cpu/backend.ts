/**
 * The CPU backend: the system's BLAS and WebAssembly kernels, over memory that both address and all cores share. Knows no network.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { type Attributes, registerCompositions } from "../kernels/operation.ts";
import { environment, findBlas } from "./blas.ts";
import { Heap } from "./heap.ts";
import { arithmeticKernels } from "./kernels/arithmetic.ts";
import { Cpu, type Infos } from "./kernels/kernel.ts";
import { layerKernels } from "./kernels/layers.ts";
import { networkKernels } from "./kernels/network.ts";
import { productKernels } from "./kernels/product.ts";
import { rearrangeKernels } from "./kernels/rearrange.ts";
import { createMachine, PACKING_BYTES } from "./machine.ts";
import { createTensorHeap } from "./tensors.ts";
import { createThreads, RESERVED_BYTES } from "./threads.ts";

/** The name under which tfjs knows this backend; "cpu" stays the stock one. */
export const CPU_BACKEND = "native";

/** What the CPU backend runs on. */
export interface CpuReport {
  /** One line for people. */
  description: string;
  /** The matrix library's name, or "none". */
  blas: string;
  /** How many threads compute. */
  threads: number;
}

let report: CpuReport | undefined;

/**
 * Registers the CPU backend with tfjs; a second call only reports. It is not yet made the current backend.
 *
 * $HRM_BLAS names a library or "none"; $HRM_THREADS the number of threads. Without the permission to load libraries, the kernels multiply too;
 * without the permission to read the worker's module, one thread works.
 *
 * @param wanted threads; $HRM_THREADS, or else all cores, if not given
 * @throws RangeError if $HRM_THREADS is no number of threads
 */
export function startCpu(wanted?: number): CpuReport {
  if (report) return report;
  tf.enableProdMode();
  const threadCount = chooseThreads(wanted);
  const heap = new Heap(RESERVED_BYTES);
  const packing = heap.allocate(PACKING_BYTES * threadCount).address;
  const blas = findBlas(heap.memory, packing);
  const threads = createThreads(
    heap.memory,
    createMachine(heap.memory, 0, packing, blas?.path),
    threadCount,
    (index) => ({ memory: heap.memory, index, packing: packing + index * PACKING_BYTES, blasPath: blas?.path }),
  );
  const cpu = new Cpu(createTensorHeap(heap), heap, threads);
  tf.registerBackend(CPU_BACKEND, () => cpu.tensors, 1);
  tf.copyRegisteredKernels("cpu", CPU_BACKEND);
  const kernels = [networkKernels, layerKernels, productKernels, arithmeticKernels, rearrangeKernels].map((make) =>
    make(cpu)
  );
  for (const [kernelName, kernel] of kernels.flatMap((own) => Object.entries(own))) {
    if (tf.getKernel(kernelName, CPU_BACKEND)) tf.unregisterKernel(kernelName, CPU_BACKEND);
    tf.registerKernel({
      kernelName,
      backendName: CPU_BACKEND,
      kernelFunc: ({ inputs, attrs }) => kernel(inputs as Infos, attrs as Attributes),
    });
  }
  registerCompositions(CPU_BACKEND);
  const means = blas?.name ?? `WebAssembly only; ${ADVICE}`;
  report = {
    description: `cpu: ${means}, ${threadCount} thread${threadCount > 1 ? "s" : ""}`,
    blas: blas?.name ?? "none",
    threads: threadCount,
  };
  return report;
}

const ADVICE = "a BLAS (such as libopenblas0-pthread) and --allow-ffi make it several times faster";

/** $HRM_THREADS, or the number of cores where workers can be started. */
function chooseThreads(asked?: number): number {
  const wish = environment("HRM_THREADS");
  const wanted = asked ?? (wish === undefined ? navigator.hardwareConcurrency : Number(wish));
  if (!Number.isInteger(wanted) || wanted < 1 || wanted > 256) {
    throw new RangeError(`HRM_THREADS must be a whole number from 1 to 256, is "${wish}"`);
  }
  const module = new URL("./worker.ts", import.meta.url);
  const readable = module.protocol === "file:" &&
    Deno.permissions.querySync({ name: "read", path: module }).state === "granted";
  return readable ? wanted : 1;
}
