/**
 * What a GPU does for this project, in one report: the adapter, what a training step asks for, products, attention, training steps,
 * inference; each beside stock tfjs. Every item runs on a device of its own, so that none pays for the memory or the errors of another.
 *
 * @module
 */
import { startBackend } from "../../model/backend.ts";
import { type Config, makeConfig } from "../../train/config.ts";
import { countStep, hasOwnProducts, withoutShaders } from "./device.ts";
import { type AttentionShape, type QueuedTime, timeAttention, timeProducts } from "./queued.ts";
import { ReportFile } from "./report_file.ts";
import { hrmOf, loopOf, median, startNetwork, startTraining, stepFlop, timeSegment } from "./step.ts";

/** What is measured, and for how long. */
interface Plan {
  /** M, the rows of products. */
  rows: number;
  /** [N, K] of the weights of linear layers. */
  weights: [number, number][];
  /** Attention with its gradient. */
  attention: AttentionShape[];
  /** Trainings by name. */
  trainings: [string, Config][];
  /** Trainings that stock tfjs can hold, too. */
  compared: [string, Config][];
  /** The training whose requests are counted. */
  counted: [string, Config];
  /** Milliseconds of a queue. */
  queue: number;
  /** Milliseconds of training steps, three steps at least. */
  steps: number;
}

const arc = (side: number, batchSize: number) => makeConfig("arc", side, { training: { batchSize } });

/** The sizes at which the presets are trained. */
const WHOLE: Plan = {
  rows: 32 * 901,
  weights: [[1536, 512], [512, 512], [3072, 512], [512, 1536]],
  attention: [
    { length: 901, heads: 8, headWidth: 64, batch: 32 },
    { length: 26, heads: 4, headWidth: 32, batch: 768 },
    { length: 108, heads: 4, headWidth: 16, batch: 64 },
  ],
  trainings: [
    ["arc, side 30, batch 32", arc(30, 32)],
    ["arc, side 30, batch 8", arc(30, 8)],
    ["mini, side 6, batch 768", makeConfig("mini", 6, { training: { batchSize: 768 } })],
    ["loop, side 10, batch 64", loopOf(10, 64)],
    ["loop, side 10, batch 256", loopOf(10, 256)],
  ],
  compared: [["arc, side 30, batch 4", arc(30, 4)], ["arc, side 30, batch 2", arc(30, 2)]],
  counted: ["arc, side 30, batch 2", arc(30, 2)],
  queue: 300,
  steps: 4000,
};

const tiny = hrmOf({ width: 16, heads: 2, layers: 1, tokens: 4, batch: 2 });

/** The same in small, for trying it out. */
const QUICK: Plan = {
  rows: 64,
  weights: [[48, 16]],
  attention: [{ length: 5, heads: 2, headWidth: 8, batch: 2 }],
  trainings: [["tiny", tiny]],
  compared: [["tiny", tiny]],
  counted: ["tiny", tiny],
  queue: 1,
  steps: 1,
};

/** TFLOP/s of f32 without tensor cores, from the vendor's data sheet, or undefined for a card not listed. */
export function peakOf(adapter: string): number | undefined {
  return /\bH[12]00\b/.test(adapter) && !/PCIe|NVL/.test(adapter) ? 67 : undefined;
}

const OURS = "this project";
const STOCK = "stock tfjs";

const digits = (value: number) => String(Number(value.toPrecision(4)));

/** Milliseconds, TFLOP/s and the share of the peak. */
function speed(ms: number, flop: number, peak: number | undefined): string[] {
  const rate = flop / ms / 1e9;
  return [digits(ms), digits(rate), peak ? `${(100 * rate / peak).toFixed(1)} %` : ""];
}

function limitsOf(limits: GPUSupportedLimits): string[][] {
  const names = Object.keys(Object.getOwnPropertyDescriptors(Object.getPrototypeOf(limits)));
  return names.filter((name) => name.startsWith("max") || name.startsWith("min"))
    .map((name) => [name, String(limits[name as keyof GPUSupportedLimits])]);
}

/** Runs `f` on a fresh device, with this project's kernels or with tfjs' alone. */
async function started<T>(kernels: string, f: () => Promise<T>): Promise<T> {
  await startBackend("webgpu");
  return await (kernels === STOCK ? withoutShaders(f) : f());
}

/** Training on a fresh device: seconds until the first step is done, the device included; then a step's median. */
async function train(config: Config, kernels: string, budget: number): Promise<{ first: number; ms: number }> {
  const start = performance.now();
  return await started(kernels, async () => {
    const training = startTraining(config);
    await training.step();
    const first = (performance.now() - start) / 1000;
    await training.step();
    const times: number[] = [];
    for (let spent = 0; spent < budget || times.length < 3;) {
      const begin = performance.now();
      await training.step();
      times.push(performance.now() - begin);
      spent += times[times.length - 1];
    }
    training.dispose();
    return { first, ms: median(times) };
  });
}

