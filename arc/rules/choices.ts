/**
 * Rules that choose: shapes told apart by a property, answers to a question, amounts drawn as marks.
 *
 * @module
 */
import { dihedral } from "../augment.ts";
import { box, type Cell, cellsWhere, outline, type Shape, steps } from "../shapes.ts";
import type { Grid } from "../task.ts";
import {
  at,
  between,
  blank,
  change,
  crop,
  figure,
  make,
  paint,
  pick,
  rectangle,
  scatter,
  someColours,
  speckle,
} from "./drawing.ts";
import {
  alone,
  cellsOf,
  colourful,
  cut,
  type Family,
  figures,
  form,
  rectangles,
  scene,
  size,
  times,
  until,
} from "./family.ts";
import type { Random } from "../random.ts";

/** Whether two shapes are neighbours. */
const touch = (a: Shape, b: Shape, diagonal: boolean) =>
  a.cells.some(([r, c]) => steps(diagonal).some(([dr, dc]) => b.cells.some(([y, x]) => y === r + dr && x === c + dc)));

/** A 3 by 3 figure whose middle is seen to be its middle. */
const cross = (random: Random, least: number): Cell[] =>
  until(
    () => rectangle(0, 0, 3, 3).filter(([r, c]) => r === 1 && c === 1 || random.next() < 0.5),
    (cells) => cells.length >= least && cells.length < 9 && String(box(cells)) === "0,0,2,2",
  );

/** A blank grid and the corners of 3 by 3 rooms on it, two at least. */
const rooms = (random: Random, side: number) => {
  const wanted = times(between(random, 2, 4), () => ({ colour: 1, cells: rectangle(0, 0, 3, 3) }));
  const { grid, shapes } = until(
    () => scatter(random, ...size(random, side, 7), wanted),
    ({ shapes }) => shapes.length > 1,
  );
  return { ground: change(grid, () => 0), corners: shapes.map(({ cells }) => box(cells)) };
};

const countOf = (grid: Grid, colour: number) => cellsWhere(grid, (own) => own === colour).length;

