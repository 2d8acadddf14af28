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

/** Tiles that hold whole rows of the result, by the widest that they can hold; the second where there are few rows. */
export const ROW_TILES: { widest: number; many: Tile; few: Tile }[] = [
  { widest: 32, many: TILES["32x32"], few: TILES["32x32"] },
  { widest: 64, many: TILES["64x64"], few: TILES["64x64"] },
  { widest: 128, many: TILES["64x128"], few: { rows: 32, columns: 128, depth: 8, thread: [8, 8] } },
  {
    widest: 256,
    many: { rows: 64, columns: 256, depth: 8, thread: [8, 8] },
    few: { rows: 32, columns: 256, depth: 8, thread: [8, 8] },
  },
  {
    widest: 512,
    many: { rows: 32, columns: 512, depth: 8, thread: [8, 8] },
    few: { rows: 16, columns: 512, depth: 8, thread: [4, 8] },
  },
];

/** Workgroups that keep a large device busy. */
const ENOUGH_GROUPS = 256;

/** Workgroups of whole rows that do so: each has more threads. */
const ENOUGH_ROW_GROUPS = 128;

/** Bytes of workgroup memory of a tile: the strips of both operands, a four wider than the tile each. */
export function tileBytes({ rows, columns, depth }: Tile): number {
  return 4 * depth * (rows + columns + 8);
}

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

/** The tile that holds whole rows of n within so many bytes of workgroup memory, if there is one. */
export function rowTileFor(m: number, n: number, bytes: number): Tile | undefined {
  const tiles = ROW_TILES.find(({ widest }) => n <= widest);
  if (!tiles) return undefined;
  const tile = m >= ENOUGH_ROW_GROUPS * tiles.many.rows ? tiles.many : tiles.few;
  return tileBytes(tile) <= bytes ? tile : { ...tile, depth: 4 };
}

/** Into how many parts the summed axis is cut where the result alone makes too few workgroups. */
export function partsFor(m: number, n: number, k: number, batch: number, { rows, columns }: Tile): number {
  const groups = Math.ceil(m / rows) * Math.ceil(n / columns) * batch;
  return Math.max(1, Math.min(Math.floor(2 * ENOUGH_GROUPS / groups), Math.floor(k / 512), 32));
}
