/**
 * The book of a comparison: what a fixture holds, what was recomputed, how far off it is. Knows nothing of networks or puzzles.
 *
 * @module
 */

/** One recomputed value beside the fixture's. */
export interface Comparison {
  /** The fixture's name of it. */
  name: string;
  /** Sizes of its axes. */
  shape: readonly number[];
  /** The largest error, in units of the scale that the tolerance is meant for; Infinity for NaN or another shape. */
  error: number;
  /** The largest error allowed. */
  tolerance: number;
  /** Whether it is within the tolerance. */
  pass: boolean;
  /** What else a reader should know; empty if nothing. */
  note: string;
}

/** How near two arrays must be. */
export interface Nearness {
  /** The largest error allowed. */
  tolerance: number;
  /** What the error of element i is divided by; 1 if not given. */
  scale?: (i: number) => number;
  /** What the scale is; empty for none. */
  note?: string;
}

/** Numbers row by row, or one after the other. */
export type Numbers = ArrayLike<number>;

/** What a fixture holds, and the comparisons made of it. */
export class Ledger {
  #rows: Comparison[] = [];
  #open: Set<string>;

  /** @param names everything that must be compared or used as an input */
  constructor(names: Iterable<string>) {
    this.#open = new Set(names);
  }

  /** Says that a value is an input of the computation, which cannot be compared with anything. */
  given(...names: string[]): void {
    for (const name of names) this.#open.delete(name);
  }

  /** Compares numbers; another length or NaN is an infinite error. */
  near(name: string, shape: readonly number[], expected: Numbers, actual: Numbers, nearness: Nearness): void {
    this.#open.delete(name);
    const { tolerance, scale = () => 1, note = "" } = nearness;
    let error = expected.length === actual.length ? 0 : Infinity;
    for (let i = 0; i < expected.length && error < Infinity; i++) {
      const difference = Math.abs(expected[i] - actual[i]) / scale(i);
      error = Number.isNaN(difference) ? Infinity : Math.max(error, difference);
    }
    this.#rows.push({ name, shape, error, tolerance, pass: error <= tolerance, note });
  }

  /** Compares values of any kind for equality, part by part; the error is the number of unequal parts. */
  equal(name: string, expected: readonly unknown[], actual: readonly unknown[], note = ""): void {
    this.#open.delete(name);
    let error = Math.abs(expected.length - actual.length);
    expected.forEach((part, i) =>
      error += i < actual.length && JSON.stringify(part) !== JSON.stringify(actual[i]) ? 1 : 0
    );
    this.#rows.push({ name, shape: [expected.length], error, tolerance: 0, pass: error === 0, note });
  }

  /** Notes a failure that left nothing to compare. */
  failed(name: string, note: string): void {
    this.#open.delete(name);
    this.#rows.push({ name, shape: [], error: Infinity, tolerance: 0, pass: false, note });
  }

  /** All comparisons, and a failure for everything that was never compared. */
  close(): Comparison[] {
    for (const name of [...this.#open]) this.failed(name, "not compared");
    return this.#rows;
  }
}

/** The largest magnitude, or 1 where all are 0. */
export function largest(numbers: Numbers): number {
  let top = 0;
  for (let i = 0; i < numbers.length; i++) top = Math.max(top, Math.abs(numbers[i]));
  return top || 1;
}

/** Numbers of nested lists, one after the other. */
export function flat(nested: unknown): number[] {
  return [nested].flat(Infinity) as number[];
}

/** The table for people: one line a comparison. */
export function table(comparisons: readonly Comparison[]): string {
  const digits = (value: number) => value === 0 ? "0" : value === Infinity ? "inf" : value.toExponential(1);
  const lines = comparisons.map(({ name, shape, error, tolerance, pass, note }) => [
    name,
    `[${shape}]`,
    digits(error),
    digits(tolerance),
    pass ? "pass" : "FAIL",
    note,
  ]);
  const all = [["what", "shape", "error", "tolerance", "", ""], ...lines];
  const widths = all[0].map((_, column) => Math.max(...all.map((line) => line[column].length)));
  return all.map((line) => line.map((cell, column) => cell.padEnd(widths[column])).join("  ").trimEnd()).join("\n");
}
