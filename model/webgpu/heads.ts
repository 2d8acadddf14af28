/**
 * Vectors of heads in memory: WGSL that reads them in fours, turns them by their positions and back, and a shader with a workgroup for each tile of
 * positions of each head. Knows no softmax.
 *
 * @module
 */
import type { Shader } from "./dispatch.ts";
import {
  each,
  everyPart,
  everySum,
  inTile,
  range,
  rowOf,
  tileDeclarations,
  type Tiles,
  XYZW,
} from "./attention_tiles.ts";

/** Sizes of attention. */
export interface Size {
  B: number;
  T: number;
  N: number;
  K: number;
}

/** Whether vectors and their halves begin at whole fours: then memory is read in fours. */
const wide = ({ K }: Size) => K % 8 === 0;

/** WGSL: fours number `part` of the vector of a tensor that begins at `vector`, zeros beyond the vector. */
export function reader(name: string, tensor: string, size: Size): string {
  if (wide(size)) {
    return `fn ${name}(vector: u32, part: u32) -> vec4<f32> { return ${tensor}[vector / 4u + part]; }`;
  }
  return `fn ${name}(vector: u32, part: u32) -> vec4<f32> {
  var four = vec4<f32>();
  ${each(4, (e) => `if (4u * part + ${e}u < K) { four.${XYZW[e]} = ${tensor}[vector + 4u * part + ${e}u]; }`)}
  return four;
}`;
}

/** WGSL that writes what {@link reader} reads. */
export function writer(name: string, tensor: string, size: Size): string {
  return `fn ${name}(vector: u32, part: u32, four: vec4<f32>) {
  ${
    wide(size)
      ? `${tensor}[vector / 4u + part] = four;`
      : each(4, (e) => `if (4u * part + ${e}u < K) { ${tensor}[vector + 4u * part + ${e}u] = four.${XYZW[e]}; }`)
  }
}`;
}

/** WGSL: fours of a vector turned by its position, x cos + rotateHalf(x) sin. */
function rotation(size: Size): string {
  if (wide(size)) {
    return `fn rotated(vector: u32, t: u32, part: u32) -> vec4<f32> {
  let other = select(part - HALF / 4u, part + HALF / 4u, part < HALF / 4u);
  let sign = select(1.0, -1.0, part < HALF / 4u);
  let place = t * K / 4u + part;
  return packed(vector, part) * cos[place] + sign * packed(vector, other) * sin[place];
}`;
  }
  return `fn turned(vector: u32, t: u32, i: u32) -> f32 {
  if (i >= K) { return 0.0; }
  let other = select(i - HALF, i + HALF, i < HALF);
  let sign = select(1.0, -1.0, i < HALF);
  return qkv[vector + i] * cos[t * K + i] + sign * qkv[vector + other] * sin[t * K + i];
}
fn rotated(vector: u32, t: u32, part: u32) -> vec4<f32> {
  return vec4(${range(4).map((e) => `turned(vector, t, 4u * part + ${e}u)`).join(", ")});
}`;
}

/**
 * WGSL that turns sums, a gradient of turned vectors, back and stores them as queries (0) or keys (1). They pass through the tile of rows `name`,
 * for a thread may hold one half of a vector only.
 */
export function storeTurnedBack(sums: string, name: string, index: number, size: Size, tiles: Tiles): string {
  const at = (i: string) => `${inTile(name, `(${i}) / 4u`, "s", tiles)}[(${i}) % 4u]`;
  const back = wide(size)
    ? `let other = select(part - HALF / 4u, part + HALF / 4u, part < HALF / 4u);
      let sign = select(-1.0, 1.0, part < HALF / 4u);
      let place = t * K / 4u + part;
      let four = ${inTile(name, "part", "s", tiles)} * cos[place] + sign * ${
      inTile(name, "other", "s", tiles)
    } * sin[place];`
    : `var four = vec4<f32>();
      ${
      each(4, (e) =>
        `{
        let i = 4u * part + ${e}u;
        if (i < K) {
          let other = select(i - HALF, i + HALF, i < HALF);
          let sign = select(-1.0, 1.0, i < HALF);
          four.${XYZW[e]} = ${at("i")} * cos[t * K + i] + sign * ${at("other")} * sin[t * K + i];
        }
      }`)
    }`;
  const store = `let t = first + s;
    if (t < T && part < PARTS) {
      ${back}
      store(at(b, n, ${index}u, t), part, four);
    }`;
  return `${everySum("first", tiles, (i, c) => `${inTile(name, "part", rowOf(i), tiles)} = ${sums}${i}_${c};`)}
  workgroupBarrier();
  ${everyPart(tiles.M, tiles, store)}`;
}

/** What holds vectors of heads. */
const TENSORS = ["qkv", "cos", "sin", "y", "dy", "dqkv"];

/**
 * A shader with a workgroup for each tile of rows of each head; `body` sees b, n, its `first` position, thread, tx and ty.
 * `at(b, n, part, t)` is where the query (0), key (1) or value (2) of position t begins, `merged` its place among the outputs.
 */
export function perTile(size: Size, tiles: Tiles, declarations: string[], body: string): Shader {
  const { B, T, N, K } = size;
  const blocks = Math.ceil(T / tiles.M);
  return {
    groups: B * N * blocks,
    fours: wide(size) ? TENSORS : [],
    code: `const T = ${T}u;
const K = ${K}u;
const HALF = ${K / 2}u;
const SCALE = ${1 / Math.sqrt(K)};
${tileDeclarations(tiles)}
fn at(b: u32, n: u32, part: u32, t: u32) -> u32 { return (b * T + t) * ${3 * N * K}u + part * ${N * K}u + n * K; }
fn merged(b: u32, n: u32, t: u32) -> u32 { return (b * T + t) * ${N * K}u + n * K; }
fn ofRow(b: u32, n: u32, t: u32) -> u32 { return (b * ${N}u + n) * T + t; }
${reader("packed", "qkv", size)}
${rotation(size)}
${declarations.join("\n")}
@compute @workgroup_size(${tiles.threads})
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let group = workgroup.y * GROUPS_X + workgroup.x;
  if (group >= ${B * N * blocks}u) { return; }
  let first = (group % ${blocks}u) * ${tiles.M}u;
  let n = (group / ${blocks}u) % ${N}u;
  let b = group / ${blocks * N}u;
  let tx = thread % ACROSS;
  let ty = thread / ACROSS;
  ${body}
}`,
  };
}
