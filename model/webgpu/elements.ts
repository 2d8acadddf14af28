/**
 * Kernels on single elements: SwiGLU, the shift of neighbours, token vectors and the moving average.
 *
 * @module
 */
import { NEIGHBOURS } from "../kernels/neighbour_shift.ts";
import { dispatch, elementwise, output } from "./dispatch.ts";
import { type Kernel, sizeOf } from "./kernel.ts";

const sigmoid = "fn sigmoid(x: f32) -> f32 { return 1.0 / (1.0 + exp(-x)); }";

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

  /** A thread an element of the table, over all tokens: no atomics, the same sum every time. */
  TokenEmbeddingGradient(backend, { dy, tokens }, { vocabulary, perSample }) {
    const [B, S, D] = dy.shape;
    const dTable = output(backend, perSample ? [B, vocabulary, D] : [vocabulary, D]);
    const count = perSample ? S : B * S;
    const body = `let d = index % ${D}u;
  let entry = i32((index / ${D}u) % ${vocabulary}u);
  let first = (index / ${vocabulary * D}u) * ${count}u;
  var sum = 0.0;
  for (var i = first; i < first + ${count}u; i++) {
    if (i32(tokens[i]) == entry) { sum += dy[i * ${D}u + d]; }
  }
  dTable[index] = sum;`;
    dispatch(backend, `TokenEmbeddingGradient ${perSample}`, () => elementwise(sizeOf(dTable), body), { dy, tokens }, {
      dTable,
    });
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
