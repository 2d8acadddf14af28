/**
 * Rules on a grid as a whole: turned, repeated, completed, renamed.
 *
 * @module
 */
import { dihedral } from "../augment.ts";
import { between, blank, change, crop, framed, make, paint, pick, rectangle, someColours, speckle } from "./drawing.ts";
import { type Cell, cellsWhere } from "../shapes.ts";
import { colourful, type Family, rule, size, turned, until } from "./family.ts";
import type { Grid } from "../task.ts";

const kron = (grid: Grid, k: number) =>
  make(grid.length * k, grid[0].length * k, (r, c) => grid[Math.floor(r / k)][Math.floor(c / k)]);

/** The families by name. */
export const whole = {
  symmetry(random, side) {
    const k = between(random, 1, 7), colours = someColours(random, between(random, 1, 5));
    const square = k === 1 || k === 3 || k > 5;
    return rule((random) => {
      const [h, w] = size(random, side);
      return colourful(random, [h, square ? h : w], colours);
    }, (grid) => dihedral(grid, k));
  },
  mirroredCopy(random, side) {
    const k = pick(random, [2, 4, 5]), colours = someColours(random, between(random, 1, 4));
    const first = random.next() < 0.5, down = k === 5 || (k === 2 && random.next() < 0.5), half = Math.floor(side / 2);
    return rule((random) => colourful(random, size(random, half, 2), colours), (grid) => {
      const parts = first ? [grid, dihedral(grid, k)] : [dihedral(grid, k), grid];
      return down ? parts.flat() : grid.map((_, r) => parts.flatMap((part) => part[r]));
    });
  },
  kaleidoscope(random, side) {
    const colours = someColours(random, between(random, 1, 4)), half = Math.floor(side / 2), corner = random.integer(4);
    return rule((random) => colourful(random, size(random, half, 2), colours), (grid) => {
      const turn = (g: Grid) => corner & 1 ? dihedral(g, 4) : g, flip = (g: Grid) => corner & 2 ? dihedral(g, 5) : g;
      const start = flip(turn(grid)), top = start.map((row, r) => [...row, ...dihedral(start, 4)[r]]);
      return [...top, ...dihedral(top, 5)];
    });
  },
  tiling(random, side) {
    const across = between(random, 1, 3), down = between(random, across === 1 ? 2 : 1, 3);
    const colours = someColours(random, between(random, 1, 4));
    const [h, w] = [Math.max(2, Math.floor(side / down)), Math.max(2, Math.floor(side / across))];
    return rule(
      (random) => colourful(random, [between(random, 2, h), between(random, 2, w)], colours),
      (grid) => make(grid.length * down, grid[0].length * across, (r, c) => grid[r % grid.length][c % grid[0].length]),
    );
  },
  enlarge(random, side) {
    const k = side > 6 ? between(random, 2, 3) : 2, most = Math.max(2, Math.floor(side / k));
    const colours = someColours(random, between(random, 1, 5));
    return rule((random) => colourful(random, size(random, most, 2), colours), (grid) => kron(grid, k));
  },
  shrink(random, side) {
    const k = side > 6 ? between(random, 2, 3) : 2, most = Math.max(2, Math.floor(side / k));
    const colours = someColours(random, between(random, 2, 5));
    return (random) => {
      const output = colourful(random, size(random, most, 2), colours);
      return { input: kron(output, k), output };
    };
  },
  fractal(random, _side) {
    const inverse = random.next() < 0.3, colours = someColours(random, between(random, 1, 3));
    return rule(
      (random) => colourful(random, [3, 3], [pick(random, colours)]),
      (grid) =>
        make(9, 9, (r, c) => (grid[Math.floor(r / 3)][Math.floor(c / 3)] === 0) === inverse ? grid[r % 3][c % 3] : 0),
    );
  },
  shift(random, side) {
    const [dr, dc] = until(() => [between(random, -2, 2), between(random, -2, 2)], ([r, c]) => r !== 0 || c !== 0);
    const round = random.next() < 0.4, colours = someColours(random, between(random, 1, 4));
    return rule((random) => colourful(random, size(random, side, 4), colours), (grid) => {
      const [h, w] = [grid.length, grid[0].length];
      return make(h, w, (r, c) => round ? grid[(r - dr + h) % h][(c - dc + w) % w] : grid[r - dr]?.[c - dc] ?? 0);
    });
  },
  rename(random, side) {
    const from = someColours(random, between(random, 1, 4)), to = someColours(random, from.length);
    const zero = random.next() < 0.15;
    return rule((random) => {
      const size_ = size(random, side);
      return until(
        () => colourful(random, size_, from, 0.6),
        (grid) => from.every((colour) => grid.flat().includes(colour)) || size_[0] * size_[1] < 2 * from.length,
      );
    }, (grid) => change(grid, (colour) => colour ? to[from.indexOf(colour)] : zero ? from[0] : 0));
  },
  swapColours(random, side) {
    const [a, b, ...others] = someColours(random, between(random, 2, 4));
    return rule(
      (random) => {
        const dims = size(random, side);
        return until(
          () => colourful(random, dims, [a, b, ...others], 0.6),
          (grid) => [a, b].every((colour) => grid.flat().includes(colour)),
        );
      },
      (grid) => change(grid, (colour) => colour === a ? b : colour === b ? a : colour),
    );
  },
  removeColour(random, side) {
    const [gone, ...others] = someColours(random, between(random, 2, 4));
    return rule((random) => {
      const dims = size(random, side);
      return until(() => colourful(random, dims, [gone, ...others], 0.6), (grid) => grid.flat().includes(gone));
    }, (grid) => change(grid, (colour) => colour === gone ? 0 : colour));
  },
  invert(random, side) {
    const [own] = someColours(random, 1), any = random.next() < 0.5, colours = someColours(random, 5);
    return (random) => {
      const colour = any ? pick(random, colours) : own;
      const input = until(
        () => speckle(random, ...size(random, side), [colour], 0.5),
        (grid) => grid.flat().includes(colour),
      );
      return { input, output: change(input, (old) => old ? 0 : colour) };
    };
  },
  frame(random, side) {
    const [border, ...colours] = someColours(random, between(random, 2, 4)), grows = random.next() < 0.4;
    return rule((random) => colourful(random, size(random, grows ? side - 2 : side), colours), (grid) => {
      const [h, w] = [grid.length, grid[0].length];
      if (grows) return framed(grid, border);
      return change(grid, (colour, r, c) => r === 0 || c === 0 || r === h - 1 || c === w - 1 ? border : colour);
    });
  },
  parity(random, side) {
    const [own, to] = someColours(random, 2), down = random.next() < 0.5, odd = random.integer(2);
    return rule(
      (random) => colourful(random, size(random, side), [own], 0.2 + 0.8 * random.next()),
      (grid) => change(grid, (colour, r, c) => colour && (down ? r : c) % 2 === odd ? to : colour),
    );
  },
  checkerboard(random, side) {
    const colours = someColours(random, 4), k = random.integer(4);
    return (random) => {
      const [h, w] = size(random, side), [a, b] = random.permutation(4).map((i) => colours[i]);
      const [length, across] = k % 2 ? [w, h] : [h, w];
      const output = make(length, across, (r, c) => (r + c) % 2 ? b : a);
      return { input: dihedral(change(output, (own, r) => r === 0 ? own : 0), k), output: dihedral(output, k) };
    };
  },
  quadrant(random, side) {
    const colours = someColours(random, between(random, 2, 5)), which = random.integer(4);
    return (random) => {
      const [h, w] = [2 * between(random, 1, Math.floor(side / 2)), 2 * between(random, 1, Math.floor(side / 2))];
      const input = colourful(random, [h, w], colours, 0.7),
        [top, left] = [which & 1 ? h / 2 : 0, which & 2 ? w / 2 : 0];
      return { input, output: crop(input, [top, left, top + h / 2 - 1, left + w / 2 - 1]) };
    };
  },
  compress(random, side) {
    const colours = someColours(random, between(random, 1, 4));
    return (random) => {
      const [h, w] = size(random, side, 4);
      const [rows, columns] = [h, w].map((length) => Array.from({ length }, () => random.next() < 0.5));
      rows[random.integer(h)] = columns[random.integer(w)] = true;
      const input = make(h, w, (r, c) => rows[r] && columns[c] ? pick(random, colours) : 0);
      return { input, output: input.filter((_, r) => rows[r]).map((row) => row.filter((_, c) => columns[c])) };
    };
  },
  rings(random, side) {
    const colours = someColours(random, between(random, 2, 4));
    return (random) => {
      const [h, w] = size(random, side, 4), last = Math.ceil(Math.min(h, w) / 2) - 1;
      const order = random.permutation(colours.length).map((i) => colours[i]);
      const ring = (r: number, c: number) => Math.min(r, c, h - 1 - r, w - 1 - c);
      const drawn = (at: (ring: number) => number) => make(h, w, (r, c) => order[at(ring(r, c)) % order.length]);
      return { input: drawn((ring) => ring), output: drawn((ring) => last - ring) };
    };
  },
  diagonals(random, side) {
    const colours = someColours(random, 3), k = random.integer(2);
    return (random) => {
      const n = between(random, 4, side), period = 3, base = random.permutation(3).map((i) => colours[i]);
      const output = make(n, n, (r, c) => base[(r + c) % period]);
      const shown = new Set(
        random.permutation(period).map((i) =>
          i + period * random.integer(Math.floor((2 * n - 1 - i + period - 1) / period))
        ),
      );
      const input = change(output, (own, r, c) => shown.has(r + c) ? own : 0);
      return { input: k ? dihedral(input, 4) : input, output: k ? dihedral(output, 4) : output };
    };
  },
  wallpaper(random, side) {
    const [mask, ...colours] = someColours(random, 5),
      a = between(random, 1, 3),
      b = between(random, a === 1 ? 2 : 1, 3);
    const slanted = random.next() < 0.3;
    return (random) => {
      const [h, w] = [
        between(random, Math.min(2 * a + 1, side), side),
        between(random, Math.min(2 * b + 1, side), side),
      ];
      const pattern = make(a, b, () => pick(random, random.next() < 0.2 ? [0] : colours));
      const place = (r: number, c: number): Cell => [r % a, (c + (slanted ? Math.floor(r / a) : 0)) % b];
      const output = make(h, w, (r, c) => pattern[place(r, c)[0]][place(r, c)[1]]);
      const input = until(
        () => {
          const holes = Array.from(
            { length: between(random, 1, 3) },
            () => rectangle(random.integer(h), random.integer(w), between(random, 1, 3), between(random, 1, 3)),
          );
          return paint(output, holes.flat(), mask);
        },
        (grid) => new Set(cellsWhere(grid, (own) => own !== mask).map(([r, c]) => String(place(r, c)))).size === a * b,
      );
      return { input, output };
    };
  },
  splitHalves(random, side) {
    const colours = someColours(random, 4), op = random.integer(4), half = Math.floor(side / 2);
    return (random) => {
      const [h, w] = [between(random, 2, Math.min(side, 6)), between(random, 2, Math.max(2, half))];
      const left = colourful(random, [h, w], colours), right = op === 1 ? dihedral(left, 4) : left;
      const input = left.map((row, r) => [...row, ...(op < 2 ? right : blank(h, w))[r]]);
      const output = op < 2 ? left : left.map((row, r) => [...row, ...(op === 2 ? dihedral(left, 4) : left)[r]]);
      return { input, output };
    };
  },
  triangle(random, side) {
    const colours = someColours(random, 4), k = random.integer(8), strict = random.next() < 0.5;
    return rule(
      (random) => {
        const n = between(random, 3, side);
        return make(n, n, () => pick(random, colours));
      },
      turned(
        k % 4,
        (grid) => change(grid, (colour, r, c) => (strict ? r > c : r >= c) ? k > 3 ? grid[0][0] : 0 : colour),
      ),
    );
  },
  continueRows(random, side) {
    const k = random.integer(4), colours = someColours(random, 3);
    return (random) => {
      const [h, w] = size(random, side, 5), period = between(random, 1, 3);
      const [length, across] = k % 2 ? [w, h] : [h, w];
      const pattern = until(
        () => make(period, across, () => pick(random, [0, ...colours])),
        (grid) => grid.every((row) => row.some((c) => c)),
      );
      const shown = Math.min(length - 1, period === 1 ? 1 : 2 * period);
      const output = make(length, across, (r, c) => pattern[r % period][c]);
      const input = change(output, (colour, r) => r < shown ? colour : 0);
      return { input: dihedral(input, k), output: dihedral(output, k) };
    };
  },
  growDown(random, side) {
    const k = random.integer(4), colours = someColours(random, between(random, 1, 4)), every = between(random, 1, 2);
    return (random) => {
      const [h, w] = size(random, side, 4);
      const [length, across] = k % 2 ? [w, h] : [h, w];
      const row = until(
        () => make(1, across, () => random.next() < 0.4 ? pick(random, colours) : 0)[0],
        (row) => row.some((colour) => colour),
      );
      const output = make(length, across, (r, c) => r % every === 0 ? row[c] : 0);
      const input = change(output, (own, r) => r === 0 ? own : 0);
      return { input: dihedral(input, k), output: dihedral(output, k) };
    };
  },
  mirrorAtLine(random, side) {
    const [line, ...colours] = someColours(random, between(random, 2, 4)), k = random.integer(4);
    return (random) => {
      const half = between(random, 2, Math.floor((side - 1) / 2)), across = between(random, 3, side);
      const top = colourful(random, [half, across], colours), bar = [Array(across).fill(line)];
      const empty = blank(half, across);
      return {
        input: dihedral([...top, ...bar, ...empty], k),
        output: dihedral([...top, ...bar, ...top.toReversed()], k),
      };
    };
  },
  completeSymmetry(random, side) {
    const k = pick(random, [2, 4, 5]), colours = someColours(random, between(random, 1, 4)), kind = random.integer(2);
    return (random) => {
      const [h, w] = size(random, side, 4);
      const half = colourful(random, [h, w], colours, 0.6), mirrored = dihedral(half, k);
      const first = (r: number, c: number) => k === 4 || (k === 2 && 2 * r === h - 1) ? 2 * c < w : 2 * r < h;
      const output = make(h, w, (r, c) => first(r, c) ? half[r][c] : mirrored[r][c]);
      if (kind) return { input: change(output, (own, r, c) => first(r, c) ? own : 0), output };
      return { input: change(output, (own, r, c) => !first(r, c) && random.next() < 0.5 ? 0 : own), output };
    };
  },
  hiddenPatch(random, side) {
    const [mask, ...colours] = someColours(random, 4), k = pick(random, [4, 5]), answers = random.next() < 0.4;
    const most = side < 6 ? 2 : 3, [a, b] = [between(random, 2, most), between(random, 2, most)];
    return (random) => {
      const n = between(random, Math.max(2 * most, side - 4), side);
      const half = make(n, n, () => pick(random, colours)), mirrored = dihedral(half, k);
      const full = make(n, n, (r, c) => (k === 4 ? 2 * c < n : 2 * r < n) ? half[r][c] : mirrored[r][c]);
      const far = Math.max(0, Math.floor(n / 2) - (k === 4 ? b : a));
      const [top, left] = k === 4
        ? [random.integer(n - a + 1), random.integer(far + 1)]
        : [random.integer(far + 1), random.integer(n - b + 1)];
      const hidden = rectangle(top, left, a, b);
      return {
        input: paint(full, hidden, mask),
        output: answers ? crop(full, [top, left, top + a - 1, left + b - 1]) : full,
      };
    };
  },
} satisfies Record<string, Family>;
