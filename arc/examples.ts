/**
 * Pairs and test inputs as rows of tokens that a network takes. Knows nothing of which are drawn when, of networks or of losses.
 *
 * @module
 */
import { apply, type Augmentation, identityAugmentation, sampleShift } from "./augment.ts";
import type { Random } from "./random.ts";
import type { SizeRule } from "./size.ts";
import type { Grid, Pair, Task } from "./task.ts";
import { type Canvas, encode, IGNORE } from "./tokens.ts";

/**
 * How a network is told which task, in which look, it has before it: with a row of the puzzle table for each augmented
 * task, whose grids are shown augmented (`"augmentation"`, as HRM does), or with one row a task, whose grids are turned
 * but keep their colours, and with the augmentation beside it (`"task"`).
 */
export type Identity = "augmentation" | "task";

/** Examples ready for a network; B = `size` rows of S = `tokens` = side · side tokens, row-major. */
export interface Batch {
  /** B. */
  size: number;
  /** S. */
  tokens: number;
  /** i32[B, S] */
  inputs: Int32Array;
  /** i32[B, S]; `IGNORE` where not scored. */
  labels: Int32Array;
  /** f32[B, S], a cell's weight in the loss; 0 where ignored. */
  weights: Float32Array;
  /** i32[B], rows of the puzzle table; 0 is blank. */
  rows: Int32Array;
  /** i32[B], the symmetry that is told; 0 with identity `"augmentation"`. */
  dihedral: Int32Array;
  /** i32[B, 10], the colour that is told for each colour; each itself with identity `"augmentation"`. */
  colours: Int32Array;
  /** u8[B, 10], 1 for the colours that may carry a meaning; see {@link meaningfulColours}. */
  roles: Uint8Array;
}

/** One row of a {@link Batch}. */
export interface Example {
  /** i32[S] */
  inputs: Int32Array;
  /** i32[S] */
  labels: Int32Array;
  /** f32[S] */
  weights: Float32Array;
  /** The row of the puzzle table. */
  row: number;
  /** The symmetry that is told. */
  dihedral: number;
  /** [10] */
  colours: number[];
  /** [10] */
  roles: number[];
}

/** The weight of a cell beyond the answer's border. */
const BEYOND = 0.1;

/**
 * For each colour 1 if it may carry a meaning, as it occurs in every pair or is black, and 0 if it is one among
 * interchangeable others.
 *
 * @returns [10]
 */
export function meaningfulColours(pairs: readonly Pair[]): number[] {
  const present = pairs.map(({ input, output }) => new Set([...input.flat(), ...output.flat()]));
  return Array.from({ length: 10 }, (_, c) => c === 0 || present.every((colours) => colours.has(c)) ? 1 : 0);
}

/** Examples joined to a batch of `size` rows; the rows left over are blank: row 0, nothing scored. */
export function collate(examples: readonly Example[], size = examples.length): Batch {
  const tokens = examples[0].inputs.length;
  const batch: Batch = {
    size,
    tokens,
    inputs: new Int32Array(size * tokens),
    labels: new Int32Array(size * tokens).fill(IGNORE),
    weights: new Float32Array(size * tokens),
    rows: new Int32Array(size),
    dihedral: new Int32Array(size),
    colours: Int32Array.from({ length: size * 10 }, (_, i) => i % 10),
    roles: new Uint8Array(size * 10),
  };
  examples.forEach((example, b) => {
    batch.inputs.set(example.inputs, b * tokens);
    batch.labels.set(example.labels, b * tokens);
    batch.weights.set(example.weights, b * tokens);
    batch.rows[b] = example.row;
    batch.dihedral[b] = example.dihedral;
    batch.colours.set(example.colours, b * 10);
    batch.roles.set(example.roles, b * 10);
  });
  return batch;
}

/**
 * A test input as a network meets it at inference: unshifted, in the given look, nothing scored.
 *
 * @param row The row of the puzzle table that was learned for the task (and look).
 * @throws {RangeError} If the grid does not fit the canvas.
 */
export function encodeTest(
  task: Task,
  test: number,
  augmentation: Augmentation,
  canvas: Canvas,
  identity: Identity,
  row: number,
): Example {
  const { painted, told } = look(augmentation, identity);
  const inputs = encode(apply(painted, task.test[test].input), canvas);
  const labels = new Int32Array(inputs.length).fill(IGNORE);
  return { inputs, labels, weights: new Float32Array(inputs.length), row, ...told, roles: roles(task, identity) };
}

/** A task as its pairs are shown. */
export interface Shown {
  /** The task. */
  task: Task;
  /** The size of its answers, if its demonstrations tell it. */
  rule?: SizeRule;
  /** What has a row of its own. */
  identity: Identity;
  /** The row of the puzzle table. */
  row: number;
}

/**
 * A pair in the given look, its answer to be scored.
 *
 * @param random Moves the pair to a place on the canvas; it begins at the first cell if not given.
 * @throws {RangeError} If the pair does not fit the canvas.
 */
export function encodePair(
  { task, rule, identity, row }: Shown,
  pair: Pair,
  augmentation: Augmentation,
  canvas: Canvas,
  random?: Random,
): Example {
  const { painted, told } = look(augmentation, identity);
  const input = apply(painted, pair.input), output = apply(painted, pair.output);
  const height = Math.max(input.length, output.length), width = Math.max(input[0].length, output[0].length);
  // Where the answer's end is to be seen, there has to be a cell beyond it.
  const side = canvas.marking === "outside" && !rule ? canvas.side - 1 : canvas.side;
  const shift: [number, number] = random ? sampleShift(height, width, side, random) : [0, 0];
  const inputs = encode(input, canvas, shift);
  return { inputs, ...answer(output, canvas, rule, shift), row, ...told, roles: roles(task, identity) };
}

/** What of an augmentation is done to the grids, and what is told beside them. */
function look(augmentation: Augmentation, identity: Identity): { painted: Augmentation; told: Augmentation } {
  const nothing = identityAugmentation();
  if (identity === "augmentation") return { painted: augmentation, told: nothing };
  return { painted: { ...nothing, dihedral: augmentation.dihedral }, told: augmentation };
}

// Read from the demonstrations alone, whatever else is trained on: at inference there is nothing else.
function roles(task: Task, identity: Identity): number[] {
  return identity === "task" ? meaningfulColours(task.train) : Array(10).fill(0);
}

/**
 * What is asked for: on an `"eos"` canvas the grid and its EOS cells; on an `"outside"` canvas the grid, and unless a
 * rule fixes the size also the border below and to the right of it, and a little everything else.
 */
function answer(output: Grid, canvas: Canvas, rule: SizeRule | undefined, shift: [number, number]) {
  const labels = encode(output, canvas, shift);
  const weights = new Float32Array(labels.length);
  if (canvas.marking === "eos") labels.forEach((label, i) => weights[i] = label === 0 ? 0 : 1);
  else {
    const border = rule ? 0 : 1;
    const bottom = Math.min(canvas.side, shift[0] + output.length + border);
    const right = Math.min(canvas.side, shift[1] + output[0].length + border);
    if (!rule) weights.fill(BEYOND);
    for (let r = shift[0]; r < bottom; r++) weights.fill(1, r * canvas.side + shift[1], r * canvas.side + right);
  }
  weights.forEach((weight, i) => {
    if (weight === 0) labels[i] = IGNORE;
  });
  return { labels, weights };
}
