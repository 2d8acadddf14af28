import assert from "node:assert/strict";
import fc from "fast-check";
import { dihedral } from "../../arc/augment.ts";
import { meaningfulColours } from "../../arc/examples.ts";
import { createRandom } from "../../arc/random.ts";
import { families, ruleTasks } from "../../arc/rules.ts";
import { figure, scatter } from "../../arc/rules/drawing.ts";
import { answers } from "../../arc/rules/answers.ts";
import { choices } from "../../arc/rules/choices.ts";
import { compositions } from "../../arc/rules/compositions.ts";
import { counting } from "../../arc/rules/counting.ts";
import { fills } from "../../arc/rules/fills.ts";
import { geometry } from "../../arc/rules/geometry.ts";
import { lines } from "../../arc/rules/lines.ts";
import { moves } from "../../arc/rules/moves.ts";
import { objects } from "../../arc/rules/objects.ts";
import { panels } from "../../arc/rules/panels.ts";
import { paths } from "../../arc/rules/paths.ts";
import { patterns } from "../../arc/rules/patterns.ts";
import { shapes } from "../../arc/rules/shapes.ts";
import { textures } from "../../arc/rules/textures.ts";
import { whole } from "../../arc/rules/whole.ts";
import { box, cellsWhere, shapesOf } from "../../arc/shapes.ts";
import { NoPairError } from "../../arc/rules/family.ts";
import { parseTask } from "../../arc/task.ts";
import type { Pair } from "../../arc/task.ts";

/** Pairs of rules of a family, some hundreds. */
function pairsOf(name: string, rules = 10, count = 20, sides = [5, 7, 9, 10]): Pair[][] {
  return Array.from({ length: rules }, (_, i) => {
    const random = createRandom(i).fork(name);
    const rule = families[name](random, sides[i % sides.length]);
    try {
      return Array.from({ length: count }, () => rule(random));
    } catch (error) {
      if (error instanceof NoPairError) return [];
      throw error;
    }
  });
}

const count = (grid: number[][], colour: number) => grid.flat().filter((own) => own === colour).length;

Deno.test("ruleTasks() draws valid tasks of every family, the same for the same seed, no pair twice and none that stays as it is", () => {
  const tasks = ruleTasks(1, 8, 3);
  assert.deepEqual(tasks.map(({ id }) => id), Object.keys(families).map((name) => `${name} 1`));
  for (const task of tasks) {
    assert.deepEqual(parseTask(JSON.parse(JSON.stringify(task)), task.id), task);
    const pairs = [...task.train, ...task.test];
    assert.equal(pairs.length, 9);
    assert.equal(new Set(pairs.map(({ input }) => JSON.stringify(input))).size, 9, task.id);
    for (const { input, output } of pairs) {
      assert.notDeepEqual(input, output, task.id);
      assert.ok(Math.max(input.length, input[0].length, output!.length, output![0].length) <= 30, task.id);
    }
  }
  const largest = tasks.map(({ train }) =>
    Math.max(...train.map(({ input }) => Math.max(input.length, input[0].length)))
  );
  assert.ok(largest.some((side) => side <= 5) && largest.some((side) => side > 20), `${largest}`);
  assert.deepEqual(ruleTasks(1, 8, 3), tasks);
  assert.notDeepEqual(ruleTasks(1, 8, 4), tasks);
});

Deno.test("ruleTasks() keeps to a bound on the sides", () => {
  const largest = (bound?: number) =>
    Math.max(
      ...ruleTasks(1, 4, 3, bound).flatMap(({ train }) =>
        train.flatMap(({ input, output }) => [input, output].flatMap((grid) => [grid.length, grid[0].length]))
      ),
    );
  assert.equal(largest(10), 10);
  assert.equal(largest(16), 16);
  assert.equal(largest(), 30);
});

Deno.test("no family hides another of its name", () => {
  const simple = [
    ...[whole, shapes, fills, moves, lines, counting, geometry, patterns, choices, panels],
    ...[objects, paths, textures, answers],
  ];
  const rooms = [...simple, compositions({})];
  assert.equal(Object.keys(families).length, rooms.reduce((sum, room) => sum + Object.keys(room).length, 0));
});

Deno.test("each family draws rectangular grids of colours, or says that it cannot", () => {
  for (const name of Object.keys(families)) {
    const pairs = pairsOf(name, 20).flat();
    assert.ok(pairs.length >= 100, `${name} draws ${pairs.length} pairs`);
    for (const { input, output } of pairs) {
      for (const grid of [input, output]) {
        assert.ok(grid.length > 0 && grid[0].length > 0, name);
        assert.ok(grid.every((row) => row.length === grid[0].length), name);
        assert.ok(grid.flat().every((colour) => Number.isInteger(colour) && colour >= 0 && colour <= 9), name);
      }
    }
  }
});

