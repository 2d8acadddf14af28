/**
 * Rules on grids that lines cut into panels: chosen, combined, summed up, filled.
 *
 * @module
 */
import { dihedral } from "../augment.ts";
import { cellsWhere, shapesOf } from "../shapes.ts";
import type { Grid } from "../task.ts";
import { between, blank, change, filled, make, paint, pick, same, someColours, speckle } from "./drawing.ts";
import { colourful, type Family, type Size, size, times, until } from "./family.ts";
import type { Random } from "../random.ts";

/** How many panels a grid has, down and across, and the height and width of each. */
interface Layout {
  rows: number;
  columns: number;
  dims: Size;
}

/** Height or width of panels of which `many` fit. */
const room = (side: number, many: number) => Math.floor((side + 1) / many) - 1;

/** One of the arrangements that leaves panels of at least `least` by `least`. */
const layout = (random: Random, side: number, kinds: readonly Size[], least = 2, square = false): Layout => {
  const possible = kinds.filter((kind) => kind.every((many) => room(side, many) >= least));
  const [rows, columns] = pick(random, possible.length ? possible : kinds.slice(0, 1));
  const [h, w] = [rows, columns].map((many) =>
    between(random, Math.min(least, room(side, many)), Math.min(4, room(side, many)))
  );
  return { rows, columns, dims: square ? [Math.min(h, w), Math.min(h, w)] : [h, w] };
};

/** Panels in reading order, with lines between them. */
const join = (panels: readonly Grid[], { rows, columns }: Layout, line: number): Grid =>
  Array.from({ length: rows }, (_, y) => panels.slice(y * columns, (y + 1) * columns)).flatMap((row, y) => {
    const body = row[0].map((_, r) => row.flatMap((panel, x) => x ? [line, ...panel[r]] : panel[r]));
    return y ? [Array<number>(body[0].length).fill(line), ...body] : body;
  });

const four: Size[] = [[2, 2]];
const few: Size[] = [[2, 2], [1, 3], [3, 1], [2, 3], [3, 2]];
const three: Size[] = [[1, 3], [3, 1]];
const many: Size[] = [[2, 2], [2, 3], [3, 2], [3, 3]];

