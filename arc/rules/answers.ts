/**
 * Rules with small answers: what is cut out, counted, looked up, put together and shrunk.
 *
 * @module
 */
import { dihedral } from "../augment.ts";
import type { Random } from "../random.ts";
import { box, type Cell, cellsWhere, outline, type Shape } from "../shapes.ts";
import type { Grid } from "../task.ts";
import {
  between,
  blank,
  change,
  crop,
  figure,
  make,
  paint,
  pick,
  rectangle,
  shows,
  shuffle,
  someColours,
  speckle,
} from "./drawing.ts";
import {
  colourful,
  cut,
  type Family,
  figures,
  form,
  scene,
  type Size,
  size,
  times,
  turnedPair,
  until,
} from "./family.ts";

const different = (grids: readonly (Grid | number[])[]) => new Set(grids.map(String)).size === grids.length;

/** Where the largest (or smallest) is, -1 if several are. */
const extreme = (values: readonly number[], most: boolean) => {
  const best = most ? Math.max(...values) : Math.min(...values), first = values.indexOf(best);
  return first === values.lastIndexOf(best) ? first : -1;
};

/** Dots on cells of their own. */
const strew = (random: Random, [h, w]: Size, dots: readonly number[]) => {
  const places = random.permutation(h * w);
  return make(h, w, (r, c) => dots[places[r * w + c]] ?? 0);
};

/** Pictures side by side, with `line` between them. */
const inRow = (pictures: readonly Grid[], line: readonly number[]): Grid =>
  pictures[0].map((_, r) => pictures.flatMap((picture, i) => i ? [...line, ...picture[r]] : picture[r]));

/** Pictures hung on black a cell apart, and the places of their first cells. */
const hang = (random: Random, side: number, pictures: readonly Grid[], holds?: (shapes: Shape[]) => boolean) => {
  const rooms = pictures.map((picture) => ({ colour: 1, cells: rectangle(0, 0, picture.length, picture[0].length) }));
  const { grid, shapes } = scene(random, side, () => rooms, holds);
  const places = shapes.map(({ cells: [first] }) => first);
  const input = places.reduce(
    (result, [top, left], i) => change(result, (own, r, c) => pictures[i][r - top]?.[c - left] ?? own),
    blank(grid.length, grid[0].length),
  );
  return { input, places };
};

/** Whether coloured cells reach all four edges. */
const reaches = (grid: Grid) =>
  String(box(cellsWhere(grid, (own) => own > 0))) === `0,0,${grid.length - 1},${grid[0].length - 1}`;

/** A square picture of one colour that reaches its edges and leaves something open. */
const sketch = (random: Random, n: number, colour: number) =>
  until(() => speckle(random, n, n, [colour], 0.6), (grid) => reaches(grid) && grid.flat().includes(0));

/** Heads of rows and of columns, and what stands where they cross. */
const table = (rows: readonly number[], columns: readonly number[], cell: (row: number, column: number) => number) => [
  [0, ...columns],
  ...rows.map((row) => [row, ...columns.map((column) => cell(row, column))]),
];

const withoutHeads = (grid: Grid) => grid.slice(1).map((row) => row.slice(1));

