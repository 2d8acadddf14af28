/**
 * Rules on shapes: found, cut out, filled, moved, coloured by what they are.
 *
 * @module
 */
import { dihedral } from "../augment.ts";
import {
  between,
  blank,
  box,
  type Cell,
  cellsWhere,
  crop,
  figure,
  make,
  paint,
  pick,
  rectangle,
  scatter,
  type Shape,
  shapesOf,
  someColours,
  speckle,
  steps,
} from "./drawing.ts";
import { type Family, figures, rule, size, until } from "./family.ts";
import type { Random } from "../random.ts";
import type { Grid } from "../task.ts";

const rectangles = (random: Random, count: number, colours: readonly number[], least: number, most: number): Shape[] =>
  Array.from({ length: count }, () => ({
    colour: pick(random, colours),
    cells: rectangle(0, 0, between(random, least, most), between(random, least, most)),
  }));

/** Cells of ground that no way over ground leads to from the edge. */
function enclosed(grid: Grid): Cell[] {
  const [h, w] = [grid.length, grid[0].length];
  return shapesOf(grid, (colour) => colour === 0)
    .filter(({ cells }) => cells.every(([r, c]) => r > 0 && c > 0 && r < h - 1 && c < w - 1))
    .flatMap(({ cells }) => cells);
}

const outline = (cells: readonly Cell[]) => {
  const [top, left, bottom, right] = box(cells);
  return cells.filter(([r, c]) => r === top || r === bottom || c === left || c === right);
};

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
