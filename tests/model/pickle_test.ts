import assert from "node:assert/strict";
import fc from "fast-check";
import { PickledTensor, PickleEnded, unpickle } from "../../model/pickle.ts";
import { dictionary, op, pickle, tensorOps } from "./torch_files.ts";

const bytes = (...parts: number[][]) => Uint8Array.from(parts.flat());
const value = (...ops: number[][]) => unpickle(pickle(...ops), "step_1").value;

Deno.test("unpickle() reads numbers, texts, lists, tuples and dictionaries", () => {
  assert.equal(value(op.integer(-7)), -7);
  assert.equal(value([0x4b, 200]), 200);
  assert.equal(value([0x4d, 0xe9, 3]), 1001);
  assert.equal(value(op.long(-2n)), -2);
  assert.equal(value(op.long(0x1950a86a20f9469cfc6cn)), 0x1950a86a20f9469cfc6cn);
  assert.equal(value([0x8a, 0]), 0);
  assert.equal(value([0x47, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0]), 1.5);
  assert.equal(value(op.text("größe")), "größe");
  assert.deepEqual(value(op.list([op.none, op.true, op.false])), [null, true, false]);
  assert.deepEqual(value(op.integer(1), op.integer(2), op.integer(3), [0x87]), [1, 2, 3]);
  assert.deepEqual(value([0x5d], op.integer(1), [0x61], op.mark, op.integer(2), op.integer(3), [0x65]), [1, 2, 3]);
  assert.deepEqual(unpickle(dictionary({ a: op.integer(1) }), "step_1").value, new Map([["a", 1]]));
});

Deno.test("unpickle() reads protocol 4: frames, short texts, memoised names from the stack", () => {
  const short = (text: string) => [0x8c, text.length, ...new TextEncoder().encode(text), 0x94];
  const body = [
    short("collections"),
    short("OrderedDict"),
    [0x93, 0x94],
    op.emptyTuple,
    op.reduce,
    op.get(1),
    op.get(0),
  ];
  const made = [...body, op.setItem].flat();
  const framed = bytes([0x80, 4], op.frame(BigInt(made.length + 1)), made, op.stop);
  assert.deepEqual(unpickle(framed, "step_1").value, new Map([["OrderedDict", "collections"]]));
});

Deno.test("unpickle() says how many bytes it read and leaves the rest", () => {
  const one = pickle(op.integer(5));
  const { value, length } = unpickle(bytes([...one], [1, 2, 3]), "step_1");
  assert.deepEqual([value, length], [5, one.length]);
});

Deno.test("unpickle() keeps tensors as views of their storages", () => {
  const view = { key: "3", type: "HalfStorage", elements: 24, offset: 8, shape: [2, 3], strides: [6, 1] };
  const whole = { key: "3", type: "HalfStorage", elements: 24, shape: [24] };
  const { value, storages } = unpickle(dictionary({ a: tensorOps(view), b: tensorOps(whole) }), "step_1");
  const [a, b] = [...(value as Map<string, PickledTensor>).values()];
  assert.deepEqual([a.offset, a.shape, a.strides], [8, [2, 3], [6, 1]]);
  assert.equal(a.storage, b.storage);
  assert.deepEqual([...storages.keys()], ["3"]);
  assert.deepEqual([a.storage.dtype, a.storage.elements], ["F16", 24]);
});

Deno.test("unpickle() takes a parameter for its tensor, and the version numbers of a state dict for nothing", () => {
  const tensor = tensorOps({ key: "0", elements: 1, shape: [] });
  const hooks = [...op.global("collections", "OrderedDict"), ...op.emptyTuple, ...op.reduce];
  const parameter = [
    op.global("torch._utils", "_rebuild_parameter"),
    op.mark,
    tensor,
    op.true,
    hooks,
    op.tuple,
    op.reduce,
  ];
  assert.ok(value(...parameter) instanceof PickledTensor);
  const versions = [op.dictionary, op.text("_metadata"), op.dictionary, op.setItem];
  assert.deepEqual(value(hooks, ...versions, op.build), new Map());
});

