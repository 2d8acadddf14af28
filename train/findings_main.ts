/**
 * The command `deno task findings`: the four findings of the ARC Prize analysis rerun, a table each.
 *
 * @module
 */
import type { Tally } from "../arc/score.ts";
import { describe, trainingTasks } from "../arc/dataset.ts";
import { type BackendName, type Precision, startBackend } from "../model/backend.ts";
import {
  choiceOption,
  numberOption,
  parseArguments,
  readOverrides,
  runCommand,
  stopSignal,
  UsageError,
} from "./command_line.ts";
import { makeConfig } from "./config.ts";
import { Display } from "./display.ts";
import { type Finding, findings, type Outcome, planTrials, study, type Trial } from "./findings.ts";
import { countParts } from "./micro_batches.ts";
import { readSets, sideFor } from "./sets.ts";

const NAMES = Object.keys(findings) as Finding[];

const HELP =
  `Reruns what the ARC Prize analysis found about HRM: trains networks that differ from HRM in one thing, each for the same steps, answers the
same held-out test pairs by voting, and prints a table for each finding.

Usage: deno task findings [options]

What to learn
  --data PATH        tasks whose demonstrations are trained on and whose test pairs are scored; repeatable. Default: arc/samples, where
                     there is no --training-set
  --training-set PATH  tasks that are trained on with their test pairs, beside those; repeatable. Needed for the finding on transfer
  --tasks IDS, --limit N  fewer of them

What to vary
  --findings NAMES   ${NAMES.join(", ")}; separated by commas. Default: all
  --preset NAME      HRM as it is varied: mini or arc. Default: mini
  --config FILE      JSON with any of {"model": {…}, "training": {…}} on top of the preset

How
  --steps N          steps of each network; of the one without the training set as many fewer as it has fewer pairs. Default: 2000
  --seed N           all randomness comes from it. Default: 0
  --backend NAME     auto, webgpu, cpu or stock. Default: auto
  --precision P      f32 or f16. Default: f32
  --out RUN/         the networks, and findings.json with what was measured; what is there is not done again. Default: findings/
  --help             this text

All findings of the preset mini train 12 networks, 13 with a training set. Ctrl-C saves and exits with 130; the same command goes on.
`;

/** The command; returns its exit code. */
export function main(args: string[]): Promise<number> {
  return runCommand(HELP, args, run);
}

async function run(args: string[]): Promise<number> {
  const names = ["tasks", "limit", "findings", "preset", "config", "steps", "seed", "backend", "precision", "out"];
  const given = parseArguments(args, names, [], ["data", "training-set"]);
  if (given.positionals.length) throw new UsageError(`${given.positionals[0]} is no option; data is named with --data`);
  const chosen = readFindings(given.values.findings);
  const preset = choiceOption(given, "preset", ["mini", "arc"], "mini");
  const steps = numberOption(given, "steps", { min: 1, whole: true }) ?? 2000;
  const seed = numberOption(given, "seed", { min: -Infinity, whole: true });
  const backendName = choiceOption<BackendName>(given, "backend", ["auto", "webgpu", "cpu", "stock"], "auto");
  const precision = choiceOption<Precision>(given, "precision", ["f32", "f16"], "f32");
  const overrides = await readOverrides(given.values.config);
  const { own, extra: more, scored } = await readSets(given);
  if (!scored.length) {
    throw new UsageError("There is nothing to score: no task of --data has answers that are held out");
  }
  const [tasks, extra] = [
    trainingTasks([{ tasks: own, useTest: false }]),
    trainingTasks([{ tasks: more, useTest: true }]),
  ];
  const { marking } = makeConfig(preset, 1, overrides).training;
  const side = sideFor([...tasks, ...extra], marking, overrides.model?.tokens);
  const config = makeConfig(preset, side, { ...overrides, ...seed === undefined ? {} : { seed } });
  const trials = planTrials(config, chosen, extra.length > 0);
  const folder = given.values.out ?? "findings";

  const backend = await startBackend(backendName, undefined, precision);
  console.log(backend.description);
  const networks = new Set(trials.map(({ variant }) => variant.name)).size;
  console.log(
    `${trials.length} trials of ${networks} networks, ${steps} steps of ${config.training.batchSize} rows each, on ${
      describe([...tasks, ...extra])
    }, canvas ${side}x${side}; the test pairs of ${scored.length} tasks are scored`,
  );
  using stop = stopSignal();
  const outcomes: { trial: Trial; outcome: Outcome }[] = [];
  let display: { of: string; bar: Display } | undefined;
  const parts = (model: typeof config.model) => countParts(model, config.training.batchSize, backend);
  const events = study({
    trials,
    config,
    side,
    steps,
    tasks,
    extra,
    scored,
    folder,
    parts,
    conditions: { precision },
    signal: stop.signal,
  });
  try {
    let next = await events.next();
    for (; !next.done; next = await events.next()) {
      const event = next.value;
      if (event.kind === "scored") {
        outcomes.push(event);
        continue;
      }
      const { name } = event.variant;
      if (display?.of !== name) {
        display?.bar.stop();
        console.log(`training ${name}`);
        display = { of: name, bar: new Display("steps", event.report.totalSteps) };
      }
      display.bar.show(event.report);
    }
    display?.bar.stop();
    if (!next.value) {
      console.log("stopped; the same command goes on");
      return 130;
    }
  } finally {
    display?.bar.stop();
  }
  for (const finding of chosen) {
    console.log(`\n${tableOf(finding, outcomes.filter(({ trial }) => trial.finding === finding))}`);
  }
  return 0;
}

function readFindings(text: string | undefined): Finding[] {
  const asked = text?.split(",").map((name) => name.trim()) ?? NAMES;
  const unknown = asked.find((name) => !NAMES.includes(name as Finding));
  if (unknown === undefined) return NAMES.filter((name) => asked.includes(name));
  throw new UsageError(`--findings must name some of ${NAMES.join(", ")}, not ${unknown}`);
}

/** A finding as published, and its trials here, a line each. */
function tableOf(finding: Finding, rows: readonly { trial: Trial; outcome: Outcome }[]): string {
  const head = `${finding}\n  published: ${findings[finding]}`;
  if (!rows.length) return `${head}\n  not rerun: it needs --training-set`;
  const width = Math.max(...rows.map(({ trial }) => trial.label.length));
  const cell = ({ solved, total }: Tally) =>
    `${solved} of ${total} (${(100 * solved / total).toFixed(1)} %)`.padEnd(22);
  const cells = (outcome: Outcome) => outcome === "diverged" ? outcome : cell(outcome.first) + cell(outcome.second);
  return [
    head,
    `  ${"".padEnd(width)}   ${"pass@1".padEnd(22)}pass@2`,
    ...rows.map(({ trial, outcome }) => `  ${trial.label.padEnd(width)}   ${cells(outcome)}`.trimEnd()),
  ].join("\n");
}

if (import.meta.main) Deno.exit(await main(Deno.args));
