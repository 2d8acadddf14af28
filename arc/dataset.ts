/**
 * What a network is trained on: tasks to puzzles, puzzles to batches of tokens, made on the fly and the same for the
 * same seed. Knows nothing of networks, losses or files.
 *
 * @module
 */
import { apply, type Augmentation, identityAugmentation, sample, sampleDistinct, sampleShift } from "./augment.ts";
import { createRandom, type Random } from "./random.ts";
import { type SizeRule, sizeRule, taskCanvas } from "./size.ts";
import { type Grid, MAX_SIDE, type Pair, type Task, TaskError, withoutAnswers } from "./task.ts";
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

/** A task and the pairs of it that are trained on. */
export interface TrainingTask {
  /** The task, all of it. */
  task: Task;
  /** What of it is trained on. */
  pairs: Pair[];
  /** The size of its answers, if the demonstrations tell it. */
  rule?: SizeRule;
}

/** A row of the puzzle table: the index of its task, and the look it stands for. */
export interface Puzzle {
  /** Index of the task among those trained on. */
  task: number;
  /** The look; the original with identity `"task"`. */
  augmentation: Augmentation;
  /** The row, at least 1. */
  row: number;
}

/** How a {@link Sampler} makes its batches. */
export interface SamplerOptions {
  /** Rows in a batch. */
  batchSize: number;
  /** What grids are written on. */
  canvas: Canvas;
  /**
   * Whether each batch is of tasks of about one size, on the smallest of {@link SIDES} that holds them, instead of on `canvas`: small tasks
   * cost little then. With identity `"task"` only.
   */
  bySize?: boolean;
  /** What has a row of its own. */
  identity: Identity;
  /** Augmented looks of each task besides the original; counts with identity `"augmentation"` only. */
  augmentations: number;
  /** Decides every batch. */
  seed: number;
}

/** An endless sequence of batches with a place that can be saved. */
export interface Sampler {
  /** Rows of the puzzle table, the blank row 0 included. */
  rows: number;
  /** Every row but the blank one, in order. */
  puzzles: readonly Puzzle[];
  /** Pairs over all puzzles. */
  examples: number;
  /** The next batch. */
  next(): Batch;
  /** The place of the next batch. */
  state(): { epoch: number; batch: number };
  /** Goes to a saved place: the batches from there on are those that would have followed. */
  restore(state: { epoch: number; batch: number }): void;
}

/** Sides of the canvases on which tasks of about one size meet. */
export const SIDES = [5, 7, 9, 11, 13, 16, 20, 25, MAX_SIDE] as const;

/** With identity `"task"`, the share of examples that are shifted, and the weight of a cell beyond the answer's border. */
const SHIFTED = 0.7, BEYOND = 0.1;

/**
 * The tasks of several sets as they are trained on: all their demonstrations, and with `useTest` their test pairs too.
 *
 * @throws {TaskError} If a test pair is to be trained on and has no output.
 */
export function trainingTasks(sets: readonly { tasks: readonly Task[]; useTest: boolean }[]): TrainingTask[] {
  return sets.flatMap(({ tasks, useTest }) =>
    tasks.map((task) => {
      const tests = useTest ? task.test.map(({ input, output }, t) => ({ input, output: known(task, t, output) })) : [];
      return { task, pairs: [...task.train, ...tests], rule: sizeRule(task.train) };
    })
  );
}

function known(task: Task, t: number, output: Grid | undefined): Grid {
  if (output) return output;
  throw new TaskError(
    `Cannot train on the tests of task ${task.id}: test[${t}] has no output; train on its demonstrations only`,
  );
}

/** What is trained on, e.g. "24 tasks, 85 train pairs, 0 test pairs". */
export function describe(tasks: readonly TrainingTask[]): string {
  const pairs = tasks.reduce((sum, { pairs }) => sum + pairs.length, 0);
  const train = tasks.reduce(
    (sum, { task, pairs }) => sum + pairs.filter((pair) => task.train.includes(pair)).length,
    0,
  );
  return `${tasks.length} tasks, ${train} train pairs, ${pairs - train} test pairs`;
}

