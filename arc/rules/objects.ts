/**
 * Rules on relations between objects: lined up, packed, drawn to one another, told apart by the others, mended.
 *
 * @module
 */
import {
  at,
  beam,
  between,
  blank,
  change,
  figure,
  filled,
  make,
  paint,
  pick,
  rectangle,
  scatter,
  shuffle,
  someColours,
} from "./drawing.ts";
import { box, type Cell, type Shape, steps } from "../shapes.ts";
import {
  cellsOf,
  colourful,
  cut,
  type Family,
  figures,
  form,
  type Rule,
  scene,
  size,
  times,
  turnedPair,
  until,
} from "./family.ts";
import type { Random } from "../random.ts";
import type { Grid, Pair } from "../task.ts";

/** How many things suit a grid. */
const several = (random: Random, side: number, least = 2) =>
  between(random, least, Math.max(least, Math.round(side / 4)));

const move = (shape: Shape, down: number, right: number): Shape => ({ ...shape, cells: at(shape.cells, down, right) });

const show = (ground: Grid, shapes: readonly Shape[]): Grid =>
  shapes.reduce((grid, { colour, cells }) => paint(grid, cells, colour), ground);

/** Shapes of different colours. */
const motley = (random: Random, colours: readonly number[], sizes: readonly number[]): Shape[] => {
  const order = shuffle(random, colours);
  return sizes.map((count, i) => ({ colour: order[i], cells: figure(random, count) }));
};

/** Shapes of different colours and sizes, the smallest first. */
const graded = (random: Random, side: number, colours: readonly number[], least = 2): Shape[] => {
  const sizes = random.permutation(side < 9 ? 4 : 8).slice(0, several(random, side, least));
  return motley(random, colours, sizes.map((n) => n + 1).sort((a, b) => a - b));
};

/** The shapes from the left with `gap` columns between their boxes, on a floor if there is one. */
const pack = (shapes: readonly Shape[], gap: number, floor?: number): Shape[] => {
  let next = 0;
  return shapes.map((shape) => {
    const [, left, bottom, right] = box(shape.cells), start = next;
    next += right - left + 1 + gap;
    return move(shape, (floor ?? bottom) - bottom, start - left);
  });
};

/** Shapes side by side, each as high as it happens, become something else that loses no cell at the edge; turned. */
const rearranged = (
  random: Random,
  side: number,
  draw: (random: Random, h: number) => Shape[],
  become: (shapes: Shape[], h: number) => Shape[],
): Rule => {
  const k = random.integer(8);
  return (random) =>
    until(() => {
      const [h, w] = size(random, side, 5), drawn = pack(draw(random, h), 1), ground = blank(h, w);
      const spare = w - Math.max(...cellsOf(drawn).map(([, c]) => c + 1));
      if (spare < 0 || drawn.some(({ cells }) => box(cells)[2] >= h)) return { input: ground, output: ground };
      const shifts = drawn.map(() => random.integer(spare + 1)).sort((a, b) => a - b);
      const shapes = drawn.map((shape, i) => move(shape, random.integer(h - box(shape.cells)[2]), shifts[i]));
      return turnedPair({ input: show(ground, shapes), output: show(ground, become(shapes, h)) }, k);
    }, ({ input, output }) => filled(output) >= filled(input) && String(output) !== String(input));
};

/** Small pairs scattered over a large one. */
const scattered = (side: number, draw: (random: Random) => Pair[]): Rule => (random) =>
  until(() => {
    const parts = draw(random), dims = size(random, side, 6);
    const { shapes } = scatter(
      random,
      ...dims,
      parts.map(({ input }) => ({ colour: 1, cells: rectangle(0, 0, input.length, input[0].length) })),
    );
    if (shapes.length < parts.length) return undefined;
    const lay = (key: "input" | "output") =>
      shapes.reduce(
        (grid, { cells: [[top, left]] }, i) => change(grid, (old, r, c) => parts[i][key][r - top]?.[c - left] ?? old),
        blank(...dims),
      );
    return { input: lay("input"), output: lay("output") };
  }, (pair) => pair !== undefined)!;

