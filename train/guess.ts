/**
 * Many looks at one task: each test input is shown in several augmentations, and every answer is turned back into a guess. Knows no files,
 * no votes; what is late is for others to say.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { apply, type Augmentation, identityAugmentation, invert, swapsSides } from "../arc/augment.ts";
import { collate, encodeTest, type Identity } from "../arc/examples.ts";
import type { Random } from "../arc/random.ts";
import { type SizeRule, sizeRule, taskCanvas } from "../arc/size.ts";
import { type Grid, type Task, TaskError } from "../arc/task.ts";
import { type Canvas, decode } from "../arc/tokens.ts";
import type { Guess } from "../arc/vote.ts";
import { argMax, think, type ThinkOptions, type Thought } from "../model/act.ts";
import { dependsOnTokens } from "../model/config.ts";
import type { Network } from "../model/parameters.ts";
import { breathe } from "./breathe.ts";
import { requireTokens } from "./config.ts";
import type { PuzzleTable } from "./puzzle_table.ts";
import { modelInput } from "./segment.ts";

/** Rows in a batch of looks at most, and their cells. */
const BATCH = 64, BATCH_CELLS = 6400;

/** One way to show a task: the row of the puzzle table that was learned for it, and the augmentation that it is shown in. */
export interface View {
  /** The row of the puzzle table. */
  row: number;
  /** How the task is shown. */
  augmentation: Augmentation;
}

/** A guess that tells how it came about. */
export interface ExplainedGuess extends Guess {
  /** Segments spent. */
  segments: number;
  /** With `trace`: the grid after each segment. */
  trace: Grid[];
}

/** How to guess. */
export interface GuessOptions extends Omit<ThinkOptions, "enough"> {
  /** The canvas on which tasks are shown. */
  canvas: Canvas;
  /** Whether the augmentation's colours are told (`task`) or painted (`augmentation`). */
  identity: Identity;
  /** Asked between batches once every test input has been looked at; true ends the looking, and segments beyond the network's own number. */
  late?: () => boolean;
}

/**
 * Views of a task that has one row: all eight dihedral transforms with the task's own colours, then with others, `count` in all.
 */
export function toldViews(row: number, count: number, random: Random): View[] {
  return Array.from({ length: count }, (_, i) => ({
    row,
    augmentation: {
      dihedral: i % 8,
      colours: i < 8 ? identityAugmentation().colours : [0, ...random.permutation(9).map((c) => c + 1)],
    },
  }));
}

/** `count` of a task's learned views: the first, then others at random. */
export function someViews(views: readonly View[], count: number, random: Random): View[] {
  const others = random.permutation(Math.max(0, views.length - 1)).map((i) => views[i + 1]);
  return [...views.slice(0, 1), ...others].slice(0, count);
}

/**
 * The canvas on which a task is worked on: its own; the network's, if that works on no other, or counts positions along the rows, so that what is
 * below a cell is as far from it as a row is long (HRM).
 *
 * @throws {TaskError} when the network works on no other, and its is too small
 */
export function canvasFor(task: Task, marking: Canvas["marking"], network?: Network): Canvas {
  const canvas = taskCanvas(task, marking);
  if (!network) return canvas;
  const side = Math.sqrt(network.config.tokens);
  if (network.config.positions === "rope") return { side: Math.max(side, canvas.side), marking };
  if (!dependsOnTokens(network.config)) return canvas;
  if (side >= canvas.side) return { side, marking };
  throw new TaskError(tooSmall(task, canvas.side, side));
}

/** Says that weights work on too small a canvas. */
export function tooSmall({ id }: Task, needed: number, side: number): string {
  return `Cannot solve task ${id}: it needs a canvas of side ${needed}, these weights work on one of side ${side} only`;
}

/**
 * Guesses at every test input of a task, one a view, and fewer where it gets late.
 *
 * @param network answers with the parameters it has; give it the averaged ones
 * @returns the guesses of each test input, in the order of the views
 */