/**
 * Measures and writes the report, whole after every item; what fails is told in its row.
 *
 * @param quick small sizes, whose times say nothing
 * @throws {Error} without an adapter, or where the file cannot be written
 */
export async function writeReport(file: string, quick: boolean): Promise<void> {
  const plan = quick ? QUICK : WHOLE;
  const { description } = await startBackend("webgpu");
  const peak = peakOf(description);
  const report = new ReportFile(file, description, { item: 60, all: 220 });
  const share = peak ? `share of ${peak} TFLOP/s` : "share of the peak (unknown)";

  const adapter = report.section("Adapter", "Features and limits of the adapter.", ["what", "value"]);
  const start = report.section("Start", "What a process pays once.", ["what", "seconds"]);
  const counts = report.section(
    "Requests of one training step",
    `${plan.counted[0]}; buffers are reused by then.`,
    ["kernels", "dispatches", "submissions", "new bytes", "read-backs", "peak bytes"],
  );
  const products = report.section(
    "Products",
    `f32, M = ${plan.rows} rows, weights [N, K]; a queue of ${plan.queue} ms or more, median of three.`,
    ["weights, product", "kernel", "ms", "TFLOP/s", share],
  );
  const trainings = report.section(
    "Training",
    "One step with its reading; operations of the products and of attention are counted. The first step: from no device to its end, without drawing first values.",
    ["training", "kernels", "ms", "TFLOP/s", share, "first step, s"],
  );
  const inference = report.section("Inference", "Segments of one sample in a second.", ["network", "segments/s"]);
  const attention = report.section(
    "Attention",
    "f32, rotation included; two products forward and five backward are counted.",
    ["shape", "kernels", "ms", "TFLOP/s", share],
  );

  const timed = (name: string, kernels: string, times: QueuedTime[]) =>
    times.map((time) => [`${name} ${time.name}`, kernels, ...speed(time.ms, time.flop, peak)]);
  const count = (kernels: string) =>
    counts(kernels, async () => {
      const c = await started(kernels, () => countStep(plan.counted[1]));
      return [[kernels, ...[c.dispatches, c.submissions, c.newBytes, c.readBacks, c.peakBytes].map(String)]];
    });
  const measureProducts = async (kernels: string) => {
    for (const weights of plan.weights) {
      const name = `[${weights.join(", ")}]`;
      await products(name, async () => {
        const times = await started(kernels, () => timeProducts(plan.rows, weights, plan.queue));
        return timed(name, kernels, times);
      });
    }
  };
  const measureTraining = ([name, config]: [string, Config], kernels: string) =>
    trainings(`${name}, ${kernels}`, async () => {
      const { first, ms } = await train(config, kernels, plan.steps);
      return [[name, kernels, ...speed(ms, stepFlop(config), peak), digits(first)]];
    });
  const measureAttention = async (kernels: string) => {
    for (const shape of plan.attention) {
      const name = `T=${shape.length} N=${shape.heads} K=${shape.headWidth} B=${shape.batch}`;
      await attention(`${name}, ${kernels}`, async () => {
        const times = await started(kernels, () => timeAttention(shape, plan.queue));
        return timed(name, kernels, times);
      });
    }
  };

  await adapter("adapter", async () => {
    const { info, features, limits } = (await navigator.gpu.requestAdapter({ powerPreference: "high-performance" }))!;
    return [
      ["name", description],
      ["vendor, architecture, driver", [info.vendor, info.architecture, info.description].join(", ")],
      ["features", [...features].join(", ")],
      ...limitsOf(limits),
    ];
  });
  await start("first values", async () => {
    await startBackend("webgpu");
    const begin = performance.now();
    startNetwork(plan.counted[1].model);
    return [[`first values of ${plan.counted[0]}`, digits((performance.now() - begin) / 1000)]];
  });
  await count(OURS);
  if (hasOwnProducts()) await measureProducts(OURS);
  await measureProducts(STOCK);
  for (const training of [...plan.trainings, ...plan.compared]) await measureTraining(training, OURS);
  for (const [name, config] of plan.trainings) {
    await inference(name, async () => {
      const ms = await started(OURS, () => timeSegment(config, 2, 2));
      return [[name, digits(config.training.batchSize / ms * 1000)]];
    });
  }
  await measureAttention(OURS);
  // What stock tfjs cannot hold may take the process down: it comes last.
  for (const training of plan.compared) await measureTraining(training, STOCK);
  await count(STOCK);
  await measureAttention(STOCK);
}
