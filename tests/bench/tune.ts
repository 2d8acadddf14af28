/**
 * Times the products of the official network's training step in every tile, for the table in model/webgpu/product_tiles.ts, and its attention in every
 * tiling, for the order in model/webgpu/attention_tiles.ts.
 *
 *     deno task tune                     a table of GFLOP/s, the table's own choice marked
 *     deno task tune --rows 901          of a batch of one
 *     deno task tune --attention         a table of milliseconds and TFLOP/s of attention
 *     deno task tune --out tiles.json    the same numbers as a file, too
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import type { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import { startBackend } from "../../model/backend.ts";
import { attend, attendGradient } from "../../model/webgpu/attention.ts";
import { type Tiling, tilingsFor } from "../../model/webgpu/attention_tiles.ts";
import { workgroupLimits } from "../../model/webgpu/dispatch.ts";
import { normalisedLayer, product } from "../../model/webgpu/layers.ts";
import { partsFor, rowTileFor, threadsOf, type Tile, tileBytes, tileFor } from "../../model/webgpu/product_tiles.ts";
import { timeQueued } from "./queued.ts";
import { numberOption, parseArguments, runCommand } from "../../train/command_line.ts";

const HELP = `Times the matrix products of the official network on the GPU, in every tile.

Usage: deno task tune [--rows N] [--attention] [--out FILE]

  --rows N     positions in a batch. Default: 28832, a batch of 32
  --attention  times attention and its gradient instead, in every tiling
  --out FILE   write the numbers as JSON, too
  --help       this text`;

const square = (depth: number): Tile[] =>
  [[128, 128], [128, 64], [64, 128], [64, 64]].map(([rows, columns]) => ({ rows, columns, depth, thread: [8, 8] }));

/** Tiles of products. */
const TILES: Tile[] = [
  ...square(8),
  ...square(16),
  { rows: 256, columns: 128, depth: 8, thread: [16, 8] },
  { rows: 128, columns: 128, depth: 8, thread: [8, 4] },
  { rows: 64, columns: 64, depth: 16, thread: [4, 4] },
];

/** Tiles of products in f16. */
const HALF_TILES: Tile[] = [
  ...square(16),
  ...square(32).slice(0, 1),
  { rows: 128, columns: 128, depth: 16, thread: [8, 4] },
  { rows: 256, columns: 128, depth: 16, thread: [16, 8] },
];

/** Tiles of whole rows; `null`, a product and a norm. */
const ROW_TILES: (Tile | null)[] = [
  null,
  ...[4, 8, 16].map((depth): Tile => ({ rows: 32, columns: 512, depth, thread: [8, 8] })),
  ...[4, 8].map((depth): Tile => ({ rows: 16, columns: 512, depth, thread: [4, 8] })),
  { rows: 64, columns: 512, depth: 8, thread: [8, 8] },
];

/** One time. */
interface Timing {
  product: string;
  tile: string;
  parts: number;
  gflops: number;
  /** Whether the table chooses this. */
  chosen: boolean;
}

const nameOf = (tile: Tile | null) =>
  tile ? `${tile.rows}x${tile.columns}x${tile.depth}, ${tile.thread.join("x")}` : "product, then norm";

/** A matrix of random columns: a number a cell would take the host longer than all the products. */
function matrix(rows: number, columns: number): tf.Tensor {
  return tf.tidy(() => tf.tile(tf.randomUniform([1, columns], -1, 1), [rows, 1]));
}

/** Milliseconds of queues that are timed: the wait for a reading is a few of them. */
const LEAST = 200;

/** Milliseconds of one call. */
function time(compute: () => tf.TensorInfo[]): Promise<number> {
  return timeQueued(() => compute().map((info) => tf.engine().makeTensorFromTensorInfo(info)), LEAST);
}

/** Attention of the presets: batch, positions, heads and their width. */
const HEADS: [B: number, T: number, N: number, K: number][] = [[32, 901, 8, 64], [768, 26, 4, 32], [64, 108, 4, 16]];

/** One time of attention, or of its gradient with one of its two shaders in a tiling, the other in the table's choice. */
interface AttentionTiming {
  shape: number[];
  shader: string;
  tiling: Tiling;
  ms: number;
  tflops: number;
}