export async function guess(
  network: Network,
  table: PuzzleTable,
  task: Task,
  views: readonly View[],
  options: GuessOptions,
): Promise<ExplainedGuess[][]> {
  const { canvas, identity, late } = options;
  requireTokens(network.config, canvas);
  const batchSize = Math.max(1, Math.min(BATCH, Math.floor(BATCH_CELLS / canvas.side ** 2)));
  const rule = canvas.marking === "outside" ? sizeRule(task.train) : undefined;
  const looks = views.flatMap((view) => task.test.map(({ input }, test) => ({ test, input, view })));
  const guesses: ExplainedGuess[][] = task.test.map(() => []);
  const enough = async (segment: number) => {
    await breathe();
    return segment >= network.config.maxSegments && late?.() === true;
  };
  for (let from = 0; from < looks.length && !(from >= task.test.length && late?.()); from += batchSize) {
    await breathe();
    const part = looks.slice(from, from + batchSize);
    const batch = collate(
      part.map(({ test, view: { augmentation, row } }) => encodeTest(task, test, augmentation, canvas, identity, row)),
    );
    const input = modelInput(batch, table, network.config);
    const thoughts = await think(network, input, { ...options, enough });
    tf.dispose(input as unknown as tf.TensorContainer);
    part.forEach(({ test, input, view }, i) => {
      const height = input.length, width = input[0].length;
      guesses[test].push(
        identity === "augmentation"
          ? readPainted(thoughts[i], view, canvas, network.config.vocabulary)
          : readTold(thoughts[i], view, canvas, rule, height, width, network.config.vocabulary),
      );
    });
  }
  return guesses;
}

/** An answer in painted colours: the official crop, then the inverse augmentation. */
function readPainted(thought: Thought, view: View, canvas: Canvas, V: number): ExplainedGuess {
  const back = invert(view.augmentation);
  const read = (tokens: Uint8Array) => apply(back, decode(tokens, canvas));
  return {
    grid: read(argMax(thought.logits, V)),
    halt: thought.halt ?? 0,
    segments: thought.segments,
    trace: thought.trace.map(read),
  };
}

/** An answer in the task's own colours: its size by the rule or by the logits, then turned back. */
function readTold(
  thought: Thought,
  { augmentation }: View,
  canvas: Canvas,
  rule: SizeRule | undefined,
  height: number,
  width: number,
  V: number,
): ExplainedGuess {
  const { side } = canvas;
  const back = { ...identityAugmentation(), dihedral: invert(augmentation).dihedral };
  const logP = logProbabilities(thought.logits, V);
  let size: [number, number];
  if (rule) {
    size = rule.apply(height, width);
    if (swapsSides(augmentation.dihedral)) size.reverse();
  } else size = likeliestSize(logP, side, V);
  const [h, w] = size.map((length) => Math.min(length, side));
  let sum = 0;
  const grid = Array.from({ length: h }, (_, r) =>
    Array.from({ length: w }, (_, c) => {
      const own = logP.subarray((r * side + c) * V + 1, (r * side + c + 1) * V);
      const best = own.reduce((top, value, colour) => value > own[top] ? colour : top, 0);
      sum += own[best];
      return best;
    }));
  return {
    grid: apply(back, grid),
    halt: thought.halt ?? Math.exp(sum / (h * w)),
    segments: thought.segments,
    trace: thought.trace.map((tokens) => apply(back, decode(tokens, canvas, rule && [h, w]))),
  };
}

/** log p of every token at every position, f32[S · V]. */
export function logProbabilities(logits: Float32Array, V: number): Float32Array {
  const result = logits.slice();
  for (let at = 0; at < result.length; at += V) {
    const own = result.subarray(at, at + V);
    const top = own.reduce((a, b) => Math.max(a, b), -Infinity);
    const logSum = top + Math.log(own.reduce((sum, x) => sum + Math.exp(x - top), 0));
    own.forEach((x, v) => own[v] = x - logSum);
  }
  return result;
}

/** The height and width, anchored at the corner, with the largest sum of log p(best colour) - log p(outside). */
function likeliestSize(logP: Float32Array, side: number, V: number): [number, number] {
  const gain = (r: number, c: number) => {
    const own = logP.subarray((r * side + c) * V, (r * side + c + 1) * V);
    return own.subarray(1).reduce((a, b) => Math.max(a, b), -Infinity) - own[0];
  };
  const above = new Float64Array(side);
  let best: [number, number] = [1, 1];
  let most = -Infinity;
  for (let r = 0; r < side; r++) {
    let sum = 0;
    for (let c = 0; c < side; c++) {
      above[c] += gain(r, c);
      sum += above[c];
      if (sum > most) [most, best] = [sum, [r + 1, c + 1]];
    }
  }
  return best;
}
