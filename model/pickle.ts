/**
 * A reader for the pickles that `torch.save` writes around a state dict. It is a table of the few opcodes and names a state
 * dict needs: everything else is refused by name, and nothing is ever called. Knows no file container and no parameter names.
 * Source: the opcodes of pickle protocols 2 to 4 (Python's pickletools).
 *
 * @module
 */

import { type DType, elementCount } from "./tensor_data.ts";

/** A storage: the elements that one or more tensors look at. */
export class PickledStorage {
  constructor(
    /** Its name in the file. */
    readonly key: string,
    /** Element type. */
    readonly dtype: DType,
    /** Number of elements. */
    readonly elements: number,
  ) {}
}

/** A tensor: a view of a storage. */
export class PickledTensor {
  constructor(
    /** Where the elements are. */
    readonly storage: PickledStorage,
    /** Index of the first element in the storage. */
    readonly offset: number,
    /** Sizes of the axes. */
    readonly shape: number[],
    /** Steps of the axes in elements. */
    readonly strides: number[],
  ) {}
}

/** A name of Python's that the pickle mentions, one of those known here. */
class Global {
  constructor(readonly name: string) {}
}

/** A pickled value; lists and tuples are arrays, dictionaries are maps. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleValue[]
  | Map<PickleValue, PickleValue>
  | Global
  | PickledStorage
  | PickledTensor;

/** What {@link unpickle} found. */
export interface Unpickled {
  /** The pickled value. */
  value: PickleValue;
  /** Number of bytes the pickle has; others may follow. */
  length: number;
  /** The storages its tensors look at, by key. */
  storages: Map<string, PickledStorage>;
}

/** The bytes ended before the pickle did. */
export class PickleEnded extends RangeError {}

const STORAGE_TYPES: Record<string, DType> = {
  FloatStorage: "F32",
  DoubleStorage: "F64",
  HalfStorage: "F16",
  BFloat16Storage: "BF16",
  IntStorage: "I32",
  LongStorage: "I64",
  ByteStorage: "U8",
  BoolStorage: "BOOL",
};

const FUNCTIONS = new Set([
  "collections.OrderedDict",
  "torch._utils._rebuild_tensor_v2",
  "torch._utils._rebuild_parameter",
]);

function storageType(global: string): DType | undefined {
  const [, name] = /^torch\.(?:storage\.)?(\w+)$/.exec(global) ?? [];
  return name && Object.hasOwn(STORAGE_TYPES, name) ? STORAGE_TYPES[name] : undefined;
}

/** Opcodes outside the table below, by the names that Python's own tools give them. */
const REFUSED: Record<number, string> = {
  0x69: "INST",
  0x6f: "OBJ",
  0x81: "NEWOBJ",
  0x92: "NEWOBJ_EX",
  0x82: "EXT1",
  0x83: "EXT2",
  0x84: "EXT4",
  0x50: "PERSID",
  0x8f: "EMPTY_SET",
  0x90: "ADDITEMS",
  0x91: "FROZENSET",
  0x96: "BYTEARRAY8",
  0x97: "NEXT_BUFFER",
};

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Reads one pickle from the start of `bytes`.
 * @param file what error messages call the file
 * @throws {PickleEnded} if `bytes` end before the pickle does
 * @throws {RangeError} if it asks for a name or an opcode that a state dict does not need, or contradicts itself
 */
export function unpickle(bytes: Uint8Array, file: string): Unpickled {
  return new Unpickler(bytes, file).run();
}

class Unpickler {
  private readonly view: DataView;
  private readonly stack: PickleValue[] = [];
  private readonly marks: number[] = [];
  private readonly memo = new Map<number, PickleValue>();
  private readonly ordered = new WeakSet<Map<PickleValue, PickleValue>>();
  private readonly storages = new Map<string, PickledStorage>();
  private position = 0;

