/**
 * Rules on ways and places: rays that turn, lines that meet, boxes, rings and shadows.
 *
 * @module
 */
import { dihedral } from "../augment.ts";
import {
  beam,
  between,
  blank,
  change,
  figure,
  line,
  make,
  paint,
  pick,
  rectangle,
  scatter,
  someColours,
  speckle,
} from "./drawing.ts";
import { box, type Cell, cellsWhere, outline, shapesOf, steps } from "../shapes.ts";
import { colourful, type Family, rectangles, type Size, size, turnedPair, until } from "./family.ts";
import type { Random } from "../random.ts";
import type { Grid } from "../task.ts";

const anyCell = (random: Random, [h, w]: Size): Cell => [random.integer(h), random.integer(w)];

const corners = (cells: readonly Cell[]): Cell[] => {
  const [top, left, bottom, right] = box(cells);
  return [[top, left], [top, right], [bottom, left], [bottom, right]];
};

/** The way to the right from a cell that colours turn, and the colours met; nothing if it stays inside. */
function turningWay(grid: Grid, [r, c]: Cell, [left, right]: readonly number[]) {
  const way: Cell[] = [], met = new Set<number>();
  for (let d = 1, i = 0; i < 99; i++) {
    const [dr, dc] = steps(false)[d], next = grid[r + dr]?.[c + dc];
    if (next === undefined) return { way, met };
    if (next === left || next === right) {
      met.add(next);
      d = (d + (next === left ? 3 : 1)) % 4;
    } else way.push([r += dr, c += dc]);
  }
}

