/**
 * Matrix product for machines without a BLAS: operands are packed into narrow panels, and 4 x 8 tiles of C stay in registers.
 *
 * @module
 */
import { fused, get, get4, rowOf, set, set4 } from "./vector";

/** Rows of a tile. */
const MR: i32 = 4;
/** Columns of a tile. */
const NR: i32 = 8;
/** Rows of A packed at a time. */
const MC: i32 = 64;
/** Columns of B packed at a time. */
const NC: i32 = 512;
/** Inner length packed at a time. */
const KC: i32 = 256;

/** Bytes of scratch memory that {@link gemm} needs. */
export function gemmScratch(): i32 {
  return (MC * KC + NC * KC + MR * NR) * 4;
}

/** Packs `count` vectors of length `depth` into panels of `wide`, zero-padded: panel[k][vector]. */
function pack(
  source: usize,
  vectorStride: i32,
  depthStride: i32,
  count: i32,
  depth: i32,
  wide: i32,
  target: usize,
): void {
  for (let first: i32 = 0; first < count; first += wide) {
    const panel = rowOf(target, first, depth);
    const full = min(wide, count - first);
    const origin = rowOf(source, first, vectorStride);
    if (vectorStride == 1 && full == wide) {
      for (let k: i32 = 0; k < depth; k++) {
        const from = rowOf(origin, k, depthStride);
        const to = rowOf(panel, k, wide);
        for (let v: i32 = 0; v < wide; v += 4) set4(to, v, get4(from, v));
      }
    } else {
      for (let v: i32 = 0; v < full; v++) {
        const from = rowOf(origin, v, vectorStride);
        for (let k: i32 = 0; k < depth; k++) set(panel, k * wide + v, load<f32>(rowOf(from, k, depthStride)));
      }
      for (let v = full; v < wide; v++) {
        for (let k: i32 = 0; k < depth; k++) set(panel, k * wide + v, 0);
      }
    }
  }
}

/** c ← alpha · (a panel)(b panel) + beta · c for a full tile. */
// @ts-ignore: decorator
@inline
function tile(a: usize, b: usize, depth: i32, c: usize, ldc: i32, alpha: f32, beta: f32): void {
  let c00 = f32x4.splat(0), c01 = f32x4.splat(0);
  let c10 = f32x4.splat(0), c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0), c21 = f32x4.splat(0);
  let c30 = f32x4.splat(0), c31 = f32x4.splat(0);
  for (let k: i32 = 0; k < depth; k++) {
    const b0 = v128.load(b, 0);
    const b1 = v128.load(b, 16);
    const a0 = v128.load32_splat(a, 0);
    c00 = fused(a0, b0, c00);
    c01 = fused(a0, b1, c01);
    const a1 = v128.load32_splat(a, 4);
    c10 = fused(a1, b0, c10);
    c11 = fused(a1, b1, c11);
    const a2 = v128.load32_splat(a, 8);
    c20 = fused(a2, b0, c20);
    c21 = fused(a2, b1, c21);
    const a3 = v128.load32_splat(a, 12);
    c30 = fused(a3, b0, c30);
    c31 = fused(a3, b1, c31);
    a += 16;
    b += 32;
  }
  write(c, c00, c01, alpha, beta);
  write(rowOf(c, 1, ldc), c10, c11, alpha, beta);
  write(rowOf(c, 2, ldc), c20, c21, alpha, beta);
  write(rowOf(c, 3, ldc), c30, c31, alpha, beta);
}

// @ts-ignore: decorator
@inline
function write(c: usize, low: v128, high: v128, alpha: f32, beta: f32): void {
  const alpha4 = f32x4.splat(alpha);
  let x = f32x4.mul(low, alpha4);
  let y = f32x4.mul(high, alpha4);
  // With beta 0 the old values are not read: they may be NaN.
  if (beta != 0) {
    const beta4 = f32x4.splat(beta);
    x = f32x4.add(x, f32x4.mul(get4(c, 0), beta4));
    y = f32x4.add(y, f32x4.mul(get4(c, 4), beta4));
  }
  set4(c, 0, x);
  set4(c, 4, y);
}

/**
 * c ← alpha · op(a) op(b) + beta · c, row-major; op transposes where the flag is set. op(a) is m x k, op(b) k x n.
 *
 * @param scratch at least gemmScratch() bytes of this thread's own
 */
export function gemm(
  transposeA: i32,
  transposeB: i32,
  m: i32,
  n: i32,
  k: i32,
  alpha: f32,
  a: usize,
  lda: i32,
  b: usize,
  ldb: i32,
  beta: f32,
  c: usize,
  ldc: i32,
  scratch: usize,
): void {
  const packedA = scratch;
  const packedB = rowOf(packedA, MC, KC);
  const edge = rowOf(packedB, NC, KC);
  const aRow = transposeA ? 1 : lda;
  const aDepth = transposeA ? lda : 1;
  const bColumn = transposeB ? ldb : 1;
  const bDepth = transposeB ? 1 : ldb;
  for (let k0: i32 = 0; k0 < k; k0 += KC) {
    const depth = min(KC, k - k0);
    const scale: f32 = k0 == 0 ? beta : 1;
    for (let n0: i32 = 0; n0 < n; n0 += NC) {
      const columns = min(NC, n - n0);
      pack(rowOf(rowOf(b, n0, bColumn), k0, bDepth), bColumn, bDepth, columns, depth, NR, packedB);
      for (let m0: i32 = 0; m0 < m; m0 += MC) {
        const rows = min(MC, m - m0);
        pack(rowOf(rowOf(a, m0, aRow), k0, aDepth), aRow, aDepth, rows, depth, MR, packedA);
        for (let j: i32 = 0; j < columns; j += NR) {
          const bPanel = rowOf(packedB, j, depth);
          for (let i: i32 = 0; i < rows; i += MR) {
            const aPanel = rowOf(packedA, i, depth);
            const target = rowOf(c, m0 + i, ldc) + (<usize> (n0 + j) << 2);
            if (i + MR <= rows && j + NR <= columns) {
              tile(aPanel, bPanel, depth, target, ldc, alpha, scale);
            } else {
              tile(aPanel, bPanel, depth, edge, NR, alpha, 0);
              for (let row: i32 = 0; row < min(MR, rows - i); row++) {
                const from = rowOf(edge, row, NR);
                const to = rowOf(target, row, ldc);
                for (let column: i32 = 0; column < min(NR, columns - j); column++) {
                  const old: f32 = scale != 0 ? get(to, column) * scale : 0;
                  set(to, column, get(from, column) + old);
                }
              }
            }
          }
        }
      }
    }
  }
}
