/**
 * What all demonstrations of a task have in common, and how far an answer departs from it. An answer with one wrong cell often breaks a
 * symmetry, a count or a colour that every demonstration kept. Knows no networks and no votes.
 *
 * @module
 */
import { type Feature, features, type Value } from "./features.ts";
import type { Grid, Pair } from "./task.ts";

/** A feature that says the same of all demonstrations. */
export interface Invariant {
  /** The feature. */
  feature: Feature;
  /** What it says. */
  value: Value;
}

/**
 * Features overlap: one cell of a wrong colour breaks several at once, and a right answer that departs from one often departs from several, so that
 * each counts for this part of its evidence.
 */
const SHARE = 0.3;

/** The invariants of demonstrations; none of fewer than two different ones. */
export function invariants(demonstrations: readonly Pair[]): Invariant[] {
  const different = [...new Map(demonstrations.map((pair) => [JSON.stringify(pair), pair])).values()];
  if (different.length < 2) return [];
  return features.flatMap((feature) => {
    const [value, ...others] = different.map(({ input, output }) =>
      feature.counts?.(input, output) === false ? undefined : feature.of(input, output)
    );
    return value !== undefined && others.every((other) => other === value) ? [{ feature, value }] : [];
  });
}

/** The invariants that an answer to a test input departs from. */
export function departures(known: readonly Invariant[], input: Grid, answer: Grid): Feature[] {
  return known.flatMap(({ feature, value }) => {
    const own = feature.of(input, answer);
    return own === undefined || own === value ? [] : [feature];
  });
}

/** How far an answer is to be doubted for its departures, in nats: one nat more is made up for by e times as many votes. */
export function doubt(departures: readonly Feature[]): number {
  return departures.reduce((sum, { departs }) => sum - SHARE * Math.log(departs), 0);
}
