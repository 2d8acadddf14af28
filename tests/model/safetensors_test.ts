import assert from "node:assert/strict";
import fc from "fast-check";
import {
  decodeSafetensors,
  encodeSafetensors,
  float32,
  openSafetensors,
  type TensorData,
  writeSafetensors,
  writeSafetensorsStream,
} from "../../model/safetensors.ts";
import { bytesPerElement, type DType, elementCount, fromBytes } from "../../model/tensor_data.ts";
import { filesIn, inTemporaryFolder } from "../temporary_folder.ts";

const dtypes: DType[] = ["F32", "F64", "F16", "BF16", "I32", "I64", "U8", "BOOL"];

const tensor: fc.Arbitrary<TensorData> = fc
  .tuple(fc.constantFrom(...dtypes), fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }))
  .chain(([dtype, shape]) => {
    const length = elementCount(shape) * bytesPerElement(dtype);
    return fc.uint8Array({ minLength: length, maxLength: length })
      .map((bytes) => ({ dtype, shape, data: fromBytes(dtype, new Uint8Array(bytes)) }));
  });
const tensors = fc.uniqueArray(fc.tuple(fc.string({ unit: "grapheme" }), tensor), {
  selector: ([name]) => name,
  maxLength: 6,
}).filter((list) => list.every(([name]) => name !== "__metadata__")).map((list) => new Map(list));
const metadata = fc.dictionary(fc.string(), fc.string(), { noNullPrototype: true });

/** A file with any header text, and `dataLength` zero bytes. */
function file(header: string | Record<string, unknown>, dataLength: number): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + dataLength);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

Deno.test("decodeSafetensors() returns what encodeSafetensors() was given", () => {
  fc.assert(fc.property(tensors, metadata, (some, text) => {
    const decoded = decodeSafetensors(encodeSafetensors(some, text));
    assert.deepEqual(decoded.metadata, text);
    assert.equal(decoded.tensors.size, some.size);
    for (const [name, value] of some) assert.deepEqual(decoded.tensors.get(name), value);
  }));
});

Deno.test("encodeSafetensors() begins every tensor at a multiple of its element size", () => {
  fc.assert(fc.property(tensors, (some) => {
    const bytes = encodeSafetensors(some);
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
    for (const [name, { dtype }] of some) {
      assert.equal((8 + length + header[name].data_offsets[0]) % bytesPerElement(dtype), 0);
    }
  }));
});

Deno.test("encodeSafetensors() writes the bytes of the format", () => {
  const one: TensorData = { dtype: "U8", shape: [2], data: new Uint8Array([7, 9]) };
  const header = '{"__metadata__":{"k":"v"},"t":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}';
  const padded = header.padEnd(Math.ceil(header.length / 8) * 8);
  const bytes = encodeSafetensors(new Map([["t", one]]), { k: "v" });
  assert.deepEqual([...bytes.subarray(0, 8)], [padded.length, 0, 0, 0, 0, 0, 0, 0]);
  assert.equal(new TextDecoder().decode(bytes.subarray(8, 8 + padded.length)), padded);
  assert.deepEqual([...bytes.subarray(8 + padded.length)], [7, 9]);
});

Deno.test("encodeSafetensors() refuses an array that does not fit its shape or type", () => {
  const bad = (value: TensorData) => () => encodeSafetensors(new Map([["t", value]]));
  assert.throws(bad({ dtype: "F32", shape: [3], data: new Float32Array(2) }), /"t" is F32 \[3\] but has 2 elements/);
  assert.throws(bad({ dtype: "F64", shape: [2], data: new Float32Array(2) }), /of 4 bytes/);
  const named = new Map([["__metadata__", { dtype: "U8", shape: [0], data: new Uint8Array(0) } as TensorData]]);
  assert.throws(() => encodeSafetensors(named), /"__metadata__" is taken/);
});

Deno.test("float32() widens f16, bf16, f64, i32, i64, u8 and bool", () => {
  const wide = (dtype: DType, data: TensorData["data"]) => [...float32({ dtype, shape: [data.length], data })];
  const half = new Uint16Array([
    0x0000,
    0x8000,
    0x0001,
    0x03ff,
    0x0400,
    0x3c00,
    0xc000,
    0x7bff,
    0x7c00,
    0xfc00,
    0x7e01,
  ]);
  const smallest = 2 ** -24;
  assert.deepEqual(wide("F16", half), [
    0,
    -0,
    smallest,
    1023 * smallest,
    2 ** -14,
    1,
    -2,
    65504,
    Infinity,
    -Infinity,
    NaN,
  ]);
  const brain = new Uint16Array([0x0000, 0x8000, 0x3f80, 0xc049, 0x7f80, 0x0001]);
  assert.deepEqual(wide("BF16", brain), [0, -0, 1, -3.140625, Infinity, 2 ** -133]);
  assert.deepEqual(wide("F64", new Float64Array([0.1, 1e300])), [Math.fround(0.1), Infinity]);
  assert.deepEqual(wide("I32", new Int32Array([-5, 1 << 24])), [-5, 1 << 24]);
  assert.deepEqual(wide("I64", new BigInt64Array([-5n, 1n << 40n])), [-5, 2 ** 40]);
  assert.deepEqual(wide("U8", new Uint8Array([0, 255])), [0, 255]);
  assert.deepEqual(wide("BOOL", new Uint8Array([0, 1])), [0, 1]);
});

