/**
 * Initial values, as the official code draws them. Knows no tensors.
 *
 * @module
 */

/** A source of uniform numbers in [0, 1) and of standard normal numbers. */
export interface RandomSource {
  /** A uniform number in [0, 1). */
  next(): number;
  /** A standard normal number. */
  normal(): number;
}

/** The standard deviation of a standard normal number cut at ±2. */
const TRUNCATED_DEVIATION = 0.87962566103423978;
/** erf(2/√2) */
const ERF = 0.95449973610364158;

/** The inverse error function (Giles' approximation, then two Newton steps to double precision). */
export function inverseErf(y: number): number {
  const w = -Math.log((1 - y) * (1 + y));
  const polynomial = w < 5
    ? [
      2.81022636e-8,
      3.43273939e-7,
      -3.5233877e-6,
      -4.39150654e-6,
      2.1858087e-4,
      -1.25372503e-3,
      -4.17768164e-3,
      0.246640727,
      1.50140941,
    ]
    : [
      -2.00214257e-4,
      1.00950558e-4,
      1.34934322e-3,
      -3.67342844e-3,
      5.73950773e-3,
      -7.6224613e-3,
      9.43887047e-3,
      1.00167406,
      2.83297682,
    ];
  const t = w < 5 ? w - 2.5 : Math.sqrt(w) - 3;
  let x = polynomial.reduce((sum, c) => sum * t + c, 0) * y;
  for (let i = 0; i < 2; i++) x -= (erf(x) - y) / (2 / Math.sqrt(Math.PI) * Math.exp(-x * x));
  return x;
}

/** The error function by its Taylor series, for |x| up to 2. */
function erf(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum) && n < 100; n++) {
    term *= -x * x / n;
    sum += term / (2 * n + 1);
  }
  return 2 / Math.sqrt(Math.PI) * sum;
}

/**
 * What the truncated normal initialiser makes of a uniform draw (official models/common.py, trunc_normal_init_).
 *
 * @param fraction in [0, 1]
 * @param deviation the standard deviation of the truncated variable
 */
export function truncatedNormal(fraction: number, deviation: number): number {
  const scale = deviation / TRUNCATED_DEVIATION;
  const value = Math.SQRT2 * inverseErf((2 * fraction - 1) * ERF) * scale;
  return Math.max(-2 * scale, Math.min(2 * scale, value));
}

/** Into how many pieces {@link inverseErf} is cut. */
const PIECES = 4096;
/** More than the relative error of its pieces: that of Hermite's cubics is h⁴/384 of the fourth derivative, 2e-12 at the end. */
const PIECE_ERROR = 1e-11;

let pieces: Float64Array | undefined;

/** inverseErf() from 0 to {@link ERF} in cubics of equal pieces, four coefficients each. */
function inverseErfPieces(): Float64Array {
  const values = Float64Array.from({ length: PIECES + 1 }, (_, i) => inverseErf(i / PIECES * ERF));
  const slopes = values.map((x) => Math.sqrt(Math.PI) / 2 * Math.exp(x * x) * ERF / PIECES);
  const coefficients = new Float64Array(4 * PIECES);
  for (let i = 0; i < PIECES; i++) {
    const rise = values[i + 1] - values[i];
    const [begin, end] = [slopes[i], slopes[i + 1]];
    coefficients.set([values[i], begin, 3 * rise - 2 * begin - end, begin + end - 2 * rise], 4 * i);
  }
  return coefficients;
}

/**
 * `size` truncated normal numbers: {@link truncatedNormal} to the last bit, which is computed where cubics in its place leave open how it rounds
 * to f32.
 */
export function truncatedNormals(size: number, deviation: number, random: RandomSource): Float32Array {
  const numbers = new Float32Array(size);
  const cubics = pieces ??= inverseErfPieces();
  const scale = deviation / TRUNCATED_DEVIATION;
  for (let i = 0; i < size; i++) {
    const fraction = random.next();
    const place = Math.abs(2 * fraction - 1) * PIECES;
    const piece = Math.min(Math.floor(place), PIECES - 1);
    const u = place - piece;
    const at = 4 * piece;
    const x = cubics[at] + u * (cubics[at + 1] + u * (cubics[at + 2] + u * cubics[at + 3]));
    const value = Math.min(2, Math.SQRT2 * x) * (fraction < 0.5 ? -scale : scale);
    const nearest = Math.fround(value * (1 - PIECE_ERROR));
    numbers[i] = nearest === Math.fround(value * (1 + PIECE_ERROR)) ? nearest : truncatedNormal(fraction, deviation);
  }
  return numbers;
}

/** `size` normal numbers. */
export function normals(size: number, deviation: number, random: RandomSource): Float32Array {
  return Float32Array.from({ length: size }, () => random.normal() * deviation);
}
