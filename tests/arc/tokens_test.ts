import assert from "node:assert/strict";
import fc from "fast-check";
import { type Canvas, decode, encode, vocabulary } from "../../arc/tokens.ts";
import crop from "../fixtures/arc-pipeline/crop.json" with { type: "json" };
import sequences from "../fixtures/arc-pipeline/sequences.json" with { type: "json" };
import { grids } from "./arbitraries.ts";

const official: Canvas = { side: 30, marking: "eos" };

function fromHex(rows: string[]): number[] {
  return rows.flatMap((row) => [...row].map((digit) => parseInt(digit, 16)));
}

Deno.test("vocabulary() has 12 tokens with EOS and 11 without", () => {
  assert.equal(vocabulary(official), 12);
  assert.equal(vocabulary({ side: 5, marking: "outside" }), 11);
});

for (const { name, part, index, pad_r, pad_c, ...the } of sequences.cases) {
  Deno.test(`encode() writes ${name}, ${part} ${index}, as the official builder does`, () => {
    assert.deepEqual([...encode(the.input_grid, official, [pad_r, pad_c])], fromHex(the.input_tokens));
    assert.deepEqual([...encode(the.output_grid, official, [pad_r, pad_c])], fromHex(the.label_tokens));
  });
}

Deno.test("encode() marks every cell outside with 0 and nothing else when there is no EOS", () => {
  const tokens = encode([[0, 9], [3, 4]], { side: 4, marking: "outside" }, [1, 2]);
  assert.deepEqual([...tokens], [0, 0, 0, 0, 0, 0, 1, 10, 0, 0, 4, 5, 0, 0, 0, 0]);
});

Deno.test("encode() writes EOS as an L without a corner on a cropped canvas", () => {
  const tokens = encode([[0, 9]], { side: 3, marking: "eos" });
  assert.deepEqual([...tokens], [2, 11, 1, 1, 1, 0, 0, 0, 0]);
});

Deno.test("encode() rejects a grid that does not fit", () => {
  assert.throws(() => encode([[1, 2, 3]], { side: 4, marking: "eos" }, [0, 2]), {
    name: "RangeError",
    message: "Cannot encode a 1x3 grid at row 0, column 2: the canvas has side 4",
  });
  assert.throws(() => encode([[1]], { side: 4, marking: "eos" }, [-1, 0]), RangeError);
});

for (const { case: name, tokens, grid } of crop.cases) {
  Deno.test(`decode() crops as the official code: ${name}`, () => {
    assert.deepEqual(decode(fromHex(tokens), official), grid);
  });
}

Deno.test("decode() undoes encode() on every canvas that holds the grid", () => {
  const canvas = fc.record({
    side: fc.integer({ min: 8, max: 12 }),
    marking: fc.constantFrom("eos" as const, "outside" as const),
  });
  fc.assert(fc.property(grids(8), canvas, (grid, canvas) => {
    assert.deepEqual(decode(encode(grid, canvas), canvas), grid);
  }));
});

Deno.test("decode() makes a rectangle of colours of any garbage", () => {
  const garbage = fc.array(fc.integer({ min: -3, max: 14 }), { minLength: 36, maxLength: 36 });
  fc.assert(fc.property(garbage, fc.constantFrom("eos" as const, "outside" as const), (tokens, marking) => {
    const grid = decode(tokens, { side: 6, marking });
    assert(grid.every((row) => row.length === grid[0].length && row.every((colour) => colour >= 0 && colour <= 9)));
  }));
});

Deno.test("decode() reads a known size whatever stands there, holes as black", () => {
  const canvas: Canvas = { side: 3, marking: "outside" };
  assert.deepEqual(decode([1, 0, 3, 0, 5, 6, 7, 8, 9], canvas, [2, 3]), [[0, 0, 2], [0, 4, 5]]);
  assert.deepEqual(decode([0, 0, 0, 0, 0, 0, 0, 0, 0], canvas), []);
});
