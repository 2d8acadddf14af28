/**
 * The safetensors file format: named tensors behind a JSON header, read and written.
 * Knows no parameter names, no model and no tfjs. Format: 8 bytes header length (little-endian), the header
 * `{name: {dtype, shape, data_offsets: [begin, end]}, __metadata__: {…}}`, then the elements without gaps.
 * Source: github.com/huggingface/safetensors, README.
 *
 * @module
 */

import { type ByteSource, fileName, openFile, writeWhole } from "./files.ts";
import {
  bytesPerElement,
  type DType,
  elementCount,
  float32,
  fromBytes,
  isDType,
  type TensorData,
  type TensorInfo,
  type TensorSource,
  toBytes,
  type TypedArray,
} from "./tensor_data.ts";

export { float32 };
export type { DType, TensorData, TensorInfo, TensorSource, TypedArray };

/** Free text that travels in a file's header. */
export type Metadata = Record<string, string>;

/** The tensors of a file, and its metadata. */
export interface SafetensorsFile {
  /** The tensors in the order of their data. */
  tensors: Map<string, TensorData>;
  /** The header's `__metadata__`, {} if it has none. */
  metadata: Metadata;
}

/** An open safetensors file. */
export interface SafetensorsSource extends TensorSource {
  /** The header's `__metadata__`, {} if it has none. */
  readonly metadata: Metadata;
}

/** A tensor that is written as its bytes come in. */
export interface SafetensorsEntry {
  /** Its name. */
  name: string;
  /** Element type. */
  dtype: DType;
  /** Sizes of the axes. */
  shape: number[];
  /** The row-major little-endian elements; together exactly as many bytes as `dtype` and `shape` ask for. */
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}

interface Location extends TensorInfo {
  begin: number;
  end: number;
}

/** The format's own bound; a longer header is an attack or not a safetensors file. */
const LONGEST_HEADER = 100_000_000;

/**
 * Tensors as the bytes of a safetensors file.
 * @throws {RangeError} if a tensor's array does not fit its type and shape, or is named `__metadata__`
 */
