/**
 * Rows of a table picked by token, with a table for all or one for each sample.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { defineOperation, run } from "./operation.ts";

/**
 * y[b, s] = table[tokens[b, s]], or table[b, tokens[b, s]].
 *
 * @param tokens i32[B, S], each in 0 … V-1
 * @param table f32[V, D] or f32[B, V, D]
 * @returns f32[B, S, D]
 */
export function tokenEmbedding(tokens: tf.Tensor, table: tf.Tensor): tf.Tensor {
  return run("TokenEmbedding", { tokens, table }, {
    vocabulary: table.shape[table.rank - 2],
    perSample: table.rank === 3,
  })[0];
}

// A one-hot product: not every backend has the scatter that tf.gather's gradient needs.
defineOperation("TokenEmbedding", ({ tokens, table }, { vocabulary, perSample }) => {
  const [B, S] = tokens.shape;
  const oneHot = tf.cast(tf.oneHot(tf.cast(tokens, "int32"), vocabulary), "float32");
  if (perSample) return [tf.matMul(oneHot, table)];
  return [
    tf.reshape(tf.matMul(tf.reshape(oneHot, [B! * S!, vocabulary]), table as tf.Tensor2D), [B, S, table.shape[1]!]),
  ];
}, {
  inputs: ["tokens"],
  gradients: ([dy], [tokens], attributes) => ({
    table: () => run("TokenEmbeddingGradient", { dy, tokens }, attributes)[0],
  }),
});

defineOperation("TokenEmbeddingGradient", ({ dy, tokens }, { vocabulary, perSample }) => {
  const [B, S, D] = dy.shape;
  const oneHot = tf.cast(tf.oneHot(tf.cast(tokens, "int32"), vocabulary), "float32");
  if (perSample) return [tf.matMul(oneHot, dy, true, false)];
  return [tf.matMul(tf.reshape(oneHot, [B * S, vocabulary]), tf.reshape(dy, [B * S, D]), true, false)];
});
