/**
 * Products of tiles of positions' vectors, in WGSL: every thread of a workgroup holds blocks of the results in registers, in the manner of
 * product.ts. The tile of rows stays in workgroup memory; what it is multiplied with passes through a strip of memory. Knows no softmax.
 *
 * A vector is held in pairs of fours, one from each of its halves: those that rotation mixes. Inner products sum over them in any order. An
 * index that is a literal costs no check of its bounds, and one that a loop does not change is checked once; hence the nested arrays.
 *
 * @module
 */
import { fillings, PAIR_TURNS, rowPairs, stripTurns, stripWidth, type Tiles, TURN } from "./attention_tiles.ts";

/** The numbers 0 … n-1. */
export const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** Components of a vector of four. */
export const XYZW = ["x", "y", "z", "w"];

/** Statements for all of some indices. */
export const each = (n: number, statement: (i: number) => string): string => range(n).map(statement).join("\n  ");

/** Workgroup memory: tiles of rows, the strip, and the weights of as many columns as the threads have in one four each. */
export function memory(rows: string[], tiles: Tiles): string {
  const { M, across } = tiles;
  return `alias Line = array<vec4<f32>, ${M / 4}>;
${
    rows.map((name) => `var<workgroup> ${name}: array<array<Line, ${TURN}>, ${PAIR_TURNS * rowPairs(tiles)}>;`)
      .join("\n")
  }
var<workgroup> strip: array<array<array<vec4<f32>, ${stripWidth(tiles)}>, ${TURN}>, ${stripTurns(tiles)}>;
var<workgroup> weights: array<array<Line, ${TURN}>, ${4 * across / TURN}>;`;
}

/** Row i of the thread, column j of four h. */
export const rowOf = (i: number, { down }: Tiles) => `(4u * (ty + ${down * (i >> 2)}u) + ${i % 4}u)`;
export const columnsOf = (h: number, { across }: Tiles) => `(4u * (tx + ${across * h}u))`;

const fourOfRows = (g: number, { down }: Tiles) => `ty + ${down * g}u`;

/** The same among the weights of a column of the thread number `x` across: moved on by it, so that threads write to different banks. */
const turnedRows = (g: number, x: string, { down, M }: Tiles) => `(ty + ${down * g}u + ${x}) % ${M / 4}u`;

/** A four of columns in lines of pair number `pair` of the strip: moved on, so that eight threads write to different banks where their number is a multiple of the pairs'. */
const turnedColumns = (four: string, pair: string, { N, stripPairs }: Tiles) =>
  `(${four} + ${Math.max(1, Math.floor(8 / stripPairs))}u * (${pair})) % ${N / 4}u`;

/**
 * Writes pair number `number` of four neighbouring positions' vectors into lines, one for each of its numbers, whole fours each: writing one
 * number into a four of workgroup memory may write the other three, too (WGSL), and these would be other threads'.
 */
const spread = (lines: string, number: string, four: string, pairs: string[]) =>
  range(8).map((k) =>
    `${lines}[${PAIR_TURNS}u * (${number}) + ${Math.floor(k / TURN)}u][${k % TURN}][${four}] = vec4(${
      pairs.map((pair) => `${pair}.${k < 4 ? "low" : "high"}.${XYZW[k % 4]}`).join(", ")
    });`
  ).join("\n    ");

/** Sets `name`0, `name`1, … to the `Pair`s that are `value` at position t, for some positions counted from `first`. */
const pairsAt = (name: string, first: string, positions: string[], value: string) =>
  positions.map((position, i) =>
    `{
      let t = min(${first} + ${position}, T - 1u);
      ${name}${i} = ${value};
    }`
  ).join("\n    ");

const declare = (name: string, count: number) => range(count).map((i) => `var ${name}${i}: Pair;`).join(" ");

const FOUR = range(4);