export function encodeSafetensors(tensors: Map<string, TensorData>, metadata: Metadata = {}): Uint8Array<ArrayBuffer> {
  const { header, entries } = layOut(entriesOf(tensors), metadata);
  const parts = [header, ...entries.map((entry) => toBytes(tensors.get(entry.name)!.data))];
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

/**
 * Reads the bytes of a safetensors file; every offset and size is checked before anything is read through it.
 * @param name what error messages call the file
 * @throws {RangeError} if they are not a safetensors file
 */
export function decodeSafetensors(bytes: Uint8Array, name = "safetensors"): SafetensorsFile {
  if (bytes.length < 8) throw refusal(name, `its ${bytes.length} bytes are too few for a header`);
  const dataStart = 8 + headerLength(bytes, bytes.length, name);
  const { locations, metadata } = parseHeader(bytes.subarray(8, dataStart), bytes.length - dataStart, name);
  const tensors = new Map<string, TensorData>();
  for (const [tensorName, { dtype, shape, begin, end }] of locations) {
    // A copy: the caller may free or reuse `bytes`, and an array must begin at a multiple of its element size.
    const data = fromBytes(dtype, new Uint8Array(bytes.subarray(dataStart + begin, dataStart + end)));
    tensors.set(tensorName, { dtype, shape, data });
  }
  return { tensors, metadata };
}

/**
 * Opens a safetensors file; only its header is read now, each tensor when it is asked for.
 * @throws {RangeError} if it is not a safetensors file
 * @throws {Deno.errors.NotFound} if there is no such file
 */
export async function openSafetensors(path: string): Promise<SafetensorsSource> {
  const bytes = await openFile(path);
  try {
    return await safetensorsSource(bytes);
  } catch (error) {
    bytes.close();
    throw error;
  }
}

/**
 * A safetensors file behind any source of bytes.
 * @internal
 * @throws {RangeError} if it is not one
 */
export async function safetensorsSource(bytes: ByteSource): Promise<SafetensorsSource> {
  if (bytes.size < 8) throw refusal(bytes.name, `its ${bytes.size} bytes are too few for a header`);
  const length = headerLength(await bytes.read(0, 8), bytes.size, bytes.name);
  const dataStart = 8 + length;
  const { locations, metadata } = parseHeader(await bytes.read(8, length), bytes.size - dataStart, bytes.name);
  const find = (name: string) => {
    const location = locations.get(name);
    if (!location) throw refusal(bytes.name, `it has no tensor "${name}"`);
    return location;
  };
  return {
    metadata,
    names: () => [...locations.keys()],
    info: (name) => ({ dtype: find(name).dtype, shape: [...find(name).shape] }),
    async read(name) {
      const { dtype, shape, begin, end } = find(name);
      return { dtype, shape: [...shape], data: fromBytes(dtype, await bytes.read(dataStart + begin, end - begin)) };
    },
    async rows(name, from, to) {
      const { dtype, shape, begin } = find(name);
      checkRows(bytes.name, name, shape, from, to);
      const rowShape = shape.slice(1);
      const rowBytes = elementCount(rowShape) * bytesPerElement(dtype);
      const data = fromBytes(dtype, await bytes.read(dataStart + begin + from * rowBytes, (to - from) * rowBytes));
      return float32({ dtype, shape: [to - from, ...rowShape], data });
    },
    close: () => bytes.close(),
  };
}

/**
 * Checks a range of rows.
 * @throws {RangeError} if the tensor is a scalar or 0 ≤ from ≤ to ≤ rows does not hold
 */
export function checkRows(file: string, tensor: string, shape: readonly number[], from: number, to: number): void {
  const whole = Number.isSafeInteger(from) && Number.isSafeInteger(to);
  if (shape.length === 0 || !whole || from < 0 || from > to || to > shape[0]) {
    throw refusal(file, `"${tensor}" of shape [${shape}] has no rows ${from} to ${to}`);
  }
}

/** Writes tensors as a safetensors file, whole or not at all. @throws {RangeError} as {@link encodeSafetensors} */
export async function writeSafetensors(
  path: string,
  tensors: Map<string, TensorData>,
  metadata: Metadata = {},
): Promise<void> {
  await writeSafetensorsStream(path, entriesOf(tensors), metadata);
}

/**
 * Writes a safetensors file from entries whose bytes come in chunks, whole or not at all.
 * Entries with larger elements are written first, so that every tensor begins at a multiple of its element size.
 * @throws {RangeError} if an entry's chunks have another length than its type and shape ask for, or a name is taken
 */
export async function writeSafetensorsStream(
  path: string,
  entries: SafetensorsEntry[],
  metadata: Metadata = {},
): Promise<void> {
  const layout = layOut(entries, metadata);
  await writeWhole(path, allChunks(fileName(path), layout.header, layout.entries));
}

async function* allChunks(file: string, header: Uint8Array, entries: SafetensorsEntry[]): AsyncIterable<Uint8Array> {
  yield header;
  for (const { name, dtype, shape, chunks } of entries) {
    const expected = elementCount(shape) * bytesPerElement(dtype);
    let length = 0;
    for await (const chunk of chunks) {
      length += chunk.length;
      if (length > expected) break;
      yield chunk;
    }
    if (length !== expected) {
      const found = length > expected ? "more" : `only ${length}`;
      throw new RangeError(`Cannot write ${file}: "${name}" needs ${expected} bytes, its chunks have ${found}`);
    }
  }
}

function entriesOf(tensors: Map<string, TensorData>): SafetensorsEntry[] {
  return [...tensors].map(([name, { dtype, shape, data }]) => {
    if (data.length !== elementCount(shape) || data.BYTES_PER_ELEMENT !== bytesPerElement(dtype)) {
      throw new RangeError(
        `Cannot write tensors: "${name}" is ${dtype} [${shape}] but has ${data.length} elements of ${data.BYTES_PER_ELEMENT} bytes`,
      );
    }
    return { name, dtype, shape, chunks: [toBytes(data)] };
  });
}

function layOut(entries: SafetensorsEntry[], metadata: Metadata) {
  const ordered = entries.toSorted((a, b) => bytesPerElement(b.dtype) - bytesPerElement(a.dtype));
  const fields = new Map<string, unknown>();
  if (Object.keys(metadata).length) fields.set("__metadata__", metadata);
  let offset = 0;
  for (const { name, dtype, shape } of ordered) {
    if (name === "__metadata__" || fields.has(name)) {
      throw new RangeError(`Cannot write tensors: the name "${name}" is taken`);
    }
    const end = offset + elementCount(shape) * bytesPerElement(dtype);
    fields.set(name, { dtype, shape, data_offsets: [offset, end] });
    offset = end;
  }
  const text = new TextEncoder().encode(JSON.stringify(Object.fromEntries(fields)));
  // Spaces up to a multiple of 8, as the format's own library does, keep the data aligned.
  const header = new Uint8Array(8 + Math.ceil(text.length / 8) * 8).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(header.length - 8), true);
  header.set(text, 8);
  return { header, entries: ordered };
}

