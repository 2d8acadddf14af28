/**
 * What people see of a training: a bar on a terminal, a line every few seconds in a pipe. Knows no arguments and no files.
 *
 * @module
 */
import cliProgress from "cli-progress";
import process from "node:process";
import type { TrainReport } from "./loop.ts";

interface Shown {
  loss: string;
  exact: string;
  segments: string;
  speed: string;
}

/** The display of one training. */
export class Display {
  #bar?: cliProgress.SingleBar;
  #printed = -Infinity;
  #exact = 0;
  #halted = 0;
  #segments = 0;

  /** A display of a training of `total` steps or seconds. */
  constructor(readonly unit: "steps" | "seconds", readonly total: number) {
    if (!process.stdout.isTTY) return;
    this.#bar = new cliProgress.SingleBar({
      format:
        `{bar} {percentage} % | step {step} | loss {loss} | exact {exact} | segments {segments} | {speed} examples/s | {left} left`,
      hideCursor: true,
      etaBuffer: 50,
    }, cliProgress.Presets.shades_classic);
    this.#bar.start(total, 0, { step: 0, loss: "-", exact: "-", segments: "-", speed: "-", left: "-" });
  }

  /** A step was made. */
  show(report: TrainReport): void {
    const { metrics } = report;
    // Rows halt at different steps: a running mean tells more than one step's handful.
    this.#halted = this.#halted * 0.98 + metrics.count;
    this.#exact = this.#exact * 0.98 + metrics.exactAccuracy;
    this.#segments = this.#segments * 0.98 + metrics.segments;
    const per = Math.max(this.#halted, 1e-9);
    const shown: Shown = {
      loss: (report.losses.total / report.rows).toFixed(4),
      exact: `${(100 * this.#exact / per).toFixed(1)} %`,
      segments: (this.#segments / per).toFixed(1),
      speed: report.examplesPerSecond.toFixed(0),
    };
    const done = this.unit === "steps" ? report.step : report.seconds;
    const left = duration(report.seconds * Math.max(0, this.total / Math.max(done, 1e-9) - 1));
    if (this.#bar) {
      this.#bar.update(Math.min(done, this.total), { ...shown, step: report.step, left });
    } else if (report.seconds - this.#printed >= 5 || report.step === this.total) {
      this.#printed = report.seconds;
      console.log(
        `step ${report.step}  loss ${shown.loss}  exact ${shown.exact}  segments ${shown.segments}  ${shown.speed} examples/s  ${left} left`,
      );
    }
  }

  /** The training is over. */
  stop(): void {
    this.#bar?.stop();
  }
}

function duration(seconds: number): string {
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
