/**
 * Rules on textures: wallpapers, symmetries, progressions, rows treated as one, what neighbours decide.
 *
 * @module
 */
import { dihedral } from "../augment.ts";
import { box, type Cell, inside, steps } from "../shapes.ts";
import type { Grid, Pair } from "../task.ts";
import {
  at,
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
  shows,
  someColours,
  speckle,
} from "./drawing.ts";
import { type Family, type Rule, size, times, turnedPair, until } from "./family.ts";
import type { Random } from "../random.ts";

/** A rule whose pairs are drawn until something changes and it `holds`, and turned. */
const changing =
  (draw: (random: Random) => Pair, k = 0, holds: (pair: Pair) => boolean = () => true): Rule => (random) =>
    turnedPair(until(() => draw(random), (pair) => String(pair.input) !== String(pair.output) && holds(pair)), k);

/** A tile of more than one colour. */
const tile = (random: Random, height: number, width: number, colours: readonly number[]) =>
  until(() => make(height, width, () => pick(random, colours)), (grid) => new Set(grid.flat()).size > 1);

/** The cells that lie `depth` from the edge, clockwise from the top left one; none if they are a line. */
const ringCells = (h: number, w: number, depth: number): Cell[] => {
  const [bottom, right] = [h - 1 - depth, w - 1 - depth];
  if (bottom <= depth || right <= depth) return [];
  return [
    ...line([depth, depth], [depth, right - 1]),
    ...line([depth, right], [bottom - 1, right]),
    ...line([bottom, right], [bottom, depth + 1]),
    ...line([bottom, depth], [depth + 1, depth]),
  ];
};

const exchange = (a: number, b: number) => (colour: number) => colour === a ? b : colour === b ? a : colour;

/** What can be done to a row. */
const rowEffects = ([a, b]: readonly number[]): ((row: number[]) => number[])[] => [
  (row) => row.toReversed(),
  (row) => row.map((_, c) => row[(c + 1) % row.length]),
  (row) => row.map((_, c) => row.at(c - 1)!),
  (row) => row.map(exchange(a, b)),
];

