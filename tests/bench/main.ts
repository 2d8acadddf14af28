/**
 * How fast the network trains and answers here.
 *
 *     deno task bench                                        kernels, training steps, inference
 *     deno task bench --shape 256,8,2,100,8 --json           one shape; the last line is JSON
 *     deno task bench --shape 256,8,2,100,8 --profile        where the time goes
 *     deno task bench --backend webgpu --report report.md    everything about a GPU, in under four minutes
 *     deno task bench --loop 10,8                            the looped network on a canvas of side 10, batch 8
 *
 * @module
 */
import process from "node:process";
import { type Backend, type BackendName, startBackend } from "../../model/backend.ts";
import { startCpu } from "../../model/cpu/backend.ts";
import { MAX_SIDE } from "../../model/parameters.ts";
import { choiceOption, numberOption, parseArguments, runCommand, UsageError } from "../../train/command_line.ts";
import type { Config } from "../../train/config.ts";
import { countStep, type StepCounts, watchMemory, withoutShaders } from "./device.ts";
import { profileGpu, showGpuProfile } from "./gpu_profile.ts";
import { timeKernels } from "./kernels.ts";
import { profile } from "./profile.ts";
import { writeReport } from "./report.ts";
import { hrmOf, loopOf, median, type Shape, startTraining, stepFlop, timeSegment, timeSteps } from "./step.ts";

const USAGE =
  "--shape WIDTH,HEADS,LAYERS,TOKENS,BATCH, all whole and positive, TOKENS a square, WIDTH a multiple of HEADS";

const HELP = `Times this project here: every kernel against stock tfjs, whole training steps, inference.

Usage: deno task bench [options]

  --shape WIDTH,HEADS,LAYERS,TOKENS,BATCH
                   only training steps of HRM at this shape (ACT with its target, AdamATan2)
  --loop SIDE,BATCH
                   only training steps of the looped network, and its inference
  --profile        with --shape or --loop: where a step's time goes, by kernel; on a GPU by dispatch, and what the host does
  --seconds N      how long the training steps of a size are timed, 3 to 100 of them. Default: 10
  --backend NAME   cpu, webgpu or stock (tfjs on the processor, unaided). Default: cpu
  --report FILE    with --backend webgpu: what the GPU does, in under four minutes: requests of a step, products, attention, training,
                   inference, each beside stock tfjs. FILE (Markdown) is whole after every item; what fails is told in it
  --quick          with --report: tiny sizes, whose times say nothing, in a few seconds
  --json           nothing but the last line, which is JSON
  --help           this text

HRM_BLAS names a BLAS library or, as "none", goes without; HRM_THREADS sets the number of threads.`;

/** @throws UsageError if the text is no shape */
function parseShape(text: string): Shape {
  const numbers = text.split(",").map(Number);
  const [width, heads, layers, tokens, batch] = numbers;
  const sound = numbers.length === 5 && numbers.every((n) => Number.isInteger(n) && n > 0) &&
    Number.isInteger(Math.sqrt(tokens)) && width % heads === 0;
  if (!sound) throw new UsageError(`Cannot use shape ${text}: give ${USAGE}`);
  return { width, heads, layers, tokens, batch };
}

/** @throws UsageError if the text is no canvas and batch */
function parseLoop(text: string): Config {
  const numbers = text.split(",").map(Number);
  const [side, batch] = numbers;
  const sound = numbers.length === 2 && numbers.every((n) => Number.isInteger(n) && n > 0) && side <= MAX_SIDE;
  if (!sound) throw new UsageError(`Cannot use loop ${text}: give --loop SIDE,BATCH, SIDE at most ${MAX_SIDE}`);
  return loopOf(side, batch);
}

/** Times steps of a configuration for about so many seconds, at least three. */
async function steps(config: Config, backend: Backend, seconds: number) {
  const [first] = await timeSteps(config, 1, 1, backend);
  const repeats = Math.max(3, Math.min(100, Math.ceil(1000 * seconds / first)));
  const times = await timeSteps(config, 2, repeats, backend);
  const ms = median(times);
  const best = Math.min(...times);
  return { step_ms: ms, best_step_ms: best, gflops: stepFlop(config) / ms / 1e6 };
}

const round = (value: number) => Number(value.toPrecision(4));

const megabytes = (bytes: number) => Math.round(bytes / 1e6);

/** Steps that a profile is a mean of. */
const PROFILED = 5;

/** Prints where the time of steps goes, once they have settled. */
async function printProfile(config: Config, backend: Backend, print: (line: string) => void) {
  const training = startTraining(config, backend);
  for (let i = 0; i < 3; i++) await training.step();
  if (backend.name === "webgpu") print(showGpuProfile(await profileGpu(training.step, PROFILED)));
  else {
    const parts = await profile(async () => {
      for (let i = 0; i < PROFILED; i++) await training.step();
    });
    const all = parts.reduce((sum, { ms }) => sum + ms, 0);
    for (const { kernel, calls, ms } of parts.toSorted((a, b) => b.ms - a.ms)) {
      if (ms <= all / 1000) continue;
      const share = (ms / all * 100).toFixed(1).padStart(5);
      const aStep = (ms / PROFILED).toFixed(2).padStart(9);
      print(`${share} %  ${aStep} ms a step  ${String(calls / PROFILED).padStart(6)} calls  ${kernel}`);
    }
  }
  training.dispose();
}

