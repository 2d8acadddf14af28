/**
 * Grids to tokens on a square canvas and back. Knows nothing of tasks, augmentation or networks.
 *
 * @module
 */
import type { Grid } from "./task.ts";

/**
 * The square that a grid is written on.
 *
 * `side` cells a side; the token sequence is row-major, `side * side` long. `marking` says how the end of the grid is
 * written: `"eos"` as HRM does (PAD 0, EOS 1 below and to the right of the grid, colour c is c + 2), `"outside"` with
 * one class for every cell beyond the grid (OUT 0, colour c is c + 1).
 */
export interface Canvas {
  /** Rows and columns, 1 to 30. */
  side: number;
  /** How the end of the grid is written. */
  marking: "eos" | "outside";
}

/** The label of a cell that is not scored. */
export const IGNORE: number = -100;

const EOS = 1;

function firstColour(canvas: Canvas): number {
  return canvas.marking === "eos" ? 2 : 1;
}

/** How many different tokens there are: 12 for `"eos"`, 11 for `"outside"`. */
export function vocabulary(canvas: Canvas): number {
  return firstColour(canvas) + 10;
}

/**
 * Writes a grid on the canvas, its first cell at `shift`. EOS cells are left out where the grid touches the border, and
 * there is none at the corner (HRM, dataset/build_arc_dataset.py).
 *
 * @returns i32[side * side]
 * @throws {RangeError} If the shifted grid does not fit.
 */
export function encode(grid: Grid, canvas: Canvas, shift: readonly [number, number] = [0, 0]): Int32Array {
  const { side, marking } = canvas;
  const [top, left] = shift;
  const bottom = top + grid.length, right = left + grid[0].length;
  if (top < 0 || left < 0 || bottom > side || right > side) {
    throw new RangeError(
      `Cannot encode a ${grid.length}x${
        grid[0].length
      } grid at row ${top}, column ${left}: the canvas has side ${side}`,
    );
  }
  const tokens = new Int32Array(side * side);
  const offset = firstColour(canvas);
  grid.forEach((row, r) => row.forEach((colour, c) => tokens[(top + r) * side + left + c] = colour + offset));
  if (marking === "eos") {
    if (bottom < side) tokens.fill(EOS, bottom * side + left, bottom * side + right);
    if (right < side) { for (let r = top; r < bottom; r++) tokens[r * side + right] = EOS; }
  }
  return tokens;
}

/**
 * Reads the grid that starts in the canvas's first cell: the largest rectangle of colours there, the one with the
 * fewest rows among equals (HRM, arc_eval.ipynb). Never throws; a first cell without colour gives the empty grid `[]`.
 *
 * @param tokens [side * side], anything.
 * @param size Height and width where they are known beforehand; cells without a colour are then read as black.
 */
export function decode(tokens: ArrayLike<number>, canvas: Canvas, size?: readonly [number, number]): Grid {
  const { side } = canvas;
  const colour = (r: number, c: number) => tokens[r * side + c] - firstColour(canvas);
  const isColour = (value: number) => value >= 0 && value <= 9;
  const [height, width] = size ?? largestRectangle(side, (r, c) => isColour(colour(r, c)));
  return Array.from(
    { length: height },
    (_, r) => Array.from({ length: width }, (_, c) => isColour(colour(r, c)) ? colour(r, c) : 0),
  );
}

function largestRectangle(side: number, inside: (row: number, column: number) => boolean): [number, number] {
  let best: [number, number] = [0, 0];
  let width = side;
  for (let r = 0; r < side; r++) {
    let c = 0;
    while (c < width && inside(r, c)) c++;
    width = c;
    if ((r + 1) * width > best[0] * best[1]) best = [r + 1, width];
  }
  return best;
}
