/**
 * What families of rules are made with.
 *
 * @module
 */
import { dihedral } from "../augment.ts";
import { between, change, crop, figure, pick, rectangle, scatter, speckle } from "./drawing.ts";
import { box, type Shape } from "../shapes.ts";
import type { Random } from "../random.ts";
import type { Grid, Pair } from "../task.ts";

/** Draws a pair that obeys the rule. */
export type Rule = (random: Random) => Pair;

/** Draws a rule whose grids are about `side` high and wide at most. */
export type Family = (random: Random, side: number) => Rule;

/** Height and width. */
export type Size = [number, number];

/** A height and a width of at least `least`. */
export const size = (random: Random, side: number, least = 3): Size => [
  between(random, Math.min(least, side), side),
  between(random, Math.min(least, side), side),
];

/** A rule that works on any grid that `draw` makes. */
export const rule = (draw: (random: Random) => Grid, solve: (input: Grid) => Grid): Rule => (random) => {
  const input = draw(random);
  return { input, output: solve(input) };
};

/** Figures of random size and colour. */
export const figures = (random: Random, count: number, colours: readonly number[], least = 1, most = 6): Shape[] =>
  Array.from(
    { length: count },
    () => ({ colour: pick(random, colours), cells: figure(random, between(random, least, most)) }),
  );

/** A rule that works downwards, turned. */
export const turned = (k: number, solve: (grid: Grid) => Grid) => (grid: Grid) =>
  dihedral(solve(dihedral(grid, k)), [0, 3, 2, 1, 4, 5, 6, 7][k]);

/** A pair drawn one way, turned. */
export const turnedPair = ({ input, output }: Pair, k: number): Pair => ({
  input: dihedral(input, k),
  output: dihedral(output, k),
});

/** A rule that has no pair to be found. */
export class NoPairError extends Error {
  override name = "NoPairError";
}

/**
 * Draws again until it holds.
 *
 * @throws {NoPairError} when it does not within 200 attempts
 */
export const until = <T>(draw: () => T, holds: (drawn: T) => boolean): T => {
  for (let attempt = 0; attempt < 200; attempt++) {
    const drawn = draw();
    if (holds(drawn)) return drawn;
  }
  throw new NoPairError("Cannot draw a pair of this rule");
};

/** What is drawn again and again. */
export const times = <T>(count: number, draw: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => draw(i));

const density = (random: Random) => 0.2 + 0.5 * random.next();

/** A filled random grid of few colours. */
export const colourful = (random: Random, [h, w]: Size, colours: readonly number[], share = density(random)) =>
  until(() => speckle(random, h, w, colours, share), (grid) => grid.flat().some((colour) => colour));

/** Filled rectangles of random sides and colours. */
export const rectangles = (
  random: Random,
  count: number,
  colours: readonly number[],
  least: number,
  most: number,
): Shape[] =>
  Array.from({ length: count }, () => ({
    colour: pick(random, colours),
    cells: rectangle(0, 0, between(random, least, most), between(random, least, most)),
  }));

/** The cells of all shapes. */
export const cellsOf = (shapes: readonly Shape[]) => shapes.flatMap(({ cells }) => cells);

/** Shapes that all found room on a grid of at least 6 by 6, in the order drawn, and for which `holds`. */
export const scene = (
  random: Random,
  side: number,
  draw: () => Shape[],
  holds: (shapes: Shape[]) => boolean = () => true,
) =>
  until(() => {
    const drawn = draw();
    return { ...scatter(random, ...size(random, side, 6), drawn), wanted: drawn.length };
  }, ({ shapes, wanted }) => shapes.length === wanted && holds(shapes));

/** The grid without all other shapes. */
export const alone = (grid: Grid, shapes: readonly Shape[]) => {
  const kept = new Set(cellsOf(shapes).map(String));
  return change(grid, (colour, r, c) => kept.has(`${r},${c}`) ? colour : 0);
};

/** A shape in its box, without what else is there. */
export const cut = (grid: Grid, shape: Shape) => crop(alone(grid, [shape]), box(shape.cells));

/** What a shape is wherever it stands. */
export const form = ({ cells }: Shape) => {
  const [top, left] = box(cells);
  return cells.map(([r, c]) => `${r - top},${c - left}`).sort().join(" ");
};
