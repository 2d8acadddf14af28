/**
 * Attention with its rotation, tile by tile with a running softmax: scores live in registers, never in memory (FlashAttention's way; the
 * gradient takes the scores up again from the kept log-sum-exp).
 *
 * @module
 */
import { dispatch, output, type Shader } from "./dispatch.ts";
import type { Kernel } from "./kernel.ts";

/** Threads of a workgroup: each owns one position. */
const THREADS = 64;

/** Positions whose vectors a workgroup shares at a time: two vectors of 64 and a number each must fit 16 KiB. */
const TILE = 16;

interface Size {
  B: number;
  T: number;
  N: number;
  K: number;
}

/** WGSL: four numbers of a tensor's vector from element 4·part on, zeros beyond the vector. */
function fours(name: string, tensor: string): string {
  return `fn ${name}(vector: u32, part: u32) -> vec4<f32> {
  var four = vec4<f32>();
  for (var i = 0u; i < min(4u, K - 4u * part); i++) { four[i] = ${tensor}[vector + 4u * part + i]; }
  return four;
}`;
}

/**
 * What all shaders here begin with. Vectors are held in fours, `PARTS` of them; a tile holds two vectors a position, `first` and `second`.
 * `at(b, n, part, t)` is where the query (0), key (1) or value (2) of position t begins.
 */
function common({ T, N, K }: Size): string {
  const parts = Math.ceil(K / 4);
  return `const T = ${T}u;
const K = ${K}u;
const HALF = ${K / 2}u;
const PARTS = ${parts}u;
const SCALE = ${1 / Math.sqrt(K)};
var<workgroup> first: array<vec4<f32>, ${TILE * parts}>;
var<workgroup> second: array<vec4<f32>, ${TILE * parts}>;
fn at(b: u32, n: u32, part: u32, t: u32) -> u32 { return (b * T + t) * ${3 * N * K}u + part * ${N * K}u + n * K; }
fn merged(b: u32, n: u32, t: u32) -> u32 { return (b * T + t) * ${N * K}u + n * K; }
${fours("packed", "qkv")}
fn rotated(vector: u32, t: u32, part: u32) -> vec4<f32> {
  var four = vec4<f32>();
  for (var e = 0u; e < min(4u, K - 4u * part); e++) {
    let i = 4u * part + e;
    var turned = 0.0;
    if (i < HALF) { turned = -qkv[vector + i + HALF]; } else { turned = qkv[vector + i - HALF]; }
    four[e] = qkv[vector + i] * cos[t * K + i] + turned * sin[t * K + i];
  }
  return four;
}`;
}

/** A shader with one thread a position of each head; `body` sees b, n, t, thread and whether the position is `real`. */
function perPosition(size: Size, declarations: string, body: string): Shader {
  const { B, T, N } = size;
  const blocks = Math.ceil(T / THREADS);
  return {
    groups: B * N * blocks,
    code: `${common(size)}
${declarations}
@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let group = workgroup.y * GROUPS_X + workgroup.x;
  if (group >= ${B * N * blocks}u) { return; }
  let t = (group % ${blocks}u) * ${THREADS}u + thread;
  let n = (group / ${blocks}u) % ${N}u;
  let b = group / ${blocks * N}u;
  let real = t < T;
  ${body}
}`,
  };
}

/** Loops over tiles of positions: `load` runs for each part i of each position s of a tile, `use` for each of its positions j. */
function tiles(load: string, use: string, after = ""): string {
  return `for (var start = 0u; start < T; start += ${TILE}u) {
    workgroupBarrier();
    for (var e = thread; e < ${TILE}u * PARTS; e += ${THREADS}u) {
      let s = start + e / PARTS;
      let i = e % PARTS;
      if (s < T) { ${load} }
    }
    ${after}
    workgroupBarrier();
    for (var j = 0u; j < min(${TILE}u, T - start); j++) {
      let s = start + j;
      ${use}
    }
  }`;
}

/** WGSL that turns the vector `x` back and stores it at `to` of dqkv. */
function storeTurnedBack(x: string, to: string): string {
  return `for (var i = 0u; i < HALF; i++) {
      let o = i + HALF;
      let low = ${x}[i / 4u][i % 4u];
      let high = ${x}[o / 4u][o % 4u];
      dqkv[${to} + i] = low * cos[t * K + i] + high * sin[t * K + i];
      dqkv[${to} + o] = high * cos[t * K + o] - low * sin[t * K + o];
    }`;
}

/** WGSL of private vectors, all zero. */
function vectors(...names: string[]): string {
  return names.map((name) => `var ${name}: array<vec4<f32>, PARTS>;`).join("\n  ");
}

