/**
 * What rules are drawn with: blank and speckled grids, figures, shapes that do not touch. Knows no tasks and no networks.
 *
 * @module
 */
import type { Random } from "../random.ts";
import { box, type Cell, inside, type Shape, steps } from "../shapes.ts";
import type { Grid } from "../task.ts";

/** An integer from `low` to `high`, both included. */
export function between(random: Random, low: number, high: number): number {
  return low + random.integer(high - low + 1);
}

/** One of a list. */
export function pick<T>(random: Random, list: readonly T[]): T {
  return list[random.integer(list.length)];
}

/** `count` different colours, black not among them. */
export function someColours(random: Random, count: number): number[] {
  return random.permutation(9).slice(0, count).map((c) => c + 1);
}

/** A list in random order. */
export function shuffle<T>(random: Random, list: readonly T[]): T[] {
  return random.permutation(list.length).map((i) => list[i]);
}

/** Whether all of the colours are on a grid. */
export function shows(grid: Grid, colours: readonly number[]): boolean {
  return colours.every((colour) => grid.flat().includes(colour));
}

/** How many cells are not black. */
export function filled(grid: Grid): number {
  return grid.flat().filter((colour) => colour).length;
}

/** Whether two grids are the same. */
export function same(a: Grid, b: Grid): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** A grid of one colour. */
export function blank(height: number, width: number, colour = 0): Grid {
  return Array.from({ length: height }, () => Array(width).fill(colour));
}

/** A grid made cell by cell. */
export function make(height: number, width: number, colour: (r: number, c: number) => number): Grid {
  return Array.from({ length: height }, (_, r) => Array.from({ length: width }, (_, c) => colour(r, c)));
}

/** A grid with a border of one colour around it. */
export function framed(grid: Grid, colour: number): Grid {
  return make(grid.length + 2, grid[0].length + 2, (r, c) => grid[r - 1]?.[c - 1] ?? colour);
}

/** A grid with every cell changed. */
export function change(grid: Grid, colour: (old: number, r: number, c: number) => number): Grid {
  return grid.map((row, r) => row.map((old, c) => colour(old, r, c)));
}

/** Random cells of the given colours on black. */
export function speckle(
  random: Random,
  height: number,
  width: number,
  colours: readonly number[],
  share: number,
): Grid {
  return make(height, width, () => random.next() < share ? pick(random, colours) : 0);
}

/** A copy with cells painted. */
export function paint(grid: Grid, cells: readonly Cell[], colour: number): Grid {
  const painted = grid.map((row) => row.slice());
  for (const [r, c] of cells) if (painted[r]?.[c] !== undefined) painted[r][c] = colour;
  return painted;
}

/** Rows top … bottom and columns left … right, all included. */
export function crop(grid: Grid, [top, left, bottom, right]: readonly [number, number, number, number]): Grid {
  return grid.slice(top, bottom + 1).map((row) => row.slice(left, right + 1));
}

/** The cells of a filled rectangle. */
export function rectangle(top: number, left: number, height: number, width: number): Cell[] {
  return Array.from({ length: height * width }, (_, i) => [top + Math.floor(i / width), left + i % width]);
}

/** Cells that begin at 0, 0, put somewhere else. */
export function at(cells: readonly Cell[], top: number, left: number): Cell[] {
  return cells.map(([r, c]) => [r + top, c + left]);
}

/** The cells from one to another that lies straight or diagonally, both included. */
export function line([r, c]: Cell, [y, x]: Cell): Cell[] {
  return Array.from(
    { length: Math.max(Math.abs(y - r), Math.abs(x - c)) + 1 },
    (_, i) => [r + i * Math.sign(y - r), c + i * Math.sign(x - c)],
  );
}

/** The cells beyond one up to the edge. */
export function beam(grid: Grid, [r, c]: Cell, [dr, dc]: Cell): Cell[] {
  return inside(grid, r + dr, c + dc) ? [[r + dr, c + dc], ...beam(grid, [r + dr, c + dc], [dr, dc])] : [];
}

/** Every column's colours, fallen down. */
export function fall(grid: Grid): Grid {
  const columns = grid[0].map((_, c) => grid.map((row) => row[c]).filter((colour) => colour));
  return make(grid.length, grid[0].length, (r, c) => columns[c][r - grid.length + columns[c].length] ?? 0);
}

/** A connected figure of `count` cells, its box beginning at 0, 0. */
export function figure(random: Random, count: number): Cell[] {
  const cells: Cell[] = [[0, 0]];
  while (cells.length < count) {
    const [r, c] = pick(random, cells);
    const [dr, dc] = pick(random, steps(false));
    if (!cells.some(([y, x]) => y === r + dr && x === c + dc)) cells.push([r + dr, c + dc]);
  }
  const [top, left] = box(cells);
  return cells.map(([r, c]) => [r - top, c - left]);
}

/** Puts figures, which begin at 0, 0, somewhere on black where they keep a cell's distance; those that find no room are left out. */
export function scatter(
  random: Random,
  height: number,
  width: number,
  figures: readonly Shape[],
  margin = 0,
): { grid: Grid; shapes: Shape[] } {
  let grid = blank(height, width);
  const shapes: Shape[] = [];
  for (const { colour, cells } of figures) {
    const [, , bottom, right] = box(cells);
    const [rows, columns] = [height - bottom - 2 * margin, width - right - 2 * margin];
    if (rows < 1 || columns < 1) continue;
    for (let attempt = 0; attempt < 20; attempt++) {
      const [top, left] = [margin + random.integer(rows), margin + random.integer(columns)];
      const moved = cells.map(([r, c]): Cell => [r + top, c + left]);
      const free = moved.every(([r, c]) => [[0, 0], ...steps(true)].every(([dr, dc]) => !(grid[r + dr]?.[c + dc])));
      if (!free) continue;
      grid = paint(grid, moved, colour);
      shapes.push({ colour, cells: moved });
      break;
    }
  }
  return { grid, shapes };
}
