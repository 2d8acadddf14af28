/**
 * Attention with its rotation, tile by tile with a running softmax: scores live in registers, never in memory (FlashAttention's way; the
 * gradient takes the scores up again from the kept log-sum-exp).
 *
 * A workgroup owns a tile of positions of one head, the rows, and goes over all positions in tiles, the columns.
 *
 * @module
 */
import { dispatch, output, type Shader, workgroupBytes } from "./dispatch.ts";
import { perTile, reader, type Size, storeTurnedBack, writer } from "./heads.ts";
import type { Kernel } from "./kernel.ts";
import {
  ACROSS,
  addWeighted,
  chooseTiles,
  columnOf,
  each,
  everySum,
  innerProducts,
  inTile,
  load,
  range,
  rowOf,
  storeWeights,
  sumParts,
  tile,
  tileBytes,
  type Tiles,
  weightBytes,
  weights,
  XYZW,
  zeroSums,
} from "./attention_tiles.ts";

/** Loops over tiles of columns: fills them, computes their products with the rows and goes on with `use`. */
function overColumns(
  tiles: Tiles,
  columns: Record<string, string>,
  products: Parameters<typeof innerProducts>[0],
  use: string,
): string {
  return `for (var start = 0u; start < T; start += ${tiles.N}u) {
  workgroupBarrier();
  ${load(columns, tiles.N, "start", tiles)}
  workgroupBarrier();
  ${innerProducts(products, tiles)}
  ${use}
  }`;
}

/** Rows 4h … 4h+3 of column j of a product. */
const four = (name: string, h: number, j: number) =>
  `vec4(${range(4).map((i) => `${name}${4 * h + i}_${j}`).join(", ")})`;

/** What the threads of a row tell each other. */
const PARTIAL = "var<workgroup> partial: array<Rows, ACROSS>;";

/** Combines fours of what the threads of a row have told each other. */
const ofAll = (combine: (all: string, own: string) => string, h: number, { R }: Tiles) =>
  range(ACROSS).map((x) => `partial[${x}][ty * ${R / 4}u + ${h}u]`).reduce(combine);

const tell = (h: number, { R }: Tiles, value: string) => `partial[tx][ty * ${R / 4}u + ${h}u] = ${value};`;

const keysAndValues = { keys: "rotated(at(b, n, 1u, t), t, part)", values: "packed(at(b, n, 2u, t), part)" };

/** Rows are queries, columns keys. Scores are taken times log2(e): exp2 is what a GPU has. */
function forward(size: Size, limit: number): Shader {
  const { T, K } = size;
  const tiles = chooseTiles(
    T,
    K,
    limit,
    ({ M, N }) => tileBytes(M, K) + 2 * tileBytes(N, K) + weightBytes(M, N) + weightBytes(M, ACROSS),
  );
  const { R, J, M, N } = tiles;
  const fours = R / 4;
  const score = (h: number, j: number) =>
    T % N ? `select(vec4(-3.0e38), ${four("s", h, j)}, start + ${columnOf(j)} < T)` : four("s", h, j);
  const softmax = `${each(fours, (h) => each(J, (j) => `let score${h}_${j} = ${score(h, j)};`))}
  ${each(fours, (h) => tell(h, tiles, range(J).map((j) => `score${h}_${j}`).reduce((a, b) => `max(${a}, ${b})`)))}
  workgroupBarrier();
  ${
    each(fours, (h) =>
      `let next${h} = max(largest${h}, ${ofAll((a, b) => `max(${a}, ${b})`, h, tiles)});
  let shrink${h} = exp2(largest${h} - next${h});
  largest${h} = next${h};
  total${h} *= shrink${h};`)
  }
  ${
    each(J, (j) =>
      `${
        each(fours, (h) =>
          `let p${h}_${j} = exp2(score${h}_${j} - next${h});
  total${h} += p${h}_${j};`)
      }
  ${storeWeights("shares", j, tiles, (h) => `p${h}_${j}`)}`)
  }
  ${each(R, (i) => each(sumParts(tiles), (c) => `sum${i}_${c} *= shrink${i >> 2}.${XYZW[i % 4]};`))}
  workgroupBarrier();
  ${addWeighted({ sum: ["shares", "values"] }, tiles)}`;
  const declarations = [
    tile("queries", M, K),
    tile("keys", N, K),
    tile("values", N, K),
    weights("shares"),
    PARTIAL,
    writer("store", "y", size),
  ];
  return perTile(
    size,
    tiles,
    declarations,
    `${load({ queries: `rotated(at(b, n, 0u, t), t, part) * (SCALE * ${Math.LOG2E})` }, M, "first", tiles)}
  ${zeroSums("sum", tiles)}
  ${each(fours, (h) => `var largest${h} = vec4(-3.0e38);\n  var total${h} = vec4<f32>();`)}
  ${overColumns(tiles, keysAndValues, { s: ["queries", "keys"] }, softmax)}
  ${each(fours, (h) => tell(h, tiles, `total${h}`))}
  workgroupBarrier();
  ${each(fours, (h) => `let whole${h} = ${ofAll((a, b) => `${a} + ${b}`, h, tiles)};`)}
  ${everySum("first", tiles, (i, c) => `store(merged(b, n, t), part, sum${i}_${c} / whole${i >> 2}.${XYZW[i % 4]});`)}
  if (tx == 0u) {
    ${
      each(R, (i) =>
        `if (first + ${rowOf(i)} < T) {
      logSumExp[ofRow(b, n, first + ${rowOf(i)})] = (largest${i >> 2}.${XYZW[i % 4]} + log2(whole${i >> 2}.${
          XYZW[i % 4]
        })) * ${Math.LN2};
    }`)
    }
  }`,
  );
}

