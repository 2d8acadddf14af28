/**
 * Makes files in the forms of `torch.save`, sound ones of any size and broken ones. Knows nothing of how they are read.
 *
 * @module
 */

const encoder = new TextEncoder();

/** Little-endian bytes of a number. */
function little(value: number | bigint, length: number): number[] {
  return Array.from({ length }, (_, i) => Number((BigInt(value) >> BigInt(8 * i)) & 0xffn));
}

/** Opcodes of a pickle, one function each, by what they push. */
export const op = {
  start: [0x80, 2],
  stop: [0x2e],
  mark: [0x28],
  tuple: [0x74],
  emptyTuple: [0x29],
  none: [0x4e],
  false: [0x89],
  true: [0x88],
  dictionary: [0x7d],
  setItem: [0x73],
  setItems: [0x75],
  reduce: [0x52],
  build: [0x62],
  persistent: [0x51],
  get: (index: number) => [0x68, index],
  text: (text: string) => [0x58, ...little(encoder.encode(text).length, 4), ...encoder.encode(text)],
  integer: (value: number) => [0x4a, ...little(value, 4)],
  long: (value: bigint) => [0x8a, 10, ...little(value, 10)],
  frame: (length: bigint) => [0x95, ...little(length, 8)],
  global: (module: string, name: string) => [0x63, ...encoder.encode(`${module}\n${name}\n`)],
  list: (items: number[][]) => [0x28, ...items.flat(), 0x6c],
};

/** A tensor as a test describes it. */
export interface TestTensor {
  /** Its storage. */
  key: string;
  /** Class of the storage, `FloatStorage` if not given. */
  type?: string;
  /** Elements of the storage. */
  elements: number;
  /** First element, 0 if not given. */
  offset?: number;
  /** Sizes of the axes. */
  shape: number[];
  /** Steps of the axes; row-major if not given. */
  strides?: number[];
}

/** Strides of a row-major tensor. */
function rowMajor(shape: number[]): number[] {
  return shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
}

/** The opcodes of one tensor; `view` is the sixth part of a persistent id in the older container. */
export function tensorOps(tensor: TestTensor, view: number[] = []): number[] {
  const { key, type = "FloatStorage", elements, offset = 0, shape, strides = rowMajor(shape) } = tensor;
  const sizes = (values: number[]) => [...op.mark, ...values.flatMap(op.integer), ...op.tuple];
  const id = [
    ...op.text("storage"),
    ...op.global("torch", type),
    ...op.text(key),
    ...op.text("cpu"),
    ...op.integer(elements),
  ];
  const hooks = [...op.global("collections", "OrderedDict"), ...op.emptyTuple, ...op.reduce];
  return [
    ...op.global("torch._utils", "_rebuild_tensor_v2"),
    ...op.mark,
    ...[...op.mark, ...id, ...view, ...op.tuple, ...op.persistent],
    ...op.integer(offset),
    ...sizes(shape),
    ...sizes(strides),
    ...op.false,
    ...hooks,
    ...op.tuple,
    ...op.reduce,
  ];
}

/** A pickle of some opcodes. */
export function pickle(...ops: number[][]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from([op.start, ...ops, op.stop].flat());
}

/** The pickle of a dictionary. */
export function dictionary(entries: Record<string, number[]>): Uint8Array<ArrayBuffer> {
  const items = Object.entries(entries).flatMap(([name, ops]) => [...op.text(name), ...ops]);
  return pickle(op.dictionary, op.mark, items, op.setItems);
}

/** An entry of a zip file, with what may be wrong about it. */
export interface TestEntry {
  /** Its name. */
  name: string;
  /** Its bytes, in chunks so that large ones need no memory. */
  data: Iterable<Uint8Array>;
  /** Their number. */
  size: number;
  /** Compression method in both headers, 0 (stored) if not given. */
  method?: number;
  /** Size that the directory gives in place of the true one. */
  declared?: number;
  /** Flags in the directory. */
  flags?: number;
  /** Offset of the local header that the directory gives in place of the true one. */
  at?: number;
}

/** An entry of some bytes. */
export function entry(name: string, bytes: Uint8Array, wrong: Partial<TestEntry> = {}): TestEntry {
  return { name, data: [bytes], size: bytes.length, ...wrong };
}

