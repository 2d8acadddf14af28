/**
 * The parts of attention between its matrix products: rotation by position, softmax and its gradient.
 *
 * @module
 */
import { fused, get, get4, max4, power1, power4, rowOf, set, set4, sum4 } from "./vector";
import { log } from "./host";

/**
 * to = scale · (x · cos + sign · (-x₂ | x₁) · sin) for `rows` rows of `width` floats, x = (x₁ | x₂).
 * Rows are `fromStride` and `toStride` floats apart.
 */
export function rotate(
  from: usize,
  fromStride: i32,
  to: usize,
  toStride: i32,
  cos: usize,
  sin: usize,
  rows: i32,
  width: i32,
  scale: f32,
  sign: f32,
): void {
  const half = width >> 1;
  const scales = f32x4.splat(scale);
  const signs = f32x4.splat(sign);
  for (let row: i32 = 0; row < rows; row++) {
    const x = rowOf(from, row, fromStride);
    const y = rowOf(to, row, toStride);
    const c = rowOf(cos, row, width);
    const s = rowOf(sin, row, width);
    let i: i32 = 0;
    for (; i + 4 <= half; i += 4) {
      const low = get4(x, i);
      const high = get4(x, half + i);
      const lowTurn = f32x4.mul(f32x4.mul(signs, get4(s, i)), high);
      const highTurn = f32x4.mul(f32x4.mul(signs, get4(s, half + i)), low);
      set4(y, i, f32x4.mul(scales, f32x4.sub(f32x4.mul(low, get4(c, i)), lowTurn)));
      set4(y, half + i, f32x4.mul(scales, f32x4.add(f32x4.mul(high, get4(c, half + i)), highTurn)));
    }
    for (; i < half; i++) {
      const low = get(x, i);
      const high = get(x, half + i);
      set(y, i, scale * (low * get(c, i) - sign * get(s, i) * high));
      set(y, half + i, scale * (high * get(c, half + i) + sign * get(s, half + i) * low));
    }
  }
}

/** y[i][row] = x[row][i] of `rows` rows of `width` floats, `stride` apart in x: short products are faster with plain operands. */
export function transposeRows(x: usize, stride: i32, y: usize, rows: i32, width: i32): void {
  let row: i32 = 0;
  for (; row + 4 <= rows; row += 4) {
    const first = rowOf(x, row, stride);
    let i: i32 = 0;
    for (; i + 4 <= width; i += 4) {
      const a = get4(first, i), b = get4(rowOf(first, 1, stride), i);
      const c = get4(rowOf(first, 2, stride), i), d = get4(rowOf(first, 3, stride), i);
      const abLow = v128.shuffle<f32>(a, b, 0, 4, 1, 5), abHigh = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
      const cdLow = v128.shuffle<f32>(c, d, 0, 4, 1, 5), cdHigh = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
      set4(rowOf(y, i, rows), row, v128.shuffle<f32>(abLow, cdLow, 0, 1, 4, 5));
      set4(rowOf(y, i + 1, rows), row, v128.shuffle<f32>(abLow, cdLow, 2, 3, 6, 7));
      set4(rowOf(y, i + 2, rows), row, v128.shuffle<f32>(abHigh, cdHigh, 0, 1, 4, 5));
      set4(rowOf(y, i + 3, rows), row, v128.shuffle<f32>(abHigh, cdHigh, 2, 3, 6, 7));
    }
    for (; i < width; i++) {
      for (let r: i32 = 0; r < 4; r++) set(rowOf(y, i, rows), row + r, get(rowOf(first, r, stride), i));
    }
  }
  for (; row < rows; row++) {
    for (let i: i32 = 0; i < width; i++) set(rowOf(y, i, rows), row, get(rowOf(x, row, stride), i));
  }
}

/** ln 2: scores are in powers of two, which spares a multiplication for each. */
const LN2: f64 = 0.6931471805599453;

