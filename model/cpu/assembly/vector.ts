/**
 * What every kernel of this folder is written with: four floats at a time, and a slow lane for what is left of a row.
 * AssemblyScript, compiled to WebAssembly by `deno task kernels`; knows no tensors, only addresses.
 *
 * @module
 */

/** Loads the float at index `i`. */
// @ts-ignore: decorator
@inline
export function get(base: usize, i: i32): f32 {
  return load<f32>(base + (<usize> i << 2));
}

/** Stores a float at index `i`. */
// @ts-ignore: decorator
@inline
export function set(base: usize, i: i32, value: f32): void {
  store<f32>(base + (<usize> i << 2), value);
}

/** Loads the four floats from index `i`. */
// @ts-ignore: decorator
@inline
export function get4(base: usize, i: i32): v128 {
  return v128.load(base + (<usize> i << 2));
}

/** Stores four floats from index `i`. */
// @ts-ignore: decorator
@inline
export function set4(base: usize, i: i32, value: v128): void {
  v128.store(base + (<usize> i << 2), value);
}

/** Address of row `row` of a matrix with `width` floats a row. */
// @ts-ignore: decorator
@inline
export function rowOf(base: usize, row: i32, width: i32): usize {
  return base + ((<usize> row * <usize> width) << 2);
}

/** The sum of four lanes, in one fixed order. */
// @ts-ignore: decorator
@inline
export function sum4(x: v128): f32 {
  return (f32x4.extract_lane(x, 0) + f32x4.extract_lane(x, 1)) + (f32x4.extract_lane(x, 2) + f32x4.extract_lane(x, 3));
}

/** The largest of four lanes. */
// @ts-ignore: decorator
@inline
export function max4(x: v128): f32 {
  return max(
    max(f32x4.extract_lane(x, 0), f32x4.extract_lane(x, 1)),
    max(f32x4.extract_lane(x, 2), f32x4.extract_lane(x, 3)),
  );
}

/** Copies `count` floats. */
// @ts-ignore: decorator
@inline
export function copy(to: usize, from: usize, count: i32): void {
  let i: i32 = 0;
  for (; i + 4 <= count; i += 4) set4(to, i, get4(from, i));
  for (; i < count; i++) set(to, i, get(from, i));
}

/**
 * eˣ of four floats: 2ⁿ · p(r) with x = n ln 2 + r, |r| ≤ ln 2 / 2, p of degree 6 fitted to the least relative error.
 * Below -87.3 the result is the smallest normal number, above 88.3 it stays at its largest.
 */
// @ts-ignore: decorator
@inline
export function exp4(x: v128): v128 {
  const bounded = f32x4.min(f32x4.max(x, f32x4.splat(-87.3)), f32x4.splat(88.3));
  const n = f32x4.nearest(f32x4.mul(bounded, f32x4.splat(1.4426950408889634)));
  // ln 2 in two parts: the first has few enough bits that n times it is exact.
  const r = f32x4.sub(
    f32x4.sub(bounded, f32x4.mul(n, f32x4.splat(0.693359375))),
    f32x4.mul(n, f32x4.splat(-0.00021219444005469057)),
  );
  let p = f32x4.splat(0.0013814570682752038);
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(0.008368730217057387));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(0.041668389344158153));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(0.1666652052172256));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(0.4999999344037241));
  p = f32x4.add(f32x4.add(f32x4.mul(f32x4.mul(p, r), r), r), f32x4.splat(1));
  const power = i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(n), i32x4.splat(127)), 23);
  return f32x4.mul(p, power);
}

/** eˣ of one float, the same bits as a lane of {@link exp4}. */
// @ts-ignore: decorator
@inline
export function exp1(x: f32): f32 {
  return f32x4.extract_lane(exp4(f32x4.splat(x)), 0);
}

/** 1 / (1 + e⁻ˣ) of four floats. */
// @ts-ignore: decorator
@inline
export function sigmoid4(x: v128): v128 {
  const one = f32x4.splat(1);
  return f32x4.div(one, f32x4.add(one, exp4(f32x4.neg(x))));
}

/** The angle of (root, m), root ≥ 0, in -π/2 … π/2; 0 at the origin. */
// @ts-ignore: decorator
@inline
export function atan2Of4(m: v128, root: v128): v128 {
  const size = f32x4.abs(m);
  const steep = f32x4.gt(size, root);
  const small = f32x4.min(size, root);
  const large = f32x4.max(size, root);
  // Beyond tan(π/8) the angle is taken from the diagonal, so that the polynomial's argument stays small.
  const far = f32x4.gt(small, f32x4.mul(large, f32x4.splat(0.41421356)));
  const numerator = v128.bitselect(f32x4.sub(small, large), small, far);
  const denominator = v128.bitselect(f32x4.add(small, large), large, far);
  const t = f32x4.div(numerator, denominator);
  const z = f32x4.mul(t, t);
  let p = f32x4.splat(0.08058889944161979);
  p = f32x4.add(f32x4.mul(p, z), f32x4.splat(-0.13879442552915566));
  p = f32x4.add(f32x4.mul(p, z), f32x4.splat(0.1997789155269378));
  p = f32x4.add(f32x4.mul(p, z), f32x4.splat(-0.33332954446972124));
  const near = f32x4.add(f32x4.mul(f32x4.mul(p, z), t), t);
  const angle = f32x4.add(near, v128.and(far, f32x4.splat(0.7853981633974483)));
  const whole = v128.bitselect(f32x4.sub(f32x4.splat(1.5707963267948966), angle), angle, steep);
  const signed = v128.or(whole, v128.and(m, i32x4.splat(i32.MIN_VALUE)));
  return v128.and(signed, f32x4.ne(m, f32x4.splat(0)));
}