/** The families by name. */
export const textures = {
  wrongCells(random, side) {
    const [mark, ...colours] = someColours(random, 5), marked = random.next() < 0.4, most = side < 7 ? 2 : 3;
    const a = between(random, 1, most), b = between(random, a === 1 ? 2 : 1, most);
    return (random) => {
      const own = tile(random, a, b, colours), h = between(random, 2 * a, side), w = between(random, 2 * b, side);
      const full = make(h, w, (r, c) => own[r % a][c % b]);
      // One of at least four equal cells is wrong, so that the others outvote it.
      const chosen = random.permutation(a * b).slice(0, between(random, 1, Math.min(3, a * b)));
      const wrong = chosen.map((i): Cell => [
        Math.floor(i / b) + a * random.integer(Math.floor(h / a)),
        i % b + b * random.integer(Math.floor(w / b)),
      ]);
      const input = wrong.reduce(
        (grid, [r, c]) => paint(grid, [[r, c]], pick(random, colours.filter((colour) => colour !== full[r][c]))),
        full,
      );
      return { input, output: marked ? paint(input, wrong, mark) : full };
    };
  },
  smallestTile(random, side) {
    const colours = someColours(random, between(random, 3, 5)), most = Math.min(5, Math.floor(side / 2));
    const used = random.next() < 0.4 ? [0, ...colours] : colours;
    const period = (grid: Grid) =>
      grid.findIndex((_, p) => p > 0 && grid.slice(p).every((row, r) => String(row) === String(grid[r])));
    return (random) =>
      until(() => {
        const a = between(random, 1, most), b = between(random, a === 1 ? 2 : 1, most), own = tile(random, a, b, used);
        const h = between(random, 2 * a, side), w = between(random, 2 * b, side);
        return { input: make(h, w, (r, c) => own[r % a][c % b]), output: own };
      }, ({ input, output }) => period(input) === output.length && period(dihedral(input, 6)) === output[0].length);
  },
  brickTiles(random, side) {
    const colours = someColours(random, 5), k = random.integer(8), drifts = random.next() < 0.5;
    const most = side < 7 ? 2 : 3, half = random.next() < 0.5;
    return (random) => {
      const a = between(random, 1, most), b = between(random, 2, most + 1), by = half ? Math.floor(b / 2) : 1;
      const own = until(() => tile(random, a, b, colours), (grid) => grid.some((row) => new Set(row).size > 1));
      const band = (r: number) => drifts ? Math.floor(r / a) : Math.floor(r / a) % 2;
      const h = between(random, 2 * a, side), w = between(random, b + 1, side);
      const output = make(h, w, (r, c) => own[r % a][(c + by * band(r)) % b]);
      return turnedPair({ input: change(output, (colour, r, c) => r < a && c < b ? colour : 0), output }, k);
    };
  },
  pinwheel(random, side) {
    const [hub, ...colours] = someColours(random, 4), turns = random.next() < 0.7, scattered = random.next() < 0.5;
    const orbit = ([r, c]: Cell): Cell[] =>
      turns ? [[r, c], [c, -r], [-r, -c], [-c, r]] : [[r, c], [r, -c], [-r, -c], [-r, c]];
    return (random) => {
      const dims = size(random, side, 5), most = Math.floor((Math.min(...dims) - 1) / 2);
      const reach = between(random, 1, Math.min(5, most));
      const [y, x] = dims.map((n) => between(random, reach, n - 1 - reach)), quarter = random.integer(4);
      const parts = until(
        () => rectangle(-reach, 0, reach, reach + 1).filter(() => random.next() < 0.5),
        (cells) => cells.length > 0,
      ).map((cell) => ({
        cells: at(orbit(cell), y, x),
        colour: pick(random, colours),
        first: scattered ? random.integer(4) : quarter,
      }));
      const ground = paint(blank(...dims), [[y, x]], hub);
      return {
        input: parts.reduce((grid, { cells, colour, first }) => paint(grid, [cells[first]], colour), ground),
        output: parts.reduce((grid, { cells, colour }) => paint(grid, cells, colour), ground),
      };
    };
  },
  ownSpines(random, side) {
    const [spine, ...colours] = someColours(random, 4), k = random.integer(2) * 6, scattered = random.next() < 0.5;
    const many = side < 9 ? 2 : 4, reach = side < 7 ? 1 : 2;
    return changing((random) => {
      const rooms = times(between(random, 1, many), () => ({
        colour: spine,
        cells: rectangle(0, 0, between(random, 2, 4), 2 * between(random, 1, reach) + 1),
      }));
      const { grid, shapes } = scatter(random, ...size(random, side, 5), rooms);
      const input = change(grid, () => 0), output = change(grid, () => 0);
      for (const { cells } of shapes) {
        const [, left, , right] = box(cells), near = random.next() < 0.5;
        for (const [r, c] of cells) {
          const image = left + right - c, colour = random.next() < 0.6 ? pick(random, colours) : 0;
          if (c === image) input[r][c] = output[r][c] = spine;
          if (c >= image) continue;
          output[r][c] = output[r][image] = colour;
          input[r][(scattered ? random.next() < 0.5 : near) ? c : image] = colour;
        }
      }
      return { input, output };
    }, k);
  },
  marchOn(random, side) {
    const colours = someColours(random, 6), k = random.integer(8), two = random.next() < 0.4;
    return (random) => {
      const [a, b] = random.permutation(6).map((i) => colours[i]);
      const { ground, copies } = until(() => {
        const cells = figure(random, between(random, 1, side < 9 ? 2 : 5)), [, , bottom, right] = box(cells);
        const [h, w] = size(random, side, 5), [dr, dc] = [random.integer(bottom + 3), random.integer(right + 3)];
        const [top, left] = [random.integer(Math.max(1, h - 2 * dr)), random.integer(Math.max(1, w - 2 * dc))];
        const copies = times(side, (i) => at(cells, top + i * dr, left + i * dc));
        return { ground: blank(h, w), copies, apart: dr > bottom + 1 || dc > right + 1 };
      }, ({ ground, copies, apart }) => {
        const on = ([r, c]: Cell) => inside(ground, r, c);
        return apart && copies[1].every(on) && copies[2].some(on);
      });
      const draw = (count: number) =>
        copies.slice(0, count).reduce((grid, cells, i) => paint(grid, cells, two && i % 2 ? b : a), ground);
      return turnedPair({ input: draw(2), output: draw(side) }, k);
    };
  },
  growingBars(random, side) {
    const colours = someColours(random, 6), k = random.integer(8), two = random.next() < 0.4;
    const gap = between(random, 1, 2);
    return (random) => {
      const h = between(random, 3, side), w = between(random, 2 * gap + 1, side), by = pick(random, [1, 1, 2, -1]);
      const first = by < 0 ? between(random, 3, h) : between(random, 1, Math.max(1, Math.min(3, h - 1 - by)));
      const [a, b] = random.permutation(6).map((i) => colours[i]);
      const stands = (r: number, c: number) => c % gap === 0 && h - r <= first + by * (c / gap);
      const output = make(h, w, (r, c) => !stands(r, c) ? 0 : two && (c / gap) % 2 ? b : a);
      return turnedPair({ input: change(output, (colour, _, c) => c < 2 * gap ? colour : 0), output }, k);
    };
  },
  everySecondRow(random, side) {
    const colours = someColours(random, between(random, 2, 4)), odd = random.integer(2);
    const effect = pick(random, rowEffects(colours)), k = random.integer(2) * 6;
    return changing(
      (random) => {
        const input = speckle(random, ...size(random, side), colours, 0.6);
        return { input, output: input.map((row, r) => r % 2 === odd ? effect(row) : row) };
      },
      k,
      ({ input }) => shows(input, colours.slice(0, 2)),
    );
  },
  crowding(random, side) {
    const [own, other] = someColours(random, 2), to = pick(random, [other, other, 0]);
    const ways = steps(random.next() < 0.5), wanted = random.integer(4), exact = wanted < 2 || random.next() < 0.5;
    return changing(
      (random) => {
        const input = speckle(random, ...size(random, side, 4), [own], 0.3 + 0.3 * random.next());
        const meets = (r: number, c: number) => {
          const count = ways.filter(([dr, dc]) => input[r + dr]?.[c + dc]).length;
          return exact ? count === wanted : count >= wanted;
        };
        return { input, output: change(input, (colour, r, c) => colour && meets(r, c) ? to : colour) };
      },
      0,
      ({ output }) => output.flat().includes(own),
    );
  },
  smearedCells(random, side) {
    const [to, ...colours] = someColours(random, between(random, 2, 5)), k = random.integer(8);
    const far = between(random, 1, 2), slant = random.next() < 0.3 ? 1 : 0, own = random.next() < 0.6;
    return changing((random) => {
      const input = speckle(random, ...size(random, side, 4), colours, 0.2);
      const reached = (r: number, c: number) =>
        times(far, (i) => input[r - (i + 1) * slant]?.[c - i - 1]).find((source) => source) ?? 0;
      return { input, output: change(input, (old, r, c) => old || (reached(r, c) && (own ? reached(r, c) : to))) };
    }, k);
  },
  regionEdges(random, side) {
    const [mark, ...colours] = someColours(random, 5);
    const [outer, inner] = pick(random, [[mark, undefined], [undefined, mark], [undefined, 0], [0, undefined]]);
    return (random) =>
      until(
        () => {
          const [h, w] = size(random, side, 4);
          const input = times(between(random, 1, 2 + Math.floor(side / 6)), () => pick(random, colours)).reduce(
            (grid, colour) => {
              const [tall, wide] = [between(random, 2, h - 1), between(random, 2, w - 1)];
              const [top, left] = [random.integer(h - tall + 1), random.integer(w - wide + 1)];
              return paint(grid, rectangle(top, left, tall, wide), colour);
            },
            blank(h, w, pick(random, colours)),
          );
          const edge = (colour: number, r: number, c: number) =>
            steps(false).some(([dr, dc]) => (input[r + dr]?.[c + dc] ?? colour) !== colour);
          return { input, output: change(input, (own, r, c) => (edge(own, r, c) ? outer : inner) ?? own) };
        },
        ({ input, output }) => new Set(input.flatMap((row, r) => row.map((own, c) => own === output[r][c]))).size === 2,
      );
  },
  shuffledRows(random, side) {
    const colours = someColours(random, between(random, 2, 5)), k = random.integer(4);
    const from = pick<(r: number, h: number) => number>(random, [
      (r, h) => Math.floor(r / 2) + (r % 2) * h / 2,
      (r, h) => r < h / 2 ? 2 * r : 2 * r - h + 1,
      (r) => r % 2 ? r - 1 : r + 1,
      (r, h) => (r + h / 2) % h,
    ]);
    return changing((random) => {
      const h = 2 * between(random, 2, Math.floor(side / 2));
      const input = speckle(random, h, between(random, 2, side), colours, 0.7);
      return { input, output: input.map((_, r) => input[from(r, h)]) };
    }, k);
  },
  markedRows(random, side) {
    const [mark, ...colours] = someColours(random, between(random, 3, 5)), k = random.integer(4);
    const effect = pick(random, rowEffects(colours));
    return changing(
      (random) => {
        const rows = speckle(random, ...size(random, side - 1, 4), colours, 0.6);
        const marked = rows.map(() => random.next() < 0.5);
        const draw = (rows: Grid) => rows.map((row, r) => [marked[r] ? mark : 0, ...row]);
        return { input: draw(rows), output: draw(rows.map((row, r) => marked[r] ? effect(row) : row)) };
      },
      k,
      ({ input }) => shows(input, colours.slice(0, 2)) && new Set(input.map(([first]) => first)).size === 2,
    );
  },
  rolledByCount(random, side) {
    const [key, ...colours] = someColours(random, between(random, 2, 5)), k = random.integer(4);
    const most = side < 7 ? 2 : 3, kept = random.next() < 0.6;
    return (random) => {
      const w = between(random, most + 1, side - most);
      const { rows, counts, rolled } = until(() => {
        const rows = speckle(random, between(random, 3, side), w, colours, 0.5);
        const counts = rows.map(() => random.integer(most + 1));
        return { rows, counts, rolled: change(rows, (_, r, c) => rows[r][(c - counts[r] + w) % w]) };
      }, ({ rows, rolled }) => String(rows) !== String(rolled));
      const draw = (rows: Grid) => rows.map((row, r) => [...times(most, (i) => i < counts[r] ? key : 0), ...row]);
      return turnedPair({ input: draw(rows), output: kept ? draw(rolled) : rolled }, k);
    };
  },
  ringsGoOn(random, side) {
    const colours = someColours(random, 6), period = side < 7 ? 2 : between(random, 2, 3), square = random.next() < 0.6;
    return (random) => {
      const dims = size(random, side, 2 * period + 1), order = random.permutation(6).map((i) => colours[i]);
      const [y, x] = dims.map((n) => between(random, period - 1, n - period));
      const far = (r: number, c: number) => {
        const [down, across] = [Math.abs(r - y), Math.abs(c - x)];
        return square ? Math.max(down, across) : down + across;
      };
      const output = make(...dims, (r, c) => order[far(r, c) % period]);
      return { input: change(output, (colour, r, c) => far(r, c) < period ? colour : 0), output };
    };
  },
  foldedHalves(random, side) {
    const [own, to] = someColours(random, 2), k = random.integer(4);
    const answers = pick(random, [[0, own, to], [0, to, 0], [0, 0, to], [to, 0, 0]]);
    return (random) =>
      until(() => {
        const half = between(random, 2, Math.floor(side / 2)), w = 2 * half;
        const input = speckle(random, between(random, 2, side), w, [own], 0.5);
        const output = make(input.length, half, (r, c) => answers[[c, w - 1 - c].filter((x) => input[r][x]).length]);
        return turnedPair({ input, output }, k);
      }, ({ input, output }) => output.flat().includes(to) && input.flat().includes(own));
  },
  sortedCells(random, side) {
    const colours = someColours(random, between(random, 2, 4)), k = random.integer(4);
    const order = pick(random, [colours, colours, [0, ...colours], [...colours, 0]]);
    return changing(
      (random) => {
        const input = make(...size(random, side), () => pick(random, order));
        return { input, output: input.map((row) => row.toSorted((a, b) => order.indexOf(a) - order.indexOf(b))) };
      },
      k,
      ({ input }) => shows(input, order),
    );
  },
  echoRows(random, side) {
    const [mark, ...colours] = someColours(random, between(random, 2, 4)), k = random.integer(4);
    return changing((random) => {
      const [h, w] = size(random, side, 5), rows: number[] = [];
      // Echoes of two rows never meet.
      for (let r = random.integer(2); r < h; r += between(random, 3, 4)) rows.push(r);
      const marked = rows.filter(() => random.next() < 0.6), body = speckle(random, h, w, colours, 0.6);
      const input = change(body, (colour, r, c) => !rows.includes(r) ? 0 : c ? colour : marked.includes(r) ? mark : 0);
      const source = (r: number) => marked.find((row) => Math.abs(row - r) === 1) ?? r;
      return { input, output: change(input, (colour, r, c) => c ? input[source(r)][c] : colour) };
    }, k);
  },
  ringRolled(random, side) {
    const colours = someColours(random, between(random, 2, 5)), by = pick(random, [-2, -1, 1, 2]);
    const kind = random.integer(3);
    return changing((random) => {
      const [h, w] = size(random, side, kind ? 4 : 3), input = speckle(random, h, w, colours, 0.7);
      const output = paint(input, [], 0);
      times(kind ? side : 1, (depth) => ringCells(h, w, depth)).forEach((cells, depth) =>
        cells.forEach(([r, c], i) => {
          const step = kind === 2 && depth % 2 ? -by : by, [y, x] = cells[(i + step + cells.length) % cells.length];
          output[y][x] = input[r][c];
        })
      );
      return { input, output };
    });
  },
  borderBeads(random, side) {
    const colours = someColours(random, 6), k = random.integer(8);
    return (random) => {
      const [h, w] = size(random, side, 4), period = between(random, 2, Math.min(4, w - 1));
      const beads = random.permutation(6).map((i) => colours[i]), ring = ringCells(h, w, 0);
      const draw = (count: number) =>
        ring.slice(0, count).reduce((grid, cell, i) => paint(grid, [cell], beads[i % period]), blank(h, w));
      return turnedPair({ input: draw(period), output: draw(ring.length) }, k);
    };
  },
  bridgedGaps(random, side) {
    const [to, ...colours] = someColours(random, between(random, 2, 4)), own = random.next() < 0.5;
    const k = random.integer(2) * 6, ways: Cell[] = own || random.next() < 0.5 ? [[0, 1]] : [[0, 1], [1, 0]];
    return changing((random) => {
      const input = speckle(random, ...size(random, side, 4), colours, 0.4);
      const bridge = (r: number, c: number) => {
        const ends = ways.map(([dr, dc]) => [input[r - dr]?.[c - dc], input[r + dr]?.[c + dc]]);
        return ends.find(([a, b]) => a && a === b)?.[0] ?? 0;
      };
      return { input, output: change(input, (old, r, c) => old || (bridge(r, c) && (own ? bridge(r, c) : to))) };
    }, k);
  },
  rowAutomaton(random, side) {
    const colours = someColours(random, 6), k = random.integer(4);
    const lives = pick<(above: number[]) => boolean>(random, [
      ([left, , right]) => left !== right,
      ([left, own]) => left !== own,
      ([left, own, right]) => left + own + right === 1,
      ([left, , right]) => left + right > 0,
    ]);
    return changing((random) => {
      const h = between(random, 3, side), w = between(random, 4, side), colour = pick(random, colours);
      const rows = speckle(random, 1, w, [colour], 0.1 + 0.4 * random.next());
      while (rows.length < h) {
        const last = rows[rows.length - 1];
        rows.push(last.map((_, c) => lives([-1, 0, 1].map((d) => last[c + d] ? 1 : 0)) ? colour : 0));
      }
      return { input: [rows[0], ...blank(h - 1, w)], output: rows };
    }, k);
  },
  crossTable(random, side) {
    const [to, ...colours] = someColours(random, between(random, 3, 4)), k = random.integer(4);
    const kind = random.integer(3);
    return changing((random) => {
      const dims = size(random, side, 4);
      const [down, across] = dims.map((n) => times(n, (i) => i && random.next() < 0.7 ? pick(random, colours) : 0));
      const input = make(...dims, (r, c) => r && c ? 0 : down[r] || across[c]);
      const meet = (r: number, c: number) => r && c && down[r] && across[c] && (down[r] === across[c]) === kind < 2;
      return { input, output: change(input, (colour, r, c) => meet(r, c) ? kind ? to : down[r] : colour) };
    }, k);
  },
} satisfies Record<string, Family>;