/** The bytes of a zip file of stored entries; with `zip64`, every size and offset stands in the 64-bit fields. */
export function* zipFile(entries: TestEntry[], zip64 = false): Generator<Uint8Array> {
  const directory: number[] = [];
  let offset = 0;
  for (const { name, data, size, method = 0, declared = size, flags = 0x808, at = offset } of entries) {
    const text = encoder.encode(name);
    const short = (value: number) => little(zip64 ? 0xffffffff : value, 4);
    const extra = zip64
      ? [...little(1, 2), ...little(24, 2), ...[declared, declared, at].flatMap((n) => little(n, 8))]
      : [];
    const local = [
      0x50,
      0x4b,
      3,
      4,
      0,
      0,
      ...little(0x808, 2),
      ...little(method, 2),
      ...little(0, 16),
      ...little(text.length, 2),
      0,
      0,
    ];
    yield Uint8Array.from([...local, ...text]);
    yield* data;
    directory.push(0x50, 0x4b, 1, 2, 0, 0, 0, 0, ...little(flags, 2), ...little(method, 2), ...little(0, 8));
    directory.push(...short(declared), ...short(declared), ...little(text.length, 2), ...little(extra.length, 2));
    directory.push(...little(0, 10), ...short(at), ...text, ...extra);
    offset += local.length + text.length + size;
  }
  const count = entries.length;
  const end64 = [
    ...[0x50, 0x4b, 6, 6, ...little(44, 8), ...little(0, 12), ...little(count, 8), ...little(count, 8)],
    ...[...little(directory.length, 8), ...little(offset, 8)],
    ...[0x50, 0x4b, 6, 7, ...little(0, 4), ...little(offset + directory.length, 8), ...little(1, 4)],
  ];
  const short = (value: number, length: number) => zip64 ? Array(length).fill(0xff) : little(value, length);
  const end = [0x50, 0x4b, 5, 6, 0, 0, 0, 0, ...short(count, 2), ...short(count, 2)];
  yield Uint8Array.from(directory);
  yield Uint8Array.from([
    ...(zip64 ? end64 : []),
    ...end,
    ...short(directory.length, 4),
    ...short(offset, 4),
    ...little(0, 2),
  ]);
}

/** All chunks as one array. */
export function joined(chunks: Iterable<Uint8Array>): Uint8Array<ArrayBuffer> {
  return Uint8Array.from([...chunks].flatMap((chunk) => [...chunk]));
}

/** The bytes of a zip container with one f32 tensor `w` [2, 3]; other contents of its entries, further entries. */
export function zip(
  contents: Record<string, Uint8Array> = {},
  more: TestEntry[] = [],
  zip64 = false,
): Uint8Array<ArrayBuffer> {
  const entries = {
    "x/data.pkl": dictionary({ w: tensorOps({ key: "0", elements: 6, shape: [2, 3] }) }),
    "x/data/0": new Uint8Array(new Float32Array([0, 1, 2, 3, 4, 5]).buffer),
    ...contents,
  };
  return joined(zipFile([...Object.entries(entries).map(([name, bytes]) => entry(name, bytes)), ...more], zip64));
}

/** Writes chunks to a file, one after the other. */
export async function writeChunks(path: string, chunks: Iterable<Uint8Array>): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true, truncate: true });
  for (const chunk of chunks) {
    for (let written = 0; written < chunk.length;) written += await file.write(chunk.subarray(written));
  }
}

/** A file of the older container with one f32 tensor `w` [2, 3] of the numbers 0 … 5, or with other parts in its place. */
export function legacyFile(
  { magic = 0x1950a86a20f9469cfc6cn, version = 1001, littleEndian = true, keys = ["7"], size = 6, view = op.none } = {},
): Uint8Array<ArrayBuffer> {
  const tensor = tensorOps({ key: "7", elements: 6, shape: [2, 3] }, view);
  return joined([
    pickle(op.long(magic)),
    pickle(op.integer(version)),
    dictionary({ little_endian: littleEndian ? op.true : op.false }),
    dictionary({ w: tensor }),
    pickle(op.list(keys.map(op.text))),
    Uint8Array.from(little(size, 8)),
    new Uint8Array(new Float32Array([0, 1, 2, 3, 4, 5]).buffer),
  ]);
}

/** A checkpoint of the official HRM's names: width 64, one layer a level, a puzzle table of `rows` rows of row number + column / 64. */
export function largeCheckpoint(rows: number): Iterable<Uint8Array> {
  const width = 64;
  const blockRows = 2 ** 14;
  const shapes: Record<string, number[]> = {
    H_init: [width],
    L_init: [width],
    "embed_tokens.embedding_weight": [12, width],
    "lm_head.weight": [12, width],
    "q_head.weight": [2, width],
    "q_head.bias": [2],
  };
  for (const level of ["H", "L"]) {
    const layer = `${level}_level.layers.0`;
    shapes[`${layer}.self_attn.qkv_proj.weight`] = [3 * width, width];
    shapes[`${layer}.self_attn.o_proj.weight`] = [width, width];
    shapes[`${layer}.mlp.gate_up_proj.weight`] = [512, width];
    shapes[`${layer}.mlp.down_proj.weight`] = [width, 256];
  }
  shapes["puzzle_emb.weights"] = [rows, width];
  const elements = (shape: number[]) => shape.reduce((a, b) => a * b, 1);
  function* table() {
    for (let from = 0; from < rows; from += blockRows) {
      const block = Float32Array.from(
        { length: Math.min(blockRows, rows - from) * width },
        (_, i) => from + Math.floor(i / width) + (i % width) / 64,
      );
      yield new Uint8Array(block.buffer);
    }
  }
  const list = Object.entries(shapes);
  const tensors = list.map(([name, shape], key) =>
    [`_orig_mod.model.inner.${name}`, tensorOps({ key: `${key}`, elements: elements(shape), shape })] as const
  );
  return zipFile([
    entry("step_1/data.pkl", dictionary(Object.fromEntries(tensors))),
    entry("step_1/byteorder", encoder.encode("little")),
    ...list.map(([name, shape], key) => ({
      name: `step_1/data/${key}`,
      size: 4 * elements(shape),
      data: name === "puzzle_emb.weights" ? table() : [new Uint8Array(4 * elements(shape))],
    })),
  ], true);
}
