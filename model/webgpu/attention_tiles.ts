/**
 * Products of tiles of positions' vectors: WGSL for a workgroup whose every thread holds a block of the result in registers and reads vectors
 * from workgroup memory. A thread has `R` of the rows and `J` of the columns of a product; eight threads share a row. Everything is unrolled,
 * so that registers and offsets are known when the shader is compiled. Knows no attention.
 *
 * Vectors are held in fours, `parts` of them. A tile of L positions is an array over parts of `ColumnL`, whose odd length keeps the threads of a
 * row in different banks; an index that is a literal costs no check of its bounds, which is why arrays are nested.
 *
 * @module
 */

/** Threads that share the rows of a tile. */
export const ACROSS = 8;

/** How a workgroup's threads share a product out. */
export interface Tiling {
  /** Threads that share the columns. */
  down: number;
  /** A thread's rows, a multiple of 4. */
  R: number;
  /** A thread's columns. */
  J: number;
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
}

/** Largest first. */
const TILINGS: Tiling[] = [
  { down: 8, R: 8, J: 4 },
  { down: 8, R: 4, J: 4 },
  { down: 8, R: 4, J: 2 },
  { down: 8, R: 4, J: 1 },
  { down: 4, R: 4, J: 1 },
];

/** The numbers 0 … n-1. */
export const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** Components of a vector of four. */
export const XYZW = ["x", "y", "z", "w"];

/** Statements for all of some indices. */
export const each = (n: number, statement: (i: number) => string): string => range(n).map(statement).join("\n  ");

/** Parts that one turn of a loop takes; tiles are as many parts long as whole turns take. */
const unroll = (K: number) => Math.min(4, Math.ceil(K / 4));
const turns = (K: number) => Math.ceil(Math.ceil(K / 4) / unroll(K));

/** Bytes of a tile of vectors. */
export const tileBytes = (positions: number, K: number): number => turns(K) * unroll(K) * (positions + 1) * 16;

/** Bytes of weights of one tile's rows for `columns`. */
export const weightBytes = (M: number, columns: number): number => columns * (M / 4 + 1) * 16;

/**
 * The tiling for T positions that fits the workgroup's memory: padding is weighed against larger blocks, which read less for each product.
 *
 * @param bytes what a workgroup of a tiling needs
 * @throws {Error} where none fits
 */
export function chooseTiles(T: number, K: number, limit: number, bytes: (tiles: Tiles) => number): Tiles {
  const fitting = TILINGS.map((tiling): Tiles => ({
    ...tiling,
    K,
    threads: ACROSS * tiling.down,
    M: tiling.down * tiling.R,
    N: ACROSS * tiling.J,
  })).filter((tiles) => bytes(tiles) <= limit);
  if (!fitting.length) throw new Error(`Cannot attend with heads of width ${K}: a workgroup has ${limit} bytes only`);
  const cost = ({ M, R, J }: Tiles) => Math.ceil(T / M) * M * (1 / R + 1 / J + 1);
  return fitting.reduce((best, tiles) => cost(tiles) < cost(best) ? tiles : best);
}

/** The thread's place: `tx` of those that share its rows, `ty` of those that share its columns; and what tiles are made of. */
export function tileDeclarations({ K, M, N, down }: Tiles): string {
  const column = (length: number) =>
    `struct Column${length} { at: array<array<vec4<f32>, 4>, ${length / 4}>, odd: vec4<f32> }`;
  return `const PARTS = ${Math.ceil(K / 4)}u;
${[...new Set([M, N])].map(column).join("\n")}
alias Rows = array<vec4<f32>, ${M / 4 + 1}>;
alias Weights = array<array<Rows, 4>, ${N / 4}>;
const ACROSS = ${ACROSS}u;
const DOWN = ${down}u;`;
}

/** A tile of vectors in workgroup memory. */
export function tile(name: string, positions: number, K: number): string {
  return `var<workgroup> ${name}: array<array<Column${positions}, ${unroll(K)}>, ${turns(K)}>;`;
}

/** Weights of the rows for each column, in workgroup memory. */
export const weights = (name: string): string => `var<workgroup> ${name}: Weights;`;

/** Vector `position` of a tile, its fours number `part`. */
export function inTile(name: string, part: string, position: string, { K }: Tiles): string {
  return `${name}[(${part}) / ${unroll(K)}u][(${part}) % ${unroll(K)}u].at[(${position}) / 4u][(${position}) % 4u]`;
}

/** Row i and column j of the thread. Rows next to each other belong to threads next to each other. */
export const rowOf = (i: number) => `(ty + DOWN * ${i}u)`;
export const columnOf = (j: number) => `(tx + ACROSS * ${j}u)`;