/** The families by name. */
export const answers = {
  fourMarks(random, side) {
    const [mark, ...colours] = someColours(random, 4), d = random.next() < 0.7 ? 1 : 0;
    return (random) => {
      const [h, w] = size(random, side, 5), [a, b] = [h, w].map((n) => between(random, 4, n - 1 + d));
      const top = random.integer(h - a + 1), left = random.integer(w - b + 1);
      const [bottom, right] = [top + a - 1, left + b - 1];
      const marks: Cell[] = [[top, left], [top, right], [bottom, left], [bottom, right]];
      const input = paint(speckle(random, h, w, colours, 0.6), marks, mark);
      return { input, output: crop(input, [top + d, left + d, bottom - d, right - d]) };
    };
  },
  widestStrip(random, side) {
    const [line, ...colours] = someColours(random, between(random, 2, 4)), k = pick(random, [0, 6]);
    const most = random.next() < 0.6;
    return (random) => {
      const [h, w] = size(random, side, 5), lines = between(random, 1, Math.floor(h / 5));
      const { edges, place } = until(() => {
        const cuts = random.permutation(h - 2).slice(0, lines).map((i) => i + 1).sort((a, b) => a - b);
        const edges = [-1, ...cuts, h], heights = edges.slice(1).map((edge, i) => edge - edges[i] - 1);
        return { edges, place: heights.includes(0) ? -1 : extreme(heights, most) };
      }, ({ place }) => place >= 0);
      const input = make(h, w, (r) => edges.includes(r) ? line : random.next() < 0.8 ? pick(random, colours) : 0);
      return turnedPair({ input, output: input.slice(edges[place] + 1, edges[place + 1]) }, k);
    };
  },
  fullWindow(random, side) {
    const colours = someColours(random, 4), n = side < 9 ? 2 : between(random, 2, side < 13 ? 3 : 4);
    return (random) => {
      const draw = () => {
        const [h, w] = size(random, side, 5), top = random.integer(h - n + 1), left = random.integer(w - n + 1);
        const within = (r: number, c: number) => r >= top && r < top + n && c >= left && c < left + n;
        const specks = speckle(random, h, w, colours, 0.1 * n);
        return change(specks, (own, r, c) => within(r, c) ? pick(random, colours) : own);
      };
      const full = (grid: Grid) =>
        cellsWhere(grid, (own, r, c) => own > 0 && rectangle(r, c, n, n).every(([y, x]) => grid[y]?.[x]));
      const input = until(draw, (grid) => full(grid).length === 1), [[top, left]] = full(input);
      return { input, output: crop(input, [top, left, top + n - 1, left + n - 1]) };
    };
  },
  keyedCounts(random, side) {
    const [line, ...colours] = someColours(random, 6), k = random.integer(8), most = side < 9 ? 4 : 6;
    return (random) => {
      const [h, w] = size(random, side, side < 9 ? 5 : 6), order = shuffle(random, colours);
      const counts = times(between(random, 2, 3), () => between(random, 1, most));
      const dots = [...counts, random.integer(3)].flatMap((n, i) => Array<number>(n).fill(order[i]));
      const key = times(w, (c) => c < counts.length ? order[c] : 0);
      const input = [key, key.map(() => line), ...strew(random, [h - 2, w], dots)];
      return turnedPair({ input, output: counts.map((n, i) => times(most, (c) => c < n ? order[i] : 0)) }, k);
    };
  },
  ringList(random, side) {
    const colours = someColours(random, 6), inwards = random.next() < 0.5, k = pick(random, [0, 6]);
    return (random) => {
      const [h, w] = size(random, side, 5), short = Math.min(h, w);
      const count = between(random, 2, Math.min(4, Math.ceil(short / 2))), order = shuffle(random, colours);
      const by = () => between(random, 1, Math.floor((short - 1) / (2 * count - 2)));
      let input = blank(h, w, order[0]), [top, left, bottom, right] = [0, 0, h, w];
      for (const colour of order.slice(1, count)) {
        [top, left, bottom, right] = [top + by(), left + by(), bottom - by(), right - by()];
        input = paint(input, rectangle(top, left, bottom - top, right - left), colour);
      }
      const list = order.slice(0, count);
      return { input, output: dihedral([inwards ? list : list.toReversed()], k) };
    };
  },
  bandColours(random, side) {
    const [noise, ...colours] = someColours(random, 7), k = pick(random, [0, 6]), back = random.next() < 0.3;
    const dirt = pick(random, [0, 0.15]);
    return (random) => {
      const [h, w] = size(random, side, 5), count = between(random, 2, Math.max(2, Math.min(5, Math.floor(w / 3))));
      const order = shuffle(random, colours).slice(0, count);
      const edges = times(h, () => times(count - 1, (i) => Math.round((i + 1) * w / count) + between(random, -1, 1)));
      const band = (r: number, c: number) => order[edges[r].filter((edge) => edge <= c).length];
      const input = make(h, w, (r, c) => random.next() < dirt ? noise : band(r, c));
      return turnedPair({ input, output: [back ? order.toReversed() : order] }, k);
    };
  },
  framedColour(random, side) {
    const [frame, ...colours] = someColours(random, 7), n = between(random, 1, 3), small = side < 7;
    return (random) => {
      const [own, ...others] = shuffle(random, colours);
      const { grid, shapes: [ring] } = scene(random, side, () => {
        const [a, b] = times(2, () => between(random, 3, small ? 3 : 4));
        const specks = figures(random, between(random, 1, small ? 1 : 4), others, 1, small ? 2 : 4);
        return [{ colour: frame, cells: outline(rectangle(0, 0, a, b)) }, ...specks];
      });
      const [top, left, bottom, right] = box(ring.cells);
      const inner = rectangle(top + 1, left + 1, bottom - top - 1, right - left - 1);
      return { input: paint(grid, random.next() < 0.5 ? inner : [pick(random, inner)], own), output: blank(n, n, own) };
    };
  },
  colourOfOnly(random, side) {
    const colours = someColours(random, 6), edge = random.next() < 0.5, n = between(random, 1, 3);
    const most = side < 7 ? (edge ? 2 : 3) : side < 13 ? 3 : 5;
    const touches = (grid: Grid, { cells }: Shape) =>
      cells.some(([r, c]) => !r || !c || r === grid.length - 1 || c === grid[0].length - 1);
    return (random) => {
      const [own, ...others] = shuffle(random, colours).slice(0, between(random, edge ? 2 : 3, most));
      const list = edge ? [own, ...others] : [own, own, ...others];
      const draw = () =>
        list.map((colour) => ({ colour, cells: figure(random, between(random, 1, side < 7 ? 2 : 4)) }));
      const { grid } = until(
        () => scene(random, side, draw),
        ({ grid, shapes }) => !edge || shapes.every((shape, i) => touches(grid, shape) === (i === 0)),
      );
      return { input: grid, output: blank(n, n, own) };
    };
  },
  colourOfMost(random, side) {
    const colours = someColours(random, 6), most = random.next() < 0.7, n = between(random, 1, 3);
    const kind = random.integer(3);
    const measure = ({ cells }: Shape) => {
      const [top, left, bottom, right] = box(cells);
      return [cells.length, bottom - top, right - left][kind];
    };
    const chosen = (shapes: readonly Shape[]) => extreme(shapes.map(measure), most);
    return (random) => {
      const list = shuffle(random, colours).slice(0, between(random, 2, side < 7 ? 2 : 4));
      const draw = () =>
        list.map((colour) => ({ colour, cells: figure(random, between(random, 1, side < 7 ? 4 : 8)) }));
      const { grid, shapes } = scene(random, side, draw, (shapes) => chosen(shapes) >= 0);
      return { input: grid, output: blank(n, n, shapes[chosen(shapes)].colour) };
    };
  },
  headLogic(random, side) {
    const [a, b, to] = someColours(random, 3), kept = random.next() < 0.5, op = random.integer(4);
    const holds = (x: number, y: number) => [x && y, x || y, !x !== !y, !x && !y][op];
    return (random) => {
      const [h, w] = size(random, side, 4);
      const { input, output } = until(() => {
        const rows = times(h - 1, () => pick(random, [0, a])), columns = times(w - 1, () => pick(random, [0, b]));
        const output = table(rows, columns, (row, column) => holds(row, column) ? to : 0);
        return { input: table(rows, columns, () => 0), output };
      }, ({ output }) => shows(output, [a, b, to]));
      return { input, output: kept ? output : withoutHeads(output) };
    };
  },
  crossAnswer(random, side) {
    const [mark, ...colours] = someColours(random, 5), n = between(random, 1, 3), k = random.integer(4);
    return (random) => {
      const [h, w] = size(random, side, 4), y = between(random, 1, h - 1), x = between(random, 1, w - 1);
      const input = make(h, w, (r, c) => r && c ? pick(random, colours) : (r ? r === y : c === x) ? mark : 0);
      return turnedPair({ input, output: blank(n, n, input[y][x]) }, k);
    };
  },
  barSum(random, side) {
    const [a, b, to] = someColours(random, 3), less = random.next() < 0.4, plain = random.next() < 0.5;
    const loose = random.next() < 0.4, k = random.integer(8);
    return (random) => {
      const h = between(random, 3, side), w = between(random, 5, side), [first, second] = random.permutation(h);
      const [x, y] = until(
        () => times(2, () => between(random, 1, w - 1)),
        ([x, y]) => less ? x !== y : x + y <= w,
      );
      const [from, start] = [x, y].map((n) => loose ? random.integer(w - n + 1) : 0);
      const bar = (c: number, left: number, n: number, colour: number) => c >= left && c < left + n ? colour : 0;
      const input = make(h, w, (r, c) => r === first ? bar(c, from, x, a) : r === second ? bar(c, start, y, b) : 0);
      const total = less ? Math.abs(x - y) : x + y;
      const output = times(w, (c) => c >= total ? 0 : plain ? to : (less ? x > y : c < x) ? a : b);
      return turnedPair({ input, output: [output] }, k);
    };
  },
  lineUpBlocks(random, side) {
    const colours = someColours(random, 5), n = side < 9 ? 2 : between(random, 2, 3), k = random.integer(8);
    const count = side < 9 ? 2 : between(random, 2, side < 13 ? 3 : 4);
    return (random) => {
      const pictures = times(count, () => make(n, n, () => pick(random, colours)));
      const apart = (shapes: Shape[]) => new Set(shapes.map(({ cells: [[, left]] }) => left)).size === count;
      const { input, places } = hang(random, side, pictures, apart);
      const order = [...places.keys()].sort((i, j) => places[i][1] - places[j][1]);
      return turnedPair({ input, output: inRow(order.map((i) => pictures[i]), []) }, k);
    };
  },
  mergeTwo(random, side) {
    const [a, b, to] = someColours(random, 3), kind = random.integer(4), n = side < 7 ? 2 : 3;
    const both = (x: Grid, y: Grid) =>
      change(x, (p, r, c) => {
        const q = y[r][c];
        return [p || q, p && q && to, p && q ? 0 : p || q, q ? 0 : p][kind];
      });
    return (random) => {
      const [x, y] = until(
        () => [sketch(random, n, a), sketch(random, n, b)],
        ([x, y]) => both(x, y).flat().some((colour) => colour),
      );
      return { input: hang(random, side, [x, y]).input, output: both(x, y) };
    };
  },
  cookieCutter(random, side) {
    const [mask, ...colours] = someColours(random, between(random, 3, 5)), inverse = random.next() < 0.3;
    const n = side < 7 ? 2 : side < 13 ? 3 : between(random, 3, 4);
    return (random) => {
      const picture = make(n, n, () => pick(random, colours)), cutter = sketch(random, n, mask);
      const output = change(picture, (own, r, c) => (cutter[r][c] > 0) === inverse ? 0 : own);
      return { input: hang(random, side, [picture, cutter]).input, output };
    };
  },
  lonelyRow(random, side) {
    const colours = someColours(random, between(random, 2, 4)), k = pick(random, [0, 6]);
    return (random) => {
      const w = between(random, 3, side), kinds = between(random, 1, Math.min(4, Math.floor((side - 1) / 3)));
      const most = Math.min(4, Math.floor((side - 1) / kinds));
      const [single, ...others] = until(() => speckle(random, kinds + 1, w, colours, 0.8), different);
      const rows = [single, ...others.flatMap((row) => times(between(random, 2, most), () => row))];
      return turnedPair({ input: random.permutation(rows.length).map((i) => rows[i]), output: [single] }, k);
    };
  },
  missingColour(random, side) {
    const colours = someColours(random, between(random, 3, 6)), n = between(random, 1, 3);
    const share = pick(random, [0.6, 1]);
    return (random) => {
      const [gone, ...left] = shuffle(random, colours);
      const input = until(
        () => speckle(random, ...size(random, side, 4), left, share),
        (grid) => shows(grid, left),
      );
      return { input, output: blank(n, n, gone) };
    };
  },
  sharedColour(random, side) {
    const [line, ...colours] = someColours(random, 8), many = side < 9 ? 2 : 3, n = between(random, 1, 3);
    const w = Math.min(4, Math.floor((side + 1) / many) - 1), k = pick(random, [0, 6]);
    return (random) => {
      const [own, ...others] = shuffle(random, colours), h = between(random, 4, Math.min(side, 8));
      // No other colour is in all panels.
      const hosts = times(many + 1, () => random.permutation(many).slice(0, between(random, 1, many - 1)));
      const panels = times(many, (i) => {
        const used = [own, ...others.filter((_, j) => hosts[j]?.includes(i))];
        return until(() => speckle(random, h, w, used, 0.8), (grid) => shows(grid, used));
      });
      return turnedPair({ input: inRow(panels, [line]), output: blank(n, n, own) }, k);
    };
  },
  pickByCount(random, side) {
    const [line, mark, ...colours] = someColours(random, 5), k = pick(random, [0, 6]);
    const many = side < 9 ? 2 : between(random, 2, side < 13 ? 3 : 4), loose = random.next() < 0.4;
    const w = Math.min(4, Math.floor((side + 1) / many) - 1), round = random.next() < 0.3;
    return (random) => {
      const h = between(random, 2, Math.min(4, side - 2)), n = between(random, 1, round ? 2 * many : many);
      const pictures = until(() => times(many, () => colourful(random, [h, w], colours, 0.6)), different);
      const body = inRow(pictures, [line]), places = random.permutation(body[0].length);
      const marks = places.map((place, c) => (loose ? place : c) < n ? mark : 0);
      return turnedPair({ input: [marks, places.map(() => line), ...body], output: pictures[(n - 1) % many] }, k);
    };
  },
  mosaicMap(random, side) {
    const colours = someColours(random, between(random, 3, 6)), most = Math.min(5, Math.floor(side / 2));
    const changing = (grid: Grid) => grid.every((row, r) => String(row) !== String(grid[r - 1]));
    return (random) => {
      const output = until(
        () => make(between(random, 2, most), between(random, 2, most), () => pick(random, colours)),
        (grid) => changing(grid) && changing(dihedral(grid, 6)),
      );
      const dims = [output.length, output[0].length];
      const [ys, xs] = until(
        () => dims.map((n) => times(n, (i) => Array<number>(between(random, 1, Math.floor(side / n))).fill(i)).flat()),
        ([ys, xs]) => ys.length > dims[0] || xs.length > dims[1],
      );
      return { input: ys.map((y) => xs.map((x) => output[y][x])), output };
    };
  },
  twoDamaged(random, side) {
    const [line, mask, ...colours] = someColours(random, 5), cover = pick(random, [0, mask]), k = random.integer(8);
    const mirrored = random.next() < 0.4;
    return (random) => {
      const h = between(random, 3, side), w = between(random, 2, Math.floor((side - 1) / 2));
      const output = make(h, w, () => pick(random, colours));
      const fate = until(() => make(h, w, () => random.integer(3)), (fate) => shows(fate, [0, 1]));
      const [left, right] = [0, 1].map((i) => change(output, (own, r, c) => fate[r][c] === i ? cover : own));
      return turnedPair({ input: inRow([left, mirrored ? dihedral(right, 4) : right], [line]), output }, k);
    };
  },
  commonForm(random, side) {
    const [to, ...colours] = someColours(random, between(random, 2, 5)), most = side < 7 ? 3 : 5;
    return (random) => {
      const [many, odd] = pick(random, side < 7 ? [[2, 1]] : [[2, 2], [3, 1], [3, 2]]);
      const { grid, shapes } = scene(random, side, () => {
        const usual = figure(random, between(random, 2, most));
        const forms = [...times(many, () => usual), ...times(odd, () => figure(random, between(random, 2, most)))];
        return forms.map((cells) => ({ colour: pick(random, colours), cells }));
      }, (shapes) => new Set(shapes.map(form)).size === 1 + odd);
      return { input: grid, output: change(cut(grid, shapes[0]), (own) => own && to) };
    };
  },
  foldedPicture(random, side) {
    const [mark, ...colours] = someColours(random, between(random, 2, 5)), k = random.integer(8);
    const mirrors = random.next() < 0.5;
    return (random) => {
      // A solid line and a dotted one ask for the two ways to unfold.
      const h = between(random, 3, side), w = between(random, 2, Math.floor(side / 2)), solid = random.next() < 0.5;
      const picture = until(
        () => speckle(random, h, w, colours, 0.7),
        (grid) => String(grid) !== String(dihedral(grid, 4)),
      );
      const other = solid === mirrors ? dihedral(picture, 4) : picture;
      const input = picture.map((row, r) => [...row, solid || r % 2 === 0 ? mark : 0]);
      return turnedPair({ input, output: inRow([picture, other], []) }, k);
    };
  },
  enlargedPicture(random, side) {
    const colours = someColours(random, between(random, 2, 4)), most = Math.min(3, Math.floor(side / 2));
    return (random) => {
      const output = until(
        () => colourful(random, [between(random, 2, most), between(random, 2, most)], colours, 0.8),
        (grid) => reaches(grid) && new Set(grid.flat()).size > 1,
      );
      const [h, w] = [output.length, output[0].length];
      const n = between(random, 2, Math.min(6, Math.floor(side / Math.max(h, w))));
      const large = make(h * n, w * n, (r, c) => output[Math.floor(r / n)][Math.floor(c / n)]);
      return { input: hang(random, side, [large]).input, output };
    };
  },
} satisfies Record<string, Family>;
