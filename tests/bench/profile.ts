/**
 * Where the time goes, by tfjs kernel. For backends that compute before they return: on a GPU this sees only the asking, see gpu_profile.ts.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";

/** One kernel's share. */
export interface KernelTime {
  /** The kernel's name. */
  kernel: string;
  /** How often it ran. */
  calls: number;
  /** Milliseconds in it. */
  ms: number;
}

/** Runs `work` with `around` about every kernel of the current backend. */
export async function aroundKernels(
  around: <Result>(kernel: string, run: () => Result) => Result,
  work: () => Promise<unknown>,
): Promise<void> {
  const configs = tf.getKernelsForBackend(tf.getBackend());
  const originals = configs.map((config) => config.kernelFunc);
  configs.forEach((config, i) =>
    config.kernelFunc = (parameters) => around(config.kernelName, () => originals[i](parameters))
  );
  try {
    await work();
  } finally {
    configs.forEach((config, i) => config.kernelFunc = originals[i]);
  }
}

/** Runs `work` with every kernel of the current backend timed; the most expensive first. */
export async function profile(work: () => Promise<unknown>): Promise<KernelTime[]> {
  const times = new Map<string, KernelTime>();
  const start = performance.now();
  await aroundKernels((kernel, run) => {
    const own = times.get(kernel) ?? { kernel, calls: 0, ms: 0 };
    times.set(kernel, own);
    const start = performance.now();
    const result = run();
    own.ms += performance.now() - start;
    own.calls++;
    return result;
  }, work);
  const all = performance.now() - start;
  const used = [...times.values()].sort((a, b) => b.ms - a.ms);
  const inside = used.reduce((sum, { ms }) => sum + ms, 0);
  return [...used, { kernel: "(outside kernels)", calls: 1, ms: all - inside }];
}
