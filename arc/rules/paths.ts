/**
 * Rules on paths and simple physics: what flows, falls, rolls, burns and shines, and the ways it takes.
 *
 * @module
 */
import {
  beam,
  between,
  blank,
  change,
  line,
  make,
  paint,
  pick,
  rectangle,
  scatter,
  someColours,
  speckle,
} from "./drawing.ts";
import { box, type Cell, cellsWhere, inside, type Shape, steps } from "../shapes.ts";
import { type Family, figures, rectangles, scene, type Size, size, times, turnedPair, until } from "./family.ts";
import type { Random } from "../random.ts";
import type { Grid, Pair } from "../task.ts";

/** A rule whose pairs are drawn until one shows it, then turned. */
const showing = (draw: (random: Random) => Pair & { shown: boolean }, k = 0) => (random: Random) =>
  turnedPair(until(() => draw(random), ({ shown }) => shown), k);

/** Lying bars up to `most` long. */
const bars = (random: Random, count: number, colour: number, most: number, thick = 1): Shape[] =>
  times(count, () => ({ colour, cells: rectangle(0, 0, between(random, 1, thick), between(random, 1, most)) }));

/** The heights of uneven ground. */
const terrain = (random: Random, width: number, most: number): number[] => {
  const heights = [between(random, 1, most)];
  while (heights.length < width) heights.push(Math.max(1, Math.min(most, heights.at(-1)! + between(random, -2, 2))));
  return heights;
};

/** The cells beyond one up to the edge or the first where it `stops`. */
const sight = (grid: Grid, from: Cell, way: Cell, stops = (colour: number) => colour !== 0): Cell[] => {
  const cells = beam(grid, from, way), end = cells.findIndex(([r, c]) => stops(grid[r][c]));
  return end < 0 ? cells : cells.slice(0, end);
};

/** The cells on the way from turn to turn. */
const through = (turns: readonly Cell[]): Cell[] => turns.slice(1).flatMap((cell, i) => line(turns[i], cell));

/** Ways that touch neither themselves nor each other, so that the cells alone tell their order. */
const walks = (random: Random, dims: Size, count: number, most: number): Cell[][] => {
  const taken = blank(...dims);
  const touched = (r: number, c: number) => steps(false).filter(([dr, dc]) => taken[r + dr]?.[c + dc]).length;
  return times(count, () => {
    const starts = cellsWhere(taken, (own, r, c) => own === 0 && touched(r, c) === 0);
    const way: Cell[] = starts.length ? [pick(random, starts)] : [];
    let ahead = pick(random, steps(false));
    // The way grows while it is walked.
    for (const [r, c] of way) {
      taken[r][c] = 1;
      const free = steps(false).filter(([dr, dc]) => taken[r + dr]?.[c + dc] === 0 && touched(r + dr, c + dc) === 1);
      if (!free.length || way.length === most) break;
      const straight = free.find(([dr, dc]) => dr === ahead[0] && dc === ahead[1]);
      ahead = straight && random.next() < 0.6 ? straight : pick(random, free);
      way.push([r + ahead[0], c + ahead[1]]);
    }
    return way;
  });
};

