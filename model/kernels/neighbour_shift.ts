/**
 * Moves channels in from the eight neighbouring cells: eight groups of D/16 channels, one a direction; the other half stays.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { defineOperation, run } from "./operation.ts";

/** Where each group's channels come from, as (row, column) offsets. */
export const NEIGHBOURS = [[-1, 0], [1, 0], [0, -1], [0, 1], [-1, -1], [-1, 1], [1, -1], [1, 1]] as const;

/**
 * y[r, c, group i] = x[r + dr_i, c + dc_i, group i], zero beyond the border; the first `prefix` tokens stay.
 *
 * @param x f32[B, P + side², D]
 * @returns f32[B, P + side², D]
 */
export function neighbourShift(x: tf.Tensor, side: number, prefix: number): tf.Tensor {
  return run("NeighbourShift", { x }, { side, prefix, direction: 1 })[0];
}

defineOperation("NeighbourShift", ({ x }, { side, prefix, direction }) => {
  const [B, T, D] = x.shape;
  const group = Math.floor(D / 16);
  const cells = tf.reshape(tf.slice(x, [0, prefix, 0], [B, T - prefix, D]), [B, side, side, D]) as tf.Tensor4D;
  const padded = tf.pad(cells, [[0, 0], [1, 1], [1, 1], [0, 0]]);
  const moved = NEIGHBOURS.map(([row, column], i) =>
    tf.slice(padded, [0, 1 + direction * row, 1 + direction * column, i * group], [B, side, side, group])
  );
  const kept = tf.slice(cells, [0, 0, 0, 8 * group], [B, side, side, D - 8 * group]);
  const grid = tf.reshape(tf.concat([...moved, kept], -1), [B, side * side, D]);
  return [prefix ? tf.concat([tf.slice(x, [0, 0, 0], [B, prefix, D]), grid], 1) : grid];
}, {
  inputs: [],
  gradients: ([dy], _saved, attributes) => ({
    x: () => run("NeighbourShift", { x: dy }, { ...attributes, direction: -attributes.direction })[0],
  }),
});