/** exp(score - logSumExp), both in units of log2(e). */
const share = (score: string, kept: string) => `exp2(${score} * (SCALE * ${Math.LOG2E}) - ${kept})`;

/** Rows are queries, columns keys. Also keeps Σ dO·O of each query for the other half of the gradient. */
function queryGradient(size: Size, limit: number): Shader {
  const { T, K } = size;
  const tiles = chooseTiles(
    T,
    K,
    limit,
    ({ M, N }) => 2 * tileBytes(M, K) + 2 * tileBytes(N, K) + weightBytes(M, N) + weightBytes(M, ACROSS),
  );
  const { R, J, M, N } = tiles;
  const fours = R / 4;
  const own = (h: number, j: number) => {
    const slope = `${share(four("s", h, j), `kept${h}`)} * (${four("p", h, j)} - along${h})`;
    return T % N ? `select(vec4<f32>(), ${slope}, start + ${columnOf(j)} < T)` : slope;
  };
  const declarations = [
    ...[tile("queries", M, K), tile("slopes", M, K), tile("keys", N, K), tile("values", N, K)],
    weights("shares"),
    PARTIAL,
    ...[reader("slope", "dy", size), reader("answer", "y", size), writer("store", "dqkv", size)],
  ];
  const rows = { queries: "rotated(at(b, n, 0u, t), t, part)", slopes: "slope(merged(b, n, t), part)" };
  return perTile(
    size,
    tiles,
    declarations,
    `${load(rows, M, "first", tiles)}
  workgroupBarrier();
  ${each(fours, (h) => `var own${h} = vec4<f32>();`)}
  ${
      everySum("first", tiles, (i) =>
        `own${i >> 2}.${XYZW[i % 4]} += dot(${
          inTile("slopes", "part", rowOf(i), tiles)
        }, answer(merged(b, n, t), part));`)
    }
  ${each(fours, (h) => tell(h, tiles, `own${h}`))}
  workgroupBarrier();
  ${each(fours, (h) => `let along${h} = ${ofAll((a, b) => `${a} + ${b}`, h, tiles)};\n  var kept${h} = vec4<f32>();`)}
  ${
      each(R, (i) =>
        `if (first + ${rowOf(i)} < T) {
    kept${i >> 2}.${XYZW[i % 4]} = logSumExp[ofRow(b, n, first + ${rowOf(i)})] * ${Math.LOG2E};
    if (tx == 0u) { along[ofRow(b, n, first + ${rowOf(i)})] = along${i >> 2}.${XYZW[i % 4]}; }
  }`)
    }
  ${zeroSums("sum", tiles)}
  ${
      overColumns(
        tiles,
        keysAndValues,
        { s: ["queries", "keys"], p: ["slopes", "values"] },
        `${each(J, (j) => storeWeights("shares", j, tiles, (h) => own(h, j)))}
  workgroupBarrier();
  ${addWeighted({ sum: ["shares", "keys"] }, tiles)}`,
      )
    }
  ${each(R, (i) => each(sumParts(tiles), (c) => `sum${i}_${c} *= SCALE;`))}
  ${storeTurnedBack("sum", "queries", 0, size, tiles)}`,
  );
}

