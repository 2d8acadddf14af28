/**
 * Random grids, tasks and augmentations for property tests.
 *
 * @module
 */
import fc from "fast-check";
import type { Augmentation } from "../../arc/augment.ts";
import type { Grid, Pair, Task } from "../../arc/task.ts";

// Ordinary objects, so that strict equality with parsed ones holds.
const plain = { noNullPrototype: true } as const;

/** A grid of at most `most` rows and columns, with at most `colours` different colours. */
export function grids(most = 30, colours = 10): fc.Arbitrary<Grid> {
  const row = (width: number) =>
    fc.array(fc.integer({ min: 0, max: colours - 1 }), { minLength: width, maxLength: width });
  return fc.integer({ min: 1, max: most }).chain((width) => fc.array(row(width), { minLength: 1, maxLength: most }));
}

/** A demonstration. */
export function pairs(most = 30, colours = 10): fc.Arbitrary<Pair> {
  return fc.record({ input: grids(most, colours), output: grids(most, colours) }, plain);
}

/** A task with 1 to 4 demonstrations and 1 or 2 test inputs with outputs. */
export function tasks(most = 30, colours = 10): fc.Arbitrary<Task> {
  return fc.record({
    id: fc.constant("random"),
    train: fc.array(pairs(most, colours), { minLength: 1, maxLength: 4 }),
    test: fc.array(pairs(most, colours), { minLength: 1, maxLength: 2 }),
  }, plain);
}

/** Any augmentation. */
export const augmentations: fc.Arbitrary<Augmentation> = fc.record({
  dihedral: fc.integer({ min: 0, max: 7 }),
  colours: fc.shuffledSubarray([1, 2, 3, 4, 5, 6, 7, 8, 9], { minLength: 9 }).map((order) => [0, ...order]),
}, plain);
