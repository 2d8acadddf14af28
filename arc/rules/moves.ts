/**
 * Rules on where shapes go: shifted, copied, slid until they touch.
 *
 * @module
 */
import { dihedral } from "../augment.ts";
import { between, blank, figure, make, paint, pick, rectangle, scatter, someColours } from "./drawing.ts";
import { box, type Cell, type Shape, steps } from "../shapes.ts";
import { type Family, figures, size, until } from "./family.ts";

/** The families by name. */
export const moves = {
  stamp(random, side) {
    const [mark, ...others] = someColours(random, 3);
    const pattern = make(3, 3, (r, c) => r === 1 && c === 1 ? mark : random.next() < 0.5 ? pick(random, others) : 0);
    return (random) => {
      const rooms = Array.from(
        { length: between(random, 1, 4) },
        () => ({ colour: mark, cells: rectangle(0, 0, 3, 3) }),
      );
      const { grid, shapes } = until(
        () => scatter(random, ...size(random, side, 5), rooms),
        ({ shapes }) => shapes.length > 0,
      );
      const [input, output] = [blank(grid.length, grid[0].length), blank(grid.length, grid[0].length)];
      for (const { cells } of shapes) {
        const [top, left] = box(cells);
        input[top + 1][left + 1] = mark;
        for (const [r, c] of cells) output[r][c] = pattern[r - top][c - left];
      }
      return { input, output };
    };
  },
  shiftColour(random, side) {
    const [mover, ...others] = someColours(random, between(random, 2, 3));
    const [dr, dc] = pick(random, steps(true)), by = between(random, 1, 2);
    return (random) => {
      const { grid, shapes } = scatter(random, ...size(random, side, 5), [
        ...figures(random, between(random, 1, 2), [mover], 1, 5),
        ...figures(random, between(random, 1, 2), others, 1, 5),
      ], by);
      const moved = shapes.filter(({ colour }) => colour === mover).flatMap(({ cells }) => cells);
      const cleared = paint(grid, moved, 0);
      return { input: grid, output: paint(cleared, moved.map(([r, c]) => [r + by * dr, c + by * dc]), mover) };
    };
  },
  beside(random, side) {
    const colours = someColours(random, between(random, 1, 3)), k = random.integer(4), flips = random.next() < 0.6;
    return (random) => {
      const cells = figure(random, between(random, 3, 6)),
        [, , bottom, right] = box(cells),
        colour = pick(random, colours);
      const h = between(random, bottom + 1, Math.max(side, bottom + 1)),
        w = between(random, 2 * right + 2, Math.max(side, 2 * right + 2));
      const [top, left] = [random.integer(h - bottom), random.integer(w - 2 * right - 1)];
      const own = cells.map(([r, c]): Cell => [r + top, c + left]);
      const other = cells.map(([r, c]): Cell => [r + top, left + right + 1 + (flips ? right - c : c)]);
      const input = paint(blank(h, w), own, colour);
      return { input: dihedral(input, k), output: dihedral(paint(input, other, colour), k) };
    };
  },
  movedCopies(random, side) {
    const [own, ...marks] = someColours(random, 3);
    return (random) => {
      // The first cell of the figure as it is read is where a mark stands.
      const cells = figure(random, between(random, 2, 4)).sort(([r, c], [y, x]) => r - y || c - x);
      const [, , bottom, right] = box(cells);
      const [h, w] = size(random, side, 6), count = between(random, 1, 3);
      const blocks = Array.from(
        { length: count + 1 },
        () => ({ colour: 1, cells: rectangle(0, 0, bottom + 1, right + 1) }),
      );
      const { shapes } = until(() => scatter(random, h, w, blocks), ({ shapes }) => shapes.length > 1);
      const place = (shape: Shape) => {
        const [top, left] = box(shape.cells);
        return cells.map(([r, c]): Cell => [r + top, c + left]);
      };
      const [first, ...others] = shapes, mark = marks[0];
      const start = paint(blank(h, w), place(first), own);
      const dots = others.map((shape) => place(shape)[0]);
      return {
        input: paint(start, dots, mark),
        output: others.reduce((grid, shape) => paint(grid, place(shape), own), start),
      };
    };
  },
  meet(random, side) {
    const [still, mover] = someColours(random, 2), k = random.integer(4);
    return (random) => {
      const h = between(random, 6, Math.max(6, side)), w = between(random, 4, side);
      const a = figure(random, between(random, 1, 4)),
        b = rectangle(0, 0, between(random, 1, 2), between(random, 2, 3));
      const [, , bottom, right] = box(a), [, , low, wide] = box(b);
      return until(() => {
        const left = random.integer(Math.max(1, w - right)), x = random.integer(Math.max(1, w - wide));
        const y = h - 1 - low - random.integer(2), top = random.integer(2);
        const ground = paint(blank(h, w), b.map(([r, c]): Cell => [r + y, c + x]), still);
        const at = (d: number) => a.map(([r, c]): Cell => [r + top + d, c + left]);
        let d = 0;
        while (at(d + 1).every(([r, c]) => ground[r]?.[c] === 0)) d++;
        const input = paint(ground, at(0), mover), output = paint(ground, at(d), mover);
        const touches = at(d + 1).some(([r, c]) => ground[r]?.[c] === still) && top + bottom < y - 1 && right < w &&
          wide < w;
        return { pair: { input: dihedral(input, k), output: dihedral(output, k) }, touches };
      }, ({ touches }) => touches).pair;
    };
  },
  slideToWall(random, side) {
    const [wall, own] = someColours(random, 2), k = random.integer(4);
    return (random) => {
      const h = between(random, 5, side), w = between(random, 4, side);
      const cells = until(() => figure(random, between(random, 1, 5)), (cells) => {
        const [, , bottom, right] = box(cells);
        return bottom < h - 2 && right < w;
      });
      const [, , bottom, right] = box(cells);
      const [top, left] = [random.integer(h - 2 - bottom), random.integer(w - right)];
      const put = (at: number) => {
        const grid = [...blank(h - 1, w), Array(w).fill(wall)];
        return paint(grid, cells.map(([r, c]): Cell => [r + at, c + left]), own);
      };
      return { input: dihedral(put(top), k), output: dihedral(put(h - 2 - bottom), k) };
    };
  },
} satisfies Record<string, Family>;
