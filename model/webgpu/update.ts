/**
 * The optimiser's kernels: many parameters in one dispatch, as many as a shader may bind. Knows no network.
 *
 * @module
 */
import type * as tf from "@tensorflow/tfjs";
import type { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import type { AdamAttributes, UpdateAttributes } from "../kernels/adam.ts";
import { dispatch, output, type Shader, storageBuffers } from "./dispatch.ts";
import { elementKernels } from "./elements.ts";
import { type Kernel, sizeOf } from "./kernel.ts";

const THREADS = 256;

type Tensors = Record<string, tf.TensorInfo>;

/** A shader whose workgroups are dealt out to several bodies, each with `group` counted from its own first; one runs one `body`. */
function dealt(bodies: { groups: number; body: string }[], declarations: string): Shader {
  let end = 0;
  const cases = bodies.map(({ groups, body }) => {
    const begin = end;
    end += groups;
    return `if (all < ${end}u) {
    let group = all - ${begin}u;
    ${body}
    return;
  }`;
  });
  return {
    groups: end,
    code: `${declarations}
@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let all = workgroup.y * GROUPS_X + workgroup.x;
  ${cases.join("\n  ")}
}`,
  };
}

/** Lists of at most `size`. */
function chunks<T>(list: T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size));
}

/** WGSL: a parameter, its moments after a gradient. */
function adam(rule: AdamAttributes["rule"]): string {
  // WGSL does not promise atan2(0, 0), which is 0 by definition here.
  const direction = rule === "atan2"
    ? "var direction = 0.0; if (mean != 0.0) { direction = atan2(mean, root); }"
    : "let direction = mean / (root + 1e-8);";
  return `fn adam(parameter: f32, first: f32, second: f32, g: f32, decay: f32) -> vec3<f32> {
  let mean = first * uniforms[0].x + g * uniforms[0].y;
  let square = second * uniforms[0].z + g * g * uniforms[0].w;
  let root = sqrt(square * uniforms[1].x);
  ${direction}
  return vec3(parameter * decay - direction * uniforms[1].y, mean, square);
}`;
}

/**
 * Parameters after a gradient, with their moments and averages, as many a dispatch as can be bound.
 *
 * @param most tensors that a dispatch may bind, eight at least
 */
export function update(
  backend: WebGPUBackend,
  states: Tensors[],
  scale: tf.TensorInfo,
  attributes: UpdateAttributes,
  most = storageBuffers(backend),
): tf.TensorInfo[] {
  const { rule, learningRate, beta1, beta2, step, weightDecays, averageDecay } = attributes;
  if (states[0].average && most < 10) {
    // Not even one parameter can be bound with its average, which is brought along by itself then.
    return states.flatMap(({ average, ...state }, i) => {
      const moved = update(backend, [state], scale, { ...attributes, weightDecays: [weightDecays[i]] }, most);
      return [
        ...moved,
        ...elementKernels.MovingAverage(backend, { average, parameter: moved[0] }, { decay: averageDecay }),
      ];
    });
  }
  const results = states.map(({ parameter: { shape }, average }): Tensors => ({
    p: output(backend, shape),
    m: output(backend, shape),
    v: output(backend, shape),
    ...(average ? { a: output(backend, shape) } : {}),
  }));
  const common = [
    ...[beta1, 1 - beta1, beta2, 1 - beta2],
    ...[1 / (1 - beta2 ** step), learningRate / (1 - beta1 ** step), averageDecay, 1 - averageDecay],
  ];
  const bound = Object.keys({ ...states[0], ...results[0] }).length;
  const each = Math.floor((most - 1) / bound);
  for (const chunk of chunks(states.map((_, i) => i), each)) {
    const bodies = () =>
      chunk.map((i, place) => ({
        groups: Math.ceil(sizeOf(states[i].parameter) / THREADS),
        body: `let index = group * ${THREADS}u + thread;
    if (index >= ${sizeOf(states[i].parameter)}u) { return; }
    let decay = uniforms[${2 + (place >> 2)}].${"xyzw"[place % 4]};
    let g = gradient${place}[index] * scale[0];
    let moved = adam(parameter${place}[index], first${place}[index], second${place}[index], g, decay);
    p${place}[index] = moved.x;
    m${place}[index] = moved.y;
    v${place}[index] = moved.z;
    ${states[i].average ? `a${place}[index] = average${place}[index] * uniforms[1].z + moved.x * uniforms[1].w;` : ""}`,
      }));
    const named = (tensors: Tensors[]): Tensors =>
      Object.fromEntries(
        chunk.flatMap((i, place) => Object.entries(tensors[i]).map(([name, tensor]) => [name + place, tensor])),
      );
    const decays = chunk.map((i) => 1 - learningRate * weightDecays[i]);
    const tensors = { ...named(states), scale };
    const shader = () => dealt(bodies(), adam(rule));
    dispatch(backend, `AdamUpdates ${rule}`, shader, tensors, named(results), [...common, ...decays]);
  }
  return results.flatMap((result) => Object.values(result));
}