Deno.test("openSafetensors() reads single tensors and ranges of rows", async () => {
  await inTemporaryFolder(async (folder) => {
    const path = `${folder}/some.safetensors`;
    const table: TensorData = { dtype: "F32", shape: [4, 3], data: Float32Array.from({ length: 12 }, (_, i) => i / 4) };
    const halves: TensorData = {
      dtype: "BF16",
      shape: [2, 1, 2],
      data: new Uint16Array([0x3f80, 0x4000, 0x4040, 0x4080]),
    };
    const scalar: TensorData = { dtype: "I64", shape: [], data: new BigInt64Array([3n]) };
    await writeSafetensors(path, new Map([["halves", halves], ["table", table], ["scalar", scalar]]), { step: "5" });
    const source = await openSafetensors(path);
    try {
      assert.deepEqual(source.names(), ["scalar", "table", "halves"]);
      assert.deepEqual(source.metadata, { step: "5" });
      assert.deepEqual(source.info("halves"), { dtype: "BF16", shape: [2, 1, 2] });
      // Reads at the same time must not disturb each other's position in the file.
      const [whole, middle, wide] = await Promise.all([
        source.read("table"),
        source.rows("table", 1, 3),
        source.rows("halves", 1, 2),
      ]);
      assert.deepEqual(whole, table);
      assert.deepEqual([...middle], [0.75, 1, 1.25, 1.5, 1.75, 2]);
      assert.deepEqual([...wide], [3, 4]);
      assert.deepEqual(await source.read("scalar"), scalar);
      assert.equal((await source.rows("table", 4, 4)).length, 0);
      await assert.rejects(source.rows("table", 2, 5), /"table" of shape \[4,3\] has no rows 2 to 5/);
      await assert.rejects(source.rows("table", 3, 2), /no rows 3 to 2/);
      await assert.rejects(source.rows("scalar", 0, 1), /no rows/);
      await assert.rejects(source.read("other"), /Cannot read some.safetensors: it has no tensor "other"/);
    } finally {
      source.close();
    }
  });
});

Deno.test("writeSafetensorsStream() writes the same file as writeSafetensors()", async () => {
  await inTemporaryFolder(async (folder) => {
    const table: TensorData = { dtype: "F32", shape: [4, 1], data: new Float32Array([1, 2, 3, 4]) };
    await writeSafetensors(`${folder}/whole`, new Map([["table", table]]), { a: "b" });
    const bytes = new Uint8Array(table.data.buffer);
    async function* chunks() {
      yield bytes.subarray(0, 5);
      yield bytes.subarray(5, 5);
      yield await Promise.resolve(bytes.subarray(5));
    }
    const entry = { name: "table", dtype: "F32" as const, shape: [4, 1], chunks: chunks() };
    await writeSafetensorsStream(`${folder}/stream`, [entry], { a: "b" });
    assert.deepEqual(await Deno.readFile(`${folder}/stream`), await Deno.readFile(`${folder}/whole`));
  });
});

Deno.test("writeSafetensorsStream() leaves the old file alone and nothing behind when it fails", async () => {
  await inTemporaryFolder(async (folder) => {
    const path = `${folder}/weights`;
    await Deno.writeTextFile(path, "old");
    const write = (chunks: Iterable<Uint8Array>) =>
      writeSafetensorsStream(path, [{ name: "t", dtype: "F32", shape: [2], chunks }]);
    await assert.rejects(write([new Uint8Array(7)]), /Cannot write weights: "t" needs 8 bytes, its chunks have only 7/);
    await assert.rejects(write([new Uint8Array(8), new Uint8Array(1)]), /its chunks have more/);
    await assert.rejects(
      write((function* () {
        yield new Uint8Array(4);
        throw new Error("the source broke");
      })()),
      /the source broke/,
    );
    assert.equal(await Deno.readTextFile(path), "old");
    assert.deepEqual(filesIn(folder), ["weights"]);
  });
});

