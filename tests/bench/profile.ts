/**
 * Where the time goes, by tfjs kernel. For backends that compute before they return: on a GPU this sees only the asking.
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

/** Runs `work` with every kernel of the current backend timed; the most expensive first. */
export async function profile(work: () => Promise<unknown>): Promise<KernelTime[]> {
  const times = new Map<string, KernelTime>();
  const configs = tf.getKernelsForBackend(tf.getBackend());
  const originals = configs.map((config) => config.kernelFunc);
  configs.forEach((config, i) => {
    const own: KernelTime = { kernel: config.kernelName, calls: 0, ms: 0 };
    times.set(config.kernelName, own);
    config.kernelFunc = (parameters) => {
      const start = performance.now();
      const result = originals[i](parameters);
      own.ms += performance.now() - start;
      own.calls++;
      return result;
    };
  });
  const start = performance.now();
  try {
    await work();
  } finally {
    configs.forEach((config, i) => config.kernelFunc = originals[i]);
  }
  const all = performance.now() - start;
  const used = [...times.values()].filter(({ calls }) => calls).sort((a, b) => b.ms - a.ms);
  const inside = used.reduce((sum, { ms }) => sum + ms, 0);
  return [...used, { kernel: "(outside kernels)", calls: 1, ms: all - inside }];
}
