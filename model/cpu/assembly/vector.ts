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

// Constants come from memory: a vector constant in the code costs three instructions wherever it is used, a load one.
const TABLE: usize = memory.data<f32>([
  1,
  -87,
  88,
  12582912,
  1.4426950408889634,
  0.693359375,
  -0.00021219444005469057,
  0.0013814570682752038,
  0.008368730217057387,
  0.041668389344158153,
  0.1666652052172256,
  0.4999999344037241,
  0.41421356,
  0.7853981633974483,
  1.5707963267948966,
  0.08058889944161979,
  -0.13879442552915566,
  0.1997789155269378,
  -0.33332954446972124,
  -0.0,
  -126,
  0.6931469775984951,
  0.2402224208492235,
  0.05550733744213478,
  0.009671512660418194,
  0.0013264726908014245,
]);
const ONE: usize = 0;
const LOWEST: usize = 4;
const HIGHEST: usize = 8;
/** 1.5 · 2²³: adding it rounds to whole numbers and leaves them in the low bits. */
const ROUNDER: usize = 12;
const LOG2_E: usize = 16;
/** ln 2 in two parts: the first has few enough bits that n times it is exact. */
const LN2_HIGH: usize = 20;
const LN2_LOW: usize = 24;
const EXP6: usize = 28;
const EXP5: usize = 32;
const EXP4: usize = 36;
const EXP3: usize = 40;
const EXP2: usize = 44;
const TAN_PI_8: usize = 48;
const PI_4: usize = 52;
const PI_2: usize = 56;
const ATAN9: usize = 60;
const ATAN7: usize = 64;
const ATAN5: usize = 68;
const ATAN3: usize = 72;
const SIGN: usize = 76;
const LOWEST_POWER: usize = 80;
const POWER1: usize = 84;
const POWER2: usize = 88;
const POWER3: usize = 92;
const POWER4: usize = 96;
const POWER5: usize = 100;

// @ts-ignore: decorator
@inline
function constant(offset: usize): v128 {
  return v128.load32_splat(TABLE + offset);
}

/** Four ones. */
// @ts-ignore: decorator
@inline
export function ones(): v128 {
  return constant(ONE);
}

/** a · b + c, in one rounding where the processor can (any since 2013), else in two. */
// @ts-ignore: decorator
@inline
export function fused(a: v128, b: v128, c: v128): v128 {
  return f32x4.relaxed_madd(a, b, c);
}

/**
 * eˣ of four floats: 2ⁿ · p(r) with x = n ln 2 + r, |r| ≤ ln 2 / 2, p of degree 6 fitted to the least relative error.
 * Below -87 and above 88 the result stays where it is there.
 */
// @ts-ignore: decorator
@inline
export function exp4(x: v128): v128 {
  const bounded = f32x4.pmin(f32x4.pmax(x, constant(LOWEST)), constant(HIGHEST));
  const shifted = fused(bounded, constant(LOG2_E), constant(ROUNDER));
  const n = f32x4.sub(shifted, constant(ROUNDER));
  const r = f32x4.relaxed_nmadd(n, constant(LN2_LOW), f32x4.relaxed_nmadd(n, constant(LN2_HIGH), bounded));
  let p = constant(EXP6);
  p = fused(p, r, constant(EXP5));
  p = fused(p, r, constant(EXP4));
  p = fused(p, r, constant(EXP3));
  p = fused(p, r, constant(EXP2));
  p = f32x4.add(fused(f32x4.mul(p, r), r, r), constant(ONE));
  // n is added to the exponent.
  return i32x4.add(p, i32x4.shl(shifted, 23));
}

/** eˣ of one float, the same bits as a lane of {@link exp4}. */
// @ts-ignore: decorator
@inline
export function exp1(x: f32): f32 {
  return f32x4.extract_lane(exp4(f32x4.splat(x)), 0);
}

/**
 * 2ˣ of four floats below 127: 2ⁿ · p(r) with x = n + r, |r| ≤ 1/2, p of degree 5 fitted to the least relative error, 9e-8.
 * Below -126 the result stays where it is there.
 */
// @ts-ignore: decorator
@inline
export function power4(x: v128): v128 {
  const bounded = f32x4.pmax(x, constant(LOWEST_POWER));
  const shifted = f32x4.add(bounded, constant(ROUNDER));
  const r = f32x4.sub(bounded, f32x4.sub(shifted, constant(ROUNDER)));
  let p = constant(POWER5);
  p = fused(p, r, constant(POWER4));
  p = fused(p, r, constant(POWER3));
  p = fused(p, r, constant(POWER2));
  p = fused(p, r, constant(POWER1));
  p = fused(p, r, constant(ONE));
  // n is added to the exponent.
  return i32x4.add(p, i32x4.shl(shifted, 23));
}

/** 2ˣ of one float, the same bits as a lane of {@link power4}. */
// @ts-ignore: decorator
@inline
export function power1(x: f32): f32 {
  return f32x4.extract_lane(power4(f32x4.splat(x)), 0);
}

/** 1 / (1 + e⁻ˣ) of four floats. */
// @ts-ignore: decorator
@inline
export function sigmoid4(x: v128): v128 {
  return f32x4.div(constant(ONE), f32x4.add(constant(ONE), exp4(f32x4.neg(x))));
}

/** The angle of (root, m), root ≥ 0, in -π/2 … π/2; 0 at the origin. */
// @ts-ignore: decorator
@inline
export function angle4(m: v128, root: v128): v128 {
  const size = f32x4.abs(m);
  const steep = f32x4.gt(size, root);
  const small = f32x4.pmin(size, root);
  const large = f32x4.pmax(size, root);
  // Beyond tan(π/8) the angle is taken from the diagonal, so that the polynomial's argument stays small.
  const far = f32x4.gt(small, f32x4.mul(large, constant(TAN_PI_8)));
  const numerator = v128.bitselect(f32x4.sub(small, large), small, far);
  const denominator = v128.bitselect(f32x4.add(small, large), large, far);
  const t = f32x4.div(numerator, denominator);
  const z = f32x4.mul(t, t);
  let p = constant(ATAN9);
  p = fused(p, z, constant(ATAN7));
  p = fused(p, z, constant(ATAN5));
  p = fused(p, z, constant(ATAN3));
  const near = fused(f32x4.mul(p, z), t, t);
  const angle = f32x4.add(near, v128.and(far, constant(PI_4)));
  const whole = v128.bitselect(f32x4.sub(constant(PI_2), angle), angle, steep);
  const signed = v128.or(whole, v128.and(m, constant(SIGN)));
  // 0/0 at the origin is not a number, but the angle is 0 by definition; a moment that is no number stays one.
  return v128.and(signed, f32x4.ne(size, f32x4.sub(size, size)));
}
