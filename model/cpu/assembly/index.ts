/**
 * The kernels' entry points: one WebAssembly module, its memory shared with the host and between threads.
 *
 * @module
 */
export { rotate, rowProducts, scaleRows, softmaxGradientRows, softmaxRows, transposeRows } from "./attention";
export { adam, add, blend, copyRows, multiply, scale, sumRows, sumSlices, transpose } from "./elements";
export { gemm, gemmScratch } from "./gemm";
export { rmsNorm, rmsNormGradient, swiGlu, swiGluGradient } from "./normalise";
export {
  correctTokens,
  crossEntropy,
  crossEntropyGradient,
  neighbourShift,
  tokenEmbedding,
  tokenEmbeddingGradient,
} from "./tokens";
