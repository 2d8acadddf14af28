/**
 * Kernels on tokens: embedding, cross-entropy, correct answers, shifts between neighbouring cells.
 *
 * @module
 */
import { copy, get, get4, rowOf, set, set4 } from "./vector";
import { exp, log } from "./host";

/** y[r] = table[tokens[r]], or row tokens[r] of the table of r's sample; `perSample` is the tokens of a sample, 0 for one table. */
export function tokenEmbedding(
  tokens: usize,
  table: usize,
  y: usize,
  width: i32,
  vocabulary: i32,
  perSample: i32,
  from: i32,
  to: i32,
): void {
  for (let row = from; row < to; row++) {
    const first = perSample ? row / perSample * vocabulary : 0;
    copy(rowOf(y, row, width), rowOf(table, first + load<i32>(rowOf(tokens, row, 1)), width), width);
  }
}

/** table[tokens[r]] += dy[r] for `rows` rows, columns [from, to) only; the table is cleared there first. */
export function tokenEmbeddingGradient(
  dy: usize,
  tokens: usize,
  table: usize,
  rows: i32,
  width: i32,
  vocabulary: i32,
  from: i32,
  to: i32,
): void {
  for (let word: i32 = 0; word < vocabulary; word++) {
    const out = rowOf(table, word, width);
    for (let i = from; i < to; i++) set(out, i, 0);
  }
  for (let row: i32 = 0; row < rows; row++) {
    const out = rowOf(table, load<i32>(rowOf(tokens, row, 1)), width);
    const d = rowOf(dy, row, width);
    let i = from;
    for (; i + 4 <= to; i += 4) set4(out, i, f32x4.add(get4(out, i), get4(d, i)));
    for (; i < to; i++) set(out, i, get(out, i) + get(d, i));
  }
}

/** s(x) of stablemax, in double precision. */
// @ts-ignore: decorator
@inline
function stable(x: f64): f64 {
  return x < 0 ? 1 / (1 - x) : x + 1;
}

/** loss[r] = -weight · log p(label), 0 where the label is negative; stablemax or softmax. */
export function crossEntropy(
  logits: usize,
  labels: usize,
  weights: usize,
  loss: usize,
  vocabulary: i32,
  softmax: i32,
  from: i32,
  to: i32,
): void {
  for (let row = from; row < to; row++) {
    const label = load<i32>(rowOf(labels, row, 1));
    if (label < 0) {
      set(loss, row, 0);
      continue;
    }
    const x = rowOf(logits, row, vocabulary);
    const own = <f64> get(x, label);
    let sum: f64 = 0;
    let logP: f64;
    if (softmax) {
      let largest = get(x, 0);
      for (let i: i32 = 1; i < vocabulary; i++) largest = max(largest, get(x, i));
      for (let i: i32 = 0; i < vocabulary; i++) sum += exp(<f64> get(x, i) - <f64> largest);
      logP = own - <f64> largest - log(sum);
    } else {
      for (let i: i32 = 0; i < vocabulary; i++) sum += stable(<f64> get(x, i));
      logP = log(stable(own) / sum);
    }
    set(loss, row, <f32> (-<f64> get(weights, row) * logP));
  }
}

/** d(logits) of {@link crossEntropy}. */
export function crossEntropyGradient(
  dy: usize,
  logits: usize,
  labels: usize,
  weights: usize,
  dx: usize,
  vocabulary: i32,
  softmax: i32,
  from: i32,
  to: i32,
): void {
  for (let row = from; row < to; row++) {
    const label = load<i32>(rowOf(labels, row, 1));
    const x = rowOf(logits, row, vocabulary);
    const out = rowOf(dx, row, vocabulary);
    if (label < 0) {
      for (let i: i32 = 0; i < vocabulary; i++) set(out, i, 0);
      continue;
    }
    const scale = <f64> get(dy, row) * <f64> get(weights, row);
    let sum: f64 = 0;
    if (softmax) {
      let largest = get(x, 0);
      for (let i: i32 = 1; i < vocabulary; i++) largest = max(largest, get(x, i));
      for (let i: i32 = 0; i < vocabulary; i++) sum += exp(<f64> get(x, i) - <f64> largest);
      for (let i: i32 = 0; i < vocabulary; i++) {
        const p = exp(<f64> get(x, i) - <f64> largest) / sum;
        set(out, i, <f32> (scale * (p - <f64> i32(i == label))));
      }
    } else {
      for (let i: i32 = 0; i < vocabulary; i++) sum += stable(<f64> get(x, i));
      for (let i: i32 = 0; i < vocabulary; i++) {
        const value = <f64> get(x, i);
        const s = stable(value);
        const slope = value < 0 ? s * s : 1;
        set(out, i, <f32> (scale * slope * (1 / sum - (i == label ? 1 / s : 0))));
      }
    }
  }
}

/** 1 where the first of the largest logits is the label's or the label is negative, else 0. */
export function correctTokens(logits: usize, labels: usize, y: usize, vocabulary: i32, from: i32, to: i32): void {
  for (let row = from; row < to; row++) {
    const x = rowOf(logits, row, vocabulary);
    const label = load<i32>(rowOf(labels, row, 1));
    let best: i32 = 0;
    for (let i: i32 = 1; i < vocabulary; i++) if (get(x, i) > get(x, best)) best = i;
    set(y, row, label < 0 || best == label ? 1 : 0);
  }
}

/** Copies `group` floats from the cell at (row, column), zeros where that is off the grid. */
// @ts-ignore: decorator
@inline
function moveIn(
  out: usize,
  grid: usize,
  row: i32,
  column: i32,
  side: i32,
  width: i32,
  group: i32,
  index: i32,
): void {
  const to = rowOf(out, index * group, 1);
  if (row < 0 || column < 0 || row >= side || column >= side) {
    for (let i: i32 = 0; i < group; i++) set(to, i, 0);
  } else {
    copy(to, rowOf(grid, row * side + column, width) + (<usize> (index * group) << 2), group);
  }
}

/** Eight groups of width/16 channels come from the neighbours of each cell; tokens [from, to) of all samples. */
export function neighbourShift(
  x: usize,
  y: usize,
  length: i32,
  side: i32,
  prefix: i32,
  width: i32,
  direction: i32,
  from: i32,
  to: i32,
): void {
  const group = width / 16;
  for (let token = from; token < to; token++) {
    const sample = token / length;
    const cell = token - sample * length - prefix;
    const own = rowOf(x, token, width);
    const out = rowOf(y, token, width);
    if (cell < 0) {
      copy(out, own, width);
      continue;
    }
    const grid = rowOf(x, sample * length + prefix, width);
    const row = cell / side;
    const column = cell - row * side;
    moveIn(out, grid, row - direction, column, side, width, group, 0);
    moveIn(out, grid, row + direction, column, side, width, group, 1);
    moveIn(out, grid, row, column - direction, side, width, group, 2);
    moveIn(out, grid, row, column + direction, side, width, group, 3);
    moveIn(out, grid, row - direction, column - direction, side, width, group, 4);
    moveIn(out, grid, row - direction, column + direction, side, width, group, 5);
    moveIn(out, grid, row + direction, column - direction, side, width, group, 6);
    moveIn(out, grid, row + direction, column + direction, side, width, group, 7);
    const kept = <usize> (8 * group) << 2;
    copy(out + kept, own + kept, width - 8 * group);
  }
}