/** Workgroups that a gradient's squares are summed by, at most: what they find is summed by one. */
const MOST_PARTIALS = 64;

/** WGSL: the sum of `own` of all threads, known to the first. */
const SUM = `var<workgroup> partial: array<f32, ${THREADS}>;
fn sum(thread: u32, own: f32) -> f32 {
  partial[thread] = own;
  for (var stride = ${THREADS / 2}u; stride > 0u; stride /= 2u) {
    workgroupBarrier();
    if (thread < stride) { partial[thread] += partial[thread + stride]; }
  }
  return partial[0];
}`;

/** Kernels by operation. */
export const updateKernels: Record<string, Kernel> = {
  AdamUpdate(backend, { scale, ...state }, { weightDecay, ...rule }) {
    const attributes = { ...rule, weightDecays: [weightDecay], averageDecay: 0 } as UpdateAttributes;
    return update(backend, [state], scale, attributes);
  },

  AdamUpdates(backend, { scale, ...inputs }, attributes) {
    const states = (attributes as UpdateAttributes).weightDecays.map((_, i): Tensors =>
      Object.fromEntries(
        ["parameter", "first", "second", "gradient", "average"].filter((name) => inputs[name + i])
          .map((name) => [name, inputs[name + i]]),
      )
    );
    return update(backend, states, scale, attributes as UpdateAttributes);
  },

  ClipScale(backend, inputs, { clipNorm }) {
    const gradients = Object.values(inputs);
    const groups = gradients.map((gradient) => Math.min(MOST_PARTIALS, Math.ceil(sizeOf(gradient) / (4 * THREADS))));
    const count = groups.reduce((a, b) => a + b, 0);
    const squares = output(backend, [count]);
    let first = 0;
    for (const chunk of chunks(gradients.map((_, i) => i), storageBuffers(backend) - 1)) {
      const start = first;
      const bodies = () =>
        chunk.map((i, place) => ({
          groups: groups[i],
          body: `var own = 0.0;
    for (var i = group * ${THREADS}u + thread; i < ${sizeOf(gradients[i])}u; i += ${groups[i] * THREADS}u) {
      own += gradient${place}[i] * gradient${place}[i];
    }
    let whole = sum(thread, own);
    if (thread == 0u) { squares[${start}u + all] = whole; }`,
        }));
      const named = Object.fromEntries(chunk.map((i, place) => [`gradient${place}`, gradients[i]]));
      dispatch(backend, `ClipScale ${start}`, () => dealt(bodies(), SUM), named, { squares });
      first += chunk.reduce((sum, i) => sum + groups[i], 0);
    }
    const [scale, norm] = [output(backend, []), output(backend, [])];
    const whole = `var own = 0.0;
    for (var i = thread; i < ${count}u; i += ${THREADS}u) { own += squares[i]; }
    let root = sqrt(sum(thread, own));
    if (thread == 0u) {
      norm[0] = root;
      scale[0] = min(1.0, uniforms[0].x / (root + 1e-6));
    }`;
    const shader = () => dealt([{ groups: 1, body: whole }], SUM);
    dispatch(backend, "ClipScale", shader, { squares }, { scale, norm }, [clipNorm]);
    backend.disposeData(squares.dataId);
    return [scale, norm];
  },
};
