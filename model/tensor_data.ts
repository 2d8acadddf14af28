/**
 * Tensors as plain arrays, the common tongue of the file formats. Knows no file format, no tfjs and no model.
 *
 * @module
 */

/** Element types that can be read and written, by their safetensors names. */
export type DType = "F32" | "F64" | "F16" | "BF16" | "I32" | "I64" | "U8" | "BOOL";

/** The array types behind {@link TensorData}; F16 and BF16 are kept as their 16 bits. */
export type TypedArray =
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | BigInt64Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>;

/** A tensor in memory: row-major elements and their shape. */
export interface TensorData {
  /** Element type; F16 and BF16 hold raw bits in a Uint16Array, BOOL holds 0 or 1 in a Uint8Array. */
  dtype: DType;
  /** Sizes of the axes; [] is a scalar. */
  shape: number[];
  /** The elements, as many as the product of `shape`. */
  data: TypedArray;
}

/** What is known of a tensor before its elements are read. */
export interface TensorInfo {
  /** Element type. */
  dtype: DType;
  /** Sizes of the axes. */
  shape: number[];
}

/** An open file of named tensors, read one tensor or one block of rows at a time. */
export interface TensorSource {
  /** The tensors' names, in the file's order. */
  names(): string[];
  /** Type and shape of a tensor. @throws {RangeError} if there is none of that name. */
  info(name: string): TensorInfo;
  /** A whole tensor. @throws {RangeError} if there is none of that name. */
  read(name: string): Promise<TensorData>;
  /** Rows `from` to `to` (exclusive) along the first axis, widened to f32. @throws {RangeError} if out of range. */
  rows(name: string, from: number, to: number): Promise<Float32Array<ArrayBuffer>>;
  /** Closes the file. */
  close(): void;
}

const ARRAYS = {
  F32: Float32Array,
  F64: Float64Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I32: Int32Array,
  I64: BigInt64Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
};

/** Whether a text names an element type. */
export function isDType(text: unknown): text is DType {
  return typeof text === "string" && Object.hasOwn(ARRAYS, text);
}

/** Bytes of one element. */
export function bytesPerElement(dtype: DType): number {
  return ARRAYS[dtype].BYTES_PER_ELEMENT;
}

/** A zeroed array for `length` elements of a type. */
export function emptyArray(dtype: DType, length: number): TypedArray {
  return new ARRAYS[dtype](length);
}

/**
 * The number of elements of a shape.
 * @throws {RangeError} if an axis is not a whole number ≥ 0 or the product is no safe integer
 */
export function elementCount(shape: readonly number[]): number {
  let count = 1;
  let product = 1;
  for (const axis of shape) {
    if (!Number.isSafeInteger(axis) || axis < 0) throw new RangeError(`shape [${shape}] has the size ${axis}`);
    count *= axis;
    // A zero further on must not hide a product beyond all bounds.
    product *= Math.max(axis, 1);
  }
  if (!Number.isSafeInteger(product)) throw new RangeError(`shape [${shape}] has too many elements`);
  return count;
}

/** Little-endian bytes as an array of a type: without a copy where the alignment allows it. */
export function fromBytes(dtype: DType, bytes: Uint8Array<ArrayBuffer>): TypedArray {
  const aligned = bytes.byteOffset % bytesPerElement(dtype) === 0 ? bytes : bytes.slice();
  return new ARRAYS[dtype](aligned.buffer, aligned.byteOffset, aligned.byteLength / bytesPerElement(dtype));
}

/** The bytes of an array, without a copy. */
export function toBytes(data: TypedArray): Uint8Array<ArrayBuffer> {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/**
 * A tensor's elements as f32. F32, F16, BF16, U8 and BOOL are exact; F64, I32 and I64 are rounded to the nearest f32.
 * @returns f32[elements]; the tensor's own array if it is F32 already
 */
export function float32(tensor: TensorData): Float32Array<ArrayBuffer> {
  const { dtype, data } = tensor;
  if (dtype === "F32") return data as Float32Array<ArrayBuffer>;
  if (dtype === "BF16") return widenBfloat16(data as Uint16Array);
  if (dtype === "F16") return Float32Array.from(data as Uint16Array, widenFloat16);
  if (dtype === "I64") return Float32Array.from(data as BigInt64Array, Number);
  return Float32Array.from(data as Float64Array);
}

/** A bfloat16 is the upper half of an f32. */
function widenBfloat16(halves: Uint16Array): Float32Array<ArrayBuffer> {
  const bits = new Uint32Array(halves.length);
  for (let i = 0; i < bits.length; i++) bits[i] = halves[i] << 16;
  return new Float32Array(bits.buffer);
}

/** IEEE 754 binary16: 1 sign, 5 exponent and 10 fraction bits. */
function widenFloat16(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}