/** The families by name. */
export const choices = {
  holeCount(random, side) {
    const [own, ...to] = someColours(random, 4), kinds = side < 8 ? [1, 2] : [0, 1, 2];
    return (random) => {
      const plate = (holes: number): Shape => {
        const wide = holes > 1 || random.next() < 0.2 ? 5 : between(random, 3, 4), flip = random.next() < 0.5;
        const open = [1, 3].slice(0, holes);
        const cells = rectangle(0, 0, 3, wide).filter(([r, c]) => r !== 1 || !open.includes(c));
        return { colour: own, cells: flip ? cells.map(([r, c]) => [c, r]) : cells };
      };
      const order = random.permutation(kinds.length).map((i) => kinds[i]);
      const { grid, shapes } = scene(random, side, () => order.map(plate));
      return { input: grid, output: shapes.reduce((grid, { cells }, i) => paint(grid, cells, to[order[i]]), grid) };
    };
  },
  tallOrWide(random, side) {
    const [own, a, b] = someColours(random, 3), to = pick(random, [[a, b], [a, b], [a, 0], [0, a]]);
    const tall = ({ cells }: Shape) => {
      const [top, left, bottom, right] = box(cells);
      return +(bottom - top > right - left);
    };
    return (random) => {
      const bar = (stands: boolean): Shape => {
        const long = between(random, 2, 4), short = between(random, 1, long - 1);
        return { colour: own, cells: stands ? rectangle(0, 0, long, short) : rectangle(0, 0, short, long) };
      };
      const more = random.integer(3);
      const { grid, shapes } = scene(
        random,
        side,
        () => [bar(true), bar(false), ...times(more, () => bar(random.next() < 0.5))],
      );
      return { input: grid, output: shapes.reduce((grid, shape) => paint(grid, shape.cells, to[tall(shape)]), grid) };
    };
  },
  keepMarked(random, side) {
    const [own, mark] = someColours(random, 2), kind = random.integer(3);
    return (random) => {
      const count = between(random, 2, 4), marked = kind === 2 ? 1 : between(random, 1, count - 1);
      const { grid, shapes } = scene(random, side, () => figures(random, count, [own], 3, 7));
      const chosen = shapes.slice(0, marked);
      const input = paint(grid, chosen.map(({ cells }) => pick(random, cells)), mark);
      return {
        input,
        output: kind === 2 ? cut(input, chosen[0]) : alone(input, kind ? shapes.slice(marked) : chosen),
      };
    };
  },
  touchedBy(random, side) {
    const [own, hot, cold, to] = someColours(random, 4), removed = random.next() < 0.3;
    return (random) => {
      const count = between(random, 2, 4), hots = between(random, 1, count - 1);
      // A figure's last cell can go and the rest still hangs together.
      const { grid, shapes } = scene(random, side, () => figures(random, count, [own], 3, 6));
      const tips = shapes.map(({ cells }) => cells.at(-1)!);
      const input = paint(paint(grid, tips.slice(0, hots), hot), tips.slice(hots), cold);
      const bodies = shapes.slice(0, hots).flatMap(({ cells }) => cells.slice(0, -1));
      return { input, output: paint(input, bodies, removed ? 0 : to) };
    };
  },
  outermost(random, side) {
    const [own, to, ...others] = someColours(random, 5), kind = random.integer(3), k = random.integer(4);
    return (random) => {
      const top = ({ cells }: Shape) => box(cells)[0];
      const count = between(random, 2, 4);
      const { grid, shapes } = scene(
        random,
        side,
        () => figures(random, count, kind ? others : [own], 1, 6),
        (shapes) => new Set(shapes.map(top)).size === count,
      );
      const [first, ...rest] = shapes.toSorted((a, b) => top(a) - top(b));
      const output = kind === 0 ? paint(grid, first.cells, to) : alone(grid, kind === 1 ? rest : [first]);
      return { input: dihedral(grid, k), output: dihedral(output, k) };
    };
  },
  twins(random, side) {
    const [own, to, ...others] = someColours(random, 6), kind = random.integer(3);
    return (random) => {
      const many = between(random, 2, 3), odd = kind ? 1 : between(random, 1, 2);
      const { grid, shapes } = scene(random, side, () => {
        const twin = figure(random, between(random, 3, 5));
        return [
          ...times(many, () => ({ colour: kind ? pick(random, others) : own, cells: twin })),
          ...figures(random, odd, kind ? others : [own], 3, 5),
        ];
      }, (shapes) => new Set(shapes.map(form)).size === 1 + odd);
      const [same, single] = [shapes.slice(0, many), shapes[many]];
      return {
        input: grid,
        output: kind === 0 ? paint(grid, cellsOf(same), to) : kind === 1 ? cut(grid, single) : alone(grid, same),
      };
    };
  },
  sendOne(random, side) {
    const largest = random.next() < 0.6, k = random.integer(4), colours = someColours(random, between(random, 1, 4));
    return (random) => {
      const draw = () => {
        const sizes = random.permutation(7).map((n) => n + 1).slice(0, between(random, 2, 4));
        const { grid, shapes } = scene(
          random,
          side,
          () => sizes.map((n) => ({ colour: pick(random, colours), cells: figure(random, n) })),
        );
        const { colour, cells } = shapes[sizes.indexOf(largest ? Math.max(...sizes) : Math.min(...sizes))];
        const ground = paint(grid, cells, 0);
        let down = 0;
        while (cells.every(([r, c]) => ground[r + down + 1]?.[c] === 0)) down++;
        return { grid, output: paint(ground, at(cells, down, 0), colour), down };
      };
      const { grid, output } = until(draw, ({ down }) => down > 0);
      return { input: dihedral(grid, k), output: dihedral(output, k) };
    };
  },
  sizeChart(random, side) {
    const colours = someColours(random, 6), rising = random.next() < 0.5, k = random.integer(8);
    const count = side < 7 ? 2 : between(random, 2, 3);
    return (random) => {
      const order = random.permutation(6);
      const sizes = random.permutation(6).map((n) => n + 1).slice(0, count).sort((a, b) => rising ? a - b : b - a);
      const { grid } = scene(
        random,
        side,
        () => sizes.map((n, i) => ({ colour: colours[order[i]], cells: figure(random, n) })),
      );
      const chart = make(count, Math.max(...sizes), (r, c) => c < sizes[r] ? colours[order[r]] : 0);
      return { input: grid, output: dihedral(chart, k) };
    };
  },
  tally(random, side) {
    const [own, other, to] = someColours(random, 3), k = pick(random, [0, 6, 2, 4]), snake = random.next() < 0.3;
    return (random) => {
      const count = between(random, 1, Math.min(9, side)), noise = between(random, 1, 3);
      const { grid } = scene(
        random,
        side,
        () => [...figures(random, count, [own], 1, 2), ...figures(random, noise, [other], 1, 2)],
      );
      const board = make(3, 3, (r, c) => 3 * r + (snake && r === 1 ? 2 - c : c) < count ? to : 0);
      return { input: grid, output: dihedral(board, k) };
    };
  },
  colourRanks(random, side) {
    const colours = someColours(random, 6), rising = random.next() < 0.5, down = random.next() < 0.5;
    const count = between(random, 2, 4), full = random.next() < 0.5;
    return (random) => {
      const used = random.permutation(6).slice(0, count).map((i) => colours[i]);
      const weighted = used.flatMap((colour, i) => Array<number>(i + 1).fill(colour));
      const grid = until(
        () => speckle(random, ...size(random, side, 4), weighted, full ? 1 : 0.5),
        (grid) => new Set([0, ...used.map((colour) => countOf(grid, colour))]).size === count + 1,
      );
      const sorted = used.toSorted((a, b) => (countOf(grid, a) - countOf(grid, b)) * (rising ? 1 : -1));
      return { input: grid, output: down ? sorted.map((colour) => [colour]) : [sorted] };
    };
  },
  yesOrNo(random, side) {
    const [a, b, to] = someColours(random, 3), kind = random.integer(4);
    const [yes, no] = until(
      () => times(2, () => make(3, 3, () => random.next() < 0.5 ? to : 0)),
      (answers) => answers.every((grid) => countOf(grid, to) > 1) && String(answers[0]) !== String(answers[1]),
    );
    const draws: ((random: Random) => [Grid, boolean])[] = [
      (random) => {
        const [h, w] = size(random, side, 4), half = colourful(random, [h, Math.ceil(w / 2)], [a, b], 0.5);
        const even = make(h, w, (r, c) => half[r][Math.min(c, w - 1 - c)]);
        const grid = random.next() < 0.5 ? even : colourful(random, [h, w], [a, b], 0.5);
        return [grid, String(grid) === String(dihedral(grid, 4))];
      },
      (random) => {
        const { grid, shapes } = scene(random, side, () => {
          const shape = figure(random, between(random, 3, 5));
          const other = random.next() < 0.5 ? shape : figure(random, shape.length);
          return [{ colour: a, cells: shape }, { colour: b, cells: other }];
        });
        return [grid, form(shapes[0]) === form(shapes[1])];
      },
      (random) => {
        const [h, w] = size(random, side, 5), wanted = random.next() < 0.5;
        const { grid } = until(() => {
          const [x, y] = [a, b].map((colour): Shape => {
            const [tall, wide] = [between(random, 1, 3), between(random, 1, 3)];
            return { colour, cells: rectangle(random.integer(h - tall + 1), random.integer(w - wide + 1), tall, wide) };
          });
          const grid = paint(paint(blank(h, w), x.cells, a), y.cells, b);
          return { grid, met: touch(x, y, !wanted), apart: countOf(grid, a) === x.cells.length };
        }, ({ met, apart }) => apart && met === wanted);
        return [grid, wanted];
      },
      (random) => {
        const grid = until(
          () => speckle(random, ...size(random, side, 3), pick(random, [[a, a, b], [a, b, b], [a, b]]), 0.5),
          (grid) => [a, b].every((own) => countOf(grid, own)) && countOf(grid, a) !== countOf(grid, b),
        );
        return [grid, countOf(grid, a) > countOf(grid, b)];
      },
    ];
    return (random) => {
      const [input, answer] = draws[kind](random);
      return { input, output: answer ? yes : no };
    };
  },
  onTop(random, side) {
    const colours = someColours(random, 5), kind = random.integer(3), n = between(random, 1, 3);
    return (random) => {
      const [under, over] = random.permutation(5).map((i) => colours[i]);
      const draw = () => {
        const [h, w] = size(random, side, 4);
        const [below, above] = times(2, () => {
          const [tall, wide] = [between(random, 1, h), between(random, 1, w)];
          return rectangle(random.integer(h - tall + 1), random.integer(w - wide + 1), tall, wide);
        });
        const input = paint(paint(blank(h, w), below, under), above, over);
        return { below, above, input, swapped: paint(input, below, under) };
      };
      // Both are seen to reach as far as they do, whichever is on top.
      const { input, swapped } = until(draw, ({ below, above, input, swapped }) => {
        const rest = [cellsWhere(input, (own) => own === under), cellsWhere(swapped, (own) => own === over)];
        return [below, above].every((cells, i) =>
          rest[i].length && rest[i].length < cells.length && String(box(rest[i])) === String(box(cells))
        );
      });
      return { input, output: kind === 2 ? swapped : blank(n, n, kind ? over : under) };
    };
  },
  insideOutside(random, side) {
    const [frame, own, a, b] = someColours(random, 4);
    const [inner, outer] = pick(random, [[a, b], [a, own], [own, a], [0, own], [own, 0], [a, 0]]);
    return (random) => {
      const draw = () => {
        const [h, w] = size(random, side, 5), [tall, wide] = [between(random, 4, h), between(random, 4, w)];
        const [top, left] = [random.integer(h - tall + 1), random.integer(w - wide + 1)];
        const input = paint(speckle(random, h, w, [own], 0.3), outline(rectangle(top, left, tall, wide)), frame);
        const within = ([r, c]: Cell) => r >= top && r < top + tall && c >= left && c < left + wide;
        const dots = cellsWhere(input, (colour) => colour === own);
        return { input, ins: dots.filter(within), outs: dots.filter((cell) => !within(cell)) };
      };
      const { input, ins, outs } = until(draw, ({ ins, outs }) => ins.length > 0 && outs.length > 0);
      return { input, output: paint(paint(input, ins, inner), outs, outer) };
    };
  },
  growByDots(random, side) {
    const [own, dot] = someColours(random, 2), k = random.integer(8), kept = random.next() < 0.5;
    return (random) => {
      const [h, w] = size(random, side, 4), row = random.integer(h);
      const long = between(random, 1, w - 1), dots = between(random, 1, Math.min(6, w - long));
      const bar = (length: number) => rectangle(row, 0, 1, length);
      const free = cellsWhere(blank(h, w), (_, r) => Math.abs(r - row) > 1);
      const places = random.permutation(free.length).slice(0, dots).map((i) => free[i]);
      const ground = paint(blank(h, w), bar(long), own), input = paint(ground, places, dot);
      const output = paint(kept ? input : ground, bar(long + places.length), own);
      return { input: dihedral(input, k), output: dihedral(output, k) };
    };
  },
  colouredCopies(random, side) {
    const [own, ...marks] = someColours(random, 5), kept = random.next() < 0.6;
    return (random) => {
      const shape = cross(random, 3), { ground, corners: [[top, left], ...others] } = rooms(random, side);
      const colours = others.map(() => pick(random, marks));
      const model = paint(ground, at(shape, top, left), own);
      const draw = (start: Grid, cells: Cell[]) =>
        others.reduce((grid, [y, x], i) => paint(grid, at(cells, y, x), colours[i]), start);
      return { input: draw(model, [[1, 1]]), output: draw(kept ? model : ground, shape) };
    };
  },
  completeCopies(random, side) {
    const [own, core] = someColours(random, 2);
    return (random) => {
      const arms = cross(random, 4).filter(([r, c]) => r !== 1 || c !== 1), { ground, corners } = rooms(random, side);
      const draw = (part: boolean) =>
        corners.reduce((grid, [top, left], i) => {
          const shown = part && i ? between(random, 1, arms.length - 1) : arms.length;
          const some = random.permutation(arms.length).slice(0, shown).map((j) => arms[j]);
          return paint(paint(grid, at(some, top, left), own), [[top + 1, left + 1]], core);
        }, ground);
      return { input: draw(true), output: draw(false) };
    };
  },
  mostSpecks(random, side) {
    const [own, speck] = someColours(random, 2), most = random.next() < 0.6, count = side < 9 ? 2 : 3;
    return (random) => {
      const specks = random.permutation(5).slice(0, count);
      const { grid, shapes } = scene(
        random,
        side,
        () => rectangles(random, count, [own], 2, 4),
        (shapes) => shapes.every(({ cells }, i) => cells.length > specks[i]),
      );
      const input = shapes.reduce(
        (result, { cells }, i) =>
          paint(result, random.permutation(cells.length).slice(0, specks[i]).map((j) => cells[j]), speck),
        grid,
      );
      const chosen = specks.indexOf(most ? Math.max(...specks) : Math.min(...specks));
      return { input, output: crop(input, box(shapes[chosen].cells)) };
    };
  },
  commonObjects(random, side) {
    const colours = someColours(random, 5), rare = random.next() < 0.4;
    return (random) => {
      const used = random.permutation(5).slice(0, side < 7 ? 2 : between(random, 2, 3)).map((i) => colours[i]);
      const [first] = used, counts = used.map((_, i) => rare ? (i ? 2 : 1) : i ? between(random, 1, 2) : 3);
      // By cells the answer is the same, so that the question cannot be mistaken.
      const { grid, shapes } = scene(
        random,
        side,
        () => used.flatMap((colour, i) => figures(random, counts[i], [colour], 1, 4)),
        (shapes) => {
          const amounts = used.map((colour) => cellsOf(shapes.filter((shape) => shape.colour === colour)).length);
          return amounts.slice(1).every((amount) => rare ? amount > amounts[0] : amount < amounts[0]);
        },
      );
      return {
        input: grid,
        output: rare ? cut(grid, shapes[0]) : alone(grid, shapes.filter((s) => s.colour === first)),
      };
    };
  },
} satisfies Record<string, Family>;
