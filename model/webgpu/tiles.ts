/**
 * Which tile a matrix product is computed in: a table by shape, measured by `deno task tune`. Knows no shader.
 *
 * @module
 */

/** The part of a result that a workgroup computes. */
export interface Tile {
  /** Rows of the result. */
  rows: number;
  /** Columns of the result. */
  columns: number;
  /** How much of the summed axis is shared at a time. */
  depth: number;
  /** Rows and columns that each thread keeps in registers, 4 or 8 each. */
  thread: [number, number];
}

/** The tiles there are, the largest first. */
export const TILES = {
  "128x128": { rows: 128, columns: 128, depth: 8, thread: [8, 8] },
  "128x64": { rows: 128, columns: 64, depth: 8, thread: [8, 8] },
  "64x128": { rows: 64, columns: 128, depth: 8, thread: [8, 8] },
  "64x64": { rows: 64, columns: 64, depth: 8, thread: [8, 8] },
  "32x32": { rows: 32, columns: 32, depth: 8, thread: [4, 4] },
} satisfies Record<string, Tile>;

/** Tiles whose columns are whole rows of the result, by the widest result that they can hold. */
export const ROW_TILES: [number, Tile][] = [
  [32, TILES["32x32"]],
  [64, TILES["64x64"]],
  [128, TILES["64x128"]],
  [256, { rows: 64, columns: 256, depth: 8, thread: [8, 8] }],
  [512, { rows: 32, columns: 512, depth: 4, thread: [8, 8] }],
];

/** Workgroups that keep a large device busy. */
const ENOUGH_GROUPS = 256;

/** Workgroups of whole rows from which on one dispatch is better than a product in small tiles and a norm. */
const ENOUGH_ROW_GROUPS = 64;

/**
 * The largest tile that still makes enough workgroups; for a result that is small anyway, one that wastes little of it.
 *
 * @param paired whether each thread must own two fours of columns
 */
export function tileFor(m: number, n: number, batch = 1, paired = false): Tile {
  const groups = ({ rows, columns }: Tile) => Math.ceil(m / rows) * Math.ceil(n / columns) * batch;
  const fits = ({ rows, columns }: Tile) => rows <= 2 * m && columns <= 2 * n;
  const all = Object.values<Tile>(TILES).filter(({ thread }) => !paired || thread[1] === 8);
  return all.find((tile) => fits(tile) && groups(tile) >= ENOUGH_GROUPS) ?? all.findLast(fits) ?? all.at(-1)!;
}

/** The tile that holds whole rows of n, if there is one and it keeps the device as busy as two dispatches would. */
export function rowTileFor(m: number, n: number, k: number): Tile | undefined {
  const tile = ROW_TILES.find(([widest]) => n <= widest)?.[1];
  const small = n * k <= 1 << 16;
  return tile && (small || m >= ENOUGH_ROW_GROUPS * tile.rows) ? tile : undefined;
}

/** Into how many parts the summed axis is cut where the result alone makes too few workgroups. */
export function partsFor(m: number, n: number, k: number, batch: number, { rows, columns }: Tile): number {
  const groups = Math.ceil(m / rows) * Math.ceil(n / columns) * batch;
  return Math.max(1, Math.min(Math.floor(2 * ENOUGH_GROUPS / groups), Math.floor(k / 512), 32));
}