/** The families by name. */
export const geometry = {
  bounce(random, side) {
    const k = random.integer(8), [ray, ...balls] = someColours(random, 4), own = random.next() < 0.5;
    return (random) => {
      const h = between(random, 3, Math.min(side, 6)), w = between(random, 4, side), ball = pick(random, balls);
      const start = random.integer(h), period = 2 * (h - 1);
      const row = (c: number) => Math.min((start + c) % period, period - (start + c) % period);
      const output = make(h, w, (r, c) => r !== row(c) ? 0 : own || c === 0 ? ball : ray);
      return turnedPair({ input: change(output, (colour, _, c) => c === 0 ? colour : 0), output }, k);
    };
  },
  turningRay(random, side) {
    const k = random.integer(8), [seed, ...turns] = someColours(random, 3);
    return (random) => {
      const { input, found } = until(() => {
        const [h, w] = size(random, side, 5), start: Cell = [random.integer(h), 0];
        const input = paint(speckle(random, h, w, turns, 0.2), [start], seed);
        return { input, found: turningWay(input, start, turns) };
      }, ({ found }) => found?.met.size === 2);
      return turnedPair({ input, output: paint(input, found!.way, seed) }, k);
    };
  },
  arrowRays(random, side) {
    const [tail, head, other] = someColours(random, 3),
      ray = pick(random, [head, other]),
      ways = steps(random.next() < 0.5);
    const arrow = ([dr, dc]: Cell): Cell[] => {
      const [r, c] = [dr < 0 ? 1 : 0, dc < 0 ? 1 : 0];
      return [[r, c], [r + dr, c + dc]];
    };
    return (random) => {
      const { input, rays } = until(() => {
        const arrows = Array.from(
          { length: between(random, 1, 2) },
          () => ({ colour: tail, cells: arrow(pick(random, ways)) }),
        );
        const { grid, shapes } = scatter(random, ...size(random, side, 5), arrows);
        const input = paint(grid, shapes.map(({ cells }) => cells[1]), head);
        const rays = shapes.map(({ cells: [[r, c], [y, x]] }) => beam(grid, [y, x], [y - r, x - c]));
        return { input, rays };
      }, ({ input, rays }) => rays.every((cells) => cells.length && cells.every(([r, c]) => !input[r][c])));
      return { input, output: paint(input, rays.flat(), ray) };
    };
  },
  toBorder(random, side) {
    const colours = someColours(random, 3), far = random.next() < 0.3, moves = random.next() < 0.5;
    return (random) => {
      const [h, w] = size(random, side, 5), colour = pick(random, colours);
      const { cells, beams } = until(() => {
        const cells = Array.from({ length: between(random, 1, 3) }, () => anyCell(random, [h, w]));
        const beams = cells.map((cell) =>
          steps(false).map((way) => beam(blank(h, w), cell, way)).sort((a, b) => (a.length - b.length) * (far ? -1 : 1))
        );
        return { cells, beams };
      }, ({ cells, beams }) => {
        const used = [...cells, ...beams.flatMap(([chosen]) => chosen)];
        return new Set(used.map(String)).size === used.length &&
          beams.every(([a, b]) => a.length && a.length !== b.length);
      });
      const input = paint(blank(h, w), cells, colour), chosen = beams.map(([cells]) => cells);
      const output = moves
        ? paint(blank(h, w), chosen.map((cells) => cells.at(-1)!), colour)
        : paint(input, chosen.flat(), colour);
      return { input, output };
    };
  },
  elbow(random, side) {
    const [a, b, path] = someColours(random, 3), k = pick(random, [0, 6]);
    return (random) => {
      const dims = size(random, side, 4);
      const [from, to] = until(
        () => [anyCell(random, dims), anyCell(random, dims)],
        ([[r, c], [y, x]]) => r !== y && c !== x && Math.abs(r - y) + Math.abs(c - x) > 2,
      );
      const corner: Cell = [from[0], to[1]], ends = (grid: Grid) => paint(paint(grid, [from], a), [to], b);
      const ways = [...line(from, corner), ...line(corner, to)];
      return turnedPair({ input: ends(blank(...dims)), output: ends(paint(blank(...dims), ways, path)) }, k);
    };
  },
  ownWall(random, side) {
    const walls = someColours(random, 2), k = pick(random, [0, 6]), moves = random.next() < 0.5;
    return (random) => {
      const h = between(random, 3, side), w = between(random, 5, side);
      const marks = until(
        () =>
          Array.from({ length: h }, () => random.next() < 0.6 ? [between(random, 1, w - 2), random.integer(2)] : []),
        (marks) => [0, 1].every((kind) => marks.some(([c, own]) => own === kind && c > 1 && c < w - 2)),
      );
      const draw = (at: (c: number, from: number, own: number) => boolean) =>
        make(h, w, (r, c) => {
          const [from, own] = marks[r];
          return c === 0 ? walls[0] : c === w - 1 ? walls[1] : from && at(c, from, own) ? walls[own] : 0;
        });
      const output = moves
        ? draw((c, _, own) => c === (own ? w - 2 : 1))
        : draw((c, from, own) => own ? c >= from : c <= from);
      return turnedPair({ input: draw((c, from) => c === from), output }, k);
    };
  },
  boxOfTwo(random, side) {
    const [mark, other, ...fills] = someColours(random, 5), frame = pick(random, [mark, other]);
    return (random) => {
      const [h, w] = size(random, side, 5), [a, b] = [between(random, 3, h), between(random, 3, w)];
      const cells = rectangle(random.integer(h - a + 1), random.integer(w - b + 1), a, b), ring = outline(cells);
      const inner = cells.filter((cell) => !ring.includes(cell)), fill = pick(random, fills);
      const four = corners(cells), two = random.next() < 0.5 ? [four[0], four[3]] : [four[1], four[2]];
      const input = paint(paint(blank(h, w), two, mark), [pick(random, inner)], fill);
      return { input, output: paint(paint(paint(input, inner, fill), ring, frame), two, mark) };
    };
  },
  zigzag(random, side) {
    const colours = someColours(random, between(random, 3, 5)), k = random.integer(8), wide = between(random, 1, 2);
    return (random) => {
      const h = between(random, 4, side), w = between(random, 4, side), first = random.integer(w - wide);
      const seeds = Array.from(
        { length: w },
        (_, c) => c >= first && c < w - wide && (c - first) % (wide + 2) === 0 ? pick(random, colours) : 0,
      );
      const swing = (r: number) => Math.min(r % (2 * wide), 2 * wide - r % (2 * wide));
      const output = make(h, w, (r, c) => seeds[c - swing(r)] ?? 0);
      return turnedPair({ input: [seeds, ...blank(h - 1, w)], output }, k);
    };
  },
  climb(random, side) {
    const [other, ...colours] = someColours(random, 4), k = random.integer(8), own = random.next() < 0.5;
    const [rise, tread] = [between(random, 1, 2), between(random, 1, 2)];
    return (random) => {
      const [h, w] = size(random, side, 4), colour = pick(random, colours);
      const start: Cell = [between(random, 2, h - 1), random.integer(w - 2)], way = [start];
      for (let [r, c] = start, i = 0; i < 2 * (h + w); i++) {
        way.push(i % (rise + tread) < rise ? [--r, c] : [r, ++c]);
      }
      const input = paint(blank(h, w), [start], colour);
      return turnedPair({ input, output: paint(paint(input, way, own ? colour : other), [start], colour) }, k);
    };
  },
  towardsWall(random, side) {
    const [wall, ...colours] = someColours(random, between(random, 2, 4));
    return (random) => {
      const body = colourful(random, size(random, side - 1, 4), colours, 0.12),
        floor = [Array(body[0].length).fill(wall)];
      const rows: Grid = [];
      for (const row of body) rows.push(row.map((colour, c) => colour || (rows.at(-1)?.[c] ?? 0)));
      return turnedPair({ input: [...body, ...floor], output: [...rows, ...floor] }, random.integer(4));
    };
  },
  reachOut(random, side) {
    const [own, other, still] = someColours(random, 3), arm = pick(random, [own, other]);
    return (random) => {
      const h = between(random, 3, side),
        w = between(random, 5, side),
        [a, b] = [between(random, 1, 2), between(random, 1, 2)];
      const top = random.integer(h - a + 1), left = random.integer(w - b - 2), x = between(random, left + b + 1, w - 1);
      const above = random.integer(top + 1), below = between(random, top + a, h);
      const target = rectangle(above, x, below - above, random.next() < 0.5 ? 1 : w - x);
      const input = paint(paint(blank(h, w), rectangle(top, left, a, b), own), target, still);
      return turnedPair(
        { input, output: paint(input, rectangle(top, left + b, a, x - left - b), arm) },
        random.integer(4),
      );
    };
  },
  moveByVector(random, side) {
    const [own, from, to] = someColours(random, 3), keeps = random.next() < 0.5;
    return (random) => {
      const { grid, cells, moved } = until(() => {
        const marks = [from, to].map((colour) => ({ colour, cells: [[0, 0] as Cell] }));
        const shape = { colour: own, cells: figure(random, between(random, 2, 5)) };
        const { grid, shapes } = scatter(random, ...size(random, side, 5), [shape, ...marks]);
        if (shapes.length < 3) return { grid, cells: [], moved: [] };
        const [{ cells }, { cells: [[r, c]] }, { cells: [[y, x]] }] = shapes;
        return { grid, cells, moved: cells.map(([a, b]): Cell => [a + y - r, b + x - c]) };
      }, ({ grid, moved }) => moved.length > 0 && moved.every(([r, c]) => grid[r]?.[c] === 0 || grid[r]?.[c] === own));
      const ground = keeps ? paint(grid, cells, 0) : blank(grid.length, grid[0].length);
      return { input: grid, output: paint(ground, moved, own) };
    };
  },
  turnInPlace(random, side) {
    const [pivot, ...colours] = someColours(random, between(random, 2, 3)), k = between(random, 1, 7);
    return (random) => {
      const blocks = Array.from(
        { length: between(random, 1, 3) },
        () => ({ colour: pivot, cells: rectangle(0, 0, 3, 3) }),
      );
      const { grid, shapes } = scatter(random, ...size(random, side, 5), blocks);
      const drawn = blank(grid.length, grid[0].length), output = paint(drawn, [], 0);
      for (const { cells: [[top, left]] } of shapes) {
        const pattern = paint(colourful(random, [3, 3], colours, 0.5), [[1, 1]], pivot), turned = dihedral(pattern, k);
        for (const [r, c] of rectangle(0, 0, 3, 3)) {
          drawn[top + r][left + c] = pattern[r][c];
          output[top + r][left + c] = turned[r][c];
        }
      }
      return { input: drawn, output };
    };
  },
  shadow(random, side) {
    const [bar, ...colours] = someColours(random, between(random, 2, 4)),
      k = random.integer(4),
      keeps = random.next() < 0.5;
    return (random) => {
      const body = colourful(random, size(random, side - 2, 3), colours, 0.2), w = body[0].length;
      const floor = Array(w).fill(bar), fallen = floor.map((_, c) => body.findLast((row) => row[c])?.[c] ?? bar);
      const output = [...(keeps ? body : blank(body.length, w)), Array(w).fill(0), fallen];
      return turnedPair({ input: [...body, Array(w).fill(0), floor], output }, k);
    };
  },
  growByCount(random, side) {
    const [key, own, other] = someColours(random, 3),
      to = pick(random, [own, other]),
      most = Math.max(2, Math.floor((side - 1) / 3));
    const far = pick(random, [
      (r: number, c: number) => Math.abs(r) + Math.abs(c),
      (r: number, c: number) => Math.max(Math.abs(r), Math.abs(c)),
      (r: number, c: number) => r && c ? Infinity : Math.abs(r + c),
      (r: number, c: number) => Math.abs(r) === Math.abs(c) ? Math.abs(r) : Infinity,
    ]);
    return (random) => {
      const [h, w] = [between(random, Math.max(5, side - 2), side), between(random, Math.max(5, side - 2), side)];
      const count = between(random, 1, most), [y, x] = [between(random, count + 1, h - 1), random.integer(w)];
      const input = paint(paint(blank(h, w), rectangle(0, 0, 1, count), key), [[y, x]], own);
      return { input, output: change(input, (colour, r, c) => !colour && far(r - y, c - x) <= count ? to : colour) };
    };
  },
  betweenLines(random, side) {
    const [wall, own, to] = someColours(random, 3), k = pick(random, [0, 6]), outer = random.next() < 0.4;
    return (random) =>
      turnedPair(
        until(() => {
          const [h, w] = size(random, side, 5), a = random.integer(h - 2), b = between(random, a + 2, h - 1);
          const input = change(speckle(random, h, w, [own], 0.3), (colour, r) => r === a || r === b ? wall : colour);
          const output = change(input, (colour, r) => colour === own && (r > a && r < b) !== outer ? to : colour);
          return { input, output };
        }, ({ output }) => [own, to].every((colour) => output.flat().includes(colour))),
        k,
      );
  },
  squareRooms(random, side) {
    const [wall, fill] = someColours(random, 2), odd = random.next() < 0.3;
    const even = (cells: readonly Cell[]) => {
      const [top, left, bottom, right] = box(cells);
      return bottom - top === right - left;
    };
    return (random) => {
      const { input, rooms } = until(() => {
        const [h, w] = size(random, side, 5),
          [rows, columns] = [h, w].map((n) => random.permutation(n).slice(0, n > 6 ? 2 : 1));
        const input = make(h, w, (r, c) => rows.includes(r) || columns.includes(c) ? wall : 0);
        return { input, rooms: shapesOf(input, (colour) => colour === 0).map(({ cells }) => cells) };
      }, ({ rooms }) => rooms.some(even) && !rooms.every(even));
      return { input, output: paint(input, rooms.filter((cells) => even(cells) !== odd).flat(), fill) };
    };
  },
  unionEdge(random, side) {
    const [own, to] = someColours(random, 2), inner = random.next() < 0.5;
    return (random) => {
      const { input, edge, depth } = until(() => {
        const [h, w] = size(random, side, 5),
          input = rectangles(random, 3, [own], 2, 5).reduce(
            (grid, { cells }) => {
              const [top, left] = anyCell(random, [h, w]);
              return paint(grid, cells.map(([r, c]) => [r + top, c + left]), own);
            },
            blank(h, w),
          );
        const all = cellsWhere(input, (colour) => colour !== 0);
        const edge = all.filter(([r, c]) => steps(true).some(([dr, dc]) => !input[r + dr]?.[c + dc]));
        return { input, edge, depth: all.filter((cell) => !edge.includes(cell)) };
      }, ({ depth }) => depth.length > 0);
      return { input, output: paint(input, inner ? depth : edge, to) };
    };
  },
  cutCorners(random, side) {
    const [to, ...colours] = someColours(random, between(random, 2, 4)), cut = pick(random, [0, to]);
    return (random) => {
      const drawn = rectangles(random, between(random, 1, 3), colours, 3, 5);
      const { grid, shapes } = until(
        () => scatter(random, ...size(random, side, 5), drawn),
        ({ shapes }) => shapes.length > 0,
      );
      return { input: grid, output: paint(grid, shapes.flatMap(({ cells }) => corners(cells)), cut) };
    };
  },
  arrowHeads(random, side) {
    const [shaft, tip, other] = someColours(random, 3),
      barb = pick(random, [shaft, tip, other]),
      back = pick(random, [-1, 1]);
    return (random) => {
      const h = between(random, 3, side), w = between(random, 4, side), r = between(random, 1, h - 2);
      const left = random.integer(w - 3), right = between(random, left + 2, w - 2);
      const input = paint(paint(blank(h, w), line([r, left], [r, right]), shaft), [[r, right]], tip);
      const barbs: Cell[] = [[r - 1, right + back], [r + 1, right + back]];
      return turnedPair({ input, output: paint(input, barbs, barb) }, random.integer(4));
    };
  },
  overUnder(random, side) {
    const [over, under] = someColours(random, 2), k = pick(random, [0, 6]);
    return (random) => {
      const [h, w] = size(random, side, 5);
      const some = (n: number) => random.permutation(n - 2).slice(0, between(random, 1, 2)).map((i) => i + 1);
      const rows = some(h), columns = some(w);
      const output = make(h, w, (r, c) => rows.includes(r) ? over : columns.includes(c) ? under : 0);
      const edge = (r: number, c: number) => r === 0 || c === 0 || r === h - 1 || c === w - 1;
      return turnedPair({ input: change(output, (colour, r, c) => edge(r, c) ? colour : 0), output }, k);
    };
  },
  meetingPoints(random, side) {
    const [a, b, first, second] = someColours(random, 4), both = random.next() < 0.5;
    return (random) => {
      const dims = size(random, side, 4);
      const [[r, c], [y, x]] = until(
        () => [anyCell(random, dims), anyCell(random, dims)],
        ([[r, c], [y, x]]) => r !== y && c !== x,
      );
      const input = paint(paint(blank(...dims), [[r, c]], a), [[y, x]], b), output = paint(input, [[r, x]], first);
      return { input, output: both ? paint(output, [[y, c]], second) : output };
    };
  },
} satisfies Record<string, Family>;
