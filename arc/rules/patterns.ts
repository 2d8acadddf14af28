/**
 * Rules on repetition and order: sequences, bands, tiles, rows compared, neighbours counted.
 *
 * @module
 */
import { dihedral } from "../augment.ts";
import {
  between,
  blank,
  change,
  crop,
  make,
  paint,
  pick,
  rectangle,
  scatter,
  someColours,
  speckle,
} from "./drawing.ts";
import { box, type Cell, cellsWhere, steps } from "../shapes.ts";
import { colourful, type Family, rectangles, rule, size, turnedPair, until } from "./family.ts";
import type { Grid } from "../task.ts";

const filled = (row: readonly number[]) => row.filter((colour) => colour).length;

/** The stretches of coloured cells in the rows. */
const runs = (grid: Grid): Cell[][] => {
  const found: Cell[][] = [];
  for (const [r, c] of cellsWhere(grid, (colour) => colour !== 0)) {
    if (grid[r][c - 1]) found.at(-1)!.push([r, c]);
    else found.push([[r, c]]);
  }
  return found;
};

/** The families by name. */
export const patterns = {
  snake(random, side) {
    const colours = someColours(random, 5), k = random.integer(8), back = random.next() < 0.6;
    return (random) => {
      const h = between(random, 3, side), w = between(random, 4, side), period = between(random, 2, Math.min(4, w - 2));
      const order = random.permutation(5).map((i) => colours[i]);
      const output = make(h, w, (r, c) => order[(r * w + (back && r % 2 ? w - 1 - c : c)) % period]);
      return turnedPair({ input: change(output, (colour, r) => r ? 0 : colour), output }, k);
    };
  },
  coveredBands(random, side) {
    const [mask, ...colours] = someColours(random, 5), cover = pick(random, [0, mask]), answers = random.next() < 0.4;
    const [a, b] = [between(random, 2, 3), between(random, 2, 3)], kind = random.integer(3);
    const band = (r: number, c: number, h: number, w: number) =>
      [Math.min(r, c, h - 1 - r, w - 1 - c), Math.max(r, c), Math.abs(r - c)][kind];
    return (random) => {
      const { full, hidden } = until(() => {
        const [h, w] = size(random, side, 5), order = Array.from({ length: side }, () => pick(random, colours));
        const hidden = rectangle(random.integer(h - a + 1), random.integer(w - b + 1), a, b);
        return { full: make(h, w, (r, c) => order[band(r, c, h, w)]), hidden };
      }, ({ full, hidden }) => {
        const bandOf = ([r, c]: Cell) => band(r, c, full.length, full[0].length);
        const open = cellsWhere(paint(full, hidden, 0), (colour) => colour !== 0);
        return new Set(hidden.map(bandOf)).isSubsetOf(new Set(open.map(bandOf)));
      });
      return { input: paint(full, hidden, cover), output: answers ? crop(full, box(hidden)) : full };
    };
  },
  slant(random, side) {
    const colours = someColours(random, between(random, 1, 3)),
      k = random.integer(4),
      by = pick(random, [-2, -1, 1, 2]);
    const round = random.next() < 0.5;
    return (random) => {
      const h = between(random, 3, side), w = between(random, 4, side), [row] = colourful(random, [1, w], colours, 0.4);
      const output = make(h, w, (r, c) => (round ? row[(c - by * r + 2 * w * h) % w] : row[c - by * r]) ?? 0);
      return turnedPair({ input: change(output, (colour, r) => r ? 0 : colour), output }, k);
    };
  },
  keyBars(random, side) {
    const [own, ...colours] = someColours(random, 6), k = random.integer(8);
    return (random) => {
      const h = between(random, 5, side), w = between(random, Math.floor(h / 2), side);
      const order = random.permutation(5).map((i) => colours[i]).slice(0, Math.ceil(h / 2) - 1);
      const bars = order.map(() => between(random, 2, w));
      const draw = (colour: (i: number) => number) =>
        make(h, w, (r, c) => {
          if (r === 0) return order[c] ?? 0;
          return r % 2 === 0 && c < bars[r / 2 - 1] ? colour(r / 2 - 1) : 0;
        });
      return turnedPair({ input: draw(() => own), output: draw((i) => order[i]) }, k);
    };
  },
  ringsTurned(random, side) {
    const colours = someColours(random, 6), out = random.next() < 0.5;
    return (random) => {
      const [h, w] = size(random, side, 5), count = Math.ceil(Math.min(h, w) / 2);
      const order = random.permutation(6).map((i) => colours[i]);
      const draw = (by: number) => make(h, w, (r, c) => order[(Math.min(r, c, h - 1 - r, w - 1 - c) + by) % count]);
      return { input: draw(0), output: draw(out ? 1 : count - 1) };
    };
  },
  alternatingTiles(random, side) {
    const colours = someColours(random, 4), kind = pick(random, [0, 2, 4, 5]), straight = random.next() < 0.4;
    const across = between(random, 2, Math.floor(side / 2)), down = between(random, 1, Math.floor(side / 2));
    const [h, w] = [Math.floor(side / down), Math.floor(side / across)].map((n) => Math.min(4, n));
    return rule(
      (random) =>
        colourful(
          random,
          [between(random, Math.min(2, h), h), between(random, 2, w)],
          kind ? colours : [pick(random, colours)],
        ),
      (grid) => {
        const own = Math.max(...grid.flat()),
          other = kind ? dihedral(grid, kind) : change(grid, (colour) => colour ? 0 : own);
        const [a, b] = [grid.length, grid[0].length];
        return make(a * down, b * across, (r, c) => {
          const [y, x] = [Math.floor(r / a), Math.floor(c / b)];
          return ((straight ? x : x + y) % 2 ? other : grid)[r % a][c % b];
        });
      },
    );
  },
  scaleByColours(random, side) {
    const colours = someColours(random, 4), tiles = random.next() < 0.5;
    const count = (grid: Grid) => new Set(grid.flat().filter((colour) => colour)).size;
    return rule(
      (random) =>
        until(
          () => colourful(random, [between(random, 2, 3), between(random, 2, 3)], colours, 0.7),
          (grid) => count(grid) > 1 && count(grid) * Math.max(grid.length, grid[0].length) <= side,
        ),
      (grid) => {
        const n = count(grid), [h, w] = [grid.length, grid[0].length];
        return make(h * n, w * n, (r, c) => tiles ? grid[r % h][c % w] : grid[Math.floor(r / n)][Math.floor(c / n)]);
      },
    );
  },
  pixelBlocks(random, side) {
    const n = side > 6 ? between(random, 2, 3) : 2, most = Math.floor(side / n), colours = someColours(random, 2);
    const [first, second] = until(
      () => colours.map((colour) => speckle(random, n, n, [colour], 0.5)),
      ([a, b]) => a.flat().some((x) => x) && b.flat().some((x, i) => !x !== !a.flat()[i]) && b.flat().some((x) => x),
    );
    return rule(
      (random) =>
        until(
          () => colourful(random, size(random, most, 2), colours),
          (grid) => colours.every((colour) => grid.flat().includes(colour)),
        ),
      (grid) =>
        make(grid.length * n, grid[0].length * n, (r, c) => {
          const colour = grid[Math.floor(r / n)][Math.floor(c / n)];
          return colour && (colour === colours[0] ? first : second)[r % n][c % n];
        }),
    );
  },
  majorityBlocks(random, side) {
    const n = side > 6 ? between(random, 2, 3) : 2, colours = someColours(random, between(random, 3, 5));
    return (random) => {
      const output = make(...size(random, Math.floor(side / n), 2), () => pick(random, colours));
      const noise = output.map((row) =>
        row.map(() => random.permutation(n * n).slice(0, between(random, 0, Math.floor((n * n - 1) / 2))))
      );
      const input = make(output.length * n, output[0].length * n, (r, c) => {
        const [y, x] = [Math.floor(r / n), Math.floor(c / n)];
        return noise[y][x].includes((r % n) * n + c % n) ? pick(random, colours) : output[y][x];
      });
      return { input, output };
    };
  },
  fullestRow(random, side) {
    const [own, to] = someColours(random, 2),
      most = random.next() < 0.6,
      whole = random.next() < 0.5,
      k = pick(random, [0, 6]);
    const ranked = (grid: Grid) =>
      grid.map((row, r) => ({ r, n: filled(row) })).sort((a, b) => (b.n - a.n) * (most ? 1 : -1));
    return (random) => {
      const input = until(() => speckle(random, ...size(random, side, 4), [own], 0.45), (grid) => {
        const [first, second] = ranked(grid);
        return first.n > 0 && first.n !== second.n && first.n < grid[0].length;
      });
      const [{ r: chosen }] = ranked(input);
      const output = change(input, (colour, r) => r === chosen && (whole || colour) ? to : colour);
      return turnedPair({ input, output }, k);
    };
  },
  sortRows(random, side) {
    const colours = someColours(random, between(random, 1, 5)), k = random.integer(4);
    return (random) => {
      const w = between(random, 3, side), h = between(random, 3, Math.min(side, w + 1));
      const input = random.permutation(w + 1).slice(0, h).map((n) => {
        const colour = pick(random, colours);
        return random.permutation(w).map((i) => i < n ? colour : 0);
      });
      return turnedPair({ input, output: input.toSorted((a, b) => filled(a) - filled(b)) }, k);
    };
  },
  chequer(random, side) {
    const [to, ...colours] = someColours(random, between(random, 2, 4)),
      odd = random.integer(2),
      over = pick(random, [0, to]);
    return (random) => {
      const { grid, shapes } = until(
        () => scatter(random, ...size(random, side, 5), rectangles(random, between(random, 1, 3), colours, 2, 5)),
        ({ shapes }) => shapes.length > 0,
      );
      const cells = shapes.flatMap(({ cells }) =>
        cells.filter(([r, c]) => (r + c + cells[0][0] + cells[0][1]) % 2 === odd)
      );
      return { input: grid, output: paint(grid, cells, over) };
    };
  },
  uniqueRows(random, side) {
    const colours = someColours(random, between(random, 2, 4)), k = pick(random, [0, 6]), far = random.next() < 0.5;
    return (random) => {
      const w = between(random, 3, side);
      const { input, output } = until(() => {
        const rows = speckle(random, between(random, 2, 3), w, colours, 0.8);
        const input = Array.from({ length: between(random, 4, side) }, () => pick(random, rows));
        const output = input.filter((row, r) =>
          far ? input.findIndex((other) => String(other) === String(row)) === r : String(row) !== String(input[r - 1])
        );
        return { input, output };
      }, ({ input, output }) => output.length > 1 && output.length < input.length);
      return turnedPair({ input, output }, k);
    };
  },
  mirrorDifference(random, side) {
    const [own, to] = someColours(random, 2), k = pick(random, [2, 4, 5]), alone = random.next() < 0.5;
    return (random) => {
      const dims = size(random, side, 4);
      return until(() => {
        const half = speckle(random, ...dims, [own], 0.4), mirrored = dihedral(half, k);
        const extra = speckle(random, ...dims, [own], 0.15);
        const input = change(half, (colour, r, c) => colour || mirrored[r][c] || extra[r][c]),
          image = dihedral(input, k);
        return { input, output: change(input, (colour, r, c) => colour && !image[r][c] ? to : alone ? 0 : colour) };
      }, ({ output }) => output.flat().includes(to));
    };
  },
  turnedBeside(random, side) {
    const colours = someColours(random, between(random, 1, 4)),
      k = pick(random, [1, 3, 6, 7]),
      first = random.next() < 0.6;
    const down = random.next() < 0.5;
    return rule((random) => {
      const n = between(random, 2, Math.floor(side / 2));
      return colourful(random, [n, n], colours);
    }, (grid) => {
      const parts = first ? [grid, dihedral(grid, k)] : [dihedral(grid, k), grid];
      return down ? parts.flat() : grid.map((_, r) => parts.flatMap((part) => part[r]));
    });
  },
  cornerBorder(random, side) {
    const colours = someColours(random, 5), k = random.integer(4), cross = random.next() < 0.3;
    return (random) => {
      const [h, w] = size(random, side, 4), edge = pick(random, colours);
      const specks = speckle(random, h, w, colours, 0.25);
      const input = change(specks, (colour, r, c) => r && c && r < h - 1 && c < w - 1 ? colour : r + c ? 0 : edge);
      const on = (r: number, c: number) => r === 0 || c === 0 || !cross && (r === h - 1 || c === w - 1);
      return turnedPair({ input, output: change(input, (colour, r, c) => on(r, c) ? edge : colour) }, k);
    };
  },
  shear(random, side) {
    const colours = someColours(random, between(random, 1, 4)), k = random.integer(4), by = pick(random, [-1, 1]);
    return (random) => {
      const input = colourful(random, size(random, side, 4), colours), w = input[0].length;
      return turnedPair({ input, output: change(input, (_, r, c) => input[r][(c - by * r + w * side) % w]) }, k);
    };
  },
  changes(random, side) {
    const [mark, ...colours] = someColours(random, between(random, 3, 4)), k = random.integer(4);
    return (random) =>
      turnedPair(
        until(() => {
          const [h, w] = size(random, side, 4), input = make(h, w, () => pick(random, colours));
          for (const row of input) for (let c = 1; c < w; c++) if (random.next() < 0.6) row[c] = row[c - 1];
          return { input, output: change(input, (own, r, c) => c && input[r][c - 1] !== own ? mark : 0) };
        }, ({ output }) => output.flat().includes(mark)),
        k,
      );
  },
  neighbours(random, side) {
    const [own, to] = someColours(random, 2), diagonal = random.next() < 0.4, exact = random.next() < 0.4;
    const least = diagonal ? 3 : 2;
    return (random) => {
      const input = until(
        () => speckle(random, ...size(random, side, 4), [own], 0.3),
        (grid) => grid.flat().includes(own),
      );
      const count = (r: number, c: number) => filled(steps(diagonal).map(([dr, dc]) => input[r + dr]?.[c + dc] ?? 0));
      const meets = (n: number) => exact ? n === least : n >= least;
      return { input, output: change(input, (colour, r, c) => !colour && meets(count(r, c)) ? to : colour) };
    };
  },
  spotPattern(random, side) {
    const [own, to] = someColours(random, 2),
      wanted = pick(random, [[1, 1, 1, 1], [1, 0, 0, 1], [1, 0, 1, 1], [1, 1, 0, 1]]);
    return (random) =>
      until(() => {
        const input = speckle(random, ...size(random, side, 4), [own], 0.5);
        const places = cellsWhere(input, (_, r, c) =>
          rectangle(r, c, 2, 2).every(([y, x], i) => input[y]?.[x] === wanted[i] * own));
        const cells = places.flatMap(([r, c]) =>
          rectangle(r, c, 2, 2)
        ).filter(([r, c]) => input[r][c]);
        return { input, output: paint(input, cells, to) };
      }, ({ output }) => [own, to].every((colour) => output.flat().includes(colour)));
  },
  equalEnds(random, side) {
    const [fill, ...colours] = someColours(random, 4), k = pick(random, [0, 6]), own = random.next() < 0.5;
    return (random) => {
      const [h, w] = size(random, side, 4);
      const ends = until(
        () =>
          Array.from(
            { length: h },
            () => random.next() < 0.8 ? [pick(random, colours), pick(random, colours)] : [0, 0],
          ),
        (ends) => ends.some(([a, b]) => a !== b) && ends.some(([a, b]) => a && a === b),
      );
      const input = make(h, w, (r, c) => c === 0 ? ends[r][0] : c === w - 1 ? ends[r][1] : 0);
      const output = change(
        input,
        (colour, r) => colour || (ends[r][0] && ends[r][0] === ends[r][1] ? own ? ends[r][0] : fill : 0),
      );
      return turnedPair({ input, output }, k);
    };
  },
  longestRun(random, side) {
    const [own, to] = someColours(random, 2), k = pick(random, [0, 6]);
    const ranked = (grid: Grid) => runs(grid).sort((a, b) => b.length - a.length);
    return (random) => {
      const input = until(() => speckle(random, ...size(random, side, 4), [own], 0.5), (grid) => {
        const [first, second] = ranked(grid);
        return second && first.length > second.length;
      });
      return turnedPair({ input, output: paint(input, ranked(input)[0], to) }, k);
    };
  },
  mirrorAtDiagonal(random, side) {
    const [mirror, ...colours] = someColours(random, between(random, 2, 4)), k = random.integer(4);
    return (random) => {
      const n = between(random, 4, side), body = colourful(random, [n, n], colours, 0.3);
      const output = make(n, n, (r, c) => r === c ? mirror : body[Math.min(r, c)][Math.max(r, c)]);
      return turnedPair({ input: change(output, (colour, r, c) => r > c ? 0 : colour), output }, k);
    };
  },
  ripples(random, side) {
    const [seed, ...two] = someColours(random, 3),
      waves = random.next() < 0.5 ? two : [0, two[0]],
      round = random.next() < 0.5;
    return (random) => {
      const dims = size(random, side, 4), [y, x] = dims.map((n) => random.integer(n));
      const input = paint(blank(...dims), [[y, x]], seed);
      const far = (r: number, c: number) => round ? Math.max(r, c) : r + c;
      return {
        input,
        output: change(input, (colour, r, c) => colour || waves[far(Math.abs(r - y), Math.abs(c - x)) % 2]),
      };
    };
  },
  spiral(random, side) {
    const colours = someColours(random, 6), flipped = random.next() < 0.5;
    return (random) => {
      const [h, w] = size(random, side, 4),
        colour = pick(random, colours),
        input = paint(blank(h, w), [[0, 0]], colour);
      const output = paint(input, [], 0);
      for (let r = 0, c = 0, d = 1, turns = 0; turns < 2;) {
        const [dr, dc] = steps(false)[d];
        const touched = steps(false).filter(([y, x]) => output[r + dr + y]?.[c + dc + x]).length;
        if (output[r + dr]?.[c + dc] === 0 && touched === 1) {
          output[r += dr][c += dc] = colour;
          turns = 0;
        } else {
          d = (d + 1) % 4;
          turns++;
        }
      }
      return turnedPair({ input, output }, random.integer(4) + (flipped ? 4 : 0));
    };
  },
} satisfies Record<string, Family>;
