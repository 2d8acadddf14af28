/**
 * How a workgroup's threads share attention's tiles out: a table by shader, measured by `deno task tune --attention`, and what fits a device.
 * Knows no shader's text.
 *
 * @module
 */

/** How a workgroup's threads share a product out: an R x J block each. */
export interface Tiling {
  /** Threads that share the rows: 4 or 8. */
  across: number;
  /** Threads that share the columns. */
  down: number;
  /** A thread's rows, a multiple of 4. */
  R: number;
  /** A thread's columns, a multiple of 4. */
  J: number;
  /** Lines of the strip at most, 16, 32 or 64: numbers of the columns' vectors, or columns, that are shared at a time. */
  lines: number;
}

/** What the text below is made for. */
export interface Tiles extends Tiling {
  /** Numbers of a vector. */
  K: number;
  /** Threads of a workgroup. */
  threads: number;
  /** Rows of a tile. */
  M: number;
  /** Columns of a tile. */
  N: number;
  /** Pairs of fours of a vector. */
  pairs: number;
  /** Pairs of each row of a weighted sum that a thread holds: those numbered tx, tx + across, … */
  held: number;
  /** Pairs of all columns' vectors that the strip holds at a time. */
  stripPairs: number;
  /** Columns of whole vectors that it holds at a time. */
  stripColumns: number;
}

/** Where there are few positions, heads are narrow or a workgroup has little memory; the first to be preferred. */
const SMALL: Tiling[] = [
  { across: 8, down: 8, R: 4, J: 8, lines: 16 },
  { across: 4, down: 16, R: 4, J: 8, lines: 16 },
  { across: 4, down: 8, R: 4, J: 8, lines: 16 },
  { across: 8, down: 8, R: 4, J: 4, lines: 16 },
  { across: 4, down: 4, R: 4, J: 4, lines: 16 },
];

/** Both halves of the gradient: rows and their slopes are held, so that 48 KiB leave the largest tiling a strip of 32 lines. */
const GRADIENT = {
  rows: 2,
  tilings: [
    { across: 8, down: 16, R: 4, J: 8, lines: 32 },
    { across: 8, down: 16, R: 4, J: 4, lines: 32 },
    { across: 8, down: 8, R: 4, J: 8, lines: 32 },
    ...SMALL,
  ],
};

/**
 * What each shader holds of rows in workgroup memory, in tiles, and its tilings, the first to be preferred: `deno task tune --attention` times
 * them.
 */
export const SHADERS = {
  forward: {
    rows: 1,
    tilings: [
      { across: 8, down: 16, R: 4, J: 8, lines: 64 },
      { across: 8, down: 8, R: 4, J: 8, lines: 32 },
      { across: 8, down: 16, R: 4, J: 8, lines: 32 },
      ...SMALL,
    ],
  },
  queryGradient: GRADIENT,
  keyValueGradient: GRADIENT,
} satisfies Record<string, { rows: number; tilings: Tiling[] }>;

/** How much more work than the least a preferred tiling may make of padding and of idle threads. */
const SPARE = 1.25;

/** Threads that a device runs at a time at least. */
const WARP = 32;

/** Lines that a turn of a loop takes, all written out. */
export const TURN = 4;

/** Turns that a pair takes. */
export const PAIR_TURNS = 8 / TURN;

/**
 * Vectors of four of a line of the strip: of columns, or of a column's parts. Eight threads write at a time: where theirs are more than one
 * column's parts, an odd width keeps neighbouring columns from beginning in one bank.
 */
export const stripWidth = ({ N, across, held, pairs }: Tiles) =>
  Math.max(N / 4, 2 * across * held) + (pairs < 8 ? 1 : 0);

/** Turns that one filling of the strip is good for at most. */
export const stripTurns = ({ stripPairs, stripColumns }: Tiles) =>
  Math.max(PAIR_TURNS * stripPairs, stripColumns / TURN);

/** Fillings of the strip that the pairs of vectors take. */
export const fillings = ({ pairs, stripPairs }: Tiles) => Math.ceil(pairs / stripPairs);

/** Pairs of a row in workgroup memory: whole strips of them. */
export const rowPairs = (tiles: Tiles) => fillings(tiles) * tiles.stripPairs;

/** Bytes of workgroup memory of a shader that holds `tiles` of rows. */
function bytesOf(tiles: Tiles, rows: number): number {
  const lines = 8 * rowPairs(tiles) * rows + 4 * tiles.across;
  return 16 * (lines * tiles.M / 4 + TURN * stripTurns(tiles) * stripWidth(tiles));
}

/** A tiling for vectors of K numbers. */
export function tilesOf(tiling: Tiling, K: number): Tiles {
  const { across, down, R, J, lines } = tiling;
  const pairs = Math.ceil(K / 8);
  return {
    ...tiling,
    K,
    threads: across * down,
    M: down * R,
    N: across * J,
    pairs,
    held: Math.ceil(pairs / across),
    stripPairs: Math.ceil(pairs / Math.ceil(pairs / (lines / 8))),
    stripColumns: Math.min(lines, 4 * across),
  };
}

/**
 * The tilings that fit a workgroup's memory and do little more than the least work for T positions, the first to be preferred.
 *
 * @param limit bytes of memory that a workgroup has
 * @throws {Error} where none fits
 */
export function tilingsFor(shader: keyof typeof SHADERS, T: number, K: number, limit: number): Tiling[] {
  const { rows, tilings } = SHADERS[shader];
  const fitting = tilings.filter((tiling) => bytesOf(tilesOf(tiling, K), rows) <= limit);
  if (!fitting.length) throw new Error(`Cannot attend with heads of width ${K}: a workgroup has ${limit} bytes only`);
  const work = (tiling: Tiling) => {
    const { M, N, across, held, pairs, threads } = tilesOf(tiling, K);
    const idle = (1 + across * held / pairs) * Math.max(1, WARP / threads);
    return Math.ceil(T / M) * M * Math.ceil(T / N) * N * idle;
  };
  const least = Math.min(...fitting.map(work));
  return fitting.filter((tiling) => work(tiling) <= SPARE * least);
}