  constructor(private readonly bytes: Uint8Array, private readonly file: string) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  run(): Unpickled {
    while (true) {
      const opcode = this.uint8();
      if (opcode === 0x2e) { // STOP
        const value = this.pop();
        if (this.stack.length) throw this.refusal("the pickle leaves values behind");
        return { value, length: this.position, storages: this.storages };
      }
      this.step(opcode);
    }
  }

  private step(opcode: number): void {
    switch (opcode) {
      case 0x80: { // PROTO
        const protocol = this.uint8();
        if (protocol < 2 || protocol > 4) throw this.refusal(`the pickle has protocol ${protocol}; 2 to 4 are known`);
        return;
      }
      case 0x95: // FRAME: a hint for buffering, of which only the bound matters here
        this.need(this.uint64());
        return;
      case 0x28: // MARK
        this.marks.push(this.stack.length);
        return;
      case 0x30: // POP
        this.pop();
        return;
      case 0x31: // POP_MARK
        this.popMark();
        return;
      case 0x32: // DUP
        this.stack.push(this.top());
        return;
      case 0x4e: // NONE
        this.stack.push(null);
        return;
      case 0x88: // NEWTRUE
        this.stack.push(true);
        return;
      case 0x89: // NEWFALSE
        this.stack.push(false);
        return;
      case 0x4a: // BININT
        this.stack.push(this.view.getInt32(this.take(4), true));
        return;
      case 0x4b: // BININT1
        this.stack.push(this.uint8());
        return;
      case 0x4d: // BININT2
        this.stack.push(this.view.getUint16(this.take(2), true));
        return;
      case 0x8a: // LONG1
        this.stack.push(this.integer(this.uint8()));
        return;
      case 0x47: // BINFLOAT
        this.stack.push(this.view.getFloat64(this.take(8), false));
        return;
      case 0x8c: // SHORT_BINUNICODE
        this.stack.push(this.text(this.uint8()));
        return;
      case 0x58: // BINUNICODE
        this.stack.push(this.text(this.uint32()));
        return;
      case 0x8d: // BINUNICODE8
        this.stack.push(this.text(this.uint64()));
        return;
      case 0x43: // SHORT_BINBYTES
        this.stack.push(this.slice(this.uint8()));
        return;
      case 0x42: // BINBYTES
        this.stack.push(this.slice(this.uint32()));
        return;
      case 0x29: // EMPTY_TUPLE
      case 0x5d: // EMPTY_LIST
        this.stack.push([]);
        return;
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: // TUPLE3
        this.stack.push(Array.from({ length: opcode - 0x84 }, () => this.pop()).reverse());
        return;
      case 0x74: // TUPLE
      case 0x6c: // LIST
        this.stack.push(this.popMark());
        return;
      case 0x61: // APPEND
        this.append([this.pop()]);
        return;
      case 0x65: // APPENDS
        this.append(this.popMark());
        return;
      case 0x7d: // EMPTY_DICT
        this.stack.push(new Map());
        return;
      case 0x73: { // SETITEM
        const value = this.pop();
        this.setItems([this.pop(), value]);
        return;
      }
      case 0x75: // SETITEMS
        this.setItems(this.popMark());
        return;
      case 0x71: // BINPUT
        this.memo.set(this.uint8(), this.top());
        return;
      case 0x72: // LONG_BINPUT
        this.memo.set(this.uint32(), this.top());
        return;
      case 0x94: // MEMOIZE
        this.memo.set(this.memo.size, this.top());
        return;
      case 0x68: // BINGET
        this.stack.push(this.remembered(this.uint8()));
        return;
      case 0x6a: // LONG_BINGET
        this.stack.push(this.remembered(this.uint32()));
        return;
      case 0x63: { // GLOBAL
        const module = this.line();
        this.stack.push(this.global(module, this.line()));
        return;
      }
      case 0x93: { // STACK_GLOBAL
        const name = this.pop();
        this.stack.push(this.global(this.pop(), name));
        return;
      }
      case 0x51: // BINPERSID
        this.stack.push(this.storage(this.pop()));
        return;
      case 0x52: { // REDUCE
        const values = this.pop();
        this.stack.push(this.reduce(this.pop(), values));
        return;
      }
      case 0x62: // BUILD
        this.build(this.pop());
        return;
      default: {
        const name = REFUSED[opcode] ?? `0x${opcode.toString(16).padStart(2, "0")}`;
        throw this.refusal(`the pickle uses the opcode ${name}, which this importer does not know`);
      }
    }
  }

