/**
 * Rules on lines and columns: what falls, joins, grows and crosses.
 *
 * @module
 */
import { dihedral } from "../augment.ts";
import { between, blank, change, fall, make, paint, pick, rectangle, someColours, speckle } from "./drawing.ts";
import { type Cell, cellsWhere, inside, shapesOf, steps } from "../shapes.ts";
import { colourful, type Family, rule, type Size, size, turned } from "./family.ts";
import type { Random } from "../random.ts";
import type { Grid } from "../task.ts";

/** Paints from each cell of `colour` along `step` until the edge or something else. */
function shoot(grid: Grid, colour: number, [dr, dc]: Cell, ray: number): Grid {
  const result = grid.map((row) => row.slice());
  for (let [r, c] of cellsWhere(grid, (own) => own === colour)) {
    for (r += dr, c += dc; inside(grid, r, c) && grid[r][c] === 0; r += dr, c += dc) result[r][c] = ray;
  }
  return result;
}

/** Points that share no row and no column. */
const points = (random: Random, [h, w]: Size, count: number): Cell[] => {
  const rows = random.permutation(h), columns = random.permutation(w);
  return Array.from({ length: Math.min(count, h, w) }, (_, i) => [rows[i], columns[i]]);
};

/** The families by name. */
export const lines = {
  gravity(random, side) {
    const k = random.integer(4), colours = someColours(random, between(random, 1, 5));
    return rule((random) => colourful(random, size(random, side), colours, 0.4), turned(k, fall));
  },
  gravityOnFloor(random, side) {
    const k = random.integer(4), [floor, ...colours] = someColours(random, between(random, 2, 4));
    const solve = turned(k, (grid) => [...fall(grid.slice(0, -1)), grid.at(-1)!]);
    return rule((random) => {
      const [h, w] = size(random, side, 4);
      const turnedSize: Size = k % 2 ? [w, h] : [h, w];
      const grid = [...colourful(random, turnedSize, colours, 0.25).slice(0, -1), Array(turnedSize[1]).fill(floor)];
      return dihedral(grid, [0, 3, 2, 1][k]);
    }, solve);
  },
  connect(random, side) {
    const [end, line] = someColours(random, 2), same = random.next() < 0.4, turns = pick(random, [[0], [6], [0, 6]]);
    const span = (row: number[]) => [row.indexOf(end), row.lastIndexOf(end)];
    return rule((random) => {
      const [h, w] = size(random, side, 5);
      return Array.from({ length: between(random, 1, 3) }).reduce((grid: Grid) => {
        const k = pick(random, turns), turned = dihedral(grid, k);
        const [a, b] = random.permutation(turned[0].length), r = random.integer(turned.length);
        return dihedral(paint(turned, [[r, a], [r, b]], end), k);
      }, blank(h, w));
    }, (grid) =>
      turns.reduce((result, k) => {
        const spans = dihedral(grid, k).map(span);
        return change(result, (colour, r, c) => {
          const [row, column] = k ? [c, r] : [r, c], [first, last] = spans[row];
          return colour === 0 && column > first && column < last && first >= 0 ? same ? end : line : colour;
        });
      }, grid));
  },
  rays(random, side) {
    const [source, ray, wall] = someColours(random, 3), own = random.next() < 0.5;
    const ways = pick(
      random,
      [
        [[1, 0]],
        [[0, 1]],
        [[-1, 0]],
        [[0, -1]],
        [[1, 0], [-1, 0]],
        [[0, 1], [0, -1]],
        steps(false),
        [[1, 1]],
        [[-1, 1]],
        [[1, -1], [1, 1]],
        steps(true).slice(4),
      ] as Cell[][],
    );
    const blocked = random.next() < 0.4;
    return (random) => {
      const dims = size(random, side, 4);
      const sources = points(random, dims, between(random, 1, ways.length > 1 ? 2 : 3));
      let grid = paint(blank(...dims), sources, source);
      if (blocked) {
        const walls = points(random, dims, 3).filter(([r, c]) => !grid[r][c]);
        grid = paint(grid, walls, wall);
      }
      let output = grid;
      for (const way of ways) {
        const shot = shoot(grid, source, way, own ? source : ray);
        output = change(output, (colour, r, c) => colour || shot[r][c]);
      }
      return { input: grid, output };
    };
  },
  crosses(random, side) {
    const colours = someColours(random, between(random, 2, 3)), kinds = colours.map(() => random.integer(3));
    return (random) => {
      const [h, w] = size(random, side, 4), marks = points(random, [h, w], colours.length);
      const input = marks.reduce((grid, cell, i) => paint(grid, [cell], colours[i]), blank(h, w));
      // Columns go over rows, so that the answer does not depend on the order.
      const across = marks.reduce(
        (grid, [r], i) => kinds[i] === 1 ? grid : paint(grid, rectangle(r, 0, 1, w), colours[i]),
        input,
      );
      const output = marks.reduce(
        (grid, [, c], i) => kinds[i] === 0 ? grid : paint(grid, rectangle(0, c, h, 1), colours[i]),
        across,
      );
      return { input, output };
    };
  },
  fillLine(random, side) {
    const [mark, to] = someColours(random, 2), across = random.next() < 0.5, own = random.next() < 0.5;
    const colours = someColours(random, 4);
    return (random) => {
      const [h, w] = size(random, side, 3);
      const count = between(random, 1, Math.max(1, Math.floor((across ? h : w) / 2)));
      const marks = points(random, [h, w], count);
      const input = marks.reduce((grid, cell) => paint(grid, [cell], own ? pick(random, colours) : mark), blank(h, w));
      const output = marks.reduce(
        (grid, [r, c]) => paint(grid, across ? rectangle(r, 0, 1, w) : rectangle(0, c, h, 1), own ? input[r][c] : to),
        blank(h, w),
      );
      return { input, output };
    };
  },
  staircase(random, side) {
    const grows = random.next() < 0.5, colours = someColours(random, 6), k = random.integer(8);
    return (random) => {
      const w = between(random, 4, side), length = between(random, grows ? 1 : 2, Math.max(2, Math.floor(w / 2)));
      const h = Math.min(side, grows ? w - length + 1 : length), colour = pick(random, colours);
      const output = make(h, w, (r, c) => c < (grows ? length + r : length - r) ? colour : 0);
      const input = change(output, (own, r) => r === 0 ? own : 0);
      return { input: dihedral(input, k), output: dihedral(output, k) };
    };
  },
  flood(random, side) {
    const [wall, ...colours] = someColours(random, 4), keep = random.next() < 0.8;
    return (random) => {
      const [h, w] = size(random, side, 5), down = between(random, 1, h - 2), across = between(random, 1, w - 2);
      const walls = make(h, w, (r, c) => r === down || c === across ? wall : 0);
      const rooms = shapesOf(walls, (colour) => colour === 0);
      const seeds = rooms.filter(() => random.next() < 0.6);
      const filled = (seeds.length ? seeds : rooms.slice(0, 1)).map(({ cells }) => ({
        cells,
        seed: pick(random, cells),
        colour: pick(random, colours),
      }));
      return {
        input: filled.reduce((grid, { seed, colour }) => paint(grid, [seed], colour), walls),
        output: filled.reduce((grid, { cells, colour }) => paint(grid, cells, colour), keep ? walls : blank(h, w)),
      };
    };
  },
  lineBetweenDiagonal(random, side) {
    const [end, line] = someColours(random, 2);
    return (random) => {
      const n = between(random, 4, side),
        length = between(random, 2, n - 1),
        [top, left] = [random.integer(n - length), random.integer(n - length)];
      const up = random.next() < 0.5;
      const cell = (i: number): Cell => [up ? top + length - i : top + i, left + i];
      const input = paint(blank(n, n), [cell(0), cell(length)], end);
      return { input, output: paint(input, Array.from({ length: length - 1 }, (_, i) => cell(i + 1)), line) };
    };
  },
  pairsInLine(random, side) {
    const colours = someColours(random, 4), axis = random.integer(2), free = random.next() < 0.3;
    return (random) => {
      const [h, w] = size(random, side, 4), [length, across] = axis ? [w, h] : [h, w];
      const lines = random.permutation(length).slice(0, between(random, 1, Math.max(1, Math.floor(length / 2))));
      const input = blank(length, across), output = blank(length, across);
      for (const r of lines) {
        const colour = pick(random, colours), [a, b] = random.permutation(across).slice(0, 2).sort((x, y) => x - y);
        const alone = free && random.next() < 0.3;
        for (const c of alone ? [a] : [a, b]) input[r][c] = output[r][c] = colour;
        if (!alone) { for (let c = a; c <= b; c++) output[r][c] = colour; }
      }
      return { input: dihedral(input, axis ? 6 : 0), output: dihedral(output, axis ? 6 : 0) };
    };
  },
  crossing(random, side) {
    const [a, b, both] = someColours(random, 3), over = random.integer(3);
    return (random) => {
      const [h, w] = size(random, side, 4),
        rows = random.permutation(h).slice(0, between(random, 1, 2)),
        columns = random.permutation(w).slice(0, between(random, 1, 2));
      const draw = (top: number) =>
        make(
          h,
          w,
          (r, c) => rows.includes(r) && columns.includes(c) ? top : rows.includes(r) ? a : columns.includes(c) ? b : 0,
        );
      return { input: draw(over === 1 ? b : a), output: draw(over === 2 ? 0 : both) };
    };
  },
  towardsLine(random, side) {
    const [line, own] = someColours(random, 2), axis = random.integer(2);
    return (random) => {
      const [h, w] = size(random, side, 5), at = between(random, 1, h - 2);
      const input = make(h, w, (r) => r === at ? line : random.next() < 0.2 ? own : 0);
      const output = blank(h, w);
      for (let c = 0; c < w; c++) {
        const above = input.slice(0, at).filter((row) => row[c]).length,
          below = input.slice(at + 1).filter((row) => row[c]).length;
        for (let i = 1; i <= above; i++) output[at - i][c] = own;
        for (let i = 1; i <= below; i++) output[at + i][c] = own;
        output[at][c] = line;
      }
      return { input: dihedral(input, axis ? 6 : 0), output: dihedral(output, axis ? 6 : 0) };
    };
  },
  ends(random, side) {
    const colours = someColours(random, 5), axis = random.integer(2), halves = random.next() < 0.5;
    return (random) => {
      const h = between(random, 2, side), half = between(random, 2, Math.floor((side - (halves ? 0 : 1)) / 2));
      const w = 2 * half + (halves ? 0 : 1);
      const input = blank(h, w), output = blank(h, w), [middle] = colours;
      for (const r of random.permutation(h).slice(0, between(random, 1, Math.ceil(h / 2)))) {
        const a = pick(random, colours.slice(1)), b = halves ? pick(random, colours.slice(1)) : a;
        input[r][0] = a, input[r][w - 1] = b;
        for (let c = 0; c < w; c++) output[r][c] = 2 * c === w - 1 && !halves ? middle : 2 * c < w ? a : b;
      }
      return { input: dihedral(input, axis ? 6 : 0), output: dihedral(output, axis ? 6 : 0) };
    };
  },
  nearestColour(random, side) {
    const [own, a, b] = someColours(random, 3), axis = random.integer(2);
    return (random) => {
      const h = between(random, 4, side), w = between(random, 3, side);
      const input = [Array(w).fill(a), ...speckle(random, h - 2, w, [own], 0.3), Array(w).fill(b)];
      const output = change(
        input,
        (colour, r) => colour === own ? 2 * r < h - 1 ? a : 2 * r > h - 1 ? b : own : colour,
      );
      return { input: dihedral(input, axis ? 6 : 0), output: dihedral(output, axis ? 6 : 0) };
    };
  },
  lengthen(random, side) {
    const colours = someColours(random, between(random, 1, 3)), k = random.integer(4), dotted = random.next() < 0.3;
    return (random) => {
      const [h, w] = size(random, side, 5), count = between(random, 1, Math.max(1, Math.floor(w / 2)));
      const input = blank(h, w), output = blank(h, w);
      for (const c of random.permutation(Math.ceil(w / 2)).slice(0, count).map((i) => 2 * i)) {
        const colour = pick(random, colours), top = random.integer(h - 2), length = between(random, 1, 2);
        for (let r = top; r < h; r++) {
          if (r < top + length) input[r][c] = output[r][c] = colour;
          else if (!dotted || (r - top) % 2 === 0) output[r][c] = colour;
        }
      }
      return { input: dihedral(input, k), output: dihedral(output, k) };
    };
  },
  alternate(random, side) {
    const [own, to] = someColours(random, 2), k = random.integer(2), first = random.integer(2);
    return (random) => {
      const [h, w] = size(random, side, 5),
        columns = Array.from({ length: Math.ceil(w / 2) }, (_, i) => 2 * i).filter(() => random.next() < 0.7);
      if (columns.length < 2) columns.splice(0, 2, 0, 2);
      const tops = columns.map(() => random.integer(h - 1));
      const at = (r: number, c: number) => columns.includes(c) && r >= tops[columns.indexOf(c)];
      const input = make(h, w, (r, c) => at(r, c) ? own : 0);
      const output = change(input, (colour, _, c) => colour && columns.indexOf(c) % 2 === first ? to : colour);
      return { input: dihedral(input, k ? 6 : 0), output: dihedral(output, k ? 6 : 0) };
    };
  },
} satisfies Record<string, Family>;
