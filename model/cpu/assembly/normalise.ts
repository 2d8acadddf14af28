/**
 * RMSNorm of a sum and its gradient, SwiGLU's gate and its gradient: a row at a time.
 *
 * @module
 */
import { exp1, fused, get, get4, ones, rowOf, set, set4, sigmoid4, sum4 } from "./vector";

/** y = h · inverse, inverse = 1/√(mean(h²) + ε), h = x + residual; rows [from, to) of `width` floats. */
export function rmsNorm(
  x: usize,
  residual: usize,
  y: usize,
  inverse: usize,
  width: i32,
  epsilon: f64,
  from: i32,
  to: i32,
): void {
  for (let row = from; row < to; row++) {
    const a = rowOf(x, row, width);
    const b = rowOf(residual, row, width);
    const out = rowOf(y, row, width);
    let squares = f32x4.splat(0);
    let i: i32 = 0;
    for (; i + 4 <= width; i += 4) {
      const h = f32x4.add(get4(a, i), get4(b, i));
      squares = fused(h, h, squares);
      set4(out, i, h);
    }
    let sum = sum4(squares);
    for (; i < width; i++) {
      const h = get(a, i) + get(b, i);
      sum += h * h;
      set(out, i, h);
    }
    const scale = <f32> (1 / Math.sqrt(<f64> sum / <f64> width + epsilon));
    set(inverse, row, scale);
    const scales = f32x4.splat(scale);
    for (i = 0; i + 4 <= width; i += 4) set4(out, i, f32x4.mul(get4(out, i), scales));
    for (; i < width; i++) set(out, i, get(out, i) * scale);
  }
}

/** dx = inverse · (dy - y · mean(dy · y)) */
export function rmsNormGradient(
  dy: usize,
  y: usize,
  inverse: usize,
  dx: usize,
  width: i32,
  from: i32,
  to: i32,
): void {
  for (let row = from; row < to; row++) {
    const a = rowOf(dy, row, width);
    const b = rowOf(y, row, width);
    const out = rowOf(dx, row, width);
    let products = f32x4.splat(0);
    let i: i32 = 0;
    for (; i + 4 <= width; i += 4) products = fused(get4(a, i), get4(b, i), products);
    let sum = sum4(products);
    for (; i < width; i++) sum += get(a, i) * get(b, i);
    const along = sum / <f32> width;
    const scale = get(inverse, row);
    const alongs = f32x4.splat(along);
    const scales = f32x4.splat(scale);
    for (i = 0; i + 4 <= width; i += 4) {
      set4(out, i, f32x4.mul(scales, f32x4.sub(get4(a, i), f32x4.mul(get4(b, i), alongs))));
    }
    for (; i < width; i++) set(out, i, scale * (get(a, i) - get(b, i) * along));
  }
}

/** y = gate · sigmoid(gate) · up; rows of gate and up side by side, `inner` floats each. */
export function swiGlu(gateUp: usize, y: usize, inner: i32, from: i32, to: i32): void {
  for (let row = from; row < to; row++) {
    const gates = rowOf(gateUp, row, 2 * inner);
    const ups = rowOf(gates, 1, inner);
    const out = rowOf(y, row, inner);
    let i: i32 = 0;
    for (; i + 4 <= inner; i += 4) {
      const gate = get4(gates, i);
      set4(out, i, f32x4.mul(f32x4.mul(gate, sigmoid4(gate)), get4(ups, i)));
    }
    for (; i < inner; i++) {
      const gate = get(gates, i);
      set(out, i, gate * (1 / (1 + exp1(-gate))) * get(ups, i));
    }
  }
}

/** The gradient of {@link swiGlu}: d(gate) and d(up) side by side. */
export function swiGluGradient(dy: usize, gateUp: usize, dx: usize, inner: i32, from: i32, to: i32): void {
  for (let row = from; row < to; row++) {
    const dys = rowOf(dy, row, inner);
    const gates = rowOf(gateUp, row, 2 * inner);
    const ups = rowOf(gates, 1, inner);
    const dGates = rowOf(dx, row, 2 * inner);
    const dUps = rowOf(dGates, 1, inner);
    let i: i32 = 0;
    for (; i + 4 <= inner; i += 4) {
      const gate = get4(gates, i);
      const d = get4(dys, i);
      const s = sigmoid4(gate);
      const silu = f32x4.mul(gate, s);
      const slope = f32x4.add(s, f32x4.mul(silu, f32x4.sub(ones(), s)));
      set4(dGates, i, f32x4.mul(f32x4.mul(d, get4(ups, i)), slope));
      set4(dUps, i, f32x4.mul(d, silu));
    }
    for (; i < inner; i++) {
      const gate = get(gates, i);
      const d = get(dys, i);
      const s: f32 = 1 / (1 + exp1(-gate));
      const silu = gate * s;
      set(dGates, i, d * get(ups, i) * (s + silu * (1 - s)));
      set(dUps, i, d * silu);
    }
  }
}