  private refusal(reason: string): RangeError {
    return new RangeError(`Cannot import ${this.file}: ${reason}`);
  }

  private need(length: number): void {
    if (this.position + length > this.bytes.length) {
      throw new PickleEnded(`Cannot import ${this.file}: the pickle is cut short`);
    }
  }

  /** Steps over `length` bytes and returns where they begin. */
  private take(length: number): number {
    this.need(length);
    this.position += length;
    return this.position - length;
  }

  private slice(length: number): Uint8Array {
    const start = this.take(length);
    return this.bytes.subarray(start, start + length);
  }

  private uint8(): number {
    return this.bytes[this.take(1)];
  }

  private uint32(): number {
    return this.view.getUint32(this.take(4), true);
  }

  private uint64(): number {
    return Number(this.view.getBigUint64(this.take(8), true));
  }

  /** A little-endian two's complement number. */
  private integer(length: number): number | bigint {
    let value = 0n;
    for (const byte of this.slice(length).toReversed()) value = value << 8n | BigInt(byte);
    value = BigInt.asIntN(8 * length, value);
    return BigInt(Number(value)) === value && Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }

  private text(length: number): string {
    const bytes = this.slice(length);
    try {
      return utf8.decode(bytes);
    } catch {
      throw this.refusal("the pickle has a text that is not UTF-8");
    }
  }

  private line(): string {
    const end = this.bytes.indexOf(0x0a, this.position);
    if (end < 0) this.need(Infinity);
    const text = this.text(end - this.position);
    this.position++;
    return text;
  }

  private top(): PickleValue {
    if (this.stack.length <= (this.marks.at(-1) ?? 0)) {
      throw this.refusal("the pickle takes a value from an empty stack");
    }
    return this.stack.at(-1)!;
  }

  private pop(): PickleValue {
    const value = this.top();
    this.stack.pop();
    return value;
  }

  private popMark(): PickleValue[] {
    const start = this.marks.pop();
    if (start === undefined) throw this.refusal("the pickle asks for a mark that was never set");
    return this.stack.splice(start);
  }

  private remembered(index: number): PickleValue {
    const value = this.memo.get(index);
    if (value === undefined) throw this.refusal(`the pickle asks for entry ${index} of its memo, which is empty`);
    return value;
  }

  private append(values: PickleValue[]): void {
    const list = this.top();
    if (!Array.isArray(list)) throw this.refusal("the pickle appends to something that is not a list");
    for (const value of values) list.push(value);
  }

  private setItems(pairs: PickleValue[]): void {
    const map = this.top();
    if (!(map instanceof Map)) throw this.refusal("the pickle sets items of something that is not a dictionary");
    if (pairs.length % 2) throw this.refusal("the pickle has a dictionary key without a value");
    for (let i = 0; i < pairs.length; i += 2) {
      const key = pairs[i];
      // Two readers that keep different ones of two equal keys would see different weights.
      if (map.has(key)) throw this.refusal(`the pickle has the key ${describe(key)} twice in one dictionary`);
      map.set(key, pairs[i + 1]);
    }
  }

  private global(module: PickleValue, name: PickleValue): Global {
    if (typeof module !== "string" || typeof name !== "string") {
      throw this.refusal("the pickle asks for a name that is not a text");
    }
    const full = `${module}.${name}`;
    if (!FUNCTIONS.has(full) && !storageType(full)) {
      throw this.refusal(`the pickle asks for ${full}, which this importer does not know`);
    }
    return new Global(full);
  }