/** Runs `statement` for each part of each position s of a tile, shared among all threads; the parts of a vector go to threads side by side. */
export function everyPart(positions: number, { K, threads }: Tiles, statement: string): string {
  const parts = turns(K) * unroll(K);
  return `for (var e = thread; e < ${positions * parts}u; e += ${threads}u) {
    let s = e / ${parts}u;
    let part = e % ${parts}u;
    ${statement}
  }`;
}

/** Fills tiles with the vectors of positions from `start` on: each with its `value` in terms of t and part, zeros beyond T and K. */
export function load(values: Record<string, string>, positions: number, start: string, tiles: Tiles): string {
  const statements = Object.entries(values).map(([name, value]) =>
    `if (real) { ${inTile(name, "part", "s", tiles)} = ${value}; } else { ${
      inTile(name, "part", "s", tiles)
    } = vec4<f32>(); }`
  );
  return everyPart(
    positions,
    tiles,
    `let t = ${start} + s;
    let real = t < T && part < PARTS;
    ${statements.join("\n    ")}`,
  );
}

/** `name`i_j = row i of tile `rows` · column j of tile `columns`. */
export function innerProducts(products: Record<string, [rows: string, columns: string]>, tiles: Tiles): string {
  const { K, R, J } = tiles;
  const all = Object.entries(products);
  const at = (tile: string, part: number, position: string) =>
    `${tile}[turn][${part}].at[${position} / 4u][${position} % 4u]`;
  const part = (p: number) =>
    all.map(([name, [rows, columns]]) =>
      `{
    ${each(R, (i) => `let a${i} = ${at(rows, p, rowOf(i))};`)}
    ${each(J, (j) => `let b${j} = ${at(columns, p, columnOf(j))};`)}
    ${
        each(R, (i) =>
          each(J, (j) =>
            `${name}${i}_${j} = ${
              XYZW.reduce((sum, c) => `fma(a${i}.${c}, b${j}.${c}, ${sum})`, `${name}${i}_${j}`)
            };`))
      }
  }`
    ).join("\n  ");
  return `${all.map(([name]) => each(R, (i) => each(J, (j) => `var ${name}${i}_${j} = 0.0;`))).join("\n  ")}
  for (var turn = 0u; turn < ${turns(K)}u; turn++) {
  ${each(unroll(K), part)}
  }`;
}

/** How many fours of a row's sum a thread holds: those numbered tx, tx + 8, … */
export const sumParts = ({ K }: Tiles): number => Math.ceil(Math.ceil(K / 4) / ACROSS);

/** Sums of vectors, all zero: `name`i_c for row i. */
export function zeroSums(name: string, tiles: Tiles): string {
  return each(tiles.R, (i) => each(sumParts(tiles), (c) => `var ${name}${i}_${c} = vec4<f32>();`));
}

/** Keeps column j of a product for {@link addWeighted}: `value(h)` is rows 4h … 4h+3 of the thread. */
export function storeWeights(weights: string, j: number, { R }: Tiles, value: (h: number) => string): string {
  return each(
    R / 4,
    (h) => `${weights}[${columnOf(j)} / 4u][${columnOf(j)} % 4u][ty * ${R / 4}u + ${h}u] = ${value(h)};`,
  );
}

/** `name`i_c += Σ over columns of a weight of row i · the column's vector in `columns`. */
export function addWeighted(sums: Record<string, [weights: string, columns: string]>, tiles: Tiles): string {
  const { K, R, N } = tiles;
  // Past the last part the last one is read again, and what comes of it is not stored.
  const part = (c: number) => `min(tx + ${ACROSS * c}u, PARTS - 1u)`;
  const fours = range(sumParts(tiles));
  const step = (q: number) =>
    Object.entries(sums).map(([name, [weights, columns]]) =>
      `{
    ${each(R / 4, (h) => `let w${h} = ${weights}[four][${q}][ty * ${R / 4}u + ${h}u];`)}
    ${
        fours.map((c) =>
          `let v${c} = ${columns}[${part(c)} / ${unroll(K)}u][${part(c)} % ${unroll(K)}u].at[four][${q}];`
        ).join("\n    ")
      }
    ${
        each(R, (i) =>
          fours.map((c) => `${name}${i}_${c} = fma(vec4(w${i >> 2}.${XYZW[i % 4]}), v${c}, ${name}${i}_${c});`).join(
            "\n    ",
          ))
      }
  }`
    ).join("\n  ");
  return `for (var four = 0u; four < ${N / 4}u; four++) {
  ${each(4, step)}
  }`;
}

/** Runs `statement(i, c)` for each four that the thread holds of a row's sum, where it is `part` of position `t` of those from `start` on. */
export function everySum(start: string, tiles: Tiles, statement: (i: number, c: number) => string): string {
  return each(tiles.R, (i) =>
    each(sumParts(tiles), (c) =>
      `{
    let t = ${start} + ${rowOf(i)};
    let part = tx + ${ACROSS * c}u;
    if (t < T && part < PARTS) { ${statement(i, c)} }
  }`));
}
