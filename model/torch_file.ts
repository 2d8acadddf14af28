/**
 * State dicts as `torch.save` writes them, in the zip container and the older one, read tensor by tensor.
 * Knows no parameter names and no model; runs nothing that the file says (see pickle.ts).
 *
 * @module
 */

import { type ByteSource, openFile } from "./files.ts";
import { describe, PickledTensor, PickleEnded, unpickle, type Unpickled } from "./pickle.ts";
import { checkRows } from "./safetensors.ts";
import { readStoredZip } from "./stored_zip.ts";
import {
  bytesPerElement,
  elementCount,
  emptyArray,
  float32,
  fromBytes,
  type TensorData,
  type TensorSource,
} from "./tensor_data.ts";

/** A state dict's pickle has some kilobytes; a longer one is an attack. */
const LONGEST_PICKLE = 2 ** 24;

/** The number that every file of the older container begins with, and the version that follows it. */
const LEGACY_MAGIC = 0x1950a86a20f9469cfc6cn;
const LEGACY_VERSION = 1001;

/**
 * Opens a file that `torch.save(model.state_dict(), …)` wrote. Names, types and shapes are read now, elements on demand.
 * @throws {RangeError} if it is another file, is damaged, or holds anything but tensors by name
 * @throws {Deno.errors.NotFound} if there is no such file
 */
export async function openTorch(path: string): Promise<TensorSource> {
  const source = await openFile(path);
  try {
    return await torchSource(source);
  } catch (error) {
    source.close();
    throw error;
  }
}

/** A file of `torch.save` behind any source of bytes. @throws {RangeError} as {@link openTorch} */
export async function torchSource(source: ByteSource): Promise<TensorSource> {
  const [first] = await source.read(0, Math.min(1, source.size));
  const isZip = first === 0x50;
  // "P" begins a zip file, the opcode PROTO a pickle.
  if (!isZip && first !== 0x80) throw refusal(source, "it is not a file that torch.save wrote");
  const { tensors, offsets } = isZip ? await readZipContainer(source) : await readLegacyContainer(source);
  const find = (name: string) => {
    const tensor = tensors.get(name);
    if (!tensor) throw new RangeError(`Cannot read ${source.name}: it has no tensor "${name}"`);
    return tensor;
  };
  const read = async (tensor: PickledTensor): Promise<TensorData> => {
    const { storage: { key, dtype }, offset, shape, strides } = tensor;
    const count = elementCount(shape);
    const span = count && shape.reduce((length, size, axis) => length + (size - 1) * strides[axis], 1);
    const width = bytesPerElement(dtype);
    const bytes = await source.read(offsets.get(key)! + offset * width, span * width);
    const elements = fromBytes(dtype, bytes);
    if (isContiguous(shape, strides)) return { dtype, shape: [...shape], data: elements };
    const data = emptyArray(dtype, count);
    for (let i = 0, index = shape.map(() => 0), from = 0; i < count; i++) {
      data[i] = elements[from];
      for (let axis = shape.length - 1; axis >= 0; axis--) {
        from += strides[axis];
        if (++index[axis] < shape[axis]) break;
        from -= strides[axis] * shape[axis];
        index[axis] = 0;
      }
    }
    return { dtype, shape: [...shape], data };
  };
  return {
    names: () => [...tensors.keys()],
    info: (name) => ({ dtype: find(name).storage.dtype, shape: [...find(name).shape] }),
    read: async (name) => await read(find(name)),
    async rows(name, from, to) {
      const { storage, offset, shape, strides } = find(name);
      checkRows(source.name, name, shape, from, to);
      const rows = [to - from, ...shape.slice(1)];
      return float32(await read(new PickledTensor(storage, offset + from * strides[0], rows, strides)));
    },
    close: () => source.close(),
  };
}

/** Whether the elements lie in row-major order without gaps; the stride of an axis of size 1 means nothing. */
function isContiguous(shape: number[], strides: number[]): boolean {
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== step) return false;
    step *= shape[axis];
  }
  return true;
}

interface Container {
  tensors: Map<string, PickledTensor>;
  /** Where each storage begins in the file. */
  offsets: Map<string, number>;
}

function refusal(source: ByteSource, reason: string): RangeError {
  return new RangeError(`Cannot import ${source.name}: ${reason}`);
}