/** The families by name. */
export const panels = {
  symmetricPanel(random, side) {
    const [line, ...colours] = someColours(random, between(random, 2, 4)),
      own = layout(random, side, four, 3);
    const axis = 4 + random.integer(2), even = random.next() < 0.6, total = own.rows * own.columns;
    return (random) => {
      const draw = (symmetric: boolean) =>
        until(() => {
          const grid = speckle(random, ...own.dims, colours, 0.6), mirrored = dihedral(grid, axis);
          const [h, w] = own.dims;
          return symmetric
            ? change(grid, (old, r, c) => (axis === 4 ? 2 * c >= w : 2 * r >= h) ? mirrored[r][c] : old)
            : grid;
        }, (grid) => filled(grid) > 1 && same(grid, dihedral(grid, axis)) === symmetric);
      const place = random.integer(total), drawn = times(total, (i) => draw((i === place) === even));
      return { input: join(drawn, own, line), output: drawn[place] };
    };
  },
  oddColourPanel(random, side) {
    const [line, ...colours] = someColours(random, 6), own = layout(random, side, few), mixed = random.next() < 0.4;
    const total = own.rows * own.columns;
    return (random) => {
      const [usual, odd] = random.permutation(5).map((i) => colours[i]), place = random.integer(total);
      const draw = (used: number[]) =>
        until(
          () => speckle(random, ...own.dims, used, 0.6),
          (grid) => used.every((colour) => grid.flat().includes(colour)),
        );
      const drawn = times(total, (i) => draw(i !== place ? [usual] : mixed ? [usual, odd] : [odd]));
      return { input: join(drawn, own, line), output: drawn[place] };
    };
  },
  panelVote(random, side) {
    const [line, ...colours] = someColours(random, between(random, 2, 4)),
      own = layout(random, side, [...four, ...three]);
    const total = own.rows * own.columns, noise = 0.2 + 0.4 * random.next();
    return (random) => {
      const output = colourful(random, own.dims, colours, 0.6);
      // No cell is wrong in more than one panel.
      const wrong = change(output, () => random.next() < noise ? random.integer(total) : -1);
      const drawn = times(
        total,
        (i) =>
          change(
            output,
            (old, r, c) => wrong[r][c] === i ? pick(random, [0, ...colours].filter((colour) => colour !== old)) : old,
          ),
      );
      return { input: join(drawn, own, line), output };
    };
  },
  panelSummary(random, side) {
    const [line, mark, ...colours] = someColours(random, 5), own = layout(random, side, many), kind = random.integer(3);
    const total = own.rows * own.columns;
    const most = (panel: Grid) => {
      const amounts = colours.map((colour) => panel.flat().filter((own) => own === colour).length);
      const [first, second] = amounts.toSorted((a, b) => b - a);
      return first > second ? colours[amounts.indexOf(first)] : 0;
    };
    return (random) => {
      const draw = [
        () => until(() => speckle(random, ...own.dims, colours, 0.8), (panel) => most(panel) > 0),
        () => {
          const panel = speckle(random, ...own.dims, colours, 0.5), cells = cellsWhere(panel, () => true);
          return random.next() < 0.5 ? paint(panel, [pick(random, cells)], mark) : panel;
        },
        () => random.next() < 0.4 ? blank(...own.dims) : colourful(random, own.dims, colours),
      ][kind];
      const answer = (panel: Grid) =>
        kind === 0 ? most(panel) : (kind === 1 ? panel.flat().includes(mark) : !filled(panel)) ? mark : 0;
      const drawn = until(() => times(total, draw), (drawn) => drawn.some(answer));
      const output = make(own.rows, own.columns, (r, c) => answer(drawn[r * own.columns + c]));
      return { input: join(drawn, own, line), output };
    };
  },
  placeToPanel(random, side) {
    const [ground, ...marks] = someColours(random, 5), n = side < 9 ? 2 : 3, kept = random.next() < 0.5;
    // Three panels of three cells leave no room for lines, so the ground tells panels apart.
    const floor = (y: number, x: number) => (y + x) % 2 ? ground : 0;
    return (random) => {
      const base = make(n * n, n * n, (r, c) => floor(Math.floor(r / n), Math.floor(c / n)));
      const [py, px, y, x] = times(4, () => random.integer(n)), colour = pick(random, marks);
      const noted = paint(base, [[py * n + y, px * n + x]], colour);
      const target = cellsWhere(base, (_, r, c) => Math.floor(r / n) === y && Math.floor(c / n) === x);
      return { input: noted, output: paint(kept ? noted : base, target, colour) };
    };
  },
  copyToPanels(random, side) {
    const [line, own, ...marks] = someColours(random, 5), form = layout(random, side, many), dots = random.next() < 0.6;
    const total = form.rows * form.columns, cells = cellsWhere(blank(...form.dims), () => true);
    return (random) => {
      const figure = until(() => speckle(random, ...form.dims, [own], 0.6), (grid) => filled(grid) > 1);
      const place = random.integer(total);
      const colours = times(total, () => !dots ? own : random.next() < 0.7 ? pick(random, marks) : 0);
      if (dots) colours[(place + 1) % total] = pick(random, marks);
      const draw = (panel: (i: number) => Grid) =>
        join(times(total, (i) => i === place ? figure : panel(i)), form, line);
      return {
        input: draw((i) => paint(blank(...form.dims), dots ? [pick(random, cells)] : [], colours[i])),
        output: draw((i) => change(figure, (old) => old && colours[i])),
      };
    };
  },
  roomsByDot(random, side) {
    const [line, ...colours] = someColours(random, 5), crossed = random.next() < 0.3;
    return (random) => {
      const [h, w] = size(random, side, 5);
      const cuts = (length: number) =>
        until(
          () => random.permutation(length).slice(0, between(random, 1, length > 6 ? 2 : 1)),
          (cuts) => cuts.every((cut) => cut > 0 && cut < length - 1) && Math.abs(cuts[0] - (cuts[1] ?? -9)) > 1,
        );
      const [down, across] = [cuts(h), cuts(w)];
      const ground = make(h, w, (r, c) => down.includes(r) || across.includes(c) ? line : 0);
      const rooms = shapesOf(ground, (colour) => colour === 0).filter(({ cells }) => cells.length > 1);
      const lit = random.permutation(rooms.length).slice(0, between(random, 1, rooms.length)).map((i) => rooms[i]);
      const fill = lit.map(({ cells }) => ({ cells, dot: pick(random, cells), colour: pick(random, colours) }));
      const input = fill.reduce((grid, { dot, colour }) => paint(grid, [dot], colour), ground);
      return {
        input,
        output: fill.reduce(
          (grid, { cells, dot, colour }) =>
            paint(grid, crossed ? cells.filter(([r, c]) => r === dot[0] || c === dot[1]) : cells, colour),
          ground,
        ),
      };
    };
  },
  layers(random, side) {
    const own = layout(random, side, [...four, ...three]), total = own.rows * own.columns;
    const [line, ...colours] = someColours(random, total + 1), order = random.permutation(total);
    return (random) => {
      const drawn = times(total, (i) => colourful(random, own.dims, [colours[i]], 0.4));
      const output = make(...own.dims, (r, c) => order.map((i) => drawn[i][r][c]).find((colour) => colour) ?? 0);
      return { input: join(drawn, own, line), output };
    };
  },
  panelLogic(random, side) {
    const own = layout(random, side, [...four, ...three]), total = own.rows * own.columns, kind = random.integer(4);
    const [line, to, ...colours] = someColours(random, total + 2), single = random.next() < 0.5;
    const [share, holds] = ([
      [0.35, (count: number) => count === 1],
      [0.7, (count: number) => count === total],
      [0.4, (count: number) => count >= 2],
      [0.35, (count: number) => count === 0],
    ] as const)[kind];
    return (random) =>
      until(() => {
        const drawn = times(total, (i) => colourful(random, own.dims, [colours[single ? 0 : i]], share));
        const output = make(...own.dims, (r, c) => holds(drawn.filter((panel) => panel[r][c]).length) ? to : 0);
        return { input: join(drawn, own, line), output };
      }, ({ output }) => filled(output) > 0);
  },
  missingPanel(random, side) {
    const [line, cover, ...colours] = someColours(random, 5), own = layout(random, side, four, 2, true);
    const turns = pick(random, [[0, 4, 5, 2], [0, 4, 5, 2], [0, 3, 1, 2]]), cut = random.next() < 0.5;
    return (random) => {
      const base = until(() => speckle(random, ...own.dims, colours, 0.6), (grid) => !same(grid, dihedral(grid, 2)));
      const whole = turns.map((k) => dihedral(base, k)), gone = random.integer(4);
      const input = join(whole.map((panel, i) => i === gone ? blank(...own.dims, cover) : panel), own, line);
      return { input, output: cut ? whole[gone] : join(whole, own, line) };
    };
  },
  cyclePanels(random, side) {
    const [line, ...colours] = someColours(random, between(random, 2, 5)),
      own = layout(random, side, [...four, ...three]);
    const next = own.rows === own.columns ? [1, 3, 0, 2] : [1, 2, 0], back = random.next() < 0.5;
    return (random) => {
      const drawn = next.map(() => colourful(random, own.dims, colours));
      const moved = next.map((to, i) => back ? drawn[to] : drawn[next.indexOf(i)]);
      return { input: join(drawn, own, line), output: join(moved, own, line) };
    };
  },
  turnPanels(random, side) {
    const [line, ...colours] = someColours(random, between(random, 2, 4)), own = layout(random, side, many, 2, true);
    const k = 1 + random.integer(7), total = own.rows * own.columns;
    return (random) => {
      const drawn = times(total, () => colourful(random, own.dims, colours));
      return { input: join(drawn, own, line), output: join(drawn.map((panel) => dihedral(panel, k)), own, line) };
    };
  },
  panelLegend(random, side) {
    const [line, ...colours] = someColours(random, 9), k = pick(random, [0, 4, 6, 1]), whole = random.next() < 0.4;
    const flip = (grid: Grid) => dihedral(grid, k);
    return (random) => {
      const [h, w] = [between(random, 3, side), between(random, 2, side - 3)],
        keys = between(random, 2, Math.min(h, 4));
      const order = random.permutation(8).map((i) => colours[i]);
      const key = make(h, 2, (r, c) => r < keys ? order[2 * r + c] : 0);
      const known = key.slice(0, keys), map = new Map(known.map(([from, to]) => [from, to]));
      const body = speckle(random, h, w, [...map.keys()], 0.6), output = change(body, (old) => map.get(old) ?? 0);
      const draw = (right: Grid) => key.map((row, r) => [...row, line, ...right[r]]);
      return { input: flip(draw(body)), output: flip(whole ? draw(output) : output) };
    };
  },
  maskedPattern(random, side) {
    const [line, mask, ...colours] = someColours(random, between(random, 3, 5)), n = side < 9 ? 2 : 3;
    const kept = random.next() < 0.7, k = pick(random, [0, 2, 6, 7]);
    return (random) => {
      const pattern = colourful(random, [n, n], colours, 0.7);
      const places = until(() => colourful(random, [n, n], [mask], 0.5), (grid) => filled(grid) < n * n);
      const output = make(
        n * n,
        n * n,
        (r, c) => (places[Math.floor(r / n)][Math.floor(c / n)] > 0) === kept ? pattern[r % n][c % n] : 0,
      );
      const input = pattern.map((row, r) => [...row, line, ...places[r]]);
      return { input: dihedral(input, k), output: dihedral(output, k) };
    };
  },
  sortPanels(random, side) {
    const [line, ...colours] = someColours(random, between(random, 2, 4)), k = random.integer(2) * 6;
    const rising = random.next() < 0.5, rows = pick(random, side < 7 ? [3] : [3, 4]);
    const h = room(side, rows), w = between(random, side < 7 ? 4 : 3, Math.min(6, side));
    return (random) => {
      const drawn = until(
        () => times(rows, () => speckle(random, h, w, colours, 0.1 + 0.9 * random.next())),
        (drawn) => new Set(drawn.map(filled)).size === rows,
      );
      const sorted = drawn.toSorted((a, b) => (filled(a) - filled(b)) * (rising ? 1 : -1));
      const draw = (list: Grid[]) => dihedral(join(list, { rows, columns: 1, dims: [h, w] }, line), k);
      return { input: draw(drawn), output: draw(sorted) };
    };
  },
  equalSides(random, side) {
    const [line, yes, no, ...colours] = someColours(random, 5),
      k = random.integer(2) * 6,
      mirrored = random.next() < 0.4;
    const both = random.next() < 0.6;
    return (random) => {
      const h = between(random, 4, side), w = between(random, 2, Math.floor((side - 1) / 2));
      const image = (row: number[]) => mirrored ? row.toReversed() : row;
      const draw = () => {
        const rows = times(h, () => {
          const [left, other] = speckle(random, 2, w, colours, 0.6);
          return { left, right: random.next() < 0.5 ? image(left) : other };
        });
        return { rows, equal: rows.map(({ left, right }) => String(image(left)) === String(right)) };
      };
      const { rows, equal } = until(draw, ({ equal }) => new Set(equal).size === 2);
      const join = (middle: (r: number) => number) =>
        dihedral(rows.map(({ left, right }, r) => [...left, middle(r), ...right]), k);
      return { input: join(() => line), output: join((r) => equal[r] ? yes : both ? no : line) };
    };
  },
  alternatePanels(random, side) {
    const [line, ...colours] = someColours(random, between(random, 2, 5)), k = random.integer(4);
    const columns = pick(random, side < 7 ? [3] : side < 9 ? [3, 4] : [4, 5, 3]), w = room(side, columns);
    return (random) => {
      const h = between(random, 3, side), [a, b] = times(2, () => colourful(random, [h, w], colours, 0.6));
      const draw = (last: number) =>
        join(times(columns, (i) => i > last ? blank(h, w) : i % 2 ? b : a), { rows: 1, columns, dims: [h, w] }, line);
      return { input: dihedral(draw(1), k), output: dihedral(draw(columns), k) };
    };
  },
  spotDifferences(random, side) {
    const [line, to, ...colours] = someColours(random, between(random, 3, 6)), k = random.integer(4);
    const marked = random.next() < 0.5;
    return (random) => {
      const h = between(random, 3, side), w = between(random, 2, Math.floor((side - 1) / 2));
      const left = colourful(random, [h, w], colours, 0.6), count = between(random, 1, 4);
      const wrong = random.permutation(h * w).slice(0, count);
      const differs = (r: number, c: number) => wrong.includes(r * w + c);
      const right = change(
        left,
        (old, r, c) => differs(r, c) ? pick(random, [0, ...colours].filter((colour) => colour !== old)) : old,
      );
      const input = left.map((row, r) => [...row, line, ...right[r]]);
      const output = change(left, (old, r, c) => differs(r, c) ? to : marked ? old : 0);
      return { input: dihedral(input, k), output: dihedral(output, k) };
    };
  },
  fillFullest(random, side) {
    const [line, to, ...colours] = someColours(random, 4), own = layout(random, side, many), most = random.next() < 0.6;
    const total = own.rows * own.columns, cleared = random.next() < 0.5;
    return (random) => {
      const draw = () => {
        const drawn = times(total, () => speckle(random, ...own.dims, colours, random.next()));
        const counts = drawn.map(filled), extreme = most ? Math.max(...counts) : Math.min(...counts);
        return { drawn, found: [...counts.keys()].filter((i) => counts[i] === extreme) };
      };
      const { drawn, found: [place] } = until(draw, ({ found }) => found.length === 1);
      const output = drawn.map((panel, i) =>
        i === place ? blank(...own.dims, to) : cleared ? blank(...own.dims) : panel
      );
      return { input: join(drawn, own, line), output: join(output, own, line) };
    };
  },
  mirrorPanels(random, side) {
    const [line, ...colours] = someColours(random, between(random, 2, 4)), k = random.integer(2) * 6;
    const own = layout(random, side, [[2, 2], [3, 2]]), image = pick(random, [4, 4, 0, 2, 5]);
    return (random) => {
      const drawn = times(own.rows, () => ({ panel: colourful(random, own.dims, colours), left: random.next() < 0.5 }));
      const draw = (other: (panel: Grid) => Grid) =>
        dihedral(
          join(drawn.flatMap(({ panel, left }) => left ? [panel, other(panel)] : [other(panel), panel]), own, line),
          k,
        );
      return { input: draw(() => blank(...own.dims)), output: draw((panel) => dihedral(panel, image)) };
    };
  },
} satisfies Record<string, Family>;
