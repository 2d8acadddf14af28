/**
 * Kernels on single elements: SwiGLU, the shift of neighbours, token vectors and the moving average.
 *
 * @module
 */
import { NEIGHBOURS } from "../kernels/neighbour_shift.ts";
import { dispatch, elementwise, output, type Shader } from "./dispatch.ts";
import { type Kernel, sizeOf } from "./kernel.ts";

const sigmoid = "fn sigmoid(x: f32) -> f32 { return 1.0 / (1.0 + exp(-x)); }";

/** Threads that share an element of a table. */
const SHARING = 64;

/** Elements that keep a large device busy with a thread each. */
const ENOUGH = 2 ** 16;

/** Each of a table's `size` elements over its `count` tokens: by the threads of a workgroup where tokens are many and elements few, else by one. */
function tableGradient(size: number, vocabulary: number, D: number, count: number): Shader {
  const sum = (start: string, step: number) =>
    `let d = index % ${D}u;
  let entry = i32((index / ${D}u) % ${vocabulary}u);
  let first = (index / ${vocabulary * D}u) * ${count}u;
  var own = 0.0;
  for (var i = first + ${start}; i < first + ${count}u; i += ${step}u) {
    if (i32(tokens[i]) == entry) { own += dy[i * ${D}u + d]; }
  }`;
  if (count <= 4 * SHARING || size >= ENOUGH) return elementwise(size, `${sum("0u", 1)}\n  dTable[index] = own;`);
  return {
    groups: size,
    code: `var<workgroup> partial: array<f32, ${SHARING}>;
@compute @workgroup_size(${SHARING})
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let index = workgroup.y * GROUPS_X + workgroup.x;
  if (index >= ${size}u) { return; }
  ${sum("thread", SHARING)}
  partial[thread] = own;
  for (var stride = ${SHARING / 2}u; stride > 0u; stride /= 2u) {
    workgroupBarrier();
    if (thread < stride) { partial[thread] += partial[thread + stride]; }
  }
  if (thread == 0u) { dTable[index] = partial[0]; }
}`,
  };
}

/** Kernels by operation. */
export const elementKernels: Record<string, Kernel> = {
  SwiGlu(backend, { gateUp }) {
    const width = gateUp.shape.at(-1)! / 2;
    const y = output(backend, [...gateUp.shape.slice(0, -1), width]);
    const body = `let at = (index / ${width}u) * ${2 * width}u + index % ${width}u;
  let gate = gateUp[at];
  y[index] = gate * sigmoid(gate) * gateUp[at + ${width}u];`;
    dispatch(backend, "SwiGlu", () => elementwise(sizeOf(y), body, sigmoid), { gateUp }, { y });
    return [y];
  },

  SwiGluGradient(backend, { dy, gateUp }) {
    const width = gateUp.shape.at(-1)! / 2;
    const dx = output(backend, gateUp.shape);
    const body = `let at = (index / ${width}u) * ${2 * width}u + index % ${width}u;
  let gate = gateUp[at];
  let s = sigmoid(gate);
  dx[at] = dy[index] * gateUp[at + ${width}u] * s * (1.0 + gate * (1.0 - s));
  dx[at + ${width}u] = dy[index] * gate * s;`;
    dispatch(backend, "SwiGluGradient", () => elementwise(sizeOf(dy), body, sigmoid), { dy, gateUp }, { dx });
    return [dx];
  },

  NeighbourShift(backend, { x }, { side, prefix, direction }) {
    const [, T, D] = x.shape;
    const group = Math.floor(D / 16);
    const y = output(backend, x.shape);
    const list = (axis: 0 | 1) => NEIGHBOURS.map((offset) => direction * offset[axis]).join(", ");
    const body = `let d = index % ${D}u;
  let t = (index / ${D}u) % ${T}u;
  if (t < ${prefix}u || d >= ${8 * group}u) { y[index] = x[index]; return; }
  let cell = i32(t - ${prefix}u);
  let neighbour = d / ${Math.max(group, 1)}u;
  let row = cell / ${side} + ROWS[neighbour];
  let column = cell % ${side} + COLUMNS[neighbour];
  if (row < 0 || row >= ${side} || column < 0 || column >= ${side}) { y[index] = 0.0; return; }
  let first = index / ${T * D}u * ${T * D}u;
  y[index] = x[first + (${prefix}u + u32(row * ${side} + column)) * ${D}u + d];`;
    const declarations = `var<private> ROWS: array<i32, 8> = array<i32, 8>(${list(0)});
var<private> COLUMNS: array<i32, 8> = array<i32, 8>(${list(1)});`;
    const key = `NeighbourShift ${side} ${prefix} ${direction}`;
    dispatch(backend, key, () => elementwise(sizeOf(x), body, declarations), { x }, { y });
    return [y];
  },

  TokenEmbedding(backend, { tokens, table }, { vocabulary, perSample }) {
    const [B, S] = tokens.shape;
    const D = table.shape.at(-1)!;
    const y = output(backend, [B, S, D]);
    const sample = perSample ? `(index / ${S * D}u) * ${vocabulary}u + ` : "";
    const body = `let token = u32(tokens[index / ${D}u]);
  y[index] = table[(${sample}token) * ${D}u + index % ${D}u];`;
    dispatch(backend, `TokenEmbedding ${perSample}`, () => elementwise(sizeOf(y), body), { tokens, table }, { y });
    return [y];
  },

  /** No atomics: the same sum every time. */
  TokenEmbeddingGradient(backend, { dy, tokens }, { vocabulary, perSample }) {
    const [B, S, D] = dy.shape;
    const dTable = output(backend, perSample ? [B, vocabulary, D] : [vocabulary, D]);
    const shader = () => tableGradient(sizeOf(dTable), vocabulary, D, perSample ? S : B * S);
    dispatch(backend, "TokenEmbeddingGradient", shader, { dy, tokens }, { dTable });
    return [dTable];
  },

  SumOfThree(backend, { a, b, c }) {
    const y = output(backend, a.shape);
    const shader = () => elementwise(sizeOf(y), "y[index] = a[index] + (b[index] + c[index]);");
    dispatch(backend, "SumOfThree", shader, { a, b, c }, { y });
    return [y];
  },

  MovingAverage(backend, { average, parameter }, { decay }) {
    const y = output(backend, average.shape);
    const body = "y[index] = average[index] * uniforms[0].x + parameter[index] * uniforms[0].y;";
    const shader = () => elementwise(sizeOf(y), body);
    dispatch(backend, "MovingAverage", shader, { average, parameter }, { y }, [decay, 1 - decay]);
    return [y];
  },
};
