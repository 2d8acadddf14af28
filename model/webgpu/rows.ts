/**
 * Kernels on rows: RMSNorm with its residual, the loss, exact matches.
 *
 * @module
 */
import { dispatch, elementwise, output, type Shader } from "./dispatch.ts";
import { type Kernel, sizeOf } from "./kernel.ts";

/** Threads that share a row. */
const ROW_THREADS = 64;

/**
 * A shader with one workgroup a row of `width` elements: each thread adds `term` of its elements `i`, all see the row's `sum`, and `store` runs
 * for each element; `once` on one thread.
 */
function rowwise(
  rows: number,
  width: number,
  parts: { term: string; scale: string; store: string; once?: string },
): Shader {
  return {
    groups: rows,
    code: `var<workgroup> partial: array<f32, ${ROW_THREADS}>;
@compute @workgroup_size(${ROW_THREADS})
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let row = workgroup.y * GROUPS_X + workgroup.x;
  if (row >= ${rows}u) { return; }
  let first = row * ${width}u;
  var own = 0.0;
  for (var at = first + thread; at < first + ${width}u; at += ${ROW_THREADS}u) { own += ${parts.term}; }
  partial[thread] = own;
  for (var stride = ${ROW_THREADS / 2}u; stride > 0u; stride /= 2u) {
    workgroupBarrier();
    if (thread < stride) { partial[thread] += partial[thread + stride]; }
  }
  workgroupBarrier();
  let sum = partial[0];
  let scale = ${parts.scale};
  for (var at = first + thread; at < first + ${width}u; at += ${ROW_THREADS}u) { ${parts.store} }
  ${parts.once ? `if (thread == 0u) { ${parts.once} }` : ""}
}`,
  };
}

/** s(x) of stablemax and its slope (official models/losses.py, s). */
const stable = `fn s(x: f32) -> f32 { if (x < 0.0) { return 1.0 / (1.0 - x); } return x + 1.0; }
fn slope(x: f32) -> f32 { if (x < 0.0) { return 1.0 / ((1.0 - x) * (1.0 - x)); } return 1.0; }`;

/** WGSL over the row's logits from `first` on: `total`, the likelihood's denominator, and `shift`, what softmax subtracts. */
function denominator(likelihood: string, V: number): string {
  if (likelihood === "softmax") {
    return `var shift = logits[first];
  for (var i = 1u; i < ${V}u; i++) { shift = max(shift, logits[first + i]); }
  var total = 0.0;
  for (var i = 0u; i < ${V}u; i++) { total += exp(logits[first + i] - shift); }`;
  }
  return `var total = 0.0;
  for (var i = 0u; i < ${V}u; i++) { total += s(logits[first + i]); }`;
}

/** Kernels by operation. */
export const rowKernels: Record<string, Kernel> = {
  RmsNorm(backend, { x, residual }, { epsilon }) {
    const D = x.shape.at(-1)!;
    const y = output(backend, x.shape);
    const inverse = output(backend, [...x.shape.slice(0, -1), 1]);
    const shader = () =>
      rowwise(sizeOf(inverse), D, {
        term: "(x[at] + residual[at]) * (x[at] + residual[at])",
        scale: `inverseSqrt(sum / ${D}.0 + ${epsilon})`,
        store: "y[at] = (x[at] + residual[at]) * scale;",
        once: "inverse[row] = scale;",
      });
    dispatch(backend, `RmsNorm ${epsilon}`, shader, { x, residual }, { y, inverse });
    return [y, inverse];
  },

  RmsNormGradient(backend, { dy, y, inverse }) {
    const D = y.shape.at(-1)!;
    const dx = output(backend, y.shape);
    const shader = () =>
      rowwise(sizeOf(inverse), D, {
        term: "dy[at] * y[at]",
        scale: `sum / ${D}.0`,
        store: "dx[at] = inverse[row] * (dy[at] - y[at] * scale);",
      });
    dispatch(backend, "RmsNormGradient", shader, { dy, y, inverse }, { dx });
    return [dx];
  },

  CrossEntropy(backend, { logits, labels, weights }, { likelihood }) {
    const [R, V] = logits.shape;
    const loss = output(backend, [R]);
    const logP = likelihood === "softmax"
      ? "logits[first + u32(label)] - shift - log(total)"
      : "log(s(logits[first + u32(label)])) - log(total)";
    const body = () =>
      `let label = i32(labels[index]);
  if (label < 0) { loss[index] = 0.0; return; }
  let first = index * ${V}u;
  ${denominator(likelihood, V)}
  loss[index] = -weights[index] * (${logP});`;
    const shader = () => elementwise(R, body(), stable);
    dispatch(backend, `CrossEntropy ${likelihood}`, shader, { logits, labels, weights }, { loss });
    return [loss];
  },

  CrossEntropyGradient(backend, { dy, logits, labels, weights }, { likelihood }) {
    const [R, V] = logits.shape;
    const dx = output(backend, [R, V]);
    const store = likelihood === "softmax"
      ? "dx[first + i] = scale * (exp(logits[first + i] - shift) / total - select(0.0, 1.0, i == label));"
      : `let x = logits[first + i];
    dx[first + i] = scale * slope(x) * (1.0 / total - select(0.0, 1.0 / s(x), i == label));`;
    const body = () =>
      `let first = index * ${V}u;
  if (i32(labels[index]) < 0) {
    for (var i = 0u; i < ${V}u; i++) { dx[first + i] = 0.0; }
    return;
  }
  let label = u32(labels[index]);
  let scale = dy[index] * weights[index];
  ${denominator(likelihood, V)}
  for (var i = 0u; i < ${V}u; i++) {
    ${store}
  }`;
    const shader = () => elementwise(R, body(), stable);
    dispatch(backend, `CrossEntropyGradient ${likelihood}`, shader, { dy, logits, labels, weights }, { dx });
    return [dx];
  },

  /** The target is `wanted` here: WGSL keeps the other word for itself. */
  BinaryCrossEntropy(backend, { logits, target }) {
    const loss = output(backend, []);
    const shader = () =>
      rowwise(1, sizeOf(logits), {
        term: "max(logits[at], 0.0) - logits[at] * f32(wanted[at]) + log(1.0 + exp(-abs(logits[at])))",
        scale: "sum",
        store: "",
        once: "loss[0] = sum;",
      });
    dispatch(backend, "BinaryCrossEntropy", shader, { logits, wanted: target }, { loss });
    return [loss];
  },

  BinaryCrossEntropyGradient(backend, { dy, logits, target }) {
    const dx = output(backend, logits.shape);
    const body = "dx[index] = dy[0] * (1.0 / (1.0 + exp(-logits[index])) - f32(wanted[index]));";
    const shader = () => elementwise(sizeOf(dx), body);
    dispatch(backend, "BinaryCrossEntropyGradient", shader, { dy, logits, wanted: target }, { dx });
    return [dx];
  },

  CorrectTokens(backend, { logits, labels }) {
    const [R, V] = logits.shape;
    const correct = output(backend, [R]);
    const body = `let first = index * ${V}u;
  var best = 0u;
  for (var i = 1u; i < ${V}u; i++) { if (logits[first + i] > logits[first + best]) { best = i; } }
  let label = i32(labels[index]);
  correct[index] = select(0.0, 1.0, label < 0 || label == i32(best));`;
    dispatch(backend, "CorrectTokens", () => elementwise(R, body), { logits, labels }, { correct });
    return [correct];
  },
};
