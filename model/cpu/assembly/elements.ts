/**
 * Kernels on single elements: sums and products, the optimiser's update, moving averages, rearrangement.
 *
 * @module
 */
import { angle4, copy, get, get4, rowOf, set, set4 } from "./vector";

/** y[i] = a[i] + sign · b[i mod period], elements [from, to); `period` equal to the length means no repetition. */
export function add(a: usize, b: usize, y: usize, sign: f32, period: i32, from: i32, to: i32): void {
  const signs = f32x4.splat(sign);
  let i = from;
  while (i < to) {
    const start = i % period;
    const end = min(to, i - start + period);
    const own = rowOf(b, start, 1) - (<usize> i << 2);
    for (; i + 4 <= end; i += 4) set4(y, i, f32x4.add(get4(a, i), f32x4.mul(signs, get4(own, i))));
    for (; i < end; i++) set(y, i, get(a, i) + sign * get(own, i));
  }
}

/** y[i] = a[i] · b[i mod period] */
export function multiply(a: usize, b: usize, y: usize, period: i32, from: i32, to: i32): void {
  let i = from;
  while (i < to) {
    const start = i % period;
    const end = min(to, i - start + period);
    const own = rowOf(b, start, 1) - (<usize> i << 2);
    for (; i + 4 <= end; i += 4) set4(y, i, f32x4.mul(get4(a, i), get4(own, i)));
    for (; i < end; i++) set(y, i, get(a, i) * get(own, i));
  }
}

/** y[i] = a[i] · scale + offset */
export function scale(a: usize, y: usize, factor: f32, offset: f32, from: i32, to: i32): void {
  const factors = f32x4.splat(factor);
  const offsets = f32x4.splat(offset);
  let i = from;
  for (; i + 4 <= to; i += 4) set4(y, i, f32x4.add(f32x4.mul(get4(a, i), factors), offsets));
  for (; i < to; i++) set(y, i, get(a, i) * factor + offset);
}

/** y[i] = keep · a[i] + (1 - keep) · b[i] */
export function blend(a: usize, b: usize, y: usize, keep: f64, from: i32, to: i32): void {
  const kept = f32x4.splat(<f32> keep);
  const taken = f32x4.splat(<f32> (1 - keep));
  let i = from;
  for (; i + 4 <= to; i += 4) {
    set4(y, i, f32x4.add(f32x4.mul(get4(a, i), kept), f32x4.mul(get4(b, i), taken)));
  }
  for (; i < to; i++) set(y, i, get(a, i) * <f32> keep + get(b, i) * <f32> (1 - keep));
}

/** The four updated parameters; moments are written by the caller. */
// @ts-ignore: decorator
@inline
function step(p: v128, m: v128, v: v128, decay: v128, rate: v128, unbias: v128, tiny: v128, angle: bool): v128 {
  const root = f32x4.sqrt(f32x4.mul(v, unbias));
  const direction = angle ? angle4(m, root) : f32x4.div(m, f32x4.add(root, tiny));
  return f32x4.sub(f32x4.mul(p, decay), f32x4.mul(rate, direction));
}

/**
 * One update of the Adam family.
 *
 * @param decay 1 - learningRate · weightDecay
 * @param rate learningRate / (1 - β₁ᵗ)
 * @param unbias 1 / (1 - β₂ᵗ)
 */
