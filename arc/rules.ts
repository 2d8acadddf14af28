/**
 * Tasks with clean rules, as many as wanted: a family draws a rule, a rule draws pairs. What a network learns of them, that things fall, are
 * filled, mirrored and counted, it need not learn again from three demonstrations. Written for this project; no rule was taken from a task
 * of a set that is scored.
 *
 * @module
 */
import { createRandom, type Random } from "./random.ts";
import { answers } from "./rules/answers.ts";
import { choices } from "./rules/choices.ts";
import { compositions } from "./rules/compositions.ts";
import { counting } from "./rules/counting.ts";
import { pick } from "./rules/drawing.ts";
import { type Family, NoPairError } from "./rules/family.ts";
import { fills } from "./rules/fills.ts";
import { geometry } from "./rules/geometry.ts";
import { lines } from "./rules/lines.ts";
import { moves } from "./rules/moves.ts";
import { objects } from "./rules/objects.ts";
import { panels } from "./rules/panels.ts";
import { paths } from "./rules/paths.ts";
import { patterns } from "./rules/patterns.ts";
import { shapes } from "./rules/shapes.ts";
import { textures } from "./rules/textures.ts";
import { whole } from "./rules/whole.ts";
import { MAX_SIDE, type Pair, type Task, TaskError } from "./task.ts";

const simple: Record<string, Family> = {
  ...whole,
  ...shapes,
  ...fills,
  ...moves,
  ...lines,
  ...counting,
  ...geometry,
  ...patterns,
  ...choices,
  ...panels,
  ...objects,
  ...paths,
  ...textures,
  ...answers,
};

/** The families by name. */
export const families: Record<string, Family> = { ...simple, ...compositions(simple) };

/** About how large a rule's grids are. */
const RULE_SIDES = [5, 7, 9, 10, 10, 13, 16, 20, 30];
/** Grids may be larger than the side of their rule up to here, as enlarged ones are. */
export const SMALL_SIDE = 10;

/** Attempts at a pair, and at a rule that has enough of them. */
const ATTEMPTS = 50;

/**
 * `perFamily` tasks of every family, each with `pairs` demonstrations and a test pair; the same for the same seed.
 *
 * @param largest the side that no grid exceeds, {@link SMALL_SIDE} at least
 * @throws {TaskError} when a family has no rule with so many different pairs
 */
export function ruleTasks(perFamily: number, pairs: number, seed: number, largest = MAX_SIDE): Task[] {
  const random = createRandom(seed).fork("rules");
  const sides = RULE_SIDES.filter((side) => side <= largest);
  return Object.keys(families).flatMap((name) =>
    Array.from({ length: perFamily }, (_, i) => {
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const own = random.fork(`${name} ${i} ${attempt}`);
        const found = drawPairs(families[name], own, pairs + 1, sides);
        if (found) return { id: `${name} ${i + 1}`, train: found.slice(0, pairs), test: found.slice(pairs) };
      }
      throw new TaskError(`Cannot draw a task: ${name} has no rule with ${pairs + 1} different pairs`);
    })
  );
}

/** Pairs of one rule with different inputs, none of which stays as it is; nothing if the rule has too few. */
function drawPairs(family: Family, random: Random, count: number, sides: readonly number[]): Pair[] | undefined {
  const side = pick(random, sides);
  const rule = family(random, side);
  const bound = Math.max(side, SMALL_SIDE);
  const found = new Map<string, Pair>();
  try {
    for (let attempt = 0; attempt < ATTEMPTS * count && found.size < count; attempt++) {
      const pair = rule(random);
      const input = JSON.stringify(pair.input);
      if (fits(pair, bound) && input !== JSON.stringify(pair.output)) found.set(input, pair);
    }
  } catch (error) {
    if (!(error instanceof NoPairError)) throw error;
  }
  return found.size === count ? [...found.values()] : undefined;
}

function fits({ input, output }: Pair, bound: number): boolean {
  return [input, output].every((grid) => grid.length <= bound && grid[0].length <= bound);
}