const loadKeys = "first[e] = rotated(at(b, n, 1u, s), s, i); second[e] = packed(at(b, n, 2u, s), i);";

function forward(size: Size): Shader {
  return perPosition(
    size,
    "",
    `${vectors("q", "sum")}
  if (real) { for (var i = 0u; i < PARTS; i++) { q[i] = rotated(at(b, n, 0u, t), t, i) * SCALE; } }
  var largest = -3.0e38;
  var total = 0.0;
  ${
      tiles(
        loadKeys,
        `var score = 0.0;
      for (var i = 0u; i < PARTS; i++) { score += dot(q[i], first[j * PARTS + i]); }
      let next = max(largest, score);
      let shrink = exp(largest - next);
      let p = exp(score - next);
      total = total * shrink + p;
      for (var i = 0u; i < PARTS; i++) { sum[i] = sum[i] * shrink + p * second[j * PARTS + i]; }
      largest = next;`,
      )
    }
  if (real) {
    for (var i = 0u; i < K; i++) { y[merged(b, n, t) + i] = sum[i / 4u][i % 4u] / total; }
    logSumExp[(b * ${size.N}u + n) * T + t] = largest + log(total);
  }`,
  );
}

function queryGradient(size: Size): Shader {
  return perPosition(
    size,
    `${fours("slope", "dy")}
${fours("answer", "y")}`,
    `${vectors("q", "dO", "dq")}
  var along = 0.0;
  var kept = 0.0;
  if (real) {
    for (var i = 0u; i < PARTS; i++) {
      q[i] = rotated(at(b, n, 0u, t), t, i);
      dO[i] = slope(merged(b, n, t), i);
      along += dot(dO[i], answer(merged(b, n, t), i));
    }
    kept = logSumExp[(b * ${size.N}u + n) * T + t];
  }
  ${
      tiles(
        loadKeys,
        `var score = 0.0;
      var dP = 0.0;
      for (var i = 0u; i < PARTS; i++) {
        score += dot(q[i], first[j * PARTS + i]);
        dP += dot(dO[i], second[j * PARTS + i]);
      }
      let dS = exp(score * SCALE - kept) * (dP - along) * SCALE;
      for (var i = 0u; i < PARTS; i++) { dq[i] += dS * first[j * PARTS + i]; }`,
      )
    }
  if (real) {
    ${storeTurnedBack("dq", "at(b, n, 0u, t)")}
  }`,
  );
}

function keyValueGradient(size: Size): Shader {
  return perPosition(
    size,
    `${fours("slope", "dy")}
${fours("answer", "y")}
var<workgroup> along: array<f32, ${TILE}>;`,
    `${vectors("k", "v", "dk", "dv")}
  if (real) {
    for (var i = 0u; i < PARTS; i++) {
      k[i] = rotated(at(b, n, 1u, t), t, i);
      v[i] = packed(at(b, n, 2u, t), i);
    }
  }
  ${
      tiles(
        "first[e] = rotated(at(b, n, 0u, s), s, i); second[e] = slope(merged(b, n, s), i);",
        `var score = 0.0;
      var dP = 0.0;
      for (var i = 0u; i < PARTS; i++) {
        score += dot(k[i], first[j * PARTS + i]);
        dP += dot(v[i], second[j * PARTS + i]);
      }
      let p = exp(score * SCALE - logSumExp[(b * ${size.N}u + n) * T + s]);
      let dS = p * (dP - along[j]) * SCALE;
      for (var i = 0u; i < PARTS; i++) {
        dk[i] += dS * first[j * PARTS + i];
        dv[i] += p * second[j * PARTS + i];
      }`,
        `if (thread < ${TILE}u && start + thread < T) {
      let vector = merged(b, n, start + thread);
      var sum = 0.0;
      for (var i = 0u; i < PARTS; i++) { sum += dot(slope(vector, i), answer(vector, i)); }
      along[thread] = sum;
    }`,
      )
    }
  if (real) {
    ${storeTurnedBack("dk", "at(b, n, 1u, t)")}
    for (var i = 0u; i < K; i++) { dqkv[at(b, n, 2u, t) + i] = dv[i / 4u][i % 4u]; }
  }`,
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
    dispatch(backend, forward(size), { qkv, cos, sin }, { y, logSumExp });
    return [y, logSumExp];
  },

  AttentionGradient(backend, { dy, qkv, cos, sin, output: y, logSumExp }, { heads }) {
    const size = sizeOf(qkv.shape, heads);
    const dqkv = output(backend, qkv.shape);
    const inputs = { dy, qkv, cos, sin, y, logSumExp };
    dispatch(backend, queryGradient(size), inputs, { dqkv });
    dispatch(backend, keyValueGradient(size), inputs, { dqkv });
    return [dqkv];
  },
};
