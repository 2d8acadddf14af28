/**
 * What can be said of a demonstration, or of an answer to a test input: colours, counts, cells that stay, symmetry, parts. Each feature knows
 * how often a right answer departs from what all demonstrations of its task say. Knows no tasks.
 *
 * @module
 */
import { dihedral } from "./augment.ts";
import { box, cellsWhere, shapesOf } from "./rules/drawing.ts";
import type { Grid } from "./task.ts";

/** What a feature says of a pair; undefined where it says nothing. */
export type Value = string | number | boolean | undefined;

/** Something that can be said of a pair. */
export interface Feature {
  /** What it is about. */
  name: string;
  /**
   * How often, of the test outputs of ARC-AGI-1's training tasks and of ConceptARC whose demonstrations all say the same, the right one says
   * something else; over all colours, or all symmetries, together. tests/arc/invariants_test.ts counts again.
   */
  departs: number;
  /** What it says. */
  of: (input: Grid, output: Grid) => Value;
}

const text = (grid: Grid) => grid.join(";");
const columnsOf = (grid: Grid) => dihedral(grid, 6);
const sameSize = (a: Grid, b: Grid) => a.length === b.length && a[0].length === b[0].length;
const coloured = (grid: Grid) => cellsWhere(grid, (colour) => colour > 0);

/** How many cells have each colour, [10]. */
function counts(grid: Grid): number[] {
  const counts = Array<number>(10).fill(0);
  for (const row of grid) for (const colour of row) counts[colour]++;
  return counts;
}

const palette = (grid: Grid) => counts(grid).flatMap((count, colour) => count ? [colour] : []);

/** [before, after] of every cell, where both grids have one size. */
function cells(input: Grid, output: Grid): [number, number][] | undefined {
  if (!sameSize(input, output)) return;
  return input.flatMap((row, r) => row.map((colour, c): [number, number] => [colour, output[r][c]]));
}

/** What is said of the cells for which `which` holds, where there are any. */
function ofCells(
  input: Grid,
  output: Grid,
  which: (before: number, after: number) => boolean,
  say: (own: [number, number][]) => Value,
): Value {
  const own = cells(input, output)?.filter(([before, after]) => which(before, after));
  return own?.length ? say(own) : undefined;
}

const after = (own: [number, number][]) => palette([own.map(([, after]) => after)]).join();

/** 1 where the pair differs. */
const changes = (input: Grid, output: Grid) =>
  sameSize(input, output) ? input.map((row, r) => row.map((c, x) => c === output[r][x] ? 0 : 1)) : undefined;

const parts = (grid: Grid, diagonal = false) => shapesOf(grid, undefined, diagonal);
/** A grid of which only what is black, or what is not, can be told. */
const mask = (grid: Grid, black: boolean) => grid.map((row) => row.map((colour) => Number(!colour === black)));
const sizes = (grid: Grid, diagonal = false) => parts(grid, diagonal).map(({ cells }) => cells.length);

function rectangular(grid: Grid): boolean {
  return parts(grid).every(({ cells }) => {
    const [top, left, bottom, right] = box(cells);
    return cells.length === (bottom - top + 1) * (right - left + 1);
  });
}

const boxOf = (grid: Grid) => coloured(grid).length ? box(coloured(grid)) : undefined;
const boxSize = (grid: Grid) => {
  const [top = 0, left = 0, bottom = -1, right = -1] = boxOf(grid) ?? [];
  return `${bottom - top + 1},${right - left + 1}`;
};

/** What is said of every row, if it is the same. */
function ofRows(grid: Grid, say: (row: Grid) => Value): Value {
  const all = new Set(grid.map((row) => say([row])));
  return all.size === 1 ? [...all][0] : undefined;
}

/** After how many cells rows begin again; 0 if they do not. */
function period(grid: Grid): number {
  const width = grid[0].length;
  for (let p = 1; p < width; p++) if (grid.every((row) => row.every((c, x) => x < p || c === row[x - p]))) return p;
  return 0;
}