Deno.test("a rule is a function: equal inputs have equal outputs", () => {
  for (const name of Object.keys(families)) {
    // On small grids inputs come again.
    for (const pairs of [...pairsOf(name, 20), ...pairsOf(name, 2, 200, [5])]) {
      const answers = new Map<string, string>();
      for (const { input, output } of pairs) {
        const [key, answer] = [JSON.stringify(input), JSON.stringify(output)];
        assert.equal(answers.get(key) ?? answer, answer, `${name}: ${key}`);
        answers.set(key, answer);
      }
    }
  }
});

Deno.test("colours that a rule gives a meaning can be told: they are in every pair", () => {
  const drawn = ruleTasks(2, 24, 5);
  const named = ["crosses", "recolourBySize", "ranks", "holed", "swapColours", "logic", "tallestBar", "halo"];
  for (
    const name of [...named, "tallOrWide", "touchedBy", "spotPattern", "elbow", "turningRay", "panelLogic", "changes"]
  ) {
    for (const task of drawn.filter(({ id }) => id.startsWith(`${name} `))) {
      const painted = task.train.flatMap(({ input, output }) =>
        output.flatMap((row, r) =>
          row.filter((colour, c) => colour !== input[r]?.[c] && input.length === output.length)
        )
          .concat(output.flat().filter((colour) => !input.flat().includes(colour)))
      );
      const meaningful = meaningfulColours(task.train);
      for (const colour of new Set(painted)) assert.equal(meaningful[colour], 1, `${task.id}: ${colour}`);
    }
  }
});

const counts = (grid: number[][]) => [...Array(10).keys()].map((colour) => count(grid, colour)).join();
const keeps = (row: number[]) => (colour: number, c: number) => colour === 0 || row[c] === colour;
const sortedRows = (grid: number[][]) => grid.map(String).sort().join(" ");

