/**
 * How large an answer is, as far as the demonstrations tell, and the canvas that holds a task. Knows nothing of test
 * outputs: what it returns is the same with and without the answers.
 *
 * @module
 */
import { MAX_SIDE, type Pair, type Task } from "./task.ts";
import type { Canvas } from "./tokens.ts";

/** A law that gives the output's size from the input's. */
export interface SizeRule {
  /** Which law it is. */
  kind: "same" | "constant" | "ratio";
  /** Height and width of the output for an input of that size, each 1 to 30. */
  apply(height: number, width: number): [number, number];
}

function sizes(pair: Pair): [number, number, number, number] {
  return [pair.input.length, pair.input[0].length, pair.output.length, pair.output[0].length];
}

function clamp(value: number): number {
  return Math.min(MAX_SIDE, Math.max(1, Math.floor(value)));
}

/**
 * The first law that every pair obeys: output as large as the input, of one size, or in a fixed ratio to the input
 * (of heights and of widths, each for itself). `undefined` when none holds.
 */
export function sizeRule(train: readonly Pair[]): SizeRule | undefined {
  const all = train.map(sizes);
  const [height, width, outputHeight, outputWidth] = all[0];
  if (all.every(([h, w, H, W]) => h === H && w === W)) {
    return { kind: "same", apply: (h, w) => [h, w] };
  }
  if (all.every(([, , H, W]) => H === outputHeight && W === outputWidth)) {
    return { kind: "constant", apply: () => [outputHeight, outputWidth] };
  }
  // Cross products: a quotient of floating-point numbers could round a whole size down.
  if (all.every(([h, w, H, W]) => H * height === outputHeight * h && W * width === outputWidth * w)) {
    return { kind: "ratio", apply: (h, w) => [clamp(h * outputHeight / height), clamp(w * outputWidth / width)] };
  }
}

/**
 * The smallest canvas for a task: its side is the largest dimension over demonstrations, test inputs and, where a size
 * rule holds, the outputs it predicts. One more makes room for the end of the answer, for `"eos"` always and for
 * `"outside"` when no rule fixes the size. Never above 30.
 */
export function taskCanvas(task: Task, marking: Canvas["marking"]): Canvas {
  const rule = sizeRule(task.train);
  let side = Math.max(...task.train.flatMap(sizes));
  for (const { input } of task.test) {
    const height = input.length, width = input[0].length;
    side = Math.max(side, height, width, ...(rule?.apply(height, width) ?? []));
  }
  const room = marking === "eos" || !rule ? 1 : 0;
  return { side: Math.min(MAX_SIDE, side + room), marking };
}

/** The smallest canvas that holds every one of `tasks` (at least one). */
export function tasksCanvas(tasks: readonly Task[], marking: Canvas["marking"]): Canvas {
  return { side: Math.max(...tasks.map((task) => taskCanvas(task, marking).side)), marking };
}