/** The families by name. */
export const paths = {
  mirrorRays(random, side) {
    const [ray, mirror] = someColours(random, 2), k = random.integer(8);
    return showing((random) => {
      const [h, w] = size(random, side, 5);
      const mirrors = times(2 + Math.floor(side / 3), (): Shape => {
        const n = side < 7 ? 2 : between(random, 2, 3), falls = random.next() < 0.5;
        return { colour: mirror, cells: times(n, (i): Cell => [i, falls ? i : n - 1 - i]) };
      });
      const ground = scatter(random, h, w - 1, mirrors).grid.map((row) => [0, ...row]);
      const way: Cell[] = [[random.integer(h), 0]], input = paint(ground, way, ray);
      // The ray turns in front of a mirror; a way that can be gone back from its end has no loops.
      for (let d = 1; way.length < 999;) {
        const [r, c] = way.at(-1)!, [dr, dc] = steps(false)[d], [y, x] = [r + dr, c + dc];
        if (!inside(ground, y, x)) break;
        if (ground[y][x]) d = ground[y - 1]?.[x + 1] || ground[y + 1]?.[x - 1] ? d ^ 1 : 3 - d;
        else way.push([y, x]);
      }
      return { input, output: paint(input, way, ray), shown: way.some(([r]) => r !== way[0][0]) };
    }, k);
  },
  waterfall(random, side) {
    const [water, rock] = someColours(random, 2), k = random.integer(4), ways = pick(random, [[-1], [1], [-1, 1]]);
    return showing((random) => {
      const [h, w] = size(random, side, 5), count = between(random, 1, 1 + Math.floor(side / 3));
      const rocks = scatter(random, h - 1, w, bars(random, count, rock, Math.min(5, w - 2), 2)).grid;
      const wet = times(between(random, 1, side > 9 ? 2 : 1), (): Cell => [0, random.integer(w)]);
      const input = paint([...blank(1, w), ...rocks], wet, water), output = paint(input, [], 0);
      for (const [r, c] of wet) {
        const below = input[r + 1]?.[c];
        const next: Cell[] = below === 0 ? [[r + 1, c]] : below ? ways.map((x): Cell => [r, c + x]) : [];
        for (const [y, x] of next.filter(([y, x]) => output[y]?.[x] === 0)) {
          output[y][x] = water;
          wet.push([y, x]);
        }
      }
      return { input, output, shown: wet.some(([r, c]) => input[r + 1]?.[c] === rock) };
    }, k);
  },
  rainOnRoofs(random, side) {
    const [cloud, roof, rain, pool] = someColours(random, 4), k = random.integer(4), lies = random.next() < 0.5;
    return showing((random) => {
      const [h, w] = size(random, side, 5), long = between(random, 2, w - 1), left = random.integer(w - long + 1);
      const roofs = bars(random, between(random, 1, 1 + Math.floor(side / 4)), roof, Math.min(4, w - 1));
      const sky = make(2, w, (r, c) => r === 0 && c >= left && c < left + long ? cloud : 0);
      const input = [...sky, ...scatter(random, h - 2, w, roofs).grid];
      const drops = times(long, (i) => sight(input, [0, left + i], [1, 0]));
      const wet = paint(input, drops.flat(), rain), ends = drops.map((cells) => cells.at(-1)!);
      const lengths = drops.map((cells) => cells.length);
      const shown = Math.min(...lengths) < h - 1 && Math.max(...lengths) > 1;
      return { input, output: lies ? paint(wet, ends, pool) : wet, shown };
    }, k);
  },
  towerShadows(random, side) {
    const [tower, floor, dark] = someColours(random, 3), k = random.integer(8), slopes = random.next() < 0.5;
    return showing((random) => {
      const h = between(random, 4, side), w = between(random, 5, side), most = Math.min(h - 2, Math.ceil(w / 2));
      const heights = times(w, () => random.next() < 2 / w ? between(random, 1, most) : 0);
      const shaded = (c: number, up: number) => heights.some((tall, x) => x < c && up + c - x <= tall);
      const input = make(h, w, (r, c) => r === h - 1 ? floor : h - 1 - r <= heights[c] ? tower : 0);
      const darken = (own: number, r: number, c: number) =>
        own === (slopes ? 0 : floor) && shaded(c, slopes ? h - 2 - r : 0) ? dark : own;
      const output = change(input, darken);
      return { input, output, shown: output.flat().includes(dark) };
    }, k);
  },
  fillBasins(random, side) {
    const [land, water] = someColours(random, 2), k = random.integer(4);
    return showing((random) => {
      const [h, w] = size(random, side, 4), heights = terrain(random, w, h - 1);
      const [left, right] = [(c: number) => heights.slice(0, c + 1), (c: number) => heights.slice(c)];
      const levels = heights.map((_, c) => Math.min(Math.max(...left(c)), Math.max(...right(c))));
      const draw = (wet: number) => make(h, w, (r, c) => h - r <= heights[c] ? land : h - r <= levels[c] ? wet : 0);
      return { input: draw(0), output: draw(water), shown: String(heights) !== String(levels) };
    }, k);
  },
  leakyCups(random, side) {
    const [own, water] = someColours(random, 2), k = random.integer(4), most = side < 7 ? 3 : 5;
    return (random) => {
      const cup = (whole: boolean): Shape => {
        const h = between(random, 2, most - 1), w = between(random, 3, most);
        const cells = rectangle(0, 0, h, w).filter(([r, c]) => r === h - 1 || c === 0 || c === w - 1);
        const hole = pick(random, cells.filter(([r, c]) => r < h - 1 || (c > 0 && c < w - 1)));
        return { colour: own, cells: cells.filter((cell) => whole || cell !== hole) };
      };
      const more = random.integer(side < 9 ? 1 : 3);
      const draw = () => [cup(true), cup(false), ...times(more, () => cup(random.next() < 0.5))];
      const { grid, shapes } = scene(random, side, draw);
      // Water stands below the hole.
      const inner = shapes.flatMap(({ cells }) => {
        const [top, left, bottom, right] = box(cells), all = rectangle(top, left, bottom - top + 1, right - left + 1);
        const wall = all.filter(([r, c]) => r === bottom || c === left || c === right);
        const hole = wall.find(([r, c]) => grid[r][c] === 0)?.[0] ?? top - 1;
        return all.filter(([r, c]) => r > hole && r < bottom && c > left && c < right);
      });
      return turnedPair({ input: grid, output: paint(grid, inner, water) }, k);
    };
  },
  mazeWay(random, side) {
    const [wall, end, trail] = someColours(random, 3), most = Math.floor((Math.min(side, 21) + 1) / 2);
    return showing((random) => {
      const [h, w] = size(random, most, 3), grid = blank(2 * h - 1, 2 * w - 1, wall);
      const stack: Cell[] = [[2 * random.integer(h), 2 * random.integer(w)]];
      let way = stack.slice(), rooms = 0;
      while (stack.length) {
        const [r, c] = stack.at(-1)!;
        grid[r][c] = 0;
        const ways = steps(false).filter(([dr, dc]) => grid[r + 2 * dr]?.[c + 2 * dc]);
        if (ways.length) {
          const [dr, dc] = pick(random, ways);
          grid[r + dr][c + dc] = 0;
          stack.push([r + 2 * dr, c + 2 * dc]);
          // Each room is as likely to be the other end.
          if (random.integer(++rooms) === 0) way = stack.slice();
        } else stack.pop();
      }
      const ends = [way[0], way.at(-1)!], input = paint(grid, ends, end);
      return { input, output: paint(paint(input, through(way), trail), ends, end), shown: way.length > 2 };
    });
  },
  widerSteps(random, side) {
    const colours = someColours(random, 4), k = random.integer(4), first = between(random, 1, 2);
    const offsets = times(9, (i) => i * first + i * (i - 1) / 2), bar = random.next() < 0.5;
    return (random) => {
      const h = between(random, 3, side), w = between(random, 5, side);
      const seed = (share: number) => ({
        start: random.integer(Math.max(1, w - offsets[2])),
        colour: random.next() < share ? pick(random, colours) : 0,
      });
      const whole = seed(1), top = random.integer(h - 1), bottom = between(random, top + 1, h - 1);
      const seeds = until(
        () => times(h, (r) => !bar ? seed(0.4) : r < top || r > bottom ? { start: 0, colour: 0 } : whole),
        (seeds) => seeds.some(({ colour }) => colour),
      );
      const draw = (shown: readonly number[]) =>
        make(h, w, (r, c) => shown.includes(c - seeds[r].start) ? seeds[r].colour : 0);
      return turnedPair({ input: draw([0]), output: draw(offsets) }, k);
    };
  },
  chainBlast(random, side) {
    const [lit, bomb, wall, fire] = someColours(random, 4), reach = between(random, 2, 3);
    const ways = random.next() < 0.7 ? steps(false) : steps(true).slice(4);
    return showing((random) => {
      const [h, w] = size(random, side, 5), blown: Cell[] = [[random.integer(h), random.integer(w)]];
      const input = paint(speckle(random, h, w, [bomb, wall, wall], 0.2), blown, lit), burnt = blown.slice();
      for (const cell of blown) {
        const flames = ways.flatMap((way) => sight(input, cell, way, (own) => own === wall).slice(0, reach));
        const bombs = flames.filter(([r, c]) => input[r][c] === bomb);
        blown.push(...bombs.filter(([r, c]) => !blown.some(([y, x]) => y === r && x === c)));
        burnt.push(...flames);
      }
      const shown = blown.length > 1 && input.flat().includes(wall);
      return { input, output: paint(input, burnt, fire), shown };
    });
  },
  plantGrowth(random, side) {
    const [soil, leaf, roof, flower, ...colours] = someColours(random, 7), k = random.integer(4);
    const blooms = random.next() < 0.5;
    return (random) => {
      const [h, w] = size(random, side, 5), count = between(random, 1, Math.max(2, Math.floor(w / 4)));
      const plants = random.permutation(Math.ceil(w / 2)).slice(0, count).map((n, i) => ({
        c: 2 * n,
        top: between(random, i ? 0 : 1, h - 4),
        colour: pick(random, colours),
      }));
      const input = plants.reduce(
        (grid, { c, top, colour }) => paint(paint(grid, [[h - 1, c]], colour), [[top - 1, c]], roof),
        make(h, w, (r) => r === h - 1 ? soil : 0),
      );
      const output = plants.reduce((grid, { c, top, colour }) => {
        const stem = line([top, c], [h - 2, c]), knots = stem.filter(([r]) => (h - r) % 2 === 1);
        const leaves = knots.flatMap(([r]): Cell[] => [[r, c - 1], [r, c + 1]]);
        return paint(paint(paint(grid, leaves, leaf), stem, colour), blooms ? [[top, c]] : [], flower);
      }, input);
      return turnedPair({ input, output }, k);
    };
  },
  lampCone(random, side) {
    const [lamp, light, block] = someColours(random, 3), k = random.integer(4), blocked = random.next() < 0.6;
    return showing((random) => {
      const [h, w] = size(random, side, 5), count = blocked ? between(random, 1, 1 + Math.floor(side / 5)) : 0;
      const { grid } = scatter(random, h, w, bars(random, count, block, Math.min(5, w - 2)));
      const lamps = times(between(random, 1, 2), (): Cell => [random.integer(h - 2), random.integer(w)]);
      const input = paint(grid, lamps, lamp), output = [input[0]];
      for (const row of input.slice(1)) {
        const lit = output.at(-1)!.map((own) => own === lamp || own === light);
        output.push(row.map((own, c) => own || (lit[c - 1] || lit[c] || lit[c + 1] ? light : 0)));
      }
      const met = cellsWhere(output, (own, r, c) => own === block && output[r - 1]?.[c] === light);
      return { input, output, shown: !blocked || met.length > 0 };
    }, k);
  },
  marbleRun(random, side) {
    const [ball, floor, other] = someColours(random, 3), track = pick(random, [ball, other]), k = random.integer(4);
    return (random) => {
      const [h, w] = size(random, side, 5), floors: number[] = [];
      for (let r = between(random, 1, 2); r < h - 1; r += between(random, 2, 3)) floors.push(r);
      // Where the ball starts, then the hole of each floor.
      const columns = [random.integer(w), ...floors.map(() => random.integer(w))], start: Cell = [0, columns[0]];
      const walls = make(h, w, (r, c) => floors.includes(r) && columns[floors.indexOf(r) + 1] !== c ? floor : 0);
      const rolls = floors.flatMap((r, i): Cell[] => [[r - 1, columns[i]], [r - 1, columns[i + 1]]]);
      const way = through([start, ...rolls, [h - 1, columns.at(-1)!]]), input = paint(walls, [start], ball);
      return turnedPair({ input, output: paint(paint(input, way, track), [start], ball) }, k);
    };
  },
  cornerRays(random, side) {
    const [own, mark, other] = someColours(random, 3), ray = pick(random, [mark, other]);
    return showing((random) => {
      const blocks = rectangles(random, between(random, 1, 1 + Math.floor(side / 7)), [own], 2, side < 7 ? 3 : 4);
      const { grid, shapes } = scatter(random, ...size(random, side, 5), blocks);
      const marks = shapes.flatMap(({ cells }) => {
        const [top, left, bottom, right] = box(cells), ways = steps(true).slice(4).filter(() => random.next() < 0.4);
        return ways.map((way) => ({ way, cell: [way[0] < 0 ? top : bottom, way[1] < 0 ? left : right] as Cell }));
      });
      const input = paint(grid, marks.map(({ cell }) => cell), mark);
      const rays = marks.flatMap(({ way, cell }) => sight(input, cell, way));
      return { input, output: paint(input, rays, ray), shown: rays.length > 0 && input.flat().includes(own) };
    });
  },
  dominoes(random, side) {
    const [own, to, floor] = someColours(random, 3), k = random.integer(8);
    return showing((random) => {
      const [h, w] = size(random, side, 5), most = Math.min(h - 2, 4);
      const heights = times(w, () => random.next() < 0.5 ? between(random, 1, most) : 0);
      const stones = [...heights.keys()].filter((c) => heights[c]);
      // The first that the one before it, falling over, does not reach.
      const stop = stones.findIndex((c, i) => i > 0 && c - stones[i - 1] > heights[stones[i - 1]]);
      const stone = (c: number, fallen: number) => stones.indexOf(c) < fallen ? to : own;
      const draw = (fallen: number) =>
        make(h, w, (r, c) => r === h - 1 ? floor : h - 1 - r > heights[c] ? 0 : stone(c, fallen));
      return { input: draw(0), output: draw(stop), shown: stop > 1 };
    }, k);
  },
  beads(random, side) {
    const [own, head, to] = someColours(random, 3), n = between(random, 2, 3);
    return showing((random) => {
      const dims = size(random, side, 4), count = between(random, 1, 1 + Math.floor(side / 10));
      const ways = walks(random, dims, count, between(random, 2 * n + 1, 2 * side));
      const input = paint(paint(blank(...dims), ways.flat(), own), ways.flatMap((way) => way.slice(0, 1)), head);
      const others = ways.flatMap((way) => way.filter((_, i) => i > 0 && i % n === 0));
      return { input, output: paint(input, others, to), shown: ways.every((way) => way.length > 2 * n) };
    });
  },
  throughPipes(random, side) {
    const [pipe, ...colours] = someColours(random, 5), moves = random.next() < 0.5;
    return showing((random) => {
      const dims = size(random, side, 5), count = between(random, 1, 1 + Math.floor(side / 5));
      const ways = walks(random, dims, count, between(random, 4, side));
      const pipes = paint(blank(...dims), ways.flat(), pipe), drops = ways.map(() => pick(random, colours));
      const drop = (start: Grid, end: number) =>
        ways.reduce((grid, way, i) => paint(grid, way.slice(end).slice(0, 1), drops[i]), start);
      const input = drop(pipes, 0), output = drop(moves ? pipes : input, -1);
      return { input, output, shown: ways.every((way) => way.length > 2) };
    });
  },
  latticeBridges(random, side) {
    const [other, ...colours] = someColours(random, between(random, 3, 4)), own = random.next() < 0.5;
    const gap = side < 7 ? 2 : between(random, 2, side < 16 ? 3 : 5), most = Math.floor((side - 1) / gap) + 1;
    return showing((random) => {
      const [h, w] = size(random, most, 2), nodes = speckle(random, h, w, colours, 0.85);
      const node = (r: number, c: number) => r % gap || c % gap ? 0 : nodes[r / gap][c / gap];
      const input = make((h - 1) * gap + 1, (w - 1) * gap + 1, node);
      const output = change(input, (colour, r, c) => {
        if ((r % gap === 0) === (c % gap === 0)) return colour;
        const [y, x] = [Math.floor(r / gap), Math.floor(c / gap)], near = nodes[y][x];
        return near !== (r % gap ? nodes[y + 1][x] : nodes[y][x + 1]) ? 0 : own ? near : near && other;
      });
      return { input, output, shown: String(input) !== String(output) };
    });
  },
  snowCover(random, side) {
    const [snow, ...colours] = someColours(random, 4), k = random.integer(4), deep = between(random, 1, 2);
    return showing((random) => {
      const h = between(random, 3, side - deep), w = between(random, 4, side);
      const { grid, shapes } = scatter(random, h, w, figures(random, 1 + random.integer(1 + side / 5), colours, 2, 6));
      const input = [...blank(deep, w), ...grid];
      const tops = grid[0].map((_, c) => sight(input, [-1, c], [1, 0]).length);
      const output = change(input, (own, r, c) => r < tops[c] && r >= tops[c] - deep ? snow : own);
      return { input, output, shown: shapes.length > 0 };
    }, k);
  },
  riseAndSink(random, side) {
    const [light, heavy, wall] = someColours(random, 3), k = random.integer(8), order = [light, 0, heavy];
    const kinds = random.next() < 0.5 ? [light, heavy] : [light, heavy, light, heavy, wall];
    const settle = (row: readonly number[]) => {
      const parts: number[][] = [[]];
      for (const own of row) {
        if (own === wall) parts.push([wall], []);
        else parts.at(-1)!.push(own);
      }
      return parts.flatMap((part) => part.toSorted((a, b) => order.indexOf(a) - order.indexOf(b)));
    };
    return showing((random) => {
      const input = speckle(random, ...size(random, side, 4), kinds, 0.5), output = input.map(settle);
      const seen = kinds.every((colour) => input.flat().includes(colour));
      return { input, output, shown: seen && String(input) !== String(output) };
    }, k);
  },
  seepage(random, side) {
    const [source, wall, ...wet] = someColours(random, 4), reach = between(random, 2, 4), waves = random.next() < 0.5;
    return showing((random) => {
      const [h, w] = size(random, side, 5), count = between(random, 1, 1 + Math.floor(side / 10));
      let front = times(count, (): Cell => [random.integer(h), random.integer(w)]);
      const input = paint(speckle(random, h, w, [wall], 0.35), front, source);
      let output = input;
      for (let i = 0; i < reach; i++) {
        const near = front.flatMap(([r, c]) => steps(false).map(([dr, dc]): Cell => [r + dr, c + dc]));
        front = near.filter(([r, c]) => output[r]?.[c] === 0);
        output = paint(output, front, wet[waves ? i % 2 : 0]);
      }
      return { input, output, shown: front.length > 0 && input.flat().includes(wall) };
    });
  },
  overHills(random, side) {
    const [land, walker, other] = someColours(random, 3), trail = pick(random, [walker, other]), k = random.integer(8);
    return (random) => {
      const [h, w] = size(random, side, 4), heights = terrain(random, w, h - 2);
      const tops = heights.map((_, c) => Math.max(...heights.slice(Math.max(0, c - 1), c + 2)) + 1);
      const ground = (way: number) => make(h, w, (r, c) => h - r <= heights[c] ? land : h - r <= tops[c] ? way : 0);
      const draw = (way: number) => paint(ground(way), [[h - 1 - heights[0], 0]], walker);
      return turnedPair({ input: draw(0), output: draw(trail) }, k);
    };
  },
} satisfies Record<string, Family>;