Deno.test("rules keep their laws", () => {
  const laws: Record<string, (pair: Pair) => boolean> = {
    gravity: ({ input, output }) =>
      [...Array(10).keys()].every((colour) => count(input, colour) === count(output, colour)),
    symmetry: ({ input, output }) =>
      [1, 2, 3, 4, 5, 6, 7].some((k) => JSON.stringify(dihedral(input, k)) === JSON.stringify(output)),
    kaleidoscope: ({ output }) => [4, 5].every((k) => JSON.stringify(dihedral(output, k)) === JSON.stringify(output)),
    enlarge: ({ input, output }) =>
      output.length % input.length === 0 && count(output, 0) % count(input, 0) === 0 || count(input, 0) === 0,
    fillEnclosed: ({ input, output }) =>
      input.every((row, r) => row.every((colour, c) => colour === 0 || output[r][c] === colour)),
    denoise: ({ output }) => shapesOf(output).every(({ cells }) => cells.length > 1),
    invert: ({ input, output }) =>
      input.every((row, r) => row.every((colour, c) => (colour === 0) !== (output[r][c] === 0))),
    completeSymmetry: ({ output }) =>
      [2, 4, 5].some((k) => JSON.stringify(dihedral(output, k)) === JSON.stringify(output)),
    cropShape: ({ input, output }) =>
      count(input, 0) + output.flat().filter((colour) => colour).length === input.flat().length,
    // A mark stands where the copy's first cell comes, as one reads.
    movedCopies: ({ input, output }) => shapesOf(output).every(({ cells: [[r, c]] }) => input[r][c] !== 0),
    countShapes: ({ input, output }) => shapesOf(input).length === output.flat().filter((colour) => colour).length,
    sortBars: ({ input, output }) => count(input, 0) === count(output, 0),
    oddOneOut: ({ input, output }) => input.length * input[0].length === 3 * output.length * output[0].length,
    bounce: ({ output }) => {
      const lines = [output, dihedral(output, 6)].filter((grid) =>
        grid.every((row) => row.filter((colour) => colour).length === 1)
      );
      return lines.length > 0;
    },
    turnInPlace: ({ input, output }) => counts(input) === counts(output),
    sendOne: ({ input, output }) => counts(input) === counts(output),
    cyclePanels: ({ input, output }) => counts(input) === counts(output),
    turnPanels: ({ input, output }) => counts(input) === counts(output),
    sortPanels: ({ input, output }) => counts(input) === counts(output),
    shear: ({ input, output }) => counts(input) === counts(output),
    sortRows: ({ input, output }) =>
      sortedRows(input) === sortedRows(output) || sortedRows(dihedral(input, 6)) === sortedRows(dihedral(output, 6)),
    mirrorAtDiagonal: ({ output }) => [6, 7].some((k) => String(dihedral(output, k)) === String(output)),
    majorityBlocks: ({ input, output }) => {
      const n = input.length / output.length;
      return output.every((row, y) =>
        row.every((colour, x) => {
          const block = input.slice(y * n, (y + 1) * n).map((cells) => cells.slice(x * n, (x + 1) * n));
          return block.flat().every((other) => other === colour || count(block, other) < count(block, colour));
        })
      );
    },
    ...Object.fromEntries(
      [
        "closeGaps",
        "rigidFall",
        "magnet",
        "splitApart",
        "lineUp",
        "ringRolled",
        "sortedCells",
        "riseAndSink",
      ]
        .map((name) => [name, ({ input, output }: Pair) => counts(input) === counts(output!)]),
    ),
    ...Object.fromEntries(
      [
        "snowCover",
        "seepage",
        "repeatToEdge",
        "waterfall",
        "mazeWay",
        "fillBasins",
        "cornerRays",
        "ownSpines",
        "marchOn",
      ]
        .map((name) => [name, ({ input, output }: Pair) => input.every((row, r) => row.every(keeps(output![r])))]),
    ),
    // Every cell goes one way, as many cells as its shape has.
    moveByCount: ({ input, output }) => {
      const sum = (grid: number[][], axis: 0 | 1) =>
        cellsWhere(grid, (colour) => colour !== 0).reduce((total, cell) => total + cell[axis], 0);
      const way = ([0, 1] as const).map((axis) => Math.abs(sum(output, axis) - sum(input, axis)));
      const wanted = shapesOf(input).reduce((total, { cells }) => total + cells.length ** 2, 0);
      return counts(input) === counts(output) && Math.min(...way) === 0 && Math.max(...way) === wanted;
    },
    parade: ({ input, output }) => counts(input).replace(/^\d+/, "") === counts(output).replace(/^\d+/, ""),
    shuffledRows: ({ input, output }) =>
      sortedRows(input) === sortedRows(output) || sortedRows(dihedral(input, 6)) === sortedRows(dihedral(output, 6)),
    smallestTile: ({ input, output }) =>
      output.some((_, y) =>
        output[0].some((_, x) =>
          input.every((row, r) =>
            row.every((colour, c) => colour === output[(r + y) % output.length][(c + x) % output[0].length])
          )
        )
      ),
    fullWindow: ({ input, output }) =>
      count(output, 0) === 0 && JSON.stringify(input).length > JSON.stringify(output).length,
    mirroredAfter: ({ output }) => [4, 5].some((k) => String(dihedral(output, k)) === String(output)),
    enlargedAfter: ({ output }) =>
      output.every((row, r) => row.every((colour, c) => colour === output[r - r % 2][c - c % 2])),
    croppedAfter: ({ output }) => [0, 1, 2, 3].every((k) => dihedral(output, k)[0].some((colour) => colour)),
    fallenAfter: ({ output }) =>
      [0, 1, 2, 3].some((k) => {
        const grid = dihedral(output, k);
        return grid.slice(1).every((row, r) => row.every((colour, c) => colour !== 0 || grid[r][c] === 0));
      }),
    framedAfter: ({ output }) => new Set([0, 1, 2, 3].flatMap((k) => dihedral(output, k)[0])).size === 1,
    silhouetteAfter: ({ output }) => new Set(output.flat().filter((colour) => colour)).size === 1,
    // Below a coloured cell there is no black one, once the wall is turned down.
    towardsWall: ({ output }) =>
      [0, 1, 2, 3].some((k) => {
        const grid = dihedral(output, k);
        return new Set(grid.at(-1)).size === 1 &&
          grid.slice(1).every((row, r) => row.every((colour, c) => colour !== 0 || grid[r][c] === 0));
      }),
  };
  for (const [name, holds] of Object.entries(laws)) {
    const pairs = pairsOf(name).flat();
    assert.ok(pairs.length > 100, name);
    for (const pair of pairs) assert.ok(holds(pair), `${name}: ${JSON.stringify(pair)}`);
  }
});

Deno.test("a rule asks the same of all its pairs: one colour is counted, one of two patterns answers", () => {
  const filled = (grid: number[][]) => grid.flat().filter((colour) => colour).length;
  for (const pairs of pairsOf("tally").filter((pairs) => pairs.length)) {
    const counted = [1, 2, 3, 4, 5, 6, 7, 8, 9].filter((colour) =>
      pairs.every(({ input, output }) => shapesOf(input, (other) => other === colour).length === filled(output!))
    );
    assert.equal(counted.length, 1, JSON.stringify(pairs[0]));
  }
  for (const pairs of pairsOf("yesOrNo").filter((pairs) => pairs.length)) {
    assert.equal(new Set(pairs.map(({ output }) => String(output))).size, 2);
  }
});

Deno.test("figure() is one connected shape at the corner; scatter() keeps shapes apart", () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 9 }), fc.integer({ min: 5, max: 12 }), (seed, cells, side) => {
      const random = createRandom(seed);
      const own = figure(random, cells);
      assert.deepEqual(box(own).slice(0, 2), [0, 0]);
      const { grid, shapes } = scatter(random, side, side, [{ colour: 3, cells: own }, { colour: 3, cells: own }]);
      assert.deepEqual(shapesOf(grid, undefined, true).length, shapes.length);
      assert.ok(shapesOf(grid).every((shape) => shape.cells.length === cells && shape.colour === 3));
    }),
  );
});
