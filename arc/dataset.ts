/**
 * What a network is trained on: tasks to puzzles, puzzles to batches of tokens, made on the fly and the same for the
 * same seed. Knows nothing of networks, losses or files.
 *
 * @module
 */
import { type Augmentation, identityAugmentation, sample, sampleDistinct } from "./augment.ts";
import { type Batch, collate, encodePair, type Example, type Identity } from "./examples.ts";
import { createRandom, type Random } from "./random.ts";
import { type SizeRule, sizeRule, taskCanvas } from "./size.ts";
import { type Grid, MAX_SIDE, type Pair, type Task, TaskError, withoutAnswers } from "./task.ts";
import type { Canvas } from "./tokens.ts";

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
  /** Cells of the canvas in a batch at most; no bound if 0 or not given. */
  batchCells?: number;
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

/**
 * Rounds over all tasks with identity `"augmentation"`, and examples of them, about, after which an incomplete last batch is dropped. (Officially as
 * many rounds as lie between two evaluations, 10,000.)
 */
export const ROUNDS = 100;
const PLANNED = 500_000;

/** With identity `"task"`, the share of examples that are shifted. */
const SHIFTED = 0.7;

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

/** Rows of a batch on a canvas: as many as its cells allow, at least one. */
export function rowsOn(
  side: number,
  { batchSize, batchCells }: Pick<SamplerOptions, "batchSize" | "batchCells">,
): number {
  return batchCells ? Math.max(1, Math.min(batchSize, Math.floor(batchCells / side ** 2))) : batchSize;
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
 * A sampler of training batches.
 *
 * With identity `"augmentation"` an epoch visits the tasks up to {@link ROUNDS} times, each time in random order, takes one of each
 * task's puzzles and all of its examples in random order until the batch is full, and drops an incomplete last batch;
 * where an epoch does not fill a single batch, it goes round again until one is full. One example of each puzzle, always the same, is never shifted,
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
    return encodePair({ task, rule, identity, row }, pairs[pair], shown, canvas, shifted ? stream : undefined);
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
  { canvas, ...size }: SamplerOptions,
  stream: Random,
): Draw[][] {
  const batchSize = rowsOn(canvas.side, size);
  const batches: Draw[][] = [];
  let batch: Draw[] = [];
  const pairs = tasks.reduce((sum, { pairs }) => sum + pairs.length, 0);
  const rounds = Math.min(ROUNDS, Math.ceil(PLANNED / pairs));
  for (let round = 0; round < rounds || batches.length === 0; round++) {
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
  { canvas, ...size }: SamplerOptions,
  stream: Random,
): Draw[][] {
  const pairs = tasks.reduce((sum, { pairs }) => sum + pairs.length, 0);
  const roomOf = tasks.map((_, task) => rooms.find(({ members }) => members.includes(task))!);
  const batches = Math.max(1, Math.floor(pairs / size.batchSize));
  return Array.from({ length: batches }, () => {
    // A task drawn from all decides the room, so that rooms come as often as their tasks are many.
    const { side, members } = rooms.length > 1 ? roomOf[stream.integer(tasks.length)] : rooms[0];
    return Array.from({ length: rowsOn(side, size) }, () => {
      const task = members[stream.integer(members.length)];
      return {
        puzzle: groups[task][0],
        pair: stream.integer(tasks[task].pairs.length),
        canvas: { ...canvas, side },
      };
    });
  });
}