/** `<folder>/data.pkl` is the pickle, `<folder>/data/<key>` are the storages. */
async function readZipContainer(source: ByteSource): Promise<Container> {
  const entries = await readStoredZip(source);
  const pickles = [...entries.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (pickles.length !== 1) throw refusal(source, `it has ${pickles.length} entries data.pkl; torch.save writes one`);
  const folder = pickles[0].slice(0, -"data.pkl".length);
  const contents = async (name: string, longest: number) => {
    const { offset, size } = entries.get(name)!;
    if (size > longest) throw refusal(source, `its ${name} has ${size} bytes, more than ${longest}`);
    return await source.read(offset, size);
  };
  if (entries.has(`${folder}byteorder`)) {
    const order = new TextDecoder().decode(await contents(`${folder}byteorder`, 64));
    if (order !== "little") throw refusal(source, `its byte order is ${JSON.stringify(order)}; only little is known`);
  }
  const pickle = unpickle(await contents(pickles[0], LONGEST_PICKLE), source.name);
  const offsets = new Map<string, number>();
  for (const { key, dtype, elements } of pickle.storages.values()) {
    const entry = entries.get(`${folder}data/${key}`);
    if (!entry) throw refusal(source, `storage "${key}" is missing`);
    checkStorage(source, key, elements * bytesPerElement(dtype), entry.size);
    offsets.set(key, entry.offset);
  }
  return { tensors: stateDict(source, pickle), offsets };
}

/** Five pickles (magic number, version, machine, state dict, storage keys), then each storage: u64 size, elements. */
async function readLegacyContainer(source: ByteSource): Promise<Container> {
  const { version, machine, pickle, keys, length } = await readLegacyPickles(source);
  if (version.value !== LEGACY_VERSION) {
    throw refusal(source, `its container has another version than ${LEGACY_VERSION}`);
  }
  if (!(machine.value instanceof Map) || machine.value.get("little_endian") !== true) {
    throw refusal(source, "its byte order is not little");
  }
  if (!Array.isArray(keys.value)) throw refusal(source, "its list of storages is missing");
  const offsets = new Map<string, number>();
  let position = length;
  for (const key of keys.value) {
    const storage = typeof key === "string" ? pickle.storages.get(key) : undefined;
    if (!storage || offsets.has(storage.key)) {
      throw refusal(
        source,
        `its list of storages has the key ${describe(key)}, which no tensor uses or which came before`,
      );
    }
    if (position + 8 > source.size) throw refusal(source, `storage "${key}" is cut short`);
    const size = new DataView((await source.read(position, 8)).buffer).getBigUint64(0, true);
    const width = bytesPerElement(storage.dtype);
    checkStorage(source, storage.key, storage.elements * width, Number(size) * width);
    offsets.set(storage.key, position + 8);
    position += 8 + storage.elements * width;
    if (position > source.size) throw refusal(source, `storage "${key}" is cut short`);
  }
  const missing = [...pickle.storages.keys()].find((key) => !offsets.has(key));
  if (missing !== undefined) throw refusal(source, `storage "${missing}" is missing`);
  return { tensors: stateDict(source, pickle), offsets };
}

/** The pickles' lengths are not written anywhere, so a growing part of the file is tried. */
async function readLegacyPickles(source: ByteSource) {
  for (let size = 2 ** 20;; size *= 4) {
    const bytes = await source.read(0, Math.min(size, LONGEST_PICKLE, source.size));
    let length = 0;
    const next = (): Unpickled => {
      const pickle = unpickle(bytes.subarray(length), source.name);
      length += pickle.length;
      return pickle;
    };
    try {
      if (next().value !== LEGACY_MAGIC) throw refusal(source, "it is not a file that torch.save wrote");
      const version = next();
      const machine = next();
      const pickle = next();
      const keys = next();
      return { version, machine, pickle, keys, length };
    } catch (error) {
      if (!(error instanceof PickleEnded) || bytes.length < size) throw error;
    }
  }
}

function checkStorage(source: ByteSource, key: string, expected: number, found: number): void {
  if (found !== expected) throw refusal(source, `storage "${key}" has ${found} bytes, its tensors expect ${expected}`);
}

function stateDict(source: ByteSource, { value }: Unpickled): Map<string, PickledTensor> {
  if (!(value instanceof Map)) throw refusal(source, "it does not hold a state dict");
  const tensors = new Map<string, PickledTensor>();
  for (const [name, tensor] of value) {
    if (typeof name !== "string" || !(tensor instanceof PickledTensor)) {
      throw refusal(source, `its entry ${describe(name)} is not a tensor; save model.state_dict() alone`);
    }
    tensors.set(name, tensor);
  }
  return tensors;
}