const reduceBy = (module: string, name: string) => [op.global(module, name), op.text("1"), [0x85], op.reduce];
const tensor = (wrong: Partial<Parameters<typeof tensorOps>[0]>) =>
  tensorOps({ key: "0", elements: 6, shape: [2, 3], ...wrong });
const orderedDict = [...op.global("collections", "OrderedDict"), ...op.emptyTuple, ...op.reduce];

const refused: [string, Uint8Array, RegExp][] = [
  [
    "a call of eval",
    pickle(...reduceBy("builtins", "eval")),
    /asks for builtins\.eval, which this importer does not know/,
  ],
  ["a call of posix.system", pickle(...reduceBy("posix", "system")), /asks for posix\.system, which/],
  ["a nested torch.load", pickle(...reduceBy("torch.storage", "_load_from_bytes")), /torch\.storage\._load_from_bytes/],
  ["a name of the language", pickle(...reduceBy("torch", "constructor")), /asks for torch\.constructor/],
  ["a name in another module", pickle(...reduceBy("torch.nn", "FloatStorage")), /asks for torch\.nn\.FloatStorage/],
  ["a name from the stack", pickle(op.text("os"), op.text("system"), [0x93]), /asks for os\.system/],
  ["a name that is a list", pickle([0x5d], op.text("system"), [0x93]), /a name that is not a text/],
  ["INST", pickle(op.mark, [0x69, ...op.global("os", "system").slice(1)]), /opcode INST/],
  ["OBJ", pickle(op.mark, op.global("collections", "OrderedDict"), [0x6f]), /opcode OBJ/],
  ["NEWOBJ", pickle(op.global("collections", "OrderedDict"), op.emptyTuple, [0x81]), /opcode NEWOBJ,/],
  ["NEWOBJ_EX", pickle(op.emptyTuple, op.dictionary, [0x92]), /opcode NEWOBJ_EX/],
  ["EXT1", pickle([0x82, 1]), /opcode EXT1/],
  ["a persistent id in text", pickle([0x50, 0x30, 0x0a]), /opcode PERSID/],
  ["an opcode of protocol 0", pickle([0x49, 0x31, 0x0a]), /opcode 0x49/],
  ["BUILD on a tensor", pickle(tensor({}), op.dictionary, op.build), /BUILD on something other than a state dict/],
  ["BUILD on a plain dictionary", pickle(op.dictionary, op.dictionary, op.build), /BUILD on something other/],
  [
    "BUILD of another attribute",
    pickle(orderedDict, op.dictionary, op.text("__class__"), op.none, op.setItem, op.build),
    /BUILD on something other/,
  ],
  ["BUILD with a tuple", pickle(orderedDict, op.emptyTuple, op.build), /BUILD on something other/],
  ["protocol 5", bytes([0x80, 5], op.none, op.stop), /protocol 5; 2 to 4/],
  ["a call of a text", pickle(op.text("eval"), op.emptyTuple, op.reduce), /calls something that is not a function/],
  [
    "a call of a storage class",
    pickle(op.global("torch", "FloatStorage"), op.emptyTuple, op.reduce),
    /calls torch\.Float/,
  ],
  [
    "a parameter without a tensor",
    pickle(...reduceBy("torch._utils", "_rebuild_parameter")),
    /values it does not take/,
  ],
  ["an empty memo entry", pickle(op.get(9)), /entry 9 of its memo/],
  ["an empty stack", pickle(op.reduce), /from an empty stack/],
  ["values under a mark", pickle(op.none, op.mark, [0x30]), /from an empty stack/],
  ["no value at all", pickle(), /from an empty stack/],
  ["a mark that was never set", pickle(op.tuple), /a mark that was never set/],
  ["values left behind", pickle(op.none, op.none), /leaves values behind/],
  ["an append to a text", pickle(op.text("a"), op.none, [0x61]), /appends to something/],
  ["an item of a list", pickle([0x5d], op.none, op.none, op.setItem), /sets items of something/],
  ["a key without a value", pickle(op.dictionary, op.mark, op.none, op.setItems), /key without a value/],
  [
    "a key twice",
    pickle(op.dictionary, op.mark, op.text("a"), op.none, op.text("a"), op.none, op.setItems),
    /the key "a" twice in one dictionary/,
  ],
  ["a text that is not UTF-8", pickle([0x58, 1, 0, 0, 0, 0xff]), /not UTF-8/],
  ["a persistent id that is no tuple", pickle(op.text("a"), op.persistent), /not a storage/],
  ["a negative size", pickle(tensor({ shape: [-2, 3], strides: [3, 1] })), /not a whole number ≥ 0/],
  ["a negative stride", pickle(tensor({ offset: 5, strides: [-3, 1] })), /not a whole number ≥ 0/],
  ["a negative offset", pickle(tensor({ offset: -1 })), /not a whole number ≥ 0/],
  ["a negative storage", pickle(tensor({ elements: -6 })), /not a storage/],
  ["more strides than axes", pickle(tensor({ strides: [3, 1, 1] })), /has 3 strides/],
  ["an offset beyond the storage", pickle(tensor({ offset: 1 })), /goes beyond the 6 elements of storage "0"/],
  ["a stride beyond the storage", pickle(tensor({ strides: [4, 1] })), /strides \[4,1\] .* goes beyond the 6 elements/],
  ["a tensor that repeats its elements", pickle(tensor({ shape: [2, 2 ** 30], strides: [0, 0] })), /repeats the 6/],
  [
    "a shape beyond counting",
    pickle(tensor({ shape: [2 ** 30, 2 ** 30, 0], strides: [0, 0, 0] })),
    /too many elements/,
  ],
  [
    "a storage of two types",
    dictionary({ a: tensor({}), b: tensor({ type: "LongStorage" }) }),
    /storage "0" has two types or sizes/,
  ],
  [
    "a view of a storage",
    pickle(tensorOps({ key: "0", elements: 1, shape: [1] }, op.list([op.none]))),
    /is a view of another/,
  ],
];