/** Rows are keys, columns queries. */
function keyValueGradient(size: Size, limit: number): Shader {
  const { T, K } = size;
  const tiles = chooseTiles(T, K, limit, ({ M, N }) => 2 * (tileBytes(M, K) + tileBytes(N, K) + weightBytes(M, N)));
  const { R, J, M, N } = tiles;
  const declarations = [
    ...[tile("keys", M, K), tile("values", M, K), tile("queries", N, K), tile("slopes", N, K)],
    ...[weights("shares"), weights("changes")],
    ...[reader("slope", "dy", size), writer("store", "dqkv", size)],
  ];
  const use = `${
    each(J, (j) => {
      const position = `start + ${columnOf(j)}`;
      return `var kept${j} = 3.0e38;
  var along${j} = 0.0;
  if (${position} < T) {
    kept${j} = logSumExp[ofRow(b, n, ${position})] * ${Math.LOG2E};
    along${j} = along[ofRow(b, n, ${position})];
  }
  ${
        each(R / 4, (h) =>
          `let share${h}_${j} = ${share(four("s", h, j), `kept${j}`)};
  let change${h}_${j} = share${h}_${j} * (${four("p", h, j)} - along${j});`)
      }
  ${storeWeights("shares", j, tiles, (h) => `share${h}_${j}`)}
  ${storeWeights("changes", j, tiles, (h) => `change${h}_${j}`)}`;
    })
  }
  workgroupBarrier();
  ${addWeighted({ dk: ["changes", "queries"], dv: ["shares", "slopes"] }, tiles)}`;
  return perTile(
    size,
    tiles,
    declarations,
    `${load(keysAndValues, M, "first", tiles)}
  ${zeroSums("dk", tiles)}
  ${zeroSums("dv", tiles)}
  ${
      overColumns(
        tiles,
        { queries: "rotated(at(b, n, 0u, t), t, part)", slopes: "slope(merged(b, n, t), part)" },
        { s: ["keys", "queries"], p: ["values", "slopes"] },
        use,
      )
    }
  ${everySum("first", tiles, (i, c) => `store(at(b, n, 2u, t), part, dv${i}_${c});`)}
  ${each(R, (i) => each(sumParts(tiles), (c) => `dk${i}_${c} *= SCALE;`))}
  ${storeTurnedBack("dk", "keys", 1, size, tiles)}`,
  );
}

function sizeOf([B, T, packed]: number[], heads: number): Size {
  return { B, T, N: heads, K: packed / 3 / heads };
}

/** Kernels by operation. */
export const attentionKernels: Record<string, Kernel> = {
  Attention(backend, { qkv, cos, sin }, { heads }) {
    const size = sizeOf(qkv.shape, heads);
    const { B, T, N, K } = size;
    const y = output(backend, [B, T, N * K]);
    const logSumExp = output(backend, [B, N, T]);
    const shader = () => forward(size, workgroupBytes(backend));
    dispatch(backend, `Attention ${heads}`, shader, { qkv, cos, sin }, { y, logSumExp });
    return [y, logSumExp];
  },

  AttentionGradient(backend, { dy, qkv, cos, sin, output: y, logSumExp }, { heads }) {
    const size = sizeOf(qkv.shape, heads);
    const limit = workgroupBytes(backend);
    const dqkv = output(backend, qkv.shape);
    const along = output(backend, logSumExp.shape);
    const ofQueries = { dy, qkv, cos, sin, y, logSumExp };
    dispatch(backend, `queries ${heads}`, () => queryGradient(size, limit), ofQueries, { dqkv, along });
    const ofKeys = { dy, qkv, cos, sin, logSumExp, along };
    dispatch(backend, `keys ${heads}`, () => keyValueGradient(size, limit), ofKeys, { dqkv });
    backend.disposeData(along.dataId);
    return [dqkv];
  },
};