  /** A persistent id is ("storage", type, key, device, number of elements), in old files with a sixth part, None. */
  private storage(id: PickleValue): PickledStorage {
    const [kind, type, key, , elements, view] = Array.isArray(id) ? id : [];
    const dtype = type instanceof Global ? storageType(type.name) : undefined;
    if (kind !== "storage" || !dtype || typeof key !== "string" || !isSize(elements)) {
      throw this.refusal("the pickle refers to something outside it that is not a storage");
    }
    if (view) {
      throw this.refusal(`storage "${key}" is a view of another; save the state dict with PyTorch 0.4 or later`);
    }
    const known = this.storages.get(key);
    if (known && (known.dtype !== dtype || known.elements !== elements)) {
      throw this.refusal(`storage "${key}" has two types or sizes`);
    }
    const storage = known ?? new PickledStorage(key, dtype, elements);
    this.storages.set(key, storage);
    return storage;
  }

  private reduce(called: PickleValue, values: PickleValue): PickleValue {
    if (!(called instanceof Global) || !Array.isArray(values)) {
      throw this.refusal("the pickle calls something that is not a function");
    }
    if (called.name === "collections.OrderedDict" && values.length === 0) {
      const map = new Map<PickleValue, PickleValue>();
      this.ordered.add(map);
      return map;
    }
    if (called.name === "torch._utils._rebuild_tensor_v2") return this.tensor(values);
    if (called.name === "torch._utils._rebuild_parameter" && values[0] instanceof PickledTensor) return values[0];
    throw this.refusal(`the pickle calls ${called.name} with values it does not take`);
  }

  /** (storage, offset, shape, strides, requires_grad, hooks); the last two are about learning. */
  private tensor([storage, offset, shape, strides]: PickleValue[]): PickledTensor {
    if (!(storage instanceof PickledStorage) || !isSize(offset) || !isSizes(shape) || !isSizes(strides)) {
      throw this.refusal("a tensor has no storage, or an offset, shape or stride that is not a whole number ≥ 0");
    }
    if (shape.length !== strides.length) {
      throw this.refusal(`a tensor of shape [${shape}] has ${strides.length} strides`);
    }
    let count: number;
    try {
      count = elementCount(shape);
    } catch {
      throw this.refusal(`a tensor of shape [${shape}] has too many elements`);
    }
    const last = shape.reduce((index, size, axis) => index + (size - 1) * strides[axis], offset);
    if (count > 0 && last >= storage.elements) {
      throw this.refusal(
        `a tensor of shape [${shape}], strides [${strides}] and offset ${offset} goes beyond ` +
          `the ${storage.elements} elements of storage "${storage.key}"`,
      );
    }
    // A few bytes with a stride of 0 could otherwise ask for any amount of memory.
    if (count > storage.elements) {
      throw this.refusal(`a tensor of shape [${shape}] repeats the ${storage.elements} elements of its storage`);
    }
    return new PickledTensor(storage, offset, shape, strides);
  }

  /** A state dict is an OrderedDict with one attribute, the version numbers of its modules. */
  private build(state: PickleValue): void {
    const target = this.top();
    const attributes = state instanceof Map ? [...state.keys()] : [undefined];
    if (!(target instanceof Map && this.ordered.has(target)) || attributes.some((name) => name !== "_metadata")) {
      throw this.refusal("the pickle uses the opcode BUILD on something other than a state dict");
    }
  }
}

/** A value in an error message. Only texts are shown: a nest of lists could unfold without end. */
export function describe(value: PickleValue): string {
  return typeof value === "string" ? JSON.stringify(value) : "that is not a text";
}

function isSize(value: PickleValue | undefined): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isSizes(value: PickleValue | undefined): value is number[] {
  return Array.isArray(value) && value.every(isSize);
}
