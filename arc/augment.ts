/**
 * An augmentation as a value: one of the eight symmetries of the square and a renaming of the colours, with an inverse
 * and a composition. Knows nothing of tokens; the shift on the canvas is drawn apart, for each example anew.
 *
 * @module
 */
import type { Random } from "./random.ts";
import type { Grid, Task } from "./task.ts";

/**
 * A symmetry and a renaming of colours.
 *
 * `dihedral`: 0 nothing, 1 to 3 that many quarter turns counter-clockwise, 4 mirrored left to right, 5 mirrored top to
 * bottom, 6 transposed, 7 turned once and then mirrored left to right (HRM, dataset/common.py). `colours[c]` is the new
 * colour of c, a permutation of 0..9 that keeps black, 0.
 */
export interface Augmentation {
  /** 0..7, as above. */
  dihedral: number;
  /** [10], a permutation with colours[0] = 0. */
  colours: number[];
}

const INVERSE = [0, 3, 2, 1, 4, 5, 6, 7];

/** The augmentation that changes nothing. */
export function identityAugmentation(): Augmentation {
  return { dihedral: 0, colours: Array.from({ length: 10 }, (_, colour) => colour) };
}

function transpose(grid: Grid): Grid {
  return grid[0].map((_, c) => grid.map((row) => row[c]));
}

function mirror(grid: Grid): Grid {
  return grid.map((row) => row.toReversed());
}

/** Symmetry `k`, 0..7 as in {@link Augmentation}, of a grid; always a fresh grid. The empty grid stays empty. */
export function dihedral(grid: Grid, k: number): Grid {
  if (grid.length === 0) return [];
  switch (k) {
    case 0:
      return grid.map((row) => row.slice());
    case 1:
      return transpose(grid).toReversed();
    case 2:
      return mirror(grid).toReversed();
    case 3:
      return mirror(transpose(grid));
    case 4:
      return mirror(grid);
    case 5:
      return grid.map((row) => row.slice()).toReversed();
    case 6:
      return transpose(grid);
    case 7:
      return mirror(transpose(grid).toReversed());
    default:
      throw new RangeError(`Cannot turn a grid: the symmetry is ${k}, must be an integer 0..7`);
  }
}

/** Whether symmetry `k` swaps height and width. */
export function swapsSides(k: number): boolean {
  return k === 1 || k === 3 || k === 6 || k === 7;
}

/** The augmented grid. */
export function apply(augmentation: Augmentation, grid: Grid): Grid {
  const renamed = grid.map((row) => row.map((colour) => augmentation.colours[colour]));
  return dihedral(renamed, augmentation.dihedral);
}

/** The task with every grid augmented. */
export function applyToTask(augmentation: Augmentation, task: Task): Task {
  const grid = (it: Grid) => apply(augmentation, it);
  return {
    id: task.id,
    train: task.train.map(({ input, output }) => ({ input: grid(input), output: grid(output) })),
    test: task.test.map(({ input, output }) =>
      output ? { input: grid(input), output: grid(output) } : { input: grid(input) }
    ),
  };
}

/** The augmentation that undoes this one. */
export function invert(augmentation: Augmentation): Augmentation {
  const colours = identityAugmentation().colours;
  augmentation.colours.forEach((colour, c) => colours[colour] = c);
  return { dihedral: INVERSE[augmentation.dihedral], colours };
}

/** The augmentation that does what `second` makes of what `first` made: apply(second, apply(first, grid)). */
export function compose(second: Augmentation, first: Augmentation): Augmentation {
  const probe = [[0, 1], [2, 3]];
  const both = String(dihedral(dihedral(probe, first.dihedral), second.dihedral));
  return {
    dihedral: INVERSE.findIndex((_, k) => String(dihedral(probe, k)) === both),
    colours: first.colours.map((colour) => second.colours[colour]),
  };
}

/** Any of the 8 · 9! augmentations, each with the same chance. */
export function sample(random: Random): Augmentation {
  return { dihedral: random.integer(8), colours: [0, ...random.permutation(9).map((i) => i + 1)] };
}

/**
 * A place on a square for a grid, or for an input and an output together: row and column of its first cell, each with
 * the same chance. [0, 0] along an axis on which it does not fit.
 */
export function sampleShift(height: number, width: number, side: number, random: Random): [number, number] {
  return [random.integer(Math.max(0, side - height) + 1), random.integer(Math.max(0, side - width) + 1)];
}

/**
 * A text that is equal for two augmented tasks exactly if they hold the same pairs, in whatever order, demonstrations
 * and tests taken together.
 */
export function contentKey(task: Task): string {
  return augmentedKey(packed(task), identityAugmentation().colours);
}

/**
 * Different looks of a task: the original first, then up to `count` drawn ones, no two of them with the same content.
 * Gives up after 5 · count draws, as symmetric tasks have fewer (HRM, dataset/build_arc_dataset.py).
 */
export function sampleDistinct(task: Task, count: number, random: Random): Augmentation[] {
  const turned = INVERSE.map((_, k) => packed(applyToTask({ ...identityAugmentation(), dihedral: k }, task)));
  const drawn = [identityAugmentation()];
  const seen = new Set([augmentedKey(turned[0], drawn[0].colours)]);
  for (let trial = 0; trial < 5 * count && drawn.length <= count; trial++) {
    const augmentation = sample(random);
    const key = augmentedKey(turned[augmentation.dihedral], augmentation.colours);
    if (seen.has(key)) continue;
    seen.add(key);
    drawn.push(augmentation);
  }
  return drawn;
}

// A pair as bytes: of each grid the number of rows, plus 10 to tell it from a colour, then every row the same way.
function packed(task: Task): Uint8Array[] {
  const bytes = (grid: Grid) => [10 + grid.length, ...grid.flatMap((row) => [10 + row.length, ...row])];
  return [...task.train, ...task.test].map(({ input, output }) =>
    Uint8Array.from([...bytes(input), ...(output ? bytes(output) : [])])
  );
}

const ascii = new TextDecoder();

// Called a million times for a set of tasks with a thousand looks each, hence the plain loop and the decoder.
function augmentedKey(pairs: Uint8Array[], colours: readonly number[]): string {
  const texts = pairs.map((bytes) => {
    const renamed = bytes.slice();
    for (let i = 0; i < renamed.length; i++) if (renamed[i] < 10) renamed[i] = colours[renamed[i]];
    return ascii.decode(renamed);
  });
  return texts.sort().join("");
}