function refusal(file: string, reason: string): RangeError {
  return new RangeError(`Cannot read ${file}: ${reason}`);
}

function headerLength(start: Uint8Array, size: number, file: string): number {
  const length = new DataView(start.buffer, start.byteOffset, 8).getBigUint64(0, true);
  if (length > LONGEST_HEADER) {
    throw refusal(file, `a header of ${length} bytes is longer than ${LONGEST_HEADER}; not a safetensors file?`);
  }
  if (Number(length) > size - 8) throw refusal(file, `its header of ${length} bytes goes beyond the end of the file`);
  return Number(length);
}

function parseHeader(headerBytes: Uint8Array, dataLength: number, file: string) {
  let text: string;
  let header: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(headerBytes);
    header = JSON.parse(text);
  } catch {
    throw refusal(file, "its header is not JSON in UTF-8; not a safetensors file?");
  }
  if (!isRecord(header)) throw refusal(file, "its header is not a JSON object");
  refuseRepeatedKeys(text, file);

  let metadata: Metadata = {};
  const located: [string, Location][] = [];
  for (const [name, field] of Object.entries(header)) {
    if (name === "__metadata__") metadata = parseMetadata(field, file);
    else located.push([name, parseLocation(name, field, file)]);
  }
  located.sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let offset = 0;
  for (const [name, { begin, end }] of located) {
    if (begin !== offset) {
      throw refusal(file, `"${name}" begins at byte ${begin} of the data, the tensors before it end at ${offset}`);
    }
    offset = end;
  }
  if (offset !== dataLength) throw refusal(file, `its tensors need ${offset} bytes of data, it has ${dataLength}`);
  return { locations: new Map(located), metadata };
}

function parseMetadata(field: unknown, file: string): Metadata {
  if (!isRecord(field) || !Object.values(field).every((value) => typeof value === "string")) {
    throw refusal(file, "its __metadata__ is not an object of texts");
  }
  return field as Metadata;
}

function parseLocation(name: string, field: unknown, file: string): Location {
  if (!isRecord(field)) throw refusal(file, `the header of "${name}" is not an object`);
  const { dtype, shape, data_offsets: offsets, ...others } = field;
  const [unknownKey] = Object.keys(others);
  if (unknownKey !== undefined) throw refusal(file, `the header of "${name}" has the unknown key "${unknownKey}"`);
  if (!isDType(dtype)) throw refusal(file, `"${name}" has the type ${JSON.stringify(dtype)}, which is not supported`);
  if (!isSizes(shape)) throw refusal(file, `"${name}" has the shape ${JSON.stringify(shape)}`);
  if (!isSizes(offsets) || offsets.length !== 2 || offsets[0] > offsets[1]) {
    throw refusal(file, `"${name}" has the data_offsets ${JSON.stringify(offsets)}`);
  }
  const [begin, end] = offsets;
  let length: number;
  try {
    length = elementCount(shape) * bytesPerElement(dtype);
  } catch {
    throw refusal(file, `"${name}" has the shape [${shape}], which has too many elements`);
  }
  if (end - begin !== length) {
    throw refusal(file, `"${name}", ${dtype} [${shape}], needs ${length} bytes, its data_offsets give ${end - begin}`);
  }
  return { dtype, shape, begin, end };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

/** JSON.parse keeps the last of two equal keys; two readers that keep different ones see different tensors. */
function refuseRepeatedKeys(json: string, file: string) {
  const open: Set<string>[] = [];
  for (const [token, key] of json.matchAll(/("[^"\\]*(?:\\.[^"\\]*)*")\s*:|"[^"\\]*(?:\\.[^"\\]*)*"|[{}]/g)) {
    if (token === "{") open.push(new Set());
    else if (token === "}") open.pop();
    else if (key) {
      const name: string = JSON.parse(key);
      if (open.at(-1)!.has(name)) throw refusal(file, `its header has "${name}" twice`);
      open.at(-1)!.add(name);
    }
  }
}