export function adam(
  p: usize,
  m: usize,
  v: usize,
  g: usize,
  pOut: usize,
  mOut: usize,
  vOut: usize,
  gradientScale: f32,
  decay: f64,
  rate: f64,
  unbias: f64,
  beta1: f64,
  beta2: f64,
  epsilon: f32,
  atan2: i32,
  from: i32,
  to: i32,
): void {
  const scales = f32x4.splat(gradientScale);
  const decays = f32x4.splat(<f32> decay);
  const rates = f32x4.splat(<f32> rate);
  const unbiases = f32x4.splat(<f32> unbias);
  const keep1 = f32x4.splat(<f32> beta1);
  const take1 = f32x4.splat(<f32> (1 - beta1));
  const keep2 = f32x4.splat(<f32> beta2);
  const take2 = f32x4.splat(<f32> (1 - beta2));
  const tiny = f32x4.splat(epsilon);
  const angle = atan2 != 0;
  let i = from;
  for (; i + 4 <= to; i += 4) {
    const slope = f32x4.mul(get4(g, i), scales);
    const first = f32x4.add(f32x4.mul(get4(m, i), keep1), f32x4.mul(slope, take1));
    const second = f32x4.add(f32x4.mul(get4(v, i), keep2), f32x4.mul(f32x4.mul(slope, slope), take2));
    set4(mOut, i, first);
    set4(vOut, i, second);
    set4(pOut, i, step(get4(p, i), first, second, decays, rates, unbiases, tiny, angle));
  }
  for (; i < to; i++) {
    const slope = f32x4.mul(f32x4.splat(get(g, i)), scales);
    const first = f32x4.add(f32x4.mul(f32x4.splat(get(m, i)), keep1), f32x4.mul(slope, take1));
    const second = f32x4.add(f32x4.mul(f32x4.splat(get(v, i)), keep2), f32x4.mul(f32x4.mul(slope, slope), take2));
    set(mOut, i, f32x4.extract_lane(first, 0));
    set(vOut, i, f32x4.extract_lane(second, 0));
    const updated = step(f32x4.splat(get(p, i)), first, second, decays, rates, unbiases, tiny, angle);
    set(pOut, i, f32x4.extract_lane(updated, 0));
  }
}

/** y[i] = Σ over `count` slices of x, slices `width` apart: the sum over a leading axis; elements [from, to). */
export function sumSlices(x: usize, y: usize, count: i32, width: i32, from: i32, to: i32): void {
  for (let i = from; i < to; i++) set(y, i, get(x, i));
  for (let slice: i32 = 1; slice < count; slice++) {
    const own = rowOf(x, slice, width);
    let i = from;
    for (; i + 4 <= to; i += 4) set4(y, i, f32x4.add(get4(y, i), get4(own, i)));
    for (; i < to; i++) set(y, i, get(y, i) + get(own, i));
  }
}

/** Copies rows [from, to) of `width` floats between matrices whose rows lie `fromStride` and `toStride` apart. */
export function copyRows(x: usize, fromStride: i32, y: usize, toStride: i32, width: i32, from: i32, to: i32): void {
  for (let row = from; row < to; row++) copy(rowOf(y, row, toStride), rowOf(x, row, fromStride), width);
}

/** y[r] = Σ of row r of `width` floats, added in double precision. */
export function sumRows(x: usize, y: usize, width: i32, from: i32, to: i32): void {
  for (let row = from; row < to; row++) {
    const own = rowOf(x, row, width);
    let low = f64x2.splat(0);
    let high = f64x2.splat(0);
    let i: i32 = 0;
    for (; i + 4 <= width; i += 4) {
      const four = get4(own, i);
      low = f64x2.add(low, f64x2.promote_low_f32x4(four));
      high = f64x2.add(high, f64x2.promote_low_f32x4(i8x16.shuffle(four, four, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7)));
    }
    const both = f64x2.add(low, high);
    let sum = f64x2.extract_lane(both, 0) + f64x2.extract_lane(both, 1);
    for (; i < width; i++) sum += <f64> get(own, i);
    set(y, row, <f32> sum);
  }
}

/** Transposes matrices [from, to) of `rows` x `columns`, one after the other. */
export function transpose(x: usize, y: usize, rows: i32, columns: i32, from: i32, to: i32): void {
  for (let matrix = from; matrix < to; matrix++) {
    const source = rowOf(x, matrix * rows, columns);
    const target = rowOf(y, matrix * columns, rows);
    // Squares of 16 keep the lines of both sides in the cache.
    for (let row0: i32 = 0; row0 < rows; row0 += 16) {
      for (let column0: i32 = 0; column0 < columns; column0 += 16) {
        for (let column = column0; column < min(columns, column0 + 16); column++) {
          for (let row = row0; row < min(rows, row0 + 16); row++) {
            set(target, column * rows + row, get(source, row * columns + column));
          }
        }
      }
    }
  }
}