/** Times attention in each tiling that may be chosen, the choice first. A gradient counts as five products, though two of them are made twice. */
async function tuneAttention(backend: WebGPUBackend): Promise<AttentionTiming[]> {
  const limit = workgroupLimits(backend).bytes;
  const timings: AttentionTiming[] = [];
  for (const [B, T, N, K] of HEADS) {
    const heads = (width: number) => tf.reshape(matrix(B * T, width), [B, T, width]);
    const places = { cos: matrix(T, K), sin: matrix(T, K) };
    const inputs = { qkv: heads(3 * N * K), dy: heads(N * K), ...places };
    const [output, logSumExp] = attend(backend, inputs, N).map((info) => tf.engine().makeTensorFromTensorInfo(info));
    const all = { ...inputs, output, logSumExp };
    const shaders = {
      forward: { products: 2, compute: (tiling: Tiling) => attend(backend, inputs, N, tiling) },
      queryGradient: { products: 5, compute: (queries: Tiling) => attendGradient(backend, all, N, { queries }) },
      keyValueGradient: { products: 5, compute: (keys: Tiling) => attendGradient(backend, all, N, { keys }) },
    };
    for (const shader of ["forward", "queryGradient", "keyValueGradient"] as const) {
      const { products, compute } = shaders[shader];
      for (const [i, tiling] of tilingsFor(shader, T, K, limit).entries()) {
        const ms = await time(() => compute(tiling));
        const tflops = products * 2 * B * N * T * T * K / ms / 1e9;
        timings.push({ shape: [B, T, N, K], shader, tiling, ms, tflops });
        const { across, down, R, J, lines } = tiling;
        console.log(
          `${`B ${B} T ${T} N ${N} K ${K}`.padEnd(22)} ${shader.padEnd(16)} ${
            `${across}x${down} threads, ${R}x${J}, ${lines} lines`.padEnd(28)
          } ${ms.toFixed(3).padStart(8)} ms ${tflops.toFixed(1).padStart(5)} TFLOP/s${i ? "" : "  <"}`,
        );
      }
    }
    tf.dispose(all);
  }
  return timings;
}

async function tune(args: string[]): Promise<void> {
  const given = parseArguments(args, ["rows", "out"], ["attention"]);
  const rows = numberOption(given, "rows", { min: 1, whole: true }) ?? 28832;
  console.log((await startBackend("webgpu")).description);
  const backend = tf.backend() as WebGPUBackend;
  if (given.flags.has("attention")) {
    const attention = await tuneAttention(backend);
    if (given.values.out) await Deno.writeTextFile(given.values.out, JSON.stringify({ attention }, null, 2) + "\n");
    return;
  }
  const limits = workgroupLimits(backend);
  const runs = (tile: Tile, half = false) => tileBytes(tile, half) <= limits.bytes && threadsOf(tile) <= limits.threads;
  const timings: Timing[] = [];
  const report = (timing: Timing) => {
    timings.push(timing);
    const { product, tile, parts, gflops, chosen } = timing;
    console.log(
      `${product.padEnd(26)} ${tile.padEnd(20)} ${String(parts).padStart(2)} ${gflops.toFixed(0).padStart(8)} GFLOP/s${
        chosen ? "  <" : ""
      }`,
    );
  };
  const layers: [number, number][] = [[1536, 512], [512, 512], [3072, 512], [512, 1536]];
  for (const [out, into] of layers) {
    const sizes: [string, number, number, number, boolean, boolean][] = [
      ["x Wᵀ", rows, out, into, false, true],
      ["dy W", rows, into, out, false, false],
      ["dyᵀ x", out, into, rows, true, false],
    ];
    for (const [name, m, n, k, transposeA, transposeB] of sizes) {
      const a = transposeA ? matrix(k, m) : matrix(m, k);
      const b = transposeB ? matrix(n, k) : matrix(k, n);
      // Gradients stay f32.
      for (const half of name === "x Wᵀ" && backend.device.features.has("shader-f16") ? [false, true] : [false]) {
        const best = tileFor(m, n, { half });
        for (const tile of (half ? HALF_TILES : TILES).filter((tile) => runs(tile, half))) {
          const cuts = partsFor(m, n, k, 1, tile);
          for (const parts of transposeA ? new Set([cuts, 2 * cuts]) : [cuts]) {
            const ms = await time(
              () => [product(backend, a, b, transposeA, transposeB, { tile, parts, half })],
            );
            report({
              product: `${name} ${m}x${n}x${k}${half ? " f16" : ""}`,
              tile: nameOf(tile),
              parts,
              gflops: 2 * m * n * k / ms / 1e6,
              chosen: parts === cuts && nameOf(tile) === nameOf(best),
            });
          }
        }
      }
      tf.dispose([a, b]);
    }
  }
  for (const k of [512, 1536]) {
    const [x, W, residual] = [matrix(rows, k), matrix(512, k), matrix(rows, 512)];
    const best = rowTileFor(rows, 512, limits);
    for (const tile of ROW_TILES.filter((tile) => !tile || runs(tile))) {
      const ms = await time(() => normalisedLayer(backend, x, W, residual, 1e-5, tile));
      const chosen = nameOf(tile) === nameOf(best ?? null);
      report({
        product: `rms(r + x Wᵀ) ${rows}x512x${k}`,
        tile: nameOf(tile),
        parts: 1,
        gflops: rows * 1024 * k / ms / 1e6,
        chosen,
      });
    }
    tf.dispose([x, W, residual]);
  }
  if (given.values.out) await Deno.writeTextFile(given.values.out, JSON.stringify({ rows, timings }, null, 2) + "\n");
}

if (import.meta.main) Deno.exit(await runCommand(HELP, Deno.args, tune));
