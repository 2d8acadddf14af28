/**
 * A whole network beside the official one: configuration, inference and training. Knows no checkpoint format.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { segmentCalls, sequenceLength } from "../../model/config.ts";
import { modelConfigFromOfficial } from "../../model/official_config.ts";
import { fromOfficial } from "../../model/official_names.ts";
import { specify } from "../../model/parameters.ts";
import { decodeSafetensors } from "../../model/safetensors.ts";
import { trainingConfigFromOfficial } from "../official_config.ts";
import { rateFactor } from "../schedule.ts";
import { compareEvaluation } from "./evaluation.ts";
import type { Context, Fixture } from "./fixture.ts";
import { type Comparison, Ledger } from "./ledger.ts";
import { compareTraining } from "./training.ts";

/**
 * Recomputes everything in a fixture of kind `hrm` or `trm` on the current backend.
 *
 * @throws {Error} when its configuration or files cannot be used
 */
export async function compareNetwork(folder: string, fixture: Fixture): Promise<Comparison[]> {
  const read = async (file: string) => decodeSafetensors(await Deno.readFile(`${folder}/${file}`), file).tensors;
  const [weights, tensors] = [await read("weights.safetensors"), await read("io.safetensors")];
  const model = modelConfigFromOfficial(fixture.model, fixture.kind === "trm");
  const training = trainingConfigFromOfficial({ ...fixture.model, ...fixture.optimizer });
  const ledger = new Ledger(tensors.keys());
  tf.engine().startScope();
  try {
    const context = { fixture, weights, tensors, ledger, config: { model, training, adaptation: training, seed: 0 } };
    compareConfiguration(context);
    await compareEvaluation(context);
    await compareTraining(context);
  } finally {
    tf.engine().endScope();
  }
  return ledger.close();
}

function compareConfiguration({ fixture, weights, ledger, config: { model, training } }: Context): void {
  const derived: Record<string, number> = {
    puzzle_tokens: model.prefix,
    sequence: sequenceLength(model),
    head_dim: model.headWidth,
    swiglu_inter: model.feedForward,
    eval_segments: model.maxSegments,
  };
  const known = Object.keys(derived).filter((key) => key in (fixture.derived ?? {}));
  ledger.equal("config derived", known.map((key) => fixture.derived[key]), known.map((key) => derived[key]));
  const official = new Map([...weights.keys()].map((name) => [fromOfficial(name), name]));
  const names = specify(model).filter(({ buffer }) => !buffer).map(({ name, shape }) => ({
    name: official.get(name),
    shape,
  }));
  const byName = <T extends { name?: string }>(list: T[]) => list.toSorted((a, b) => a.name! < b.name! ? -1 : 1);
  ledger.equal("config params", byName(fixture.params), byName(names));
  const calls = segmentCalls(model).map((name) => model.shared || name === "L" ? "L_level" : "H_level");
  ledger.equal("config trace", fixture.trace, calls);
  const { lr_per_step, puzzle_emb_lr_per_step, total_steps: totalSteps } = fixture.optimizer;
  const rates = (highest: number, steps: number[]) =>
    steps.map((_, i) => highest * rateFactor(i + 1, { ...training, totalSteps }));
  for (
    const [name, expected, highest] of [
      ["config lr_per_step", lr_per_step, training.learningRate],
      ["config puzzle_emb_lr_per_step", puzzle_emb_lr_per_step, training.puzzleLearningRate],
    ] as const
  ) ledger.near(name, [expected.length], expected, rates(highest, expected), { tolerance: 1e-12 });
}
