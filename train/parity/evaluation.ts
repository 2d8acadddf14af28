/**
 * Inference beside the official one: every call of the networks, every segment's answers, losses and metrics. Knows no updates.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { think } from "../../model/act.ts";
import { segmentCalls } from "../../model/config.ts";
import { answer, call, embed, haltValues, initialState, rotary, settle, type State, step } from "../../model/hrm.ts";
import { segmentLoss } from "../loss.ts";
import { modelInput, targetsOf } from "../segment.ts";
import { metricsOf } from "../step.ts";
import {
  batchOf,
  column,
  compareAll,
  compareMetrics,
  type Context,
  joined,
  nearProbe,
  officialMetrics,
  probe,
  sample,
  start,
  values,
} from "./fixture.ts";
import type { Numbers } from "./ledger.ts";

/** Compares all that the fixture holds under `eval/`. */
export async function compareEvaluation(context: Context): Promise<void> {
  const { tensors, ledger, fixture, config } = context;
  const { model, training } = config;
  const { network, table } = start(context);
  const { parameters } = network;
  const batch = batchOf(tensors, "eval/");
  ledger.given("eval/inputs", "eval/labels", "eval/puzzle_identifiers");
  const [B, S] = [batch.size, batch.tokens];
  const logits = tensors.get("eval/logits")!;
  const segmentCount = logits.shape[0];
  const input = modelInput(batch, table, model);
  const embedded = embed(parameters, input, model, rotary(model, S));

  const trace: Float32Array[] = [];
  let state: State = initialState(network, B, S);
  for (const name of segmentCalls(model)) {
    state = call(name, state, parameters, model, embedded);
    trace.push(await values(name === "L" ? state.zL! : state.zH));
  }

  const targets = targetsOf(batch);
  const segments: Record<string, Float32Array>[] = [];
  let metrics: Record<string, number> = {};
  state = initialState(network, B, S);
  for (let segment = 1; segment <= segmentCount; segment++) {
    state = step(parameters, settle(parameters, state, embedded, model), embedded, model);
    const logits = answer(parameters, state.zH, embedded, model);
    const q = haltValues(parameters, state.zH);
    const losses = segmentLoss(logits, targets, training.likelihood, tf.slice(q, [0, 0], [B, 1]).flatten());
    const record = {
      logits: await values(logits),
      q_halt: await column(q, 0),
      q_continue: await column(q, 1),
      z_H: await values(state.zH),
      z_L: await values(state.zL!),
      lm_loss: await values(losses.answer),
      q_halt_loss: await values(losses.halt!),
    };
    segments.push(record);
    const halted = new Uint8Array(B).fill(1);
    const counts = new Int32Array(B).fill(segment);
    const sums = metricsOf(batch, halted, counts, await values(losses.right), record.q_halt);
    metrics = { ...officialMetrics(sums), lm_loss: record.lm_loss[0], q_halt_loss: record.q_halt_loss[0] };
  }
  const computed: Record<string, () => Numbers> = {
    "eval/trace_probe": () => trace.flatMap(probe),
    "eval/trace_sample": () => trace.flatMap(sample),
  };
  for (const key of Object.keys(segments[0])) {
    computed[`eval/${key}`] = () => joined(segments.map((segment) => segment[key]));
  }
  const inputEmbeddings = await values(embedded.x);
  computed["eval/input_embeddings"] = () => inputEmbeddings;
  compareAll(
    context,
    computed,
    (name, expected) => name.endsWith("_probe") ? nearProbe(expected) : { tolerance: 1e-4 },
  );

  const thoughts = await think(network, input, { maxSegments: segmentCount });
  const last = Array.from(logits.data as Float32Array).slice(-B * S * model.vocabulary);
  const thought = joined(thoughts.map(({ logits }) => logits));
  ledger.near("eval/logits by think()", logits.shape.slice(1), last, thought, { tolerance: 1e-4 });
  compareMetrics(ledger, "config eval_metrics_last_segment", fixture.eval_metrics_last_segment ?? {}, metrics);
}
