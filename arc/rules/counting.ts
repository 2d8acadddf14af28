/**
 * Rules that count, compare, choose and combine.
 *
 * @module
 */
import { dihedral } from "../augment.ts";
import { between, blank, change, figure, filled, make, paint, pick, scatter, someColours, speckle } from "./drawing.ts";
import { box, type Cell, type Shape } from "../shapes.ts";
import { colourful, type Family, figures, size, until } from "./family.ts";
import type { Grid } from "../task.ts";

/** The families by name. */
export const counting = {
  logic(random, side) {
    const [a, b, line, to] = someColours(random, 4),
      op = random.integer(5),
      down = random.next() < 0.5,
      ruled = random.next() < 0.6;
    const truth = [
      (x: number, y: number) => x && y,
      (x: number, y: number) => x || y,
      (x: number, y: number) => x !== y,
      (x: number, y: number) => !x && !y,
      (x: number, y: number) => x && !y,
    ][op];
    const half = Math.max(2, Math.floor((side - (ruled ? 1 : 0)) / 2));
    const [h, w] = [
      between(random, 2, Math.min(5, down ? half : side)),
      between(random, 2, Math.min(5, down ? side : half)),
    ];
    return (random) => {
      const draw = () => {
        const x = speckle(random, h, w, [a], 0.5), y = speckle(random, h, w, [b], 0.5);
        const output = make(h, w, (r, c) => truth(+(x[r][c] > 0), +(y[r][c] > 0)) ? to : 0);
        const bar = ruled ? [line] : [];
        const input = down
          ? [...x, ...bar.map((colour) => Array(w).fill(colour)), ...y]
          : x.map((row, r) => [...row, ...bar, ...y[r]]);
        return { input, output };
      };
      // Whatever the answer, all colours are seen.
      return until(
        draw,
        ({ input, output }) => [a, b].every((colour) => input.flat().includes(colour)) && output.flat().includes(to),
      );
    };
  },
  overlay(random, side) {
    const [a, b, line] = someColours(random, 3), down = random.next() < 0.5, over = random.next() < 0.5;
    const half = Math.max(2, Math.floor((side - 1) / 2));
    const [h, w] = [
      between(random, 2, Math.min(5, down ? half : side)),
      between(random, 2, Math.min(5, down ? side : half)),
    ];
    return (random) => {
      const x = speckle(random, h, w, [a], 0.5), y = speckle(random, h, w, [b], 0.5);
      const output = make(h, w, (r, c) => over ? x[r][c] || y[r][c] : y[r][c] || x[r][c]);
      const input = down ? [...x, Array(w).fill(line), ...y] : x.map((row, r) => [...row, line, ...y[r]]);
      return { input, output };
    };
  },
  tallestBar(random, side) {
    const [own, most, least] = someColours(random, 3), both = random.next() < 0.5, k = random.integer(4);
    return (random) => {
      const [h, w] = size(random, side, 4);
      const bars = Math.min(Math.ceil(w / 2), between(random, 2, 4));
      const heights = random.permutation(h).map((x) => x + 1).slice(0, bars);
      const tall = Math.max(...heights), short = Math.min(...heights);
      const at = (r: number, c: number) => c % 2 === 0 && c / 2 < heights.length && h - r <= heights[c / 2];
      const input = make(h, w, (r, c) => at(r, c) ? own : 0);
      const output = make(
        h,
        w,
        (r, c) => !at(r, c) ? 0 : heights[c / 2] === tall ? most : both && heights[c / 2] === short ? least : own,
      );
      return { input: dihedral(input, k), output: dihedral(output, k) };
    };
  },
  sortBars(random, side) {
    const rising = random.next() < 0.5, k = random.integer(4), colours = someColours(random, between(random, 1, 4));
    return (random) => {
      const [h, w] = size(random, side, 3);
      const bars = Array.from({ length: w }, () => ({ height: between(random, 1, h), colour: pick(random, colours) }));
      if (colours.length > 1) {
        const heights = random.permutation(h).slice(0, w).map((x) => x + 1);
        bars.splice(heights.length);
        bars.forEach((bar, i) => bar.height = heights[i]);
      }
      const draw = (list: typeof bars) => make(h, list.length, (r, c) => h - r <= list[c].height ? list[c].colour : 0);
      const sorted = bars.toSorted((a, b) => (a.height - b.height) * (rising ? 1 : -1));
      return { input: dihedral(draw(bars), k), output: dihedral(draw(sorted), k) };
    };
  },
  countColour(random, side) {
    const [own, ...others] = someColours(random, between(random, 1, 3)),
      most = Math.min(9, side),
      tall = random.next() < 0.5;
    return (random) => {
      const dims = size(random, side, 4), count = between(random, 1, Math.min(most, dims[0] * dims[1] - 1));
      const places = random.permutation(dims[0] * dims[1]),
        cell = (i: number): Cell => [Math.floor(i / dims[1]), i % dims[1]];
      let input = paint(blank(...dims), places.slice(0, count).map(cell), own);
      if (others.length) input = paint(input, places.slice(count, count + between(random, 0, 4)).map(cell), others[0]);
      const bar = make(1, most, (_, c) => c < count ? own : 0);
      return { input, output: tall ? dihedral(bar, 6) : bar };
    };
  },
  commonColour(random, side) {
    const colours = someColours(random, between(random, 3, 5)), rare = random.next() < 0.3, n = between(random, 1, 3);
    return (random) => {
      const grid = until(() => make(...size(random, side), () => pick(random, colours)), (grid) => {
        const counts = colours.map((colour) => grid.flat().filter((own) => own === colour).length).filter((x) => x)
          .sort((x, y) => x - y);
        return counts.length > 1 && (rare ? counts[0] < counts[1] : counts.at(-1)! > counts.at(-2)!);
      });
      const counted = [...new Set(grid.flat())].map((colour) => ({
        colour,
        count: grid.flat().filter((own) => own === colour).length,
      }));
      const [{ colour }] = counted.sort((x, y) => (x.count - y.count) * (rare ? 1 : -1));
      return { input: grid, output: blank(n, n, colour) };
    };
  },
  oddOneOut(random, side) {
    const colours = someColours(random, 3), n = side < 8 ? 2 : between(random, 2, 3), down = random.next() < 0.5;
    const many = 3;
    return (random) => {
      const common = speckle(random, n, n, colours, 0.6);
      const odd = until(
        () => speckle(random, n, n, colours, 0.6),
        (grid) => JSON.stringify(grid) !== JSON.stringify(common),
      );
      const at = random.integer(many), parts = Array.from({ length: many }, (_, i) => i === at ? odd : common);
      return { input: down ? parts.flat() : odd.map((_, r) => parts.flatMap((part) => part[r])), output: odd };
    };
  },
  keyedColumns(random, side) {
    const [own] = someColours(random, 1), k = random.integer(4), keep = random.next() < 0.7;
    const keys = someColours(random, 9).filter((colour) => colour !== own).slice(0, 4);
    return (random) => {
      const [h, w] = size(random, side, 4), [length, across] = k % 2 ? [w, h] : [h, w];
      const top = Array.from({ length: across }, () => pick(random, keys));
      const body = speckle(random, length - 1, across, [own], 0.5);
      const output = [keep ? top : Array(across).fill(0), ...change(body, (colour, _, c) => colour ? top[c] : 0)];
      return { input: dihedral([top, ...body], k), output: dihedral(output, k) };
    };
  },
  legend(random, side) {
    const colours = someColours(random, 6), down = random.next() < 0.5;
    return (random) => {
      const order = random.permutation(6).map((i) => colours[i]),
        map = new Map([[order[0], order[1]], [order[2], order[3]]]);
      const [h, w] = size(random, side - 1, 4);
      const body = speckle(random, h - 1, w, [order[0], order[2]], 0.4);
      const key = Array(w).fill(0);
      [order[0], order[1], order[2], order[3]].forEach((colour, i) => key[i] = colour);
      const turn = (grid: Grid) => down ? dihedral(grid, 6) : grid;
      return {
        input: turn([key, ...body]),
        output: turn([key, ...change(body, (colour) => map.get(colour) ?? colour)]),
      };
    };
  },
  gridCells(random, side) {
    const [line, ...colours] = someColours(random, 5), n = side < 7 ? 1 : between(random, 1, 2);
    const many = Math.floor((side + 1) / (n + 1));
    return (random) => {
      const [h, w] = [between(random, 2, many), between(random, 2, many)];
      const output = colourful(random, [h, w], colours, 0.8);
      const input = make(
        h * (n + 1) - 1,
        w * (n + 1) - 1,
        (r, c) =>
          (r + 1) % (n + 1) && (c + 1) % (n + 1) ? output[Math.floor(r / (n + 1))][Math.floor(c / (n + 1))] : line,
      );
      return { input, output };
    };
  },
  rowMajority(random, side) {
    const colours = someColours(random, between(random, 2, 4)), axis = random.integer(2), cut = random.next() < 0.3;
    return (random) => {
      const [h, w] = size(random, side, 3), rows: number[][] = [], answers: number[] = [];
      for (let r = 0; r < h; r++) {
        const colour = pick(random, colours), most = Math.floor(w / 2) + 1 + random.integer(Math.ceil(w / 2));
        const row = random.permutation(w).map((i) => i < most ? colour : pick(random, colours));
        rows.push(row), answers.push(colour);
      }
      const output = make(h, cut ? 1 : w, (r) => answers[r]);
      return { input: dihedral(rows, axis ? 6 : 0), output: dihedral(output, axis ? 6 : 0) };
    };
  },
  fullestPanel(random, side) {
    const colours = someColours(random, 3),
      [line] = someColours(random, 1),
      n = between(random, 2, 3),
      most = random.next() < 0.7;
    const many = Math.max(2, Math.min(3, Math.floor((side + 1) / (n + 1)))),
      down = random.next() < 0.5,
      ruled = random.next() < 0.7;
    return (random) => {
      const own = pick(random, colours.filter((colour) => colour !== line));
      const panels = until(
        () => Array.from({ length: many }, () => speckle(random, n, n, [own], 0.2 + 0.6 * random.next())),
        (panels) => {
          const counts = panels.map(filled).sort((a, b) => (a - b) * (most ? -1 : 1));
          return counts[0] !== counts[1] && Math.min(...counts) > 0;
        },
      );
      const [output] = panels.toSorted((a, b) => (filled(a) - filled(b)) * (most ? -1 : 1));
      const rows = panels.flatMap((panel, i) => [...(i ? [Array(n).fill(ruled ? line : 0)] : []), ...panel]);
      return down ? { input: rows, output } : { input: dihedral(rows, 6), output: dihedral(output, 6) };
    };
  },
  ranks(random, side) {
    const [own, ...ranks] = someColours(random, 4), k = random.integer(4), rising = random.next() < 0.5;
    const bars = between(random, 2, 3);
    return (random) => {
      const [h, w] = size(random, side, 5);
      const heights = random.permutation(h).map((x) => x + 1).slice(0, bars);
      const order = heights.toSorted((a, b) => rising ? a - b : b - a);
      const at = (r: number, c: number) => c % 2 === 0 && c / 2 < bars && h - r <= heights[c / 2];
      const input = make(h, w, (r, c) => at(r, c) ? own : 0);
      const output = make(h, w, (r, c) => at(r, c) ? ranks[order.indexOf(heights[c / 2])] : 0);
      return { input: dihedral(input, k), output: dihedral(output, k) };
    };
  },
  countShapes(random, side) {
    const [own] = someColours(random, 1),
      any = random.next() < 0.5,
      kind = random.integer(3),
      colours = someColours(random, 5);
    return (random) => {
      const colour = any ? pick(random, colours) : own;
      const { grid, shapes } = until(
        () => scatter(random, ...size(random, side, 5), figures(random, between(random, 1, 4), [colour], 1, 4)),
        ({ shapes }) => shapes.length > 0,
      );
      const n = shapes.length;
      if (kind === 0) return { input: grid, output: make(n, n, (r, c) => r === c ? colour : 0) };
      return { input: grid, output: kind === 1 ? make(1, 4, (_, c) => c < n ? colour : 0) : make(n, 1, () => colour) };
    };
  },
  listColours(random, side) {
    const colours = someColours(random, 6),
      order = random.integer(3),
      count = between(random, 2, 3),
      down = random.next() < 0.5;
    return (random) => {
      const { grid, shapes } = until(
        () =>
          scatter(
            random,
            ...size(random, side, 6),
            random.permutation(6).slice(0, count).map((i, at) => ({
              colour: colours[i],
              cells: figure(random, order === 2 ? [1, 3, 6][at] : between(random, 1, 4)),
            })),
          ),
        ({ shapes }) =>
          shapes.length === count && new Set(shapes.map(({ cells }) => box(cells)[order === 1 ? 0 : 1])).size === count,
      );
      const key = ({ cells }: Shape) => order === 2 ? -cells.length : box(cells)[order === 1 ? 0 : 1];
      const list = [shapes.toSorted((a, b) => key(a) - key(b)).map(({ colour }) => colour)];
      return { input: grid, output: down ? dihedral(list, 6) : list };
    };
  },
  regions(random, side) {
    const colours = someColours(random, 4),
      n = side < 6 ? 2 : between(random, 2, 3),
      m = Math.max(2, Math.floor(side / n));
    const all = random.next() < 0.5;
    return (random) => {
      const output = make(n, n, () => random.next() < 0.5 ? pick(random, colours) : 0);
      const input = make(n * m, n * m, () => 0);
      output.forEach((row, r) =>
        row.forEach((colour, c) => {
          if (!colour) return;
          const places = random.permutation(m * m).slice(0, all ? between(random, 1, m * m) : 1);
          for (const at of places) input[r * m + Math.floor(at / m)][c * m + at % m] = colour;
        })
      );
      return { input, output };
    };
  },
} satisfies Record<string, Family>;