/** Fills tiles of rows from position `first` on: each with the `Pair` that is its value at position t, pair number `pair`. */
export function load(values: Record<string, string>, tiles: Tiles): string {
  const { M, threads } = tiles;
  const all = rowPairs(tiles);
  const statements = Object.entries(values).map(([name, value], i) =>
    `${declare(`value${i}_`, 4)}
    ${pairsAt(`value${i}_`, "first", FOUR.map((c) => `4u * four + ${c}u`), value)}
    ${spread(name, "pair", "four", FOUR.map((c) => `value${i}_${c}`))}`
  );
  return `for (var e = thread; e < ${M / 4 * all}u; e += ${threads}u) {
    let four = e / ${all}u;
    let pair = e % ${all}u;
    ${statements.join("\n    ")}
  }`;
}

/** Reads `count` pieces into registers before a barrier and puts them into the strip after it: nobody waits for a single read. */
function strip(
  count: number,
  { threads }: Tiles,
  place: (own: string) => { positions: string[]; pair: string; put: (pairs: string[]) => string },
  value: string,
  more = "",
): string {
  const reads = range(Math.ceil(count / threads));
  const own = (i: number) => `(thread + ${i * threads}u)`;
  const partly = (i: number, body: string) =>
    (i + 1) * threads > count ? `if (${own(i)} < ${count}u) { ${body} }` : body;
  const gather = reads.map((i) => {
    const { positions, pair } = place(own(i));
    return `${declare(`next${i}_`, positions.length)}
    ${partly(i, `{ let pair = ${pair};\n    ${pairsAt(`next${i}_`, "start", positions, value)} }`)}`;
  });
  const put = reads.map((i) => {
    const { positions, put } = place(own(i));
    return partly(i, put(positions.map((_, c) => `next${i}_${c}`)));
  });
  return `${gather.join("\n    ")}
    workgroupBarrier();
    ${more}
    ${put.join("\n    ")}
    workgroupBarrier();`;
}

/** `name`i_h = row i of the tile `rows` · the columns of the thread's four h; `value` is a column's `Pair` at t. */
export function innerProducts(name: string, rows: string, value: string, tiles: Tiles): string {
  const { R, J, N, across, stripPairs } = tiles;
  const turns = PAIR_TURNS * stripPairs;
  const all = (statement: (i: number, h: number) => string) =>
    each(R, (i) => range(J / 4).map((h) => statement(i, h)).join("\n  "));
  const fill = strip(stripPairs * N / 4, tiles, (own) => {
    const [four, pair] = [`(${own} / ${stripPairs}u)`, `${own} % ${stripPairs}u`];
    return {
      positions: FOUR.map((c) => `4u * ${four} + ${c}u`),
      pair: `${stripPairs}u * number + ${pair}`,
      put: (pairs) => spread("strip", pair, turnedColumns(four, pair, tiles), pairs),
    };
  }, value);
  return `${all((i, h) => `var ${name}${i}_${h} = vec4<f32>();`)}
  for (var number = 0u; number < ${fillings(tiles)}u; number++) {
    ${fill}
    for (var turn = 0u; turn < ${turns}u; turn++) {
    ${each(J / 4, (h) => `let four${h} = ${turnedColumns(`tx + ${across * h}u`, `turn / ${PAIR_TURNS}u`, tiles)};`)}
    ${
    each(TURN, (k) =>
      `{
    ${each(R / 4, (g) => `let a${g} = ${rows}[${turns}u * number + turn][${k}][${fourOfRows(g, tiles)}];`)}
    ${each(J / 4, (h) => `let b${h} = strip[turn][${k}][four${h}];`)}
    ${all((i, h) => `${name}${i}_${h} = fma(vec4(a${i >> 2}.${XYZW[i % 4]}), b${h}, ${name}${i}_${h});`)}
    }`)
  }
    }
  }`;
}

/** Names of what a thread holds of row i of a weighted sum, in `low` and `high` fours. */
const sums = (name: string, { held }: Tiles) => (i: number) =>
  range(held).flatMap((c) =>
    ["low", "high"].map((half) => ({ sum: `${name}${i}_${c}_${half}`, vector: `${half}${c}` }))
  );

/** Sums of vectors, all zero. */
export function zeroSums(name: string, tiles: Tiles): string {
  return each(tiles.R, (i) => sums(name, tiles)(i).map(({ sum }) => `var ${sum} = vec4<f32>();`).join("\n  "));
}