/** The families by name. */
export const objects = {
  lineUp(random, side) {
    const [mark, ...colours] = someColours(random, 5), marked = random.next() < 0.5;
    // One leads: it has its own colour, or more cells than all others.
    const leads = ({ colour, cells }: Shape) => marked ? colour === mark : cells.length > 3;
    return rearranged(random, side, (random) => {
      const [leader] = figures(random, 1, marked ? [mark] : colours, marked ? 1 : 4, 5);
      return shuffle(random, [leader, ...figures(random, several(random, side, 1), colours, 1, 3)]);
    }, (shapes) => {
      const [top] = box(shapes.find(leads)!.cells);
      return shapes.map((shape) => move(shape, top - box(shape.cells)[0], 0));
    });
  },
  colourByPlace(random, side) {
    const period = side < 7 ? 2 : between(random, 2, side < 13 ? 3 : 4), [own, ...to] = someColours(random, period + 1);
    return rearranged(
      random,
      side,
      (random) => figures(random, several(random, side, period), [own], 1, 5),
      (shapes) => shapes.map(({ cells }, i) => ({ colour: to[i % period], cells })),
    );
  },
  moveByCount(random, side) {
    const colours = someColours(random, between(random, 1, 5)), most = side < 9 ? 3 : 5;
    const counts = (shapes: readonly Shape[]) => new Set(shapes.map(({ cells }) => cells.length)).size;
    return rearranged(
      random,
      side,
      (random) => until(() => figures(random, several(random, side), colours, 1, most), (drawn) => counts(drawn) > 1),
      (shapes) => shapes.map((shape) => move(shape, shape.cells.length, 0)),
    );
  },
  closeGaps(random, side) {
    const colours = someColours(random, 9), gap = random.integer(2), wide = side < 9 ? 2 : 3;
    // All are so high that they would meet, however they stand.
    const block = (random: Random, h: number) =>
      rectangle(0, 0, between(random, Math.floor(h / 2) + 1, h), between(random, 1, wide));
    return rearranged(random, side, (random, h) => {
      const used = shuffle(random, colours).slice(0, several(random, side));
      return used.map((colour) => ({ colour, cells: block(random, h) }));
    }, (shapes) => pack(shapes, gap));
  },
  repeatToEdge(random, side) {
    const [to, ...colours] = someColours(random, 5), recolours = random.next() < 0.4;
    const gap = random.integer(3), slanted = random.next() < 0.3;
    return rearranged(
      random,
      side,
      (random) => figures(random, slanted ? 1 : several(random, side, 1), colours, 1, 4),
      (shapes, h) =>
        shapes.flatMap((shape) => {
          const [top, left, bottom, right] = box(shape.cells), across = slanted ? right - left + 1 + gap : 0;
          const copy = recolours ? { ...shape, colour: to } : shape;
          return times(h, (i) => move(i ? copy : shape, i * (bottom - top + 1 + gap), i * across));
        }),
    );
  },
  rigidFall(random, side) {
    const colours = someColours(random, 9), k = random.integer(4);
    const above = (a: Shape, b: Shape) =>
      Math.min(...a.cells.flatMap(([r, c]) => b.cells.flatMap(([y, x]) => x === c && y > r ? [y - r - 1] : [])));
    return (random) => {
      const draw = () => motley(random, colours, times(several(random, side), () => between(random, 1, 6)));
      const { grid, shapes, falls } = until(() => {
        const { grid, shapes } = scene(random, side, draw);
        const floors = shapes.map(({ cells }) => grid.length - 1 - box(cells)[2]), falls = [...floors];
        // None falls farther than those below it let it; what is known of one may take a round to reach the next.
        const gaps = shapes.map((a) => shapes.map((b) => above(a, b)));
        const fall = (i: number) => Math.min(falls[i], ...gaps[i].map((gap, j) => gap + falls[j]));
        shapes.forEach(() => shapes.forEach((_, i) => falls[i] = fall(i)));
        return { grid, shapes, falls, rests: falls.some((n, i) => n < floors[i]) };
      }, ({ falls, rests }) => rests && falls.some((n) => n > 0));
      const output = show(change(grid, () => 0), shapes.map((shape, i) => move(shape, falls[i], 0)));
      return turnedPair({ input: grid, output }, k);
    };
  },
  magnet(random, side) {
    const [pole, ...colours] = someColours(random, between(random, 2, 5)), most = Math.floor(side / 4) + 1;
    // Step by step; none if a shape is only partly before the magnet's side.
    const way = (shape: Shape, { cells }: Shape): Shape[] => {
      const [top, left, bottom, right] = box(cells), [a, b, c, d] = box(shape.cells);
      const column = b >= left && d <= right, row = a >= top && c <= bottom;
      if (!column && !row && (b <= right && d >= left || a <= bottom && c >= top)) return [];
      const down = !column ? 0 : a < top ? top - 1 - c : bottom + 1 - a;
      const across = !row ? 0 : b < left ? left - 1 - d : right + 1 - b;
      return times(Math.abs(down + across) + 1, (i) => move(shape, i * Math.sign(down), i * Math.sign(across)));
    };
    const ways = ([first, ...others]: readonly Shape[]) => others.map((shape) => way(shape, first));
    return (random) => {
      const draw = (): Shape[] => {
        const cells = rectangle(0, 0, between(random, 2, most), between(random, 2, most));
        return [{ colour: pole, cells }, ...figures(random, between(random, 1, side < 9 ? 2 : 4), colours, 1, 3)];
      };
      const { grid, shapes } = scene(random, side, draw, (shapes) => {
        const all = ways(shapes), swept = all.flatMap((path) => [...new Set(cellsOf(path).map(String))]);
        return all.every((path) => path.length > 0) && all.some((path) => path.length > 1) &&
          new Set(swept).size === swept.length;
      });
      const ends = ways(shapes).map((path) => path.at(-1)!);
      return { input: grid, output: show(change(grid, () => 0), [shapes[0], ...ends]) };
    };
  },
  seenBy(random, side) {
    const [eye, own, other] = someColours(random, 3), to = pick(random, [other, other, eye, 0]);
    return (random) => {
      const { grid, seen } = until(() => {
        const draw = () => [...figures(random, 1, [eye], 1, 1), ...figures(random, several(random, side), [own], 1, 6)];
        const { grid, shapes: [{ cells: [start] }, ...others] } = scene(random, side, draw);
        const hits = steps(false).map((way) => String(beam(grid, start, way).find(([r, c]) => grid[r][c])));
        const seen = others.filter(({ cells }) => cells.some((cell) => hits.includes(String(cell))));
        return { grid, seen, others };
      }, ({ seen, others }) => seen.length > 0 && seen.length < others.length);
      return { input: grid, output: paint(grid, cellsOf(seen), to) };
    };
  },
  nearestDot(random, side) {
    const [own, ...colours] = someColours(random, 6), kept = random.next() < 0.6, most = side < 9 ? 2 : 4;
    const far = ({ cells }: Shape, { cells: [[y, x]] }: Shape) =>
      Math.min(...cells.map(([r, c]) => (r - y) ** 2 + (c - x) ** 2));
    return (random) => {
      const dots = times(between(random, 2, most), () => 1);
      const draw = () => [...motley(random, colours, dots), ...figures(random, between(random, 1, most), [own], 2, 6)];
      const ranked = (shape: Shape, shapes: readonly Shape[]) =>
        shapes.slice(0, dots.length).sort((a, b) => far(shape, a) - far(shape, b));
      const { grid, shapes } = scene(random, side, draw, (shapes) =>
        shapes.slice(dots.length).every((shape) => {
          const [first, second] = ranked(shape, shapes);
          return far(shape, second) > 1.5 * far(shape, first);
        }));
      const others = shapes.slice(dots.length);
      const painted = others.map((shape) => ({ ...shape, colour: ranked(shape, shapes)[0].colour }));
      return { input: grid, output: show(kept ? grid : change(grid, () => 0), painted) };
    };
  },
  colourOfTwin(random, side) {
    const [own, ...colours] = someColours(random, 6), most = side < 9 ? 3 : 5;
    return (random) => {
      const kinds = side < 9 ? 2 : between(random, 2, 4);
      const { grid, shapes } = scene(random, side, () => {
        const models = motley(random, colours, times(kinds, () => between(random, 1, most)));
        return [...models, ...times(several(random, side, 1), () => ({ ...pick(random, models), colour: own }))];
      }, (shapes) => new Set(shapes.slice(0, kinds).map(form)).size === kinds);
      const colour = (shape: Shape) => shapes.find((model) => form(model) === form(shape))!.colour;
      return { input: grid, output: show(grid, shapes.map((shape) => ({ ...shape, colour: colour(shape) }))) };
    };
  },
  colourOfLargest(random, side) {
    const colours = someColours(random, 9), largest = random.next() < 0.7;
    return (random) => {
      const { grid, shapes } = scene(random, side, () => graded(random, side, colours));
      return { input: grid, output: paint(grid, cellsOf(shapes), shapes.at(largest ? -1 : 0)!.colour) };
    };
  },
  extremesTrade(random, side) {
    const colours = someColours(random, 9);
    return (random) => {
      const { grid, shapes } = scene(random, side, () => graded(random, side, colours, 3));
      const [small, large] = [shapes[0], shapes.at(-1)!];
      return { input: grid, output: paint(paint(grid, small.cells, large.colour), large.cells, small.colour) };
    };
  },
  parade(random, side) {
    const colours = someColours(random, 9), k = random.integer(8);
    return (random) =>
      until(() => {
        const { grid, shapes } = scene(random, side, () => graded(random, side, colours));
        const floor = Math.max(...shapes.map(({ cells }) => box(cells)[2] - box(cells)[0]));
        const row = pack(shapes, 1, floor);
        return turnedPair({ input: grid, output: show(blank(floor + 1, box(cellsOf(row))[3] + 1), row) }, k);
      }, ({ output }) => Math.max(output.length, output[0].length) <= side);
  },
  mostColourful(random, side) {
    const colours = someColours(random, 6), few = random.next() < 0.3;
    return (random) => {
      const others = times(several(random, side, 1), () => few ? between(random, 2, 3) : between(random, 1, 2));
      const amounts = [few ? 1 : 3, ...others], most = side < 9 ? 4 : 7;
      const { grid, shapes } = scene(random, side, () => figures(random, amounts.length, colours, 3, most));
      const input = shapes.reduce((result, { cells }, i) => {
        const palette = shuffle(random, colours).slice(0, amounts[i]);
        return cells.reduce((own, cell, j) => paint(own, [cell], palette[j] ?? pick(random, palette)), result);
      }, grid);
      return { input, output: cut(input, shapes[0]) };
    };
  },
  dropShade(random, side) {
    const [shade, ...colours] = someColours(random, 5), [dr, dc] = pick(random, steps(true)), own = random.next() < 0.4;
    const long = side < 9 ? 1 : between(random, 1, 3);
    return (random) =>
      until(() => {
        const { grid } = scene(random, side, () => figures(random, several(random, side, 1), colours, 1, 6));
        const caster = (r: number, c: number) =>
          times(long, (i) => grid[r - (i + 1) * dr]?.[c - (i + 1) * dc]).find((colour) => colour) ?? 0;
        const cast = (r: number, c: number) => own ? caster(r, c) : caster(r, c) && shade;
        return { input: grid, output: change(grid, (old, r, c) => old || cast(r, c)) };
      }, ({ input, output }) => filled(output) > filled(input));
  },
  mirrorAtSide(random, side) {
    const [line, ...colours] = someColours(random, between(random, 2, 4)), after = pick(random, [line, line, 0]);
    return scattered(side, (random) =>
      times(between(random, 1, Math.max(1, Math.floor(side / 6))), () => {
        const body = colourful(random, [between(random, 2, 3), between(random, 1, side < 7 ? 2 : 3)], colours, 0.7);
        const input = body.map((row) => [...row, line, ...row.map(() => 0)]);
        const output = body.map((row) => [...row, after, ...row.toReversed()]);
        return turnedPair({ input, output }, random.integer(4));
      }));
  },
  contents(random, side) {
    const colours = someColours(random, 6), kind = random.integer(3);
    return scattered(side, (random) =>
      times(several(random, side, 1), () => {
        const [h, w] = size(random, Math.min(side, 6)), [a, b] = shuffle(random, colours);
        const inner = colourful(random, [h - 2, w - 2], [1], 0.5);
        const draw = (frame: number, content: number) =>
          make(h, w, (r, c) => r && c && r < h - 1 && c < w - 1 ? inner[r - 1][c - 1] && content : frame);
        // Both trade their colours, or only one is left, in the other's.
        return { input: draw(a, b), output: [draw(b, a), draw(0, a), draw(b, 0)][kind] };
      }));
  },
  growInPlace(random, side) {
    const colours = someColours(random, between(random, 1, 4)), k = random.integer(4);
    const n = side < 9 ? 2 : between(random, 2, 3);
    return scattered(side, (random) =>
      times(several(random, side, 1), () => {
        const cells = figure(random, between(random, 1, 4)), [, , bottom, right] = box(cells);
        const ground = blank(n * (bottom + 1), n * (right + 1));
        const small = cells.reduce((grid, cell) => paint(grid, [cell], pick(random, colours)), ground);
        const output = change(ground, (_, r, c) => small[Math.floor(r / n)][Math.floor(c / n)]);
        return turnedPair({ input: small, output }, k);
      }));
  },
  splitApart(random, side) {
    const colours = someColours(random, between(random, 2, 5)), joins = random.next() < 0.3, k = pick(random, [0, 6]);
    const by = side < 9 ? 1 : between(random, 1, 2), most = Math.min(3, Math.floor(side / 2) - by);
    return scattered(side, (random) =>
      times(joins ? 1 : several(random, side, 1), () => {
        const half = between(random, 1, most), used = random.next() < 0.5 ? colours : [pick(random, colours)];
        const body = make(between(random, 2, 4), 2 * half, () => pick(random, used)), gap = Array<number>(by).fill(0);
        const whole = body.map((row) => [...gap, ...row, ...gap]);
        const apart = body.map((row) => [...row.slice(0, half), ...gap, ...gap, ...row.slice(half)]);
        return turnedPair(joins ? { input: apart, output: whole } : { input: whole, output: apart }, k);
      }));
  },
  trimSpikes(random, side) {
    const [to, ...colours] = someColours(random, 5), over = pick(random, [0, 0, to]), most = side < 7 ? 3 : 5;
    return scattered(side, (random) =>
      times(several(random, side, 1), () => {
        const h = between(random, 2, most - 1), w = between(random, 3, most), colour = pick(random, colours);
        const y = () => between(random, 1, h), x = () => between(random, 1, w);
        const tips: Cell[] = [[0, x()], [h + 1, x()], [y(), 0], [y(), w + 1]];
        const spikes = shuffle(random, tips).slice(0, between(random, 1, 3));
        const body = paint(blank(h + 2, w + 2), rectangle(1, 1, h, w), colour), k = pick(random, [0, 6]);
        return turnedPair({ input: paint(body, spikes, colour), output: paint(body, spikes, over) }, k);
      }));
  },
  bridged(random, side) {
    const [bridge, own, to, ...colours] = someColours(random, 7), spreads = random.next() < 0.5;
    const most = side < 9 ? 2 : 3, after = pick(random, [bridge, bridge, 0]);
    const part = (random: Random, joined: boolean): Pair => {
      const [[h, w], [y, x]] = until(
        () => [size(random, most, 1), joined ? size(random, most, 1) : [0, 0]],
        ([[h, w], [y, x]]) => h * w !== y * x,
      );
      const long = between(random, joined ? 1 : 0, most), row = random.integer(joined ? Math.min(h, y) : h);
      const [a, b] = spreads ? shuffle(random, colours) : [own, own];
      const draw = (left: number, line: number, right: number) =>
        make(Math.max(h, y), w + long + x, (r, c) => {
          if (c >= w && c < w + long) return r === row ? line : 0;
          return c < w ? r < h ? left : 0 : r < y ? right : 0;
        });
      // Both become one colour: a fixed one, or that of the larger.
      const one = !joined ? a : !spreads ? to : h * w > y * x ? a : b;
      return turnedPair({ input: draw(a, bridge, b), output: draw(one, after, one) }, random.integer(4));
    };
    return scattered(side, (random) => [
      part(random, true),
      part(random, false),
      ...times(random.integer(Math.max(1, Math.round(side / 5))), () => part(random, random.next() < 0.5)),
    ]);
  },
} satisfies Record<string, Family>;
