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

/** Tiles that hold whole rows of the result, by the widest that they can hold; the most rows first. */
export const ROW_TILES: { widest: number; tiles: Tile[] }[] = [
  { widest: 32, tiles: [TILES["32x32"]] },
  { widest: 64, tiles: [TILES["64x64"]] },
  { widest: 128, tiles: [TILES["64x128"], { rows: 32, columns: 128, depth: 8, thread: [8, 8] }] },
  {
    widest: 256,
    tiles: [
      { rows: 64, columns: 256, depth: 8, thread: [8, 8] },
      { rows: 32, columns: 256, depth: 8, thread: [8, 8] },
    ],
  },
  {
    widest: 512,
    tiles: [
      { rows: 64, columns: 512, depth: 8, thread: [8, 8] },
      { rows: 32, columns: 512, depth: 8, thread: [8, 8] },
      { rows: 16, columns: 512, depth: 8, thread: [4, 8] },
    ],
  },
];

/** Workgroups that keep a large device busy. */
const ENOUGH_GROUPS = 256;

/** Workgroups of whole rows that do so: each has more threads. */
const ENOUGH_ROW_GROUPS = 128;

/** Threads of a workgroup. */
export function threadsOf({ rows, columns, thread }: Tile): number {
  return rows / thread[0] * (columns / thread[1]);
}

/**
 * Bytes of workgroup memory of a tile: the strips of both operands, a four wider than the tile each.
 *
 * @param half whether they are of f16
 */
export function tileBytes({ rows, columns, depth }: Tile, half = false): number {
  return (half ? 2 : 4) * depth * (rows + columns + 8);
}

/** The same for a tile of whole rows, each thread's sum of squares of its part of them included: it takes the place of a strip of f32. */
export function rowTileBytes(tile: Tile, half = false): number {
  return tileBytes(tile, half) + (half ? 4 * tile.rows * tile.columns / tile.thread[1] : 0);
}

/** Whether a strip of f32 has room for those sums. */
export function holdsRowSums({ rows, depth, thread }: Tile): boolean {
  return rows <= depth * thread[1];
}

/** A tile for f16: as many bytes, twice the depth. */
function halfTile(tile: Tile): Tile {
  return { ...tile, depth: 2 * tile.depth };
}

/** What else a choice of a tile goes by. */
interface Needs {
  /** Products side by side; 1 if not given. */
  batch?: number;
  /** Whether each thread must own two fours of columns. */
  halves?: boolean;
  /** Whether strips are of f16. */
  half?: boolean;
}

/** The largest tile that still makes enough workgroups; for a result that is small anyway, one that wastes little of it. */
export function tileFor(m: number, n: number, { batch = 1, halves = false, half = false }: Needs = {}): Tile {
  const groups = ({ rows, columns }: Tile) => Math.ceil(m / rows) * Math.ceil(n / columns) * batch;
  const fits = ({ rows, columns }: Tile) => rows <= 2 * m && columns <= 2 * n;
  const all = Object.values<Tile>(TILES).filter(({ thread }) => !halves || thread[1] === 8);
  const tile = all.find((tile) => fits(tile) && groups(tile) >= ENOUGH_GROUPS) ?? all.findLast(fits) ?? all.at(-1)!;
  return half ? halfTile(tile) : tile;
}

/**
 * The tile that holds whole rows of n, if the device has one; of those with enough workgroups, that of the most rows.
 *
 * @param limits what a workgroup may have: bytes of memory, threads
 */
export function rowTileFor(
  m: number,
  n: number,
  { bytes, threads }: { bytes: number; threads: number },
  half = false,
): Tile | undefined {
  const fitting = (tile: Tile) =>
    [...(half ? [halfTile(tile)] : []), tile, { ...tile, depth: 4 }].find((tile) =>
      threadsOf(tile) <= threads && rowTileBytes(tile, half) <= bytes && (half || holdsRowSums(tile))
    );
  const tiles = ROW_TILES.find(({ widest }) => n <= widest)?.tiles.flatMap((tile) => fitting(tile) ?? []);
  return tiles?.find(({ rows }) => m >= ENOUGH_ROW_GROUPS * rows) ?? tiles?.at(-1);
}

/** Into how many parts the summed axis is cut where the result alone makes too few workgroups. */
export function partsFor(m: number, n: number, k: number, batch: number, { rows, columns }: Tile): number {
  const groups = Math.ceil(m / rows) * Math.ceil(n / columns) * batch;
  return Math.max(1, Math.min(Math.floor(2 * ENOUGH_GROUPS / groups), Math.floor(k / 512), 32));
}
