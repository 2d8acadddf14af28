/**
 * What can be said of a demonstration, or of an answer to a test input: sizes, colours, counts, cells that stay, symmetry, parts. Knows no tasks.
 *
 * @module
 */
import { dihedral } from "./augment.ts";
import { box, cellsWhere, shapesOf } from "./shapes.ts";
import type { Grid } from "./task.ts";

/** What a feature says of a pair; undefined where it says nothing, as its input, or the two sizes, give no reason to. */
export type Value = string | number | boolean | undefined;

/** Something that can be said of a pair. */
export interface Feature {
  /** What it is about. */
  name: string;
  /**
   * How often the right answer says something else than all demonstrations, where these agree: (departed + 1) / (agreed + 10) over the test
   * outputs of ARC-AGI-1's training tasks and of ConceptARC, counted for all colours but black, all symmetries, rows and columns together;
   * tests/arc/invariants_test.ts counts again.
   */
  departs: number;
  /** What it says. */
  of: (input: Grid, output: Grid) => Value;
  /** Whether a demonstration counts at all: one without a colour says nothing about it. All do if not given. */
  counts?: (input: Grid, output: Grid) => boolean;
}

type Of = Feature["of"];

/** Remembers what is said of a grid, which many features ask for, as long as the grid lives. */
function once<Result>(of: (grid: Grid) => Result): (grid: Grid) => Result {
  const said = new WeakMap<Grid, Result>();
  return (grid) => {
    if (!said.has(grid)) said.set(grid, of(grid));
    return said.get(grid)!;
  };
}

const text = once((grid) => grid.join(";"));
const columnsOf = once((grid) => dihedral(grid, 6));
const coloured = once((grid) => cellsWhere(grid, (colour) => colour > 0));
/** How many cells have each colour, [10]. */
const histogram = once((grid) => {
  const counts = Array<number>(10).fill(0);
  for (const row of grid) for (const colour of row) counts[colour]++;
  return counts;
});
const palette = once((grid) => histogram(grid).flatMap((count, colour) => count ? [colour] : []));
const mostFrequent = once((grid) => {
  const most = Math.max(...histogram(grid));
  return histogram(grid).flatMap((count, colour) => count === most ? [colour] : []).join();
});
/** Connected parts of one colour, by side or also by corner. */
const parts = once((grid) => shapesOf(grid));
const cornerParts = once((grid) => shapesOf(grid, undefined, true));
/** Only what is black, and only what is not. */
const blackOnly = once((grid) => grid.map((row) => row.map((colour) => Number(colour === 0))));
const colouredOnly = once((grid) => grid.map((row) => row.map((colour) => Number(colour > 0))));
const largest = once((grid) => Math.max(0, ...cornerParts(grid).map(({ cells }) => cells.length)));
const rectangular = once((grid) =>
  parts(grid).every(({ cells }) => {
    const [top, left, bottom, right] = box(cells);
    return cells.length === (bottom - top + 1) * (right - left + 1);
  })
);
/** The box around all that is coloured: its place, and its size. */
const boxPlace = once((grid) => coloured(grid).length ? box(coloured(grid)).join() : "");
const boxSize = once((grid) => {
  if (!coloured(grid).length) return "";
  const [top, left, bottom, right] = box(coloured(grid));
  return `${bottom - top + 1},${right - left + 1}`;
});
const corners = (grid: Grid) => [grid[0][0], grid[0].at(-1), grid.at(-1)![0], grid.at(-1)!.at(-1)].join();

/** After how many cells rows begin again; 0 if they do not. */
function period(grid: Grid): number {
  const width = grid[0].length;
  for (let p = 1; p < width; p++) if (grid.every((row) => row.every((c, x) => x < p || c === row[x - p]))) return p;
  return 0;
}

/** What is said of every row, or that they differ. */
function ofRows(grid: Grid, say: (row: Grid) => number): Value {
  const all = new Set(grid.map((row) => say([row])));
  return all.size === 1 ? [...all][0] : "differ";
}

const sameSize = (a: Grid, b: Grid) => a.length === b.length && a[0].length === b[0].length;
/** What is said of pairs of one size. */
const ofOneSize = (of: Of): Of => (input, output) => sameSize(input, output) ? of(input, output) : undefined;