/** The same of columns. */
const down = (of: Feature["of"]): Feature["of"] => (input, output) => of(columnsOf(input), columnsOf(output));

const corners = (grid: Grid) => [grid[0][0], grid[0].at(-1), grid.at(-1)![0], grid.at(-1)!.at(-1)].join();
const mostFrequent = (grid: Grid) => counts(grid).indexOf(Math.max(...counts(grid)));
const occursIn = (output: Grid, input: Grid) =>
  input.some((row, r) =>
    row.some((_, c) => output.every((own, y) => own.every((colour, x) => input[r + y]?.[c + x] === colour)))
  );
const added = (count: (grid: Grid) => number): Feature["of"] => (input, output) => count(output) - count(input);
const kept = (of: (grid: Grid) => Value): Feature["of"] => (input, output) => of(input) === of(output);
const rowsKept: Feature["of"] = (input, output) =>
  sameSize(input, output) ? input.map(String).sort().join(";") === output.map(String).sort().join(";") : undefined;
const rowCountsKept: Feature["of"] = (input, output) =>
  sameSize(input, output) ? input.every((row, r) => `${counts([row])}` === `${counts([output[r]])}`) : undefined;
const rowsOfInput: Feature["of"] = (input, output) => {
  const own = new Set(input.map(String));
  return output.every((row) => own.has(String(row)));
};

const colourFeatures = (colour: number, departs: number[]): Feature[] => {
  const occurs = (...grids: Grid[]) => grids.some((grid) => counts(grid)[colour] > 0);
  return ([
    ["cells of", (input, output) => occurs(input, output) ? counts(output)[colour] : undefined],
    [
      "cells added of",
      (input, output) => occurs(input, output) ? counts(output)[colour] - counts(input)[colour] : undefined,
    ],
    [
      "stay: cells of",
      (input, output) =>
        ofCells(input, output, (before) => before === colour, (own) => own.every(([, after]) => after === colour)),
    ],
    [
      "go: cells of",
      (input, output) =>
        ofCells(input, output, (before) => before === colour, (own) => own.every(([, after]) => after !== colour)),
    ],
    [
      "become: cells of",
      (input, output) => ofCells(input, output, (before, after) => before === colour && after !== colour, after),
    ],
    [
      "come from elsewhere: cells of",
      (input, output) =>
        ofCells(input, output, (_, after) => after === colour, (own) => own.some(([before]) => before !== colour)),
    ],
  ] as [string, Feature["of"]][]).map(([name, of], i) => ({ name: `${name} ${colour}`, departs: departs[i], of }));
};

const COLOURS = Array.from({ length: 9 }, (_, c) => c + 1);
const SYMMETRIES = [1, 2, 3, 4, 5, 6, 7];