/** scores ← 2^(scores - largest of the row); the row's 1/Σ goes to `inverses`, its ln Σ 2ˣ to `logSumExp`. */
export function softmaxRows(scores: usize, inverses: usize, logSumExp: usize, rows: i32, width: i32): void {
  for (let row: i32 = 0; row < rows; row++) {
    const x = rowOf(scores, row, width);
    // Two of each: a maximum or a sum waits for the one before it.
    let largest4 = f32x4.splat(-f32.MAX_VALUE);
    let other4 = largest4;
    let i: i32 = 0;
    for (; i + 8 <= width; i += 8) {
      largest4 = f32x4.pmax(largest4, get4(x, i));
      other4 = f32x4.pmax(other4, get4(x, i + 4));
    }
    if (i + 4 <= width) {
      largest4 = f32x4.pmax(largest4, get4(x, i));
      i += 4;
    }
    let largest = max4(f32x4.pmax(largest4, other4));
    for (; i < width; i++) largest = max(largest, get(x, i));
    const shift = f32x4.splat(largest);
    let sums = f32x4.splat(0);
    let others = f32x4.splat(0);
    for (i = 0; i + 8 <= width; i += 8) {
      const p = power4(f32x4.sub(get4(x, i), shift));
      const q = power4(f32x4.sub(get4(x, i + 4), shift));
      sums = f32x4.add(sums, p);
      others = f32x4.add(others, q);
      set4(x, i, p);
      set4(x, i + 4, q);
    }
    if (i + 4 <= width) {
      const p = power4(f32x4.sub(get4(x, i), shift));
      sums = f32x4.add(sums, p);
      set4(x, i, p);
      i += 4;
    }
    let sum = sum4(f32x4.add(sums, others));
    for (; i < width; i++) {
      const p = power1(get(x, i) - largest);
      sum += p;
      set(x, i, p);
    }
    set(inverses, row, 1 / sum);
    set(logSumExp, row, <f32> (<f64> largest * LN2 + log(<f64> sum)));
  }
}

/** Multiplies row i of `width` floats, rows `stride` apart, by scales[i]. */
export function scaleRows(x: usize, stride: i32, scales: usize, rows: i32, width: i32): void {
  for (let row: i32 = 0; row < rows; row++) {
    const y = rowOf(x, row, stride);
    const scale = get(scales, row);
    const scale4 = f32x4.splat(scale);
    let i: i32 = 0;
    for (; i + 4 <= width; i += 4) set4(y, i, f32x4.mul(get4(y, i), scale4));
    for (; i < width; i++) set(y, i, get(y, i) * scale);
  }
}

/** products[i] = Σ a[i] · b[i] over rows of `width` floats, `stride` apart in both. */
export function rowProducts(a: usize, b: usize, stride: i32, products: usize, rows: i32, width: i32): void {
  for (let row: i32 = 0; row < rows; row++) {
    const x = rowOf(a, row, stride);
    const y = rowOf(b, row, stride);
    let sums = f32x4.splat(0);
    let i: i32 = 0;
    for (; i + 4 <= width; i += 4) sums = fused(get4(x, i), get4(y, i), sums);
    let sum = sum4(sums);
    for (; i < width; i++) sum += get(x, i) * get(y, i);
    set(products, row, sum);
  }
}

/** scores ← P = 2^scores / e^logSumExp, slopes ← P · (slopes - products): the softmax's gradient without its kept values. */
export function softmaxGradientRows(
  scores: usize,
  slopes: usize,
  logSumExp: usize,
  products: usize,
  rows: i32,
  width: i32,
): void {
  for (let row: i32 = 0; row < rows; row++) {
    const x = rowOf(scores, row, width);
    const d = rowOf(slopes, row, width);
    const shift = <f32> (<f64> get(logSumExp, row) / LN2);
    const shifts = f32x4.splat(shift);
    const product = get(products, row);
    const product4 = f32x4.splat(product);
    let i: i32 = 0;
    for (; i + 4 <= width; i += 4) {
      const p = power4(f32x4.sub(get4(x, i), shifts));
      set4(x, i, p);
      set4(d, i, f32x4.mul(p, f32x4.sub(get4(d, i), product4)));
    }
    for (; i < width; i++) {
      const p = power1(get(x, i) - shift);
      set(x, i, p);
      set(d, i, p * (get(d, i) - product));
    }
  }
}
