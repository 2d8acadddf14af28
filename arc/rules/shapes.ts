/**
 * Rules on what shapes are: found, cut out, told apart by size and form.
 *
 * @module
 */
import { dihedral } from "../augment.ts";
import {
  between,
  blank,
  crop,
  figure,
  make,
  paint,
  pick,
  rectangle,
  scatter,
  someColours,
  speckle,
} from "./drawing.ts";
import { box, cellsWhere, outline, type Shape, shapesOf } from "../shapes.ts";
import { type Family, figures, rectangles, rule, size, until } from "./family.ts";

const bySize = (shapes: readonly Shape[], largest: boolean) =>
  shapes.toSorted((a, b) => (a.cells.length - b.cells.length) * (largest ? -1 : 1));

/** Whether one of the shapes is the largest (or smallest) alone. */
const clear = (shapes: readonly Shape[], largest: boolean) => {
  const [first, second] = bySize(shapes, largest);
  return shapes.length > 1 && first.cells.length !== second.cells.length;
};

/** The families by name. */
export const shapes = {
  cropShape(random, side) {
    const colours = someColours(random, between(random, 1, 4));
    return rule(
      (random) =>
        until(
          () => scatter(random, ...size(random, side, 5), figures(random, 1, colours, 3, 9)),
          ({ shapes }) => shapes.length > 0,
        ).grid,
      (grid) => crop(grid, box(cellsWhere(grid, (colour) => colour !== 0))),
    );
  },
  cropColour(random, side) {
    const [colour, ...others] = someColours(random, 4);
    return (random) => {
      const draw = () => {
        const chosen = { colour, cells: figure(random, between(random, 3, 7)) };
        return scatter(random, ...size(random, side, 5), [chosen, ...figures(random, 3, others, 1, 5)]);
      };
      const { grid } = until(draw, ({ shapes }) => shapes.some((shape) => shape.colour === colour));
      return { input: grid, output: crop(grid, box(cellsWhere(grid, (own) => own === colour))) };
    };
  },
  extremeShape(random, side) {
    const largest = random.next() < 0.6, cut = random.next() < 0.5;
    const colours = someColours(random, between(random, 1, 5));
    return (random) => {
      const { grid, shapes } = until(
        () => scatter(random, ...size(random, side, 6), figures(random, between(random, 2, 4), colours, 1, 8)),
        ({ shapes }) => clear(shapes, largest),
      );
      const [{ colour, cells }] = bySize(shapes, largest);
      const alone = paint(blank(grid.length, grid[0].length), cells, colour);
      return { input: grid, output: cut ? crop(alone, box(cells)) : alone };
    };
  },
  recolourExtreme(random, side) {
    const largest = random.next() < 0.6, [from, to, rest] = someColours(random, 3), all = random.next() < 0.5;
    return (random) => {
      const { grid, shapes } = until(
        () => scatter(random, ...size(random, side, 6), figures(random, between(random, 2, 5), [from], 1, 8)),
        ({ shapes }) => clear(shapes, largest),
      );
      const [first, ...others] = bySize(shapes, largest);
      const marked = paint(grid, first.cells, to);
      return { input: grid, output: all ? paint(marked, others.flatMap(({ cells }) => cells), rest) : marked };
    };
  },
  recolourBySize(random, side) {
    const [from, ...to] = someColours(random, 4), least = between(random, 1, 2);
    return (random) => {
      const shape = (cells: number) => ({ colour: from, cells: figure(random, cells) });
      // One of each size at least, so that every colour is seen.
      const { grid, shapes } = until(
        () =>
          scatter(random, ...size(random, side, 5), [
            shape(least + 2),
            shape(least + 1),
            shape(least),
            ...figures(random, 2, [from], least, least + 2),
          ]),
        ({ shapes }) => new Set(shapes.map(({ cells }) => cells.length)).size === to.length,
      );
      return {
        input: grid,
        output: shapes.reduce((grid, { cells }) => paint(grid, cells, to[cells.length - least]), grid),
      };
    };
  },
  markedShape(random, side) {
    const [own, ...marks] = someColours(random, 5);
    return (random) => {
      const { grid, shapes } = scatter(
        random,
        ...size(random, side, 5),
        figures(random, between(random, 1, 3), [own], 3, 7),
      );
      const chosen = shapes.map(({ cells }) => ({ cells, cell: pick(random, cells), colour: pick(random, marks) }));
      return {
        input: chosen.reduce((result, { cell, colour }) => paint(result, [cell], colour), grid),
        output: chosen.reduce((result, { cells, colour }) => paint(result, cells, colour), grid),
      };
    };
  },
  touchEdge(random, side) {
    const [own, to] = someColours(random, 2), touching = random.next() < 0.5;
    return (random) => {
      const { grid, shapes } = scatter(
        random,
        ...size(random, side, 6),
        figures(random, between(random, 3, 6), [own], 1, 5),
      );
      const [h, w] = [grid.length, grid[0].length];
      const touches = ({ cells }: Shape) => cells.some(([r, c]) => r === 0 || c === 0 || r === h - 1 || c === w - 1);
      return {
        input: grid,
        output: shapes.filter((shape) => touches(shape) === touching).reduce(
          (result, { cells }) => paint(result, cells, to),
          grid,
        ),
      };
    };
  },
  holed(random, side) {
    const [own, withHole, without] = someColours(random, 3), both = random.next() < 0.5;
    return (random) => {
      const open = ({ cells }: Shape) => {
        const [top, left] = box(cells);
        return !cells.some(([r, c]) => r === top + 1 && c === left + 1);
      };
      const { grid, shapes } = until(() => {
        const whole = rectangles(random, between(random, 2, 4), [own], 3, 4);
        const drawn = whole.map(({ colour, cells }, i) => ({
          colour,
          cells: (i > 1 ? random.next() < 0.5 : i === 0)
            ? outline(cells)
            : cells.slice(0, cells.length - random.integer(2)),
        }));
        return scatter(random, ...size(random, side, 6), drawn);
      }, ({ shapes }) => shapes.some(open) && !shapes.every(open));
      const output = shapes.reduce(
        (result, shape) =>
          open(shape) ? paint(result, shape.cells, withHole) : both ? paint(result, shape.cells, without) : result,
        grid,
      );
      return { input: grid, output };
    };
  },
  turnedOut(random, side) {
    const colours = someColours(random, 5), swap = random.next() < 0.5;
    return (random) => {
      const { grid, shapes } = until(
        () => scatter(random, ...size(random, side, 5), rectangles(random, between(random, 1, 3), [1], 3, 4)),
        ({ shapes }) => shapes.length > 0,
      );
      let [input, output] = [grid, grid];
      for (const { cells } of shapes) {
        const [a, b] = random.permutation(5).map((i) => colours[i]), ring = outline(cells);
        input = paint(paint(input, cells, a), ring, b);
        output = swap ? paint(paint(output, cells, b), ring, a) : paint(output, cells, a);
      }
      return { input, output };
    };
  },
  symmetricShapes(random, side) {
    const [own, to] = someColours(random, 2), axis = random.integer(2);
    return (random) => {
      const shape = (): Shape => {
        const [h, w] = [between(random, 2, 3), 3], half = speckle(random, h, w, [1], 0.7);
        const whole = random.next() < 0.5 ? half : make(h, w, (r, c) => c === 2 ? half[r][0] : half[r][c]);
        const [part] = shapesOf(axis ? dihedral(whole, 6) : whole).toSorted((a, b) => b.cells.length - a.cells.length);
        if (!part) return { colour: own, cells: [[0, 0]] };
        const [top, left] = box(part.cells);
        return { colour: own, cells: part.cells.map(([r, c]) => [r - top, c - left]) };
      };
      const { grid, shapes } = scatter(
        random,
        ...size(random, side, 6),
        Array.from({ length: between(random, 2, 4) }, shape),
      );
      const even = ({ cells }: Shape) => {
        const own = crop(grid, box(cells));
        return JSON.stringify(own) === JSON.stringify(dihedral(own, axis ? 5 : 4));
      };
      return { input: grid, output: shapes.filter(even).reduce((result, { cells }) => paint(result, cells, to), grid) };
    };
  },
  around(random, side) {
    const [mark, ...colours] = someColours(random, 4), ring = random.next() < 0.5;
    return (random) => {
      const [h, w] = size(random, side, 5), [r, c] = [between(random, 1, h - 2), between(random, 1, w - 2)];
      const input = paint(speckle(random, h, w, colours, 0.4), [[r, c]], mark);
      const output = crop(input, [r - 1, c - 1, r + 1, c + 1]);
      return { input, output: ring ? paint(output, [[1, 1]], 0) : output };
    };
  },
  insideRing(random, side) {
    const [ring, ...colours] = someColours(random, 4), kept = random.next() < 0.3;
    return (random) => {
      const [h, w] = size(random, side, 6),
        [a, b] = [between(random, 4, Math.min(6, h)), between(random, 4, Math.min(6, w))];
      const [top, left] = [random.integer(h - a + 1), random.integer(w - b + 1)], cells = rectangle(top, left, a, b);
      const input = paint(speckle(random, h, w, colours, 0.4), outline(cells), ring);
      const d = kept ? 0 : 1;
      return { input, output: crop(input, [top + d, left + d, top + a - 1 - d, left + b - 1 - d]) };
    };
  },
} satisfies Record<string, Family>;