for (const [what, bad, message] of refused) {
  Deno.test(`unpickle() refuses ${what}`, () => {
    assert.throws(() => unpickle(bad, "step_1"), message);
    assert.throws(() => unpickle(bad, "step_1"), /^RangeError: Cannot import step_1: /);
  });
}

Deno.test("unpickle() says that the pickle is cut short at any byte, and at a frame without end", () => {
  const whole = dictionary({ a: tensor({}), b: [0x8a, 2, 1, 1], c: [0x47, 0, 0, 0, 0, 0, 0, 0, 0] });
  for (let length = 0; length < whole.length; length++) {
    assert.throws(() => unpickle(whole.subarray(0, length), "step_1"), PickleEnded);
  }
  assert.throws(() => unpickle(pickle(op.frame(2n ** 64n - 1n), op.none), "step_1"), PickleEnded);
  assert.throws(() => unpickle(pickle([0x8d, ...Array(8).fill(0xff)]), "step_1"), PickleEnded);
});

Deno.test("unpickle() answers any bytes with a value or a RangeError of its own", () => {
  const opcodes = fc.array(
    fc.constantFrom(...Object.values(op).filter(Array.isArray).filter((code) => code !== op.stop)),
  );
  const noise = fc.uint8Array({ maxLength: 40 }).map((raw) => [...raw]);
  fc.assert(
    fc.property(fc.array(fc.oneof(opcodes.map((codes) => codes.flat()), noise)), (parts) => {
      try {
        unpickle(pickle(...parts), "step_1");
      } catch (error) {
        assert.ok(error instanceof RangeError && error.message.startsWith("Cannot import step_1: "), `${error}`);
      }
    }),
    { numRuns: 500 },
  );
});