const u8 = (begin: number, end: number) => ({ dtype: "U8", shape: [end - begin], data_offsets: [begin, end] });
const longHeader = new Uint8Array(16);
new DataView(longHeader.buffer).setBigUint64(0, 2n ** 63n, true);

const hostile: [string, Uint8Array, RegExp][] = [
  ["an empty file", new Uint8Array(0), /too few for a header/],
  ["a huge header", longHeader, /header of 9223372036854775808 bytes is longer than 100000000/],
  ["a header beyond the end", file("{}", 0).subarray(0, 9), /goes beyond the end/],
  ["a header that is not JSON", file("{", 0), /not JSON/],
  ["a header that is not UTF-8", new Uint8Array([2, 0, 0, 0, 0, 0, 0, 0, 0x22, 0xff]), /not JSON in UTF-8/],
  ["a header that is a list", file("[]", 0), /not a JSON object/],
  ["a tensor that is no object", file({ a: 5 }, 0), /header of "a" is not an object/],
  ["an unknown key", file({ a: { ...u8(0, 1), stride: [1] } }, 1), /"a" has the unknown key "stride"/],
  ["an unknown type", file({ a: { ...u8(0, 1), dtype: "F8" } }, 1), /"a" has the type "F8"/],
  ["a type from the prototype", file({ a: { ...u8(0, 1), dtype: "toString" } }, 1), /type "toString"/],
  ["a missing shape", file({ a: { dtype: "U8", data_offsets: [0, 1] } }, 1), /"a" has the shape undefined/],
  ["a negative size", file({ a: { ...u8(0, 1), shape: [-1, -1] } }, 1), /"a" has the shape \[-1,-1\]/],
  ["a fractional size", file({ a: { ...u8(0, 1), shape: [0.5, 2] } }, 1), /"a" has the shape \[0.5,2\]/],
  ["a shape beyond counting", file({ a: { ...u8(0, 1), shape: [2 ** 30, 2 ** 30] } }, 1), /too many elements/],
  ["a shape beyond counting but for a zero", file({ a: { ...u8(0, 0), shape: [0, 2 ** 52, 2 ** 52] } }, 0), /too many/],
  ["a shape of another size", file({ a: { ...u8(0, 4), shape: [3] } }, 4), /needs 3 bytes, its data_offsets give 4/],
  [
    "offsets in the wrong order",
    file({ a: { dtype: "U8", shape: [1], data_offsets: [1, 0] } }, 1),
    /data_offsets \[1,0\]/,
  ],
  ["three offsets", file({ a: { dtype: "U8", shape: [1], data_offsets: [0, 1, 2] } }, 1), /data_offsets \[0,1,2\]/],
  ["overlapping tensors", file({ a: u8(0, 4), b: u8(2, 6) }, 6), /"b" begins at byte 2 of the data, .* end at 4/],
  ["a gap", file({ a: u8(0, 2), b: u8(3, 4) }, 4), /"b" begins at byte 3 of the data, .* end at 2/],
  ["data out of range", file({ a: u8(0, 5) }, 4), /need 5 bytes of data, it has 4/],
  ["bytes that belong to no tensor", file({ a: u8(0, 4) }, 5), /need 4 bytes of data, it has 5/],
  [
    "two tensors of one name",
    file(`{"a":${JSON.stringify(u8(0, 1))},"\\u0061":${JSON.stringify(u8(0, 1))}}`, 1),
    /"a" twice/,
  ],
  [
    "two types of one tensor",
    file('{"a":{"dtype":"U8","dtype":"I32","shape":[1],"data_offsets":[0,4]}}', 4),
    /"dtype" twice/,
  ],
  ["metadata that is not text", file({ __metadata__: { a: 1 } }, 0), /__metadata__ is not an object of texts/],
];

for (const [what, bytes, message] of hostile) {
  Deno.test(`decodeSafetensors() and openSafetensors() refuse ${what}`, async () => {
    assert.throws(() => decodeSafetensors(bytes, "weights"), message);
    await inTemporaryFolder(async (folder) => {
      await Deno.writeFile(`${folder}/weights`, bytes);
      await assert.rejects(openSafetensors(`${folder}/weights`), message);
    });
  });
}

Deno.test("decodeSafetensors() reads a name that is a word of the language", () => {
  const bytes = file('{"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', 1);
  assert.deepEqual([...decodeSafetensors(bytes).tensors.keys()], ["__proto__"]);
});

Deno.test("decodeSafetensors() refuses a file cut short at any byte", () => {
  const good = encodeSafetensors(new Map([["t", { dtype: "F32", shape: [2, 3], data: new Float32Array(6) }]]));
  fc.assert(fc.property(fc.nat(good.length - 1), (length) => {
    assert.throws(() => decodeSafetensors(good.subarray(0, length)), RangeError);
  }));
});