/** 1 where the pair differs. */
const changes = (input: Grid, output: Grid) =>
  input.map((row, r) => row.map((colour, c) => Number(colour !== output[r][c])));

/** The output's colours at the cells, given by what they are before and after, for which `which` holds. */
function outputAt(input: Grid, output: Grid, which: (before: number, after: number) => boolean): number[] {
  return input.flatMap((row, r) => output[r].filter((after, c) => which(row[c], after)));
}

const every = (holds: (before: number, after: number) => boolean): Of =>
  ofOneSize((input, output) => input.every((row, r) => row.every((before, c) => holds(before, output[r][c]))));
const added = (count: (grid: Grid) => number): Of => (input, output) => count(output) - count(input);
const kept = (of: (grid: Grid) => Value): Of => (input, output) => of(input) === of(output);
/** The same said of columns instead of rows. */
const down = (of: Of): Of => (input, output) => of(columnsOf(input), columnsOf(output));
/** All colours of a list, once each. */
const distinct = (colours: number[]) => palette([colours]).join();

function occursIn(output: Grid, input: Grid): boolean {
  return input.some((row, r) =>
    row.some((_, c) => output.every((own, y) => own.every((colour, x) => input[r + y]?.[c + x] === colour)))
  );
}

const general: [string, number, Of][] = [
  ["size", 0.132, (_, output) => `${output.length},${output[0].length}`],
  ["size kept", 0.002, sameSize],
  ["differs from the input", 0.007, (input, output) => text(input) !== text(output)],
  ["occurs in the input", 0.021, (input, output) => occursIn(output, input)],
  ["colours", 0.019, (_, output) => palette(output).join()],
  ["number of colours", 0.095, (_, output) => palette(output).length],
  ["number of colours added", 0.047, added((grid) => palette(grid).length)],
  ["new colours", 0.01, (input, output) => palette(output).filter((c) => !palette(input).includes(c)).join()],
  ["colours gone", 0.019, (input, output) => palette(input).filter((c) => !palette(output).includes(c)).join()],
  ["most frequent colours kept", 0.043, kept(mostFrequent)],
  ["counts of all colours kept", 0.006, kept((grid) => histogram(grid).join())],
  ["counts, whatever the colours", 0.291, (_, output) => histogram(output).slice(1).filter(Boolean).sort().join()],
  ["coloured cells", 0.235, (_, output) => coloured(output).length],
  ["coloured cells added", 0.089, added((grid) => coloured(grid).length)],
  ["coloured cells stay", 0.013, every((before, after) => !before || before === after)],
  ["coloured cells stay coloured", 0.017, every((before, after) => !before === !after)],
  ["changed cells", 0.303, ofOneSize((input, output) => changes(input, output).flat().filter(Boolean).length)],
  [
    "colours of changed cells",
    0.035,
    ofOneSize((input, output) => distinct(outputAt(input, output, (before, after) => before !== after))),
  ],
  ["parts of changed cells", 0.194, ofOneSize((input, output) => cornerParts(changes(input, output)).length)],
  ["changed cells make rectangles", 0.08, ofOneSize((input, output) => rectangular(changes(input, output)))],
  [
    "each colour becomes one",
    0.026,
    ofOneSize((input, output) =>
      palette(input).every((colour) => new Set(outputAt(input, output, (before) => before === colour)).size === 1)
    ),
  ],
  ["parts", 0.179, (_, output) => parts(output).length],
  ["parts added", 0.141, added((grid) => parts(grid).length)],
  ["parts by corner", 0.159, (_, output) => cornerParts(output).length],
  ["parts by corner added", 0.157, added((grid) => cornerParts(grid).length)],
  ["parts of any colour", 0.081, (_, output) => cornerParts(colouredOnly(output)).length],
  ["parts of any colour added", 0.133, added((grid) => cornerParts(colouredOnly(grid)).length)],
  ["black parts", 0.152, (_, output) => parts(blackOnly(output)).length],
  ["black parts added", 0.11, added((grid) => parts(blackOnly(grid)).length)],
  ["sizes of parts", 0.171, (_, output) => [...new Set(parts(output).map(({ cells }) => cells.length))].sort().join()],
  ["largest part", 0.243, (_, output) => largest(output)],
  ["largest part kept", 0.051, kept(largest)],
  ["parts are rectangles", 0.063, (_, output) => rectangular(output)],
  ["no lone cell", 0.063, (_, output) => cornerParts(output).every(({ cells }) => cells.length > 1)],
  ["colours never touch", 0.054, (_, output) => parts(output).length === parts(colouredOnly(output)).length],
  ["box around all kept", 0.034, ofOneSize(kept(boxPlace))],
  ["size of the box around all", 0.147, (_, output) => boxSize(output)],
  ["size of the box around all kept", 0.027, kept(boxSize)],
  ["corners", 0.135, (_, output) => corners(output)],
  ["corners kept", 0.074, kept(corners)],
];