/** The command; throws on mistakes, `UsageError` for those in the arguments. */
export async function bench(args: string[]): Promise<void> {
  const given = parseArguments(args, ["shape", "loop", "backend", "report", "seconds"], ["json", "profile", "quick"]);
  const { shape, loop, report } = given.values;
  if (shape !== undefined && loop !== undefined) throw new UsageError("Cannot time both: give --shape or --loop");
  const only = shape !== undefined ? hrmOf(parseShape(shape)) : loop !== undefined ? parseLoop(loop) : undefined;
  const name = choiceOption<BackendName>(given, "backend", ["cpu", "webgpu", "stock"], "cpu");
  const seconds = numberOption(given, "seconds", { min: 0 }) ?? 10;
  if (given.flags.has("quick") && !report) throw new UsageError("--quick is for --report FILE");
  if (report !== undefined) {
    if (name !== "webgpu" || only) {
      throw new UsageError("--report FILE is for --backend webgpu and without --shape or --loop");
    }
    return await writeReport(report, given.flags.has("quick"));
  }
  const backend = await startBackend(name);
  const { blas, threads } = backend.name === "cpu" ? startCpu() : { blas: "none", threads: 1 };
  const about = () => ({
    backend: backend.name,
    description: backend.description,
    blas,
    threads,
    peak_rss_mb: Math.round(process.resourceUsage().maxRSS / 1024),
  });
  const print = (line: string) => given.flags.has("json") || console.log(line);
  print(backend.description);

  if (only) {
    const memory = backend.name === "webgpu" ? watchMemory() : undefined;
    const { step_ms, best_step_ms, gflops } = await steps(only, backend, seconds);
    const peak = memory?.end();
    print(`${round(step_ms)} ms a step, best ${round(best_step_ms)}; ${round(gflops)} GFLOP/s`);
    if (peak) print(`at most ${megabytes(peak.used)} MB in the GPU's buffers, ${megabytes(peak.held)} MB held`);
    if (given.flags.has("profile")) await printProfile(only, backend, print);
    const segments = only.training.batchSize / (await timeSegment(only, 4, 3)) * 1000;
    console.log(JSON.stringify({
      ...(shape ? { shape } : { loop }),
      step_ms: round(step_ms),
      best_step_ms: round(best_step_ms),
      gflops: round(gflops),
      segments_per_second: round(segments),
      ...(peak && { peak_gpu_mb: megabytes(peak.used), held_gpu_mb: megabytes(peak.held) }),
      ...about(),
    }));
  } else {
    const counts: Record<string, StepCounts> = {};
    if (backend.name === "webgpu") {
      const official = hrmOf(parseShape("64,4,4,16,2"));
      counts.shaders = await countStep(official);
      counts.stock = await withoutShaders(() => countStep(official));
      print("\none training step of the official structure (4+4 layers, 2x2 cycles, ACT with its target), small");
      print("            dispatches   submissions   read-backs   new bytes");
      for (const [name, { dispatches, submissions, readBacks, newBytes }] of Object.entries(counts)) {
        print(
          name.padEnd(10) + [dispatches, submissions, readBacks, newBytes].map((n) => String(n).padStart(12)).join(" "),
        );
      }
      if (/a processor/.test(backend.description)) {
        print("\nno times: this adapter is a processor");
        console.log(JSON.stringify({ counts, ...about() }));
        return;
      }
    }
    if (backend.name === "cpu") {
      print("\nkernel                                        us     rate           stock / kernel");
      await timeKernels(({ name, us, stockUs, rate, unit }) =>
        print(
          `${name.padEnd(38)} ${us.toFixed(1).padStart(9)}  ${rate.toFixed(1).padStart(6)} ${unit.padEnd(8)} ${
            (stockUs / us).toFixed(1).padStart(9)
          }`,
        )
      );
      await startBackend("cpu");
    }
    const configs: [string, Config][] = [
      ["HRM 128, 2+2 layers, 100 tokens, batch 8", hrmOf(parseShape("128,4,2,100,8"))],
      ["HRM 256, 2+2 layers, 100 tokens, batch 8", hrmOf(parseShape("256,8,2,100,8"))],
      ["HRM 512, 4+4 layers, 100 tokens, batch 8", hrmOf(parseShape("512,8,4,100,8"))],
      ["HRM 512, 4+4 layers, 900 tokens, batch 1", hrmOf(parseShape("512,8,4,900,1"))],
      ["HRM 128, 2+2 layers, 25 tokens, batch 128", hrmOf(parseShape("128,4,2,25,128"))],
      ["loop 64, 100 tokens, batch 8", loopOf(10, 8)],
    ];
    print("\ntraining                                       ms a step   GFLOP/s   inference: segments of one sample/s");
    const results: Record<string, unknown> = {};
    for (const [name, config] of configs) {
      const { step_ms, gflops } = await steps(config, backend, seconds);
      const segments = config.training.batchSize / (await timeSegment(config, 4, 3)) * 1000;
      results[name] = { step_ms: round(step_ms), gflops: round(gflops), segments_per_second: round(segments) };
      print(
        `${name.padEnd(45)} ${step_ms.toFixed(1).padStart(9)} ${gflops.toFixed(1).padStart(9)} ${
          segments.toFixed(1).padStart(9)
        }`,
      );
    }
    console.log(JSON.stringify({ counts, ...results, ...about() }));
  }
}

if (import.meta.main) Deno.exit(await runCommand(HELP, Deno.args, bench));