/** The smallest canvas that holds every task, its test inputs, and every pair that is trained on. */
export function trainingCanvas(tasks: readonly TrainingTask[], marking: Canvas["marking"]): Canvas {
  const sides = tasks.flatMap(({ task, pairs }) =>
    [task, { ...task, train: pairs }].map((it) => taskCanvas(it, marking).side)
  );
  return { side: Math.max(...sides), marking };
}

/** Indices of the tasks that share a canvas, and its side; every task is in one of them. */
function bySide(tasks: readonly TrainingTask[], marking: Canvas["marking"]): { side: number; members: number[] }[] {
  const own = tasks.map((task) => trainingCanvas([task], marking).side);
  return SIDES.map((side, i) => ({
    side,
    members: [...own.keys()].filter((task) => own[task] <= side && own[task] > (SIDES[i - 1] ?? 0)),
  })).filter(({ members }) => members.length);
}

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

/**
 * A demonstration as a network meets it at inference, with its answer to be scored: unshifted, as the task shows it.
 *
 * @param row The row of the puzzle table that it is shown with.
 * @throws {RangeError} If the pair does not fit the canvas.
 */
export function encodeDemonstration(task: Task, demonstration: number, canvas: Canvas, row: number): Example {
  const { input, output } = task.train[demonstration];
  const example = encodeTest({ ...task, test: [{ input }] }, 0, identityAugmentation(), canvas, "task", row);
  const rule = canvas.marking === "outside" ? sizeRule(task.train) : undefined;
  return { ...example, ...answer(output, canvas, rule, [0, 0]) };
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

/**
 * A sampler of training batches.
 *
 * With identity `"augmentation"` an epoch visits the tasks in random order, takes one of each task's puzzles and all of
 * its examples in random order until the batch is full, and drops an incomplete last batch; where an epoch does not fill
 * a single batch, it goes round again until one is full. One example of each puzzle, always the same, is never shifted,
 * the others anew each time (HRM, puzzle_dataset.py and dataset/build_arc_dataset.py, which shifts once and for all).
 *
 * With identity `"task"` every example is drawn alone: task, pair, augmentation, shift.
 *
 * @throws {TaskError} If there is nothing to train on, or a pair does not fit the canvas.
 * @throws {RangeError} If the batch size is not a positive integer.
 */
export function createSampler(tasks: readonly TrainingTask[], options: SamplerOptions): Sampler {
  const { canvas, identity } = options;
  check(tasks, options);
  const random = createRandom(options.seed);
  const groups = puzzleGroups(tasks, options, random);
  const puzzles = groups.flat();
  const examples = groups.reduce((sum, group, task) => sum + group.length * tasks[task].pairs.length, 0);

  function puzzleExample({ puzzle, pair, canvas }: Draw, stream: Random): Example {
    const { task: index, augmentation, row } = puzzle;
    const { task, pairs, rule } = tasks[index];
    const [shown, shifted] = identity === "augmentation"
      ? [augmentation, pair !== random.fork(`unshifted ${row}`).integer(pairs.length)]
      : [sample(stream), stream.next() < SHIFTED];
    const { painted, told } = look(shown, identity);
    const input = apply(painted, pairs[pair].input), output = apply(painted, pairs[pair].output);
    const height = Math.max(input.length, output.length), width = Math.max(input[0].length, output[0].length);
    // Where the answer's end is to be seen, there has to be a cell beyond it.
    const side = canvas.marking === "outside" && !rule ? canvas.side - 1 : canvas.side;
    const shift: [number, number] = shifted ? sampleShift(height, width, side, stream) : [0, 0];
    const inputs = encode(input, canvas, shift);
    return { inputs, ...answer(output, canvas, rule, shift), row, ...told, roles: roles(task, identity) };
  }

  const rooms = options.bySize ? bySide(tasks, canvas.marking) : [{ side: canvas.side, members: [...tasks.keys()] }];
  const plan = (stream: Random) =>
    identity === "augmentation"
      ? planByPuzzle(tasks, groups, options, stream)
      : planByPair(tasks, groups, rooms, options, stream);
  let place = { epoch: 0, batch: 0 };
  let epoch = -1;
  let batches: Draw[][] = [];
  return {
    rows: puzzles.length + 1,
    puzzles,
    examples,
    next() {
      if (epoch !== place.epoch) {
        epoch = place.epoch;
        batches = plan(random.fork(`epoch ${epoch}`));
      }
      const stream = random.fork(`epoch ${epoch} batch ${place.batch}`);
      const batch = collate(batches[place.batch].map((draw) => puzzleExample(draw, stream)));
      const last = place.batch + 1 === batches.length;
      place = last ? { epoch: epoch + 1, batch: 0 } : { epoch, batch: place.batch + 1 };
      return batch;
    },
    state: () => ({ ...place }),
    restore: ({ epoch, batch }) => place = { epoch, batch },
  };
}

function check(tasks: readonly TrainingTask[], { batchSize, canvas }: SamplerOptions): void {
  if (!Number.isInteger(batchSize) || batchSize < 1) {
    throw new RangeError(`Cannot make batches: the batch size is ${batchSize}, must be a positive integer`);
  }
  if (tasks.length === 0) throw new TaskError("Cannot make batches: there are no tasks to train on");
  for (const { task, pairs } of tasks) {
    if (pairs.length === 0) {
      throw new TaskError(`Cannot train on task ${task.id}: none of its pairs is to be trained on`);
    }
    pairs.forEach(({ input, output }, p) => {
      const largest = Math.max(input.length, input[0].length, output.length, output[0].length);
      if (largest <= canvas.side) return;
      throw new TaskError(
        `Cannot train on task ${task.id}: pair ${p} needs a canvas of side ${largest}, the canvas has ${canvas.side}; ` +
          "use a larger canvas or leave the task out",
      );
    });
  }
}

/** The puzzles of each task. */
function puzzleGroups(tasks: readonly TrainingTask[], options: SamplerOptions, random: Random): Puzzle[][] {
  let row = 0;
  return tasks.map(({ task }, index) => {
    // Without the answers, so that who solves the task finds the same looks as who trained on it.
    const looks = options.identity === "augmentation"
      ? sampleDistinct(withoutAnswers(task), options.augmentations, random.fork(`augmentations ${task.id}`))
      : [identityAugmentation()];
    return looks.map((augmentation) => ({ task: index, augmentation, row: ++row }));
  });
}

/** One example to come: a puzzle, the index of one of its pairs, and what it is written on. */
interface Draw {
  puzzle: Puzzle;
  pair: number;
  canvas: Canvas;
}

function planByPuzzle(
  tasks: readonly TrainingTask[],
  groups: Puzzle[][],
  { batchSize, canvas }: SamplerOptions,
  stream: Random,
): Draw[][] {
  const batches: Draw[][] = [];
  let batch: Draw[] = [];
  while (batches.length === 0) {
    for (const task of stream.permutation(groups.length)) {
      const puzzle = groups[task][stream.integer(groups[task].length)];
      const order = stream.permutation(tasks[task].pairs.length);
      batch.push(...order.slice(0, batchSize - batch.length).map((pair) => ({ puzzle, pair, canvas })));
      if (batch.length < batchSize) continue;
      batches.push(batch);
      batch = [];
    }
  }
  return batches;
}

function planByPair(
  tasks: readonly TrainingTask[],
  groups: Puzzle[][],
  rooms: { side: number; members: number[] }[],
  { batchSize, canvas }: SamplerOptions,
  stream: Random,
): Draw[][] {
  const pairs = tasks.reduce((sum, { pairs }) => sum + pairs.length, 0);
  const roomOf = tasks.map((_, task) => rooms.find(({ members }) => members.includes(task))!);
  const batches = Math.max(1, Math.floor(pairs / batchSize));
  return Array.from({ length: batches }, () => {
    // A task drawn from all decides the room, so that rooms come as often as their tasks are many.
    const { side, members } = rooms.length > 1 ? roomOf[stream.integer(tasks.length)] : rooms[0];
    return Array.from({ length: batchSize }, () => {
      const task = members[stream.integer(members.length)];
      return {
        puzzle: groups[task][0],
        pair: stream.integer(tasks[task].pairs.length),
        canvas: { ...canvas, side },
      };
    });
  });
}
