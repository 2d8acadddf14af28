/**
 * Attention with its rotation, tile by tile with a running softmax: scores live in registers, never in memory (FlashAttention's way; the
 * gradient takes the scores up again from the kept log-sum-exp).
 *
 * A workgroup owns a tile of positions of one head, the rows, and goes over all positions in tiles, the columns.
 *
 * @module
 */
import type { TensorInfo } from "@tensorflow/tfjs";
import type { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import { dispatch, output, type Shader, workgroupLimits } from "./dispatch.ts";
import { perTile, reader, type Size, writer } from "./heads.ts";
import type { Kernel } from "./kernel.ts";
import {
  addWeighted,
  columnsOf,
  combine,
  each,
  everySum,
  innerProducts,
  load,
  range,
  rowOf,
  scaleSums,
  XYZW,
  zeroSums,
} from "./attention_products.ts";
import { type SHADERS, type Tiles, tilesOf, type Tiling, tilingsFor } from "./attention_tiles.ts";

const query = "rotated(at(b, n, 0u, t), t, pair)";
const key = "rotated(at(b, n, 1u, t), t, pair)";
const value = "packed(at(b, n, 2u, t), pair)";
const slope = "slope(merged(b, n, t), pair)";

/** A loop over tiles of columns. */
const overColumns = ({ N }: Tiles, body: string) =>
  `for (var start = 0u; start < T; start += ${N}u) {
  ${body}
  }`;

/** Component i of the fours that hold something of each row. */
const ofRow = (name: string, i: number) => `${name}${i >> 2}.${XYZW[i % 4]}`;

/** Statements for each row and each four of columns of a thread. */
const block = ({ R, J }: Tiles, statement: (i: number, h: number) => string) =>
  each(R, (i) => each(J / 4, (h) => statement(i, h)));

/** `value`, or `otherwise` in columns beyond the last position. */
function within({ T }: Size, tiles: Tiles, h: number, value: string, otherwise: string): string {
  if (T % tiles.N === 0) return value;
  return `select(vec4<f32>(${otherwise}), ${value}, vec4(start + ${
    columnsOf(h, tiles)
  }) + vec4(0u, 1u, 2u, 3u) < vec4(T))`;
}

/** Rows are queries, columns keys. Scores are taken times log2(e): exp2 is what a GPU has. */
function forward(size: Size, tiles: Tiles): Shader {
  const { R, J } = tiles;
  const fours = R / 4;
  const largestOf = (i: number) => {
    const all = range(J / 4).map((h) => `s${i}_${h}`).reduce((a, b) => `max(${a}, ${b})`);
    return `let peak${i} = ${all};`;
  };
  const peak = (i: number) => `max(max(peak${i}.x, peak${i}.y), max(peak${i}.z, peak${i}.w))`;
  const softmax = `${block(tiles, (i, h) => `s${i}_${h} = ${within(size, tiles, h, `s${i}_${h}`, "-3.0e38")};`)}
  ${each(R, largestOf)}
  ${
    combine(
      "top",
      tiles,
      (g) => `vec4(${range(4).map((i) => peak(4 * g + i)).join(", ")})`,
      (a, b) => `max(${a}, ${b})`,
    )
  }
  ${
    each(fours, (g) =>
      `let next${g} = max(largest${g}, top${g});
  let shrink${g} = exp2(largest${g} - next${g});
  largest${g} = next${g};`)
  }
  ${block(tiles, (i, h) => `s${i}_${h} = exp2(s${i}_${h} - ${ofRow("next", i)});`)}
  ${
    each(R, (i) =>
      `${ofRow("total", i)} = ${ofRow("total", i)} * ${ofRow("shrink", i)} + dot(${
        range(J / 4).map((h) =>
          `s${i}_${h}`
        ).join(" + ")
      }, vec4(1.0));`)
  }
  ${scaleSums("sum", tiles, (i) => ofRow("shrink", i))}`;
  return perTile(
    size,
    tiles,
    ["queries"],
    [writer("store", "y", size)],
    `${load({ queries: `scaled(${query}, SCALE * ${Math.LOG2E})` }, tiles)}
  ${zeroSums("sum", tiles)}
  ${each(fours, (g) => `var largest${g} = vec4(-3.0e38);\n  var total${g} = vec4<f32>();`)}
  ${
      overColumns(
        tiles,
        `${innerProducts("s", "queries", key, tiles)}
  ${softmax}
  ${addWeighted("sum", (i, h) => `s${i}_${h}`, value, tiles)}`,
      )
    }
  workgroupBarrier();
  ${combine("whole", tiles, (g) => `total${g}`, (a, b) => `${a} + ${b}`)}
  ${everySum("sum", tiles, (i) => `store(merged(b, n, t), pair, scaled(sum, 1.0 / ${ofRow("whole", i)}));`)}
  if (tx == 0u) {
    ${
      each(R, (i) =>
        `if (first + ${rowOf(i, tiles)} < T) {
      logSumExp[ofRow(b, n, first + ${rowOf(i, tiles)})] = (${ofRow("largest", i)} + log2(${
          ofRow("whole", i)
        })) * ${Math.LN2};
    }`)
    }
  }`,
  );
}

/** exp(score - logSumExp), the latter in units of log2(e). */
const share = (score: string, kept: string) => `exp2(${score} * (SCALE * ${Math.LOG2E}) - ${kept})`;

/** Rows are queries, columns keys. Also keeps Σ dO·O of each query for the other half of the gradient. */
function queryGradient(size: Size, tiles: Tiles): Shader {
  const { R } = tiles;
  const fours = R / 4;
  const change = (i: number, h: number) =>
    within(size, tiles, h, `${share(`s${i}_${h}`, ofRow("kept", i))} * (p${i}_${h} - ${ofRow("along", i)})`, "");
  return perTile(
    size,
    tiles,
    ["queries", "slopes"],
    [reader("slope", "dy", size), reader("answer", "y", size), writer("store", "dqkv", size)],
    `${load({ queries: query, slopes: slope }, tiles)}
  ${zeroSums("sum", tiles)}
  ${each(fours, (g) => `var own${g} = vec4<f32>();\n  var kept${g} = vec4<f32>();`)}
  ${
      everySum("sum", tiles, (i) =>
        `let o = answer(merged(b, n, t), pair);
      let d = ${slope};
      ${ofRow("own", i)} += dot(d.low, o.low) + dot(d.high, o.high);`)
    }
  ${combine("along", tiles, (g) => `own${g}`, (a, b) => `${a} + ${b}`)}
  ${
      each(R, (i) =>
        `if (first + ${rowOf(i, tiles)} < T) {
    ${ofRow("kept", i)} = logSumExp[ofRow(b, n, first + ${rowOf(i, tiles)})] * ${Math.LOG2E};
    if (tx == 0u) { along[ofRow(b, n, first + ${rowOf(i, tiles)})] = ${ofRow("along", i)}; }
  }`)
    }
  ${
      overColumns(
        tiles,
        `${innerProducts("s", "queries", key, tiles)}
  ${innerProducts("p", "slopes", value, tiles)}
  ${block(tiles, (i, h) => `s${i}_${h} = ${change(i, h)};`)}
  ${addWeighted("sum", (i, h) => `s${i}_${h}`, key, tiles)}`,
      )
    }
  ${everySum("sum", tiles, () => `store(at(b, n, 0u, t), pair, turnedBack(scaled(sum, SCALE), t, pair));`)}`,
  );
}

/** Rows are keys, columns queries. */
function keyValueGradient(size: Size, tiles: Tiles): Shader {
  const { J } = tiles;
  const columns = each(J / 4, (h) =>
    `var kept${h} = vec4(3.0e38);
  var along${h} = vec4<f32>();
  ${
      XYZW.map((c, j) =>
        `if (start + ${columnsOf(h, tiles)} + ${j}u < T) {
    kept${h}.${c} = logSumExp[ofRow(b, n, start + ${columnsOf(h, tiles)} + ${j}u)] * ${Math.LOG2E};
    along${h}.${c} = along[ofRow(b, n, start + ${columnsOf(h, tiles)} + ${j}u)];
  }`
      ).join("\n  ")
    }`);
  return perTile(
    size,
    tiles,
    ["keys", "values"],
    [reader("slope", "dy", size), writer("store", "dqkv", size)],
    `${load({ keys: key, values: value }, tiles)}
  ${zeroSums("dk", tiles)}
  ${zeroSums("dv", tiles)}
  ${
      overColumns(
        tiles,
        `${columns}
  ${innerProducts("s", "keys", query, tiles)}
  ${block(tiles, (i, h) => `s${i}_${h} = ${share(`s${i}_${h}`, `kept${h}`)};`)}
  ${addWeighted("dv", (i, h) => `s${i}_${h}`, slope, tiles)}
  ${innerProducts("p", "values", slope, tiles)}
  ${block(tiles, (i, h) => `s${i}_${h} *= p${i}_${h} - along${h};`)}
  ${addWeighted("dk", (i, h) => `s${i}_${h}`, query, tiles)}`,
      )
    }
  ${everySum("dv", tiles, () => `store(at(b, n, 2u, t), pair, sum);`)}
  ${everySum("dk", tiles, () => `store(at(b, n, 1u, t), pair, turnedBack(scaled(sum, SCALE), t, pair));`)}`,
  );
}

function sizeOf([B, T, packed]: number[], heads: number): Size {
  return { B, T, N: heads, K: packed / 3 / heads };
}

/** The tiling that is given, or the one to be preferred. */
function tilesFor(shader: keyof typeof SHADERS, backend: WebGPUBackend, { T, K }: Size, tiling?: Tiling): Tiles {
  return tilesOf(tiling ?? tilingsFor(shader, T, K, workgroupLimits(backend).bytes)[0], K);
}

/** What a shader depends on beside its tensors' shapes. */
const keyOf = (shader: keyof typeof SHADERS, heads: number, tiles: Tiles) =>
  `${shader} ${heads} ${JSON.stringify(tiles)}`;

type Inputs = Record<string, TensorInfo>;

/** Attention's output `[B, T, N K]` and log-sum-exp `[B, N, T]`. */
export function attend(backend: WebGPUBackend, { qkv, cos, sin }: Inputs, heads: number, tiling?: Tiling) {
  const size = sizeOf(qkv.shape, heads);
  const { B, T, N, K } = size;
  const y = output(backend, [B, T, N * K]);
  const logSumExp = output(backend, [B, N, T]);
  const tiles = tilesFor("forward", backend, size, tiling);
  dispatch(backend, keyOf("forward", heads, tiles), () => forward(size, tiles), { qkv, cos, sin }, { y, logSumExp });
  return [y, logSumExp];
}

/** The gradient of `qkv`, its two halves in tilings of their own. */
export function attendGradient(
  backend: WebGPUBackend,
  { dy, qkv, cos, sin, output: y, logSumExp }: Inputs,
  heads: number,
  tilings: { queries?: Tiling; keys?: Tiling } = {},
) {
  const size = sizeOf(qkv.shape, heads);
  const dqkv = output(backend, qkv.shape);
  const along = output(backend, logSumExp.shape);
  const queries = tilesFor("queryGradient", backend, size, tilings.queries);
  const keys = tilesFor("keyValueGradient", backend, size, tilings.keys);
  const ofQueries = { dy, qkv, cos, sin, y, logSumExp };
  dispatch(backend, keyOf("queryGradient", heads, queries), () => queryGradient(size, queries), ofQueries, {
    dqkv,
    along,
  });
  const ofKeys = { dy, qkv, cos, sin, logSumExp, along };
  dispatch(backend, keyOf("keyValueGradient", heads, keys), () => keyValueGradient(size, keys), ofKeys, { dqkv });
  backend.disposeData(along.dataId);
  return [dqkv];
}

/** Kernels by operation. */
export const attentionKernels: Record<string, Kernel> = {
  Attention: (backend, inputs, { heads }) => attend(backend, inputs, heads),
  AttentionGradient: (backend, inputs, { heads }) => attendGradient(backend, inputs, heads),
};
