/**
 * A worker thread of an {@link Ensemble}: adapts to the tasks it is sent, on one core.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { isMainThread, parentPort, workerData } from "node:worker_threads";
import type { UnansweredTask } from "../arc/task.ts";
import { startBackend } from "../model/backend.ts";
import type { Parameters } from "../model/parameters.ts";
import { adapt, type Adaptation, type AdaptOptions, type AdaptProgress, type Prior } from "./adapt.ts";

/** Seconds of an adaptation that begins when there are none left: enough for one round of guesses. */
export const LEAST = 1e-3;

/** What a member is told. */
export type Message =
  | {
    kind: "adapt";
    task: UnansweredTask;
    options: Omit<AdaptOptions, "onStep" | "signal">;
    /** When its seconds began, in milliseconds as Date.now() has them: starting the thread takes some of them. */
    sent: number;
  }
  | { kind: "abort" };

/** What a member tells. */
export type Reply =
  | { kind: "progress"; progress: AdaptProgress }
  | { kind: "done"; adaptation: Adaptation }
  | { kind: "failed"; message: string };

type Packed = Record<string, { shape: number[]; values: Float32Array }>;

/** A prior as plain arrays, to be sent to a thread. */
export interface PackedPrior {
  /** How it is trained. */
  config: Prior["config"];
  /** Where new rows start. */
  row?: Float32Array;
  /** Its network's tensors. */
  network?: { parameters: Packed; buffers: Packed };
}

/** Packs a prior; its tensors must be readable at once, as they are on the processor. */
export function packPrior({ config, network, row }: Prior): PackedPrior {
  const pack = (tensors: Parameters): Packed =>
    Object.fromEntries(
      Object.entries(tensors).map(([name, tensor]) => [name, {
        shape: tensor.shape,
        values: new Float32Array(tensor.dataSync() as Float32Array),
      }]),
    );
  return { config, row, network: network && { parameters: pack(network.parameters), buffers: pack(network.buffers) } };
}

function unpackPrior({ config, network, row }: PackedPrior): Prior {
  const unpack = (packed: Packed): Parameters =>
    Object.fromEntries(Object.entries(packed).map(([name, { shape, values }]) => [name, tf.tensor(values, shape)]));
  return {
    config,
    row,
    network: network && {
      config: config.model,
      parameters: unpack(network.parameters),
      buffers: unpack(network.buffers),
    },
  };
}

if (!isMainThread && parentPort && workerData?.member) {
  const port = parentPort;
  const say = (reply: Reply) => port.postMessage(reply);
  const ready = startBackend("cpu", 1).then(() => unpackPrior(workerData.member as PackedPrior));
  let controller = new AbortController();
  port.on("message", async (message: Message) => {
    if (message.kind === "abort") return controller.abort();
    controller = new AbortController();
    let heard = 0;
    try {
      const prior = await ready;
      const { seconds, ...bounds } = message.options.budget;
      const left = seconds && Math.max(LEAST, seconds - (Date.now() - message.sent) / 1000);
      const adaptation = await adapt(message.task, prior, {
        ...message.options,
        budget: { ...bounds, seconds: left },
        signal: controller.signal,
        onStep: (progress) => {
          if (performance.now() - heard < 100) return;
          heard = performance.now();
          say({ kind: "progress", progress });
        },
      });
      say({ kind: "done", adaptation });
    } catch (error) {
      say({ kind: "failed", message: (error as Error).message });
    }
  });
}