const ofLines: [string, number, Of][] = [
  ["taken from the input", 0.041, (input, output) => {
    const own = new Set(input.map(String));
    return output.every((row) => own.has(String(row)));
  }],
  [
    "kept in any order",
    0.01,
    ofOneSize((input, output) => input.map(String).sort().join(";") === output.map(String).sort().join(";")),
  ],
  [
    "keep their counts",
    0.009,
    ofOneSize((input, output) => input.every((row, r) => `${histogram([row])}` === `${histogram([output[r]])}`)),
  ],
  ["that differ", 0.183, (_, output) => new Set(output.map(String)).size],
  ["of one colour", 0.019, (_, output) => output.every((row) => new Set(row).size === 1)],
  ["coloured cells in each", 0.045, (_, output) => ofRows(output, (row) => coloured(row).length)],
  ["colours in each", 0.06, (_, output) => ofRows(output, (row) => palette(row).length)],
  ["begin again after", 0.149, (_, output) => period(output)],
];

/** With how often they depart for black, and for any other colour. */
const ofColours: [string, number, number, (colour: number) => Pick<Feature, "of" | "counts">][] = [
  ["cells of", 0.235, 0.182, (colour) => ({ of: (_, output) => histogram(output)[colour], counts: either(colour) })],
  [
    "cells added of",
    0.091,
    0.105,
    (colour) => ({ of: added((grid) => histogram(grid)[colour]), counts: either(colour) }),
  ],
  ["stay:", 0.007, 0.022, (colour) => ({ of: ofThose(colour, (becomes) => becomes.every((c) => c === colour)) })],
  ["go:", 0.003, 0.036, (colour) => ({ of: ofThose(colour, (becomes) => becomes.every((c) => c !== colour)) })],
  ["become:", 0.02, 0.019, (colour) => ({
    of: ofThose(colour, (becomes) => distinct(becomes.filter((c) => c !== colour))),
  })],
  ["appear where they were not:", 0.016, 0.069, (colour) => ({
    of: every((before, after) => after !== colour || before === colour),
    counts: (_, output) => histogram(output)[colour] > 0,
  })],
];

const either = (colour: number) => (...pair: [Grid, Grid]) => pair.some((grid) => histogram(grid)[colour] > 0);

/** What is said of what becomes of the input's cells of a colour, where it has any. */
const ofThose = (colour: number, say: (becomes: number[]) => Value): Of =>
  ofOneSize((input, output) =>
    histogram(input)[colour] ? say(outputAt(input, output, (before) => before === colour)) : undefined
  );

const COLOURS = Array.from({ length: 10 }, (_, colour) => colour);
/** Half a turn and the four mirrorings; a quarter turn says nothing that these do not. */
const SYMMETRIES = [2, 4, 5, 6, 7];
const symmetric = (grid: Grid, k: number) => text(dihedral(grid, k)) === text(grid);

/** All features. */
export const features: readonly Feature[] = [
  ...general.map(([name, departs, of]) => ({ name, departs, of })),
  ...ofLines.flatMap(([name, departs, of]) => [
    { name: `rows ${name}`, departs, of },
    { name: `columns ${name}`, departs, of: down(of) },
  ]),
  ...ofColours.flatMap(([name, black, other, feature]) =>
    COLOURS.map((colour) => ({ name: `${name} ${colour}`, departs: colour ? other : black, ...feature(colour) }))
  ),
  ...SYMMETRIES.flatMap((k): Feature[] => [
    { name: `symmetry ${k}`, departs: 0.049, of: (_, output) => symmetric(output, k) },
    {
      name: `symmetry kept ${k}`,
      departs: 0.012,
      of: (input, output) => symmetric(input, k) ? symmetric(output, k) : undefined,
    },
  ]),
];
