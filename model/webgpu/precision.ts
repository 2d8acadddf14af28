/**
 * In which precision layers multiply, for the whole process. Knows no shader.
 *
 * @module
 */

/**
 * `f32`, or `f16`: operands of the layers' forward products are rounded to f16, sums of 16 products at most are f16 and all others f32. Weights,
 * norms, softmax, the loss and all gradients stay f32: without a scale of the loss they would vanish in f16.
 */
export type Precision = "f32" | "f16";

let current: Precision = "f32";

/** The precision of layers. */
export function layerPrecision(): Precision {
  return current;
}

/** Sets the precision of layers on all devices. */
export function setLayerPrecision(precision: Precision): void {
  current = precision;
}
