/**
 * What is seen on a grid: cells that have something, boxes around them, and shapes, the parts of one colour that hang together. Knows no tasks.
 *
 * @module
 */
import type { Grid } from "./task.ts";

/** Row and column. */
export type Cell = [number, number];

/** Cells of one colour that hang together. */
export interface Shape {
  /** Its colour. */
  colour: number;
  /** Its cells, at least one. */
  cells: Cell[];
}

/** The smallest box around cells: top, left, bottom, right. */
export function box(cells: readonly Cell[]): [number, number, number, number] {
  const rows = cells.map(([r]) => r), columns = cells.map(([, c]) => c);
  return [Math.min(...rows), Math.min(...columns), Math.max(...rows), Math.max(...columns)];
}

/** Whether the grid has such a cell. */
export function inside(grid: Grid, r: number, c: number): boolean {
  return grid[r]?.[c] !== undefined;
}

/** The cells of a shape that touch the box around it. */
export function outline(cells: readonly Cell[]): Cell[] {
  const [top, left, bottom, right] = box(cells);
  return cells.filter(([r, c]) => r === top || r === bottom || c === left || c === right);
}

/** All cells for which `holds`. */
export function cellsWhere(grid: Grid, holds: (colour: number, r: number, c: number) => boolean): Cell[] {
  return grid.flatMap((row, r) => row.flatMap((colour, c) => holds(colour, r, c) ? [[r, c] as Cell] : []));
}

/** The four neighbours, or the eight. */
export function steps(diagonal: boolean): Cell[] {
  const straight: Cell[] = [[-1, 0], [0, 1], [1, 0], [0, -1]];
  return diagonal ? [...straight, [-1, -1], [-1, 1], [1, 1], [1, -1]] : straight;
}

/** The parts of one colour that hang together; colours for which `counts` does not hold are ground. */
export function shapesOf(grid: Grid, counts = (colour: number) => colour !== 0, diagonal = false): Shape[] {
  const seen = grid.map((row) => row.map(() => false));
  const around = steps(diagonal);
  const shapes: Shape[] = [];
  grid.forEach((row, r) =>
    row.forEach((colour, c) => {
      if (seen[r][c] || !counts(colour)) return;
      const cells: Cell[] = [[r, c]];
      seen[r][c] = true;
      for (let i = 0; i < cells.length; i++) {
        for (const [dr, dc] of around) {
          const [y, x] = [cells[i][0] + dr, cells[i][1] + dc];
          if (grid[y]?.[x] !== colour || seen[y][x]) continue;
          seen[y][x] = true;
          cells.push([y, x]);
        }
      }
      shapes.push({ colour, cells });
    })
  );
  return shapes;
}
