/**
 * Recognising a task in whatever look: a key that every augmentation and every order of the demonstrations leaves the
 * same. Knows nothing of how tasks are stored or solved.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { apply, type Augmentation } from "./augment.ts";
import type { Grid, Pair, Task } from "./task.ts";

/** What a task is, apart from its look. */
export interface Identification {
  /** sha256, in hexadecimal digits, of the demonstrations in their canonical look. */
  key: string;
  /** What brings the task into that look. */
  augmentation: Augmentation;
}

/** Demonstrations read in some order, and the names that their colours got on the way. */
interface Reading {
  dihedral: number;
  /** names[c] is colour c's new name, or -1 while it has none. */
  names: number[];
  /** How many names are given; the next one. */
  named: number;
  /** The pairs not yet read. */
  rest: Joined[];
}

/** A pair in one piece, that as a text, and its colours. */
interface Joined {
  pair: Grid;
  own: string;
  colours: number[];
}

/**
 * Most readings followed at a time. The published tasks need 32 at most; one made to need more, whose looks may then get
 * different keys, must not keep a server busy.
 */
const MOST_READINGS = 256;

/**
 * Finds a task's canonical look from its demonstrations: they are read in every symmetry, one pair after the other, and
 * colours but black are named in order of appearance; of all the readings the alphabetically first one counts.
 *
 * Two tasks with the same key have the same demonstrations up to their look. Test inputs have no say: colours that only
 * they have, and symmetries that the demonstrations leave open, are resolved in an arbitrary way.
 */
export function identify(task: Task): Identification {
  let readings = Array.from({ length: 8 }, (_, dihedral): Reading => ({
    dihedral,
    names: [0, -1, -1, -1, -1, -1, -1, -1, -1, -1],
    named: 1,
    rest: task.train.map((demonstration) => {
      const pair = joined(demonstration, dihedral);
      return { pair, own: String(pair), colours: [...new Set(pair.flat())].filter((colour) => colour >= 0) };
    }),
  }));
  const hash = createHash("sha256");
  for (let pair = 0; pair < task.train.length; pair++) {
    const { text, next } = readNext(readings);
    hash.update(text);
    readings = next;
  }
  const { dihedral, names, named } = readings[0];
  let unused = named;
  return {
    key: hash.digest("hex"),
    augmentation: { dihedral, colours: names.map((name) => name < 0 ? unused++ : name) },
  };
}

/** Input above output, with lines that are no colours between them and tell the sizes. */
function joined({ input, output }: Pair, dihedral: number): Grid {
  const turn = (grid: Grid) => apply({ dihedral, colours: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] }, grid);
  const [above, below] = [turn(input), turn(output)];
  return [[-above.length, -above[0].length], ...above, [-below.length, -below[0].length], ...below];
}

/** The first text that any unread pair of any reading gives, and every reading that goes on from it. */
function readNext(readings: readonly Reading[]): { text: string; next: Reading[] } {
  let first: string | undefined;
  let next: Reading[] = [];
  // Many readings give a pair's colours the same names.
  const texts = new Map<Joined, Map<string, Pick<Reading, "names" | "named"> & { text: string }>>();
  for (const { dihedral, names, named, rest } of readings) {
    // Where equal pairs are left it does not matter which is read.
    const tried = new Set<string>();
    rest.forEach((joined, p) => {
      const { pair, own, colours } = joined;
      if (tried.has(own)) return;
      tried.add(own);
      const known = texts.get(joined) ?? new Map();
      texts.set(joined, known);
      const key = String([named, ...colours.map((colour) => names[colour])]);
      if (!known.has(key)) {
        const after = { names: names.slice(), named };
        known.set(key, { text: read(pair, after), ...after });
      }
      const { text, names: given, named: count } = known.get(key)!;
      if (first === undefined || text < first) [first, next] = [text, []];
      if (text !== first || next.length === MOST_READINGS) return;
      const all = names.map((name, colour) => colours.includes(colour) ? given[colour] : name);
      next.push({ dihedral, names: all, named: count, rest: rest.toSpliced(p, 1) });
    });
  }
  return { text: first!, next };
}

/** The pair with its colours' names, which are given as they appear. */
function read(pair: Grid, reading: Pick<Reading, "names" | "named">): string {
  const name = (colour: number) => {
    if (colour < 0) return colour;
    if (reading.names[colour] < 0) reading.names[colour] = reading.named++;
    return reading.names[colour];
  };
  return pair.map((row) => row.map(name).join(",")).join(";") + "\n";
}
