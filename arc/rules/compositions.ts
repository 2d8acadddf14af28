/**
 * Rules of two steps: another family's rule, then what is done to its output, or before it, what is done to its input.
 *
 * @module
 */
import { dihedral } from "../augment.ts";
import type { Random } from "../random.ts";
import { box, cellsWhere } from "../shapes.ts";
import type { Grid, Pair } from "../task.ts";
import { change, crop, fall, framed, make, pick, same, someColours } from "./drawing.ts";
import { type Family, turned, until } from "./family.ts";

/** What is done to a grid. */
type Step = (grid: Grid) => Grid;

const coloured = (grid: Grid) => cellsWhere(grid, (colour) => colour !== 0);

/** The least side that a base's rule is drawn for. */
const LEAST = 5;

/** The families by name, made of others. */
export function compositions(bases: Record<string, Family>): Record<string, Family> {
  const names = Object.keys(bases);
  const base = (random: Random, side: number) => bases[pick(random, names)](random, Math.max(LEAST, Math.floor(side)));
  /** Another rule, and a step on its output that always changes something; `room` is the part of the side that it leaves the other. */
  const after = (step: (random: Random) => Step, room = (side: number) => side): Family => (random, side) => {
    const first = base(random, room(side)), then = step(random);
    return (random) => {
      const { input, output } = until(() => first(random), ({ output }) => !same(then(output!), output!));
      return { input, output: then(output!) };
    };
  };
  const half = (side: number) => side / 2, inFrame = (side: number) => side - 2;
  return {
    turnedAfter: after((random) => {
      const k = 1 + random.integer(7);
      return (grid) => dihedral(grid, k);
    }),
    mirroredAfter: after((random) => turned(random.integer(4), (grid) => [...grid, ...grid.toReversed()]), half),
    framedAfter: after((random) => {
      const [colour] = someColours(random, 1);
      return (grid) => framed(grid, colour);
    }, inFrame),
    framedBefore(random, side) {
      const first = base(random, inFrame(side)), [colour] = someColours(random, 1);
      return (random): Pair => {
        const { input, output } = first(random);
        return { input: framed(input, colour), output };
      };
    },
    enlargedAfter: after(
      () => (grid) => make(2 * grid.length, 2 * grid[0].length, (r, c) => grid[r >> 1][c >> 1]),
      half,
    ),
    croppedAfter: after(() => (grid) => coloured(grid).length ? crop(grid, box(coloured(grid))) : grid),
    halvedAfter: after((random) => turned(random.integer(4), (grid) => grid.slice(0, Math.ceil(grid.length / 2)))),
    fallenAfter: after((random) => turned(random.integer(4), fall)),
    silhouetteAfter: after((random) => {
      const [colour] = someColours(random, 1);
      return (grid) => change(grid, (old) => old && colour);
    }),
  };
}
