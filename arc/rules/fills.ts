/**
 * Rules on borders and insides: what is filled, framed, emptied and cleaned.
 *
 * @module
 */
import { between, blank, paint, pick, rectangle, scatter, someColours, speckle } from "./drawing.ts";
import { box, type Cell, outline, shapesOf, steps } from "../shapes.ts";
import { type Family, figures, rectangles, rule, size, until } from "./family.ts";
import type { Grid } from "../task.ts";

/** Cells of ground that no way over ground leads to from the edge. */
function enclosed(grid: Grid): Cell[] {
  const [h, w] = [grid.length, grid[0].length];
  return shapesOf(grid, (colour) => colour === 0)
    .filter(({ cells }) => cells.every(([r, c]) => r > 0 && c > 0 && r < h - 1 && c < w - 1))
    .flatMap(({ cells }) => cells);
}

/** The families by name. */
export const fills = {
  fillEnclosed(random, side) {
    const [wall, fill] = someColours(random, 2);
    return (random) => {
      const { grid } = until(() => {
        const rings = rectangles(random, between(random, 1, 3), [wall], 3, Math.min(6, side - 1));
        const walls = rings.map(({ colour, cells }) => ({ colour, cells: outline(cells) }));
        return scatter(random, ...size(random, side, 5), [...walls, ...figures(random, 2, [wall], 1, 4)]);
      }, ({ grid }) => enclosed(grid).length > 0);
      return { input: grid, output: paint(grid, enclosed(grid), fill) };
    };
  },
  fillHoles(random, side) {
    const [wall, fill] = someColours(random, 2);
    return rule(
      (random) =>
        until(() => speckle(random, ...size(random, side, 4), [wall], 0.55), (grid) => enclosed(grid).length > 0),
      (grid) => paint(grid, enclosed(grid), fill),
    );
  },
  outlineRectangles(random, side) {
    const [from, to] = someColours(random, 2), inner = random.next() < 0.5;
    return (random) => {
      const { grid, shapes } = until(
        () => scatter(random, ...size(random, side, 5), rectangles(random, between(random, 1, 3), [from], 3, 5)),
        ({ shapes }) => shapes.length > 0,
      );
      const rings = shapes.flatMap(({ cells }) => outline(cells));
      const all = shapes.flatMap(({ cells }) => cells);
      const output = inner ? paint(paint(grid, all, to), rings, from) : paint(grid, rings, to);
      return { input: grid, output };
    };
  },
  hollow(random, side) {
    const colours = someColours(random, between(random, 1, 4));
    return (random) => {
      const { grid, shapes } = until(
        () => scatter(random, ...size(random, side, 5), rectangles(random, between(random, 1, 3), colours, 3, 6)),
        ({ shapes }) => shapes.length > 0,
      );
      const output = shapes.reduce(
        (grid, { colour, cells }) => paint(paint(grid, cells, 0), outline(cells), colour),
        grid,
      );
      return { input: grid, output };
    };
  },
  halo(random, side) {
    const diagonal = random.next() < 0.6, [own, ring, ...others] = someColours(random, between(random, 2, 4));
    const only = others.length ? diagonal ? steps(true).slice(4) : steps(false) : steps(diagonal);
    return (random) => {
      const [h, w] = size(random, side, 5);
      const marks = [own, ...Array.from({ length: between(random, 0, 3) }, () => pick(random, [own, ...others]))];
      const { grid, shapes } = scatter(random, h, w, marks.map((colour) => ({ colour, cells: [[0, 0]] })));
      const wide = shapes.filter(({ colour }) => colour === own).flatMap(({ cells: [[r, c]] }) =>
        only.map(([dr, dc]): Cell => [r + dr, c + dc])
      );
      const free = wide.filter(([r, c]) => grid[r]?.[c] === 0);
      return { input: grid, output: paint(grid, free, ring) };
    };
  },
  corners(random, side) {
    const [mark, fill] = someColours(random, 2), whole = random.next() < 0.5;
    return (random) => {
      const [h, w] = size(random, side, 5);
      const { shapes } = until(
        () =>
          scatter(
            random,
            h,
            w,
            Array.from({ length: between(random, 1, 2) }, () => ({
              colour: mark,
              cells: rectangle(0, 0, between(random, 3, Math.min(6, side)), between(random, 3, Math.min(6, side))),
            })),
          ),
        ({ shapes }) => shapes.length > 0,
      );
      const corner = (
        [top, left, bottom, right]: number[],
      ): Cell[] => [[top, left], [top, right], [bottom, left], [bottom, right]];
      const marks = shapes.flatMap(({ cells }) => corner(box(cells)));
      const bare = paint(blank(h, w), marks, mark);
      const inner = shapes.flatMap(({ cells }) => {
        const [top, left, bottom, right] = box(cells);
        return whole
          ? cells.filter(([r, c]) => bare[r][c] === 0)
          : cells.filter(([r, c]) => r > top && c > left && r < bottom && c < right);
      });
      return { input: bare, output: paint(bare, inner, fill) };
    };
  },
  boundingBox(random, side) {
    const [own, fill] = someColours(random, 2);
    return (random) => {
      const { grid, shapes } = scatter(
        random,
        ...size(random, side, 5),
        figures(random, between(random, 1, 3), [own], 3, 7),
      );
      const output = shapes.reduce((result, { cells }) => {
        const [top, left, bottom, right] = box(cells);
        const free = rectangle(top, left, bottom - top + 1, right - left + 1).filter(([r, c]) => grid[r][c] === 0);
        return paint(result, free, fill);
      }, grid);
      return { input: grid, output };
    };
  },
  surround(random, side) {
    const [ring, ...colours] = someColours(random, between(random, 2, 4));
    return (random) => {
      const { grid, shapes } = scatter(
        random,
        ...size(random, side, 5),
        rectangles(random, between(random, 1, 3), colours, 1, 3),
        1,
      );
      const around = shapes.flatMap(({ cells }) =>
        cells.flatMap(([r, c]) => steps(true).map(([dr, dc]): Cell => [r + dr, c + dc]))
      );
      return { input: grid, output: paint(grid, around.filter(([r, c]) => grid[r]?.[c] === 0), ring) };
    };
  },
  repair(random, side) {
    const [noise, ...colours] = someColours(random, between(random, 2, 4));
    return (random) => {
      const { grid, shapes } = until(
        () => scatter(random, ...size(random, side, 5), rectangles(random, between(random, 1, 3), colours, 3, 5)),
        ({ shapes }) => shapes.length > 0,
      );
      const dirt = shapes.flatMap(({ cells }) =>
        Array.from({ length: between(random, 0, 2) }, () => pick(random, cells))
      );
      return { input: paint(grid, dirt.length ? dirt : [shapes[0].cells[0]], noise), output: grid };
    };
  },
  denoise(random, side) {
    const [noise, ...colours] = someColours(random, between(random, 2, 4)), same = random.next() < 0.3;
    return (random) => {
      const { grid, shapes } = scatter(random, ...size(random, side, 5), [
        ...rectangles(random, between(random, 1, 3), colours, 2, 4),
        ...Array.from(
          { length: between(random, 1, 5) },
          () => ({ colour: same ? colours[0] : noise, cells: rectangle(0, 0, 1, 1) }),
        ),
      ]);
      return {
        input: grid,
        output: paint(grid, shapes.filter(({ cells }) => cells.length === 1).flatMap(({ cells }) => cells), 0),
      };
    };
  },
} satisfies Record<string, Family>;
