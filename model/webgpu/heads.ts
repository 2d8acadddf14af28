/**
 * Vectors of heads in memory: WGSL that reads and writes them in pairs of fours, one from each half of a vector, turns pairs by their positions
 * and back, and a shader with a workgroup for each tile of positions of each head. Knows no softmax.
 *
 * @module
 */
import type { Shader } from "./dispatch.ts";
import { each, memory, XYZW } from "./attention_products.ts";
import type { Tiles } from "./attention_tiles.ts";

/** Sizes of attention. */
export interface Size {
  B: number;
  T: number;
  N: number;
  K: number;
}

/** Whether vectors and their halves begin at whole fours: then memory is read in fours. */
const wide = ({ K }: Size) => K % 8 === 0;

/** WGSL: pair number `pair` of the vector of a tensor that begins at `vector`, zeros beyond its halves. */
export function reader(name: string, tensor: string, size: Size): string {
  const pairs = Math.ceil(size.K / 8);
  // Strips may hold more pairs in all than a vector has, but for one, two, four, eight, ….
  const powerOfTwo = Number.isInteger(Math.log2(pairs));
  const body = wide(size)
    ? `${powerOfTwo ? "" : "if (pair >= PAIRS) { return Pair(); }"}
  return Pair(${tensor}[vector / 4u + pair], ${tensor}[vector / 4u + PAIRS + pair]);`
    : `var both: Pair;
  ${
      each(4, (e) =>
        `if (4u * pair + ${e}u < HALF) {
    both.low.${XYZW[e]} = ${tensor}[vector + 4u * pair + ${e}u];
    both.high.${XYZW[e]} = ${tensor}[vector + HALF + 4u * pair + ${e}u];
  }`)
    }
  return both;`;
  return `fn ${name}(vector: u32, pair: u32) -> Pair {
  ${body}
}`;
}

/** WGSL: four number `pair` of position t's first half in a table of rotations; the second half repeats it. */
function rotations(name: string, tensor: string, size: Size): string {
  const body = wide(size) ? `return ${tensor}[t * ${size.K / 4}u + pair];` : `var four = vec4<f32>();
  ${each(4, (e) => `if (4u * pair + ${e}u < HALF) { four.${XYZW[e]} = ${tensor}[t * K + 4u * pair + ${e}u]; }`)}
  return four;`;
  return `fn ${name}(t: u32, pair: u32) -> vec4<f32> {
  ${body}
}`;
}

/** WGSL that writes what {@link reader} reads. */
export function writer(name: string, tensor: string, size: Size): string {
  const body = wide(size)
    ? `${tensor}[vector / 4u + pair] = both.low;
  ${tensor}[vector / 4u + PAIRS + pair] = both.high;`
    : each(4, (e) =>
      `if (4u * pair + ${e}u < HALF) {
    ${tensor}[vector + 4u * pair + ${e}u] = both.low.${XYZW[e]};
    ${tensor}[vector + HALF + 4u * pair + ${e}u] = both.high.${XYZW[e]};
  }`);
  return `fn ${name}(vector: u32, pair: u32, both: Pair) {
  ${body}
}`;
}

/** WGSL: x cos + rotateHalf(x) sin by the position of a vector, and the same with the other sign. */
const ROTATION = `fn rotated(vector: u32, t: u32, pair: u32) -> Pair {
  let x = packed(vector, pair);
  let c = cosines(t, pair);
  let s = sines(t, pair);
  return Pair(x.low * c - x.high * s, x.high * c + x.low * s);
}
fn turnedBack(x: Pair, t: u32, pair: u32) -> Pair {
  let c = cosines(t, pair);
  let s = sines(t, pair);
  return Pair(x.low * c + x.high * s, x.high * c - x.low * s);
}`;

/** What holds vectors of heads. */
const TENSORS = ["qkv", "cos", "sin", "y", "dy", "dqkv"];

/**
 * A shader with a workgroup for each tile of rows of each head; `body` sees b, n, its `first` position, thread, tx and ty.
 * `at(b, n, part, t)` is where the query (0), key (1) or value (2) of position t begins, `merged` its place among the outputs.
 *
 * @param rows names of the tiles of rows
 */
export function perTile(size: Size, tiles: Tiles, rows: string[], accessors: string[], body: string): Shader {
  const { B, T, N, K } = size;
  const blocks = Math.ceil(T / tiles.M);
  return {
    groups: B * N * blocks,
    fours: wide(size) ? TENSORS : [],
    code: `const T = ${T}u;
const K = ${K}u;
const HALF = ${K / 2}u;
const PAIRS = ${tiles.pairs}u;
const SCALE = ${1 / Math.sqrt(K)};
struct Pair { low: vec4<f32>, high: vec4<f32> }
fn at(b: u32, n: u32, part: u32, t: u32) -> u32 { return (b * T + t) * ${3 * N * K}u + part * ${N * K}u + n * K; }
fn merged(b: u32, n: u32, t: u32) -> u32 { return (b * T + t) * ${N * K}u + n * K; }
fn ofRow(b: u32, n: u32, t: u32) -> u32 { return (b * ${N}u + n) * T + t; }
fn scaled(x: Pair, factor: f32) -> Pair { return Pair(x.low * factor, x.high * factor); }
${reader("packed", "qkv", size)}
${rotations("cosines", "cos", size)}
${rotations("sines", "sin", size)}
${ROTATION}
${accessors.join("\n")}
${memory(rows, tiles)}
@compute @workgroup_size(${tiles.threads})
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let group = workgroup.y * GROUPS_X + workgroup.x;
  if (group >= ${B * N * blocks}u) { return; }
  let first = (group % ${blocks}u) * ${tiles.M}u;
  let n = (group / ${blocks}u) % ${N}u;
  let b = group / ${blocks * N}u;
  let tx = thread % ${tiles.across}u;
  let ty = thread / ${tiles.across}u;
  ${body}
}`,
  };
}