const general: [string, number, Feature["of"]][] = [
  ["differs from the input", 0.007, (input, output) => text(input) !== text(output)],
  ["colours", 0.019, (_, output) => palette(output).join()],
  ["number of colours", 0.095, (_, output) => palette(output).length],
  ["number of colours added", 0.047, added((grid) => palette(grid).length)],
  ["new colours", 0.01, (input, output) => palette(output).filter((c) => !palette(input).includes(c)).join()],
  ["colours gone", 0.019, (input, output) => palette(input).filter((c) => !palette(output).includes(c)).join()],
  ["most frequent colour kept", 0.046, kept(mostFrequent)],
  ["counts of all colours kept", 0.006, kept((grid) => counts(grid).join())],
  ["counts, whatever the colours", 0.291, (_, output) => counts(output).slice(1).filter(Boolean).sort().join()],
  ["coloured cells", 0.235, (_, output) => coloured(output).length],
  ["coloured cells added", 0.089, added((grid) => coloured(grid).length)],
  [
    "coloured cells stay",
    0.013,
    (input, output) => cells(input, output)?.every(([before, after]) => !before || before === after),
  ],
  [
    "coloured cells stay coloured",
    0.017,
    (input, output) => cells(input, output)?.every(([before, after]) => !before === !after),
  ],
  ["changed cells", 0.303, (input, output) => changes(input, output)?.flat().filter(Boolean).length],
  [
    "colours of changed cells",
    0.021,
    (input, output) => ofCells(input, output, (before, after) => before !== after, after),
  ],
  [
    "parts of changed cells",
    0.194,
    (input, output) => changes(input, output) && parts(changes(input, output)!, true).length,
  ],
  [
    "changed cells make rectangles",
    0.08,
    (input, output) => changes(input, output) && rectangular(changes(input, output)!),
  ],
  ["each colour becomes one", 0.026, (input, output) => {
    const own = new Set(cells(input, output)?.map(String));
    return sameSize(input, output) ? own.size === palette(input).length : undefined;
  }],
  ["parts", 0.179, (_, output) => parts(output).length],
  ["parts added", 0.141, added((grid) => parts(grid).length)],
  ["parts that touch at corners", 0.159, (_, output) => parts(output, true).length],
  ["parts that touch at corners added", 0.157, added((grid) => parts(grid, true).length)],
  ["parts of any colour", 0.081, (_, output) => parts(mask(output, false), true).length],
  ["parts of any colour added", 0.133, added((grid) => parts(mask(grid, false), true).length)],
  ["black parts", 0.152, (_, output) => parts(mask(output, true)).length],
  ["black parts added", 0.11, added((grid) => parts(mask(grid, true)).length)],
  ["sizes of parts", 0.171, (_, output) => [...new Set(sizes(output))].sort().join()],
  ["largest part", 0.243, (_, output) => Math.max(0, ...sizes(output, true))],
  ["largest part kept", 0.051, kept((grid) => Math.max(0, ...sizes(grid, true)))],
  ["parts are rectangles", 0.063, (_, output) => rectangular(output)],
  ["no lone cell", 0.063, (_, output) => !sizes(output, true).includes(1)],
  ["different colours never touch", 0.054, (_, output) => parts(output).length === parts(mask(output, false)).length],
  [
    "box around all kept",
    0.034,
    (input, output) => sameSize(input, output) ? String(boxOf(input)) === String(boxOf(output)) : undefined,
  ],
  ["size of the box around all", 0.147, (_, output) => boxSize(output)],
  ["size of the box around all kept", 0.027, kept(boxSize)],
  ["occurs in the input", 0.021, (input, output) => occursIn(output, input)],
  ["corners", 0.135, (_, output) => corners(output)],
  ["corners kept", 0.074, kept(corners)],
];

const lines: [string, number, Feature["of"]][] = [
  ["s of the input", 0.041, rowsOfInput],
  ["s kept in any order", 0.01, rowsKept],
  ["s' counts kept", 0.009, rowCountsKept],
  ["s that differ", 0.183, (_, output) => new Set(output.map(String)).size],
  ["s of one colour", 0.019, (_, output) => output.every((row) => new Set(row).size === 1)],
  ["s, coloured cells in each", 0.04, (_, output) => ofRows(output, (row) => coloured(row).length)],
  ["s, colours in each", 0.016, (_, output) => ofRows(output, (row) => palette(row).length)],
  ["s begin again after", 0.149, (_, output) => period(output)],
];

/** All features. */
export const features: readonly Feature[] = [
  ...general.map(([name, departs, of]) => ({ name, departs, of })),
  ...lines.flatMap(([name, departs, of]) => [
    { name: `row${name}`, departs, of },
    { name: `column${name}`, departs, of: down(of) },
  ]),
  ...colourFeatures(0, [0.235, 0.091, 0.007, 0.003, 0.031, 0.014]),
  ...COLOURS.flatMap((colour) => colourFeatures(colour, [0.148, 0.078, 0.022, 0.036, 0.02, 0.027])),
  ...SYMMETRIES.flatMap((k): Feature[] => [
    { name: `symmetry ${k}`, departs: 0.042, of: (_, output) => text(dihedral(output, k)) === text(output) },
    {
      name: `symmetry kept ${k}`,
      departs: 0.01,
      of: (input, output) =>
        text(dihedral(input, k)) === text(input) ? text(dihedral(output, k)) === text(output) : undefined,
    },
  ]),
];