/** Multiplies row i of a sum. */
export function scaleSums(name: string, tiles: Tiles, factor: (i: number) => string): string {
  return each(tiles.R, (i) => sums(name, tiles)(i).map(({ sum }) => `${sum} *= ${factor(i)};`).join("\n  "));
}

/** Adds Σ over columns of a weight of row i · the column's vector to a sum; `weight(i, h)` is row i's for four h, `value` as above. */
export function addWeighted(
  name: string,
  weight: (i: number, h: number) => string,
  value: string,
  tiles: Tiles,
): string {
  const { R, J, across, held, pairs, stripColumns } = tiles;
  const turns = stripColumns / TURN;
  const keep = (h: number) =>
    each(
      4,
      (c) =>
        each(R / 4, (g) =>
          `weights[tx][${c}][${turnedRows(g, "tx", tiles)}] = vec4(${
            range(4).map((i) =>
              `${weight(4 * g + i, h)}.${XYZW[c]}`
            ).join(", ")
          });`),
    );
  const fill = (h: number) =>
    strip(
      stripColumns * pairs,
      tiles,
      (own) => {
        const column = `(${own} / ${pairs}u)`;
        const line = `strip[${column} / ${TURN}u][${column} % ${TURN}u]`;
        return {
          positions: [`${4 * across * h}u + ${stripColumns}u * number + ${column}`],
          pair: `${own} % ${pairs}u`,
          put: ([next]) =>
            `${line}[${own} % ${pairs}u] = ${next}.low; ${line}[${
              across * held
            }u + ${own} % ${pairs}u] = ${next}.high;`,
        };
      },
      value,
      `if (number == 0u) { ${keep(h)} }`,
    );
  return each(J / 4, (h) =>
    `for (var number = 0u; number < ${4 * across / stripColumns}u; number++) {
    ${fill(h)}
    for (var turn = 0u; turn < ${turns}u; turn++) {
    let four = ${turns}u * number + turn;
    ${each(R / 4, (g) => `let rows${g} = ${turnedRows(g, "four", tiles)};`)}
    ${
      each(TURN, (k) =>
        `{
    ${each(R / 4, (g) => `let w${g} = weights[four][${k}][rows${g}];`)}
    ${
          each(held, (c) =>
            `let low${c} = strip[turn][${k}][tx + ${across * c}u];
    let high${c} = strip[turn][${k}][tx + ${across * (held + c)}u];`)
        }
    ${
          each(R, (i) =>
            sums(name, tiles)(i).map(({ sum, vector }) =>
              `${sum} = fma(vec4(w${i >> 2}.${XYZW[i % 4]}), ${vector}, ${sum});`
            ).join("\n    "))
        }
    }`)
    }
    }
  }`);
}

/** Runs `statement` for each pair that the thread holds of row i: t its position, `pair` its number, `sum` the `Pair`. */
export function everySum(name: string, tiles: Tiles, statement: (i: number) => string): string {
  return each(tiles.R, (i) =>
    range(tiles.held).map((c) =>
      `{
    let t = first + ${rowOf(i, tiles)};
    let pair = tx + ${tiles.across * c}u;
    if (t < T && pair < PAIRS) {
      let sum = Pair(${name}${i}_${c}_low, ${name}${i}_${c}_high);
      ${statement(i)}
    }
  }`
    ).join("\n  "));
}

/** Combines fours g of rows among the threads that share them: `name`g, from each thread's `own(g)`. Uses the memory of weights. */
export function combine(
  name: string,
  tiles: Tiles,
  own: (g: number) => string,
  both: (all: string, one: string) => string,
): string {
  const { R, across } = tiles;
  return `${each(R / 4, (g) => `weights[tx / ${TURN}u][tx % ${TURN}u][${turnedRows(g, "tx", tiles)}] = ${own(g)};`)}
  workgroupBarrier();
  ${
    each(
      R / 4,
      (g) =>
        `let ${name}${g} = ${
          range(across).map((x) => `weights[${Math.floor(x / TURN)}][${x % TURN}][${turnedRows(g, `${x}u`, tiles)}]`)
            .reduce(
              both,
            )
        };`,
    )
  }`;
}
