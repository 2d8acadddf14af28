import assert from "node:assert/strict";
import fc from "fast-check";
import { createRandom } from "../../arc/random.ts";
import { inverseErf, normals, truncatedNormal, truncatedNormals } from "../../model/initialise.ts";

const mean = (values: ArrayLike<number>) => Array.from(values).reduce((a, b) => a + b, 0) / values.length;
const deviation = (values: Float32Array) => Math.sqrt(mean(values.map((value) => value * value)) - mean(values) ** 2);

Deno.test("inverseErf() gives known values and is odd", () => {
  // Tables of the inverse error function.
  for (const [y, x] of [[0.5, 0.4769362762044699], [0.9, 1.1630871536766743], [0.1, 0.08885599049425769]]) {
    assert.ok(Math.abs(inverseErf(y) - x) < 1e-14, `inverseErf(${y}) is ${inverseErf(y)}, expected ${x}`);
    assert.equal(inverseErf(-y), -inverseErf(y));
  }
  assert.equal(inverseErf(0), 0);
});

Deno.test("truncatedNormal() rises with the fraction, is odd about a half and ends at two scales", () => {
  const ends = 2 / 0.87962566103423978;
  assert.ok(Math.abs(truncatedNormal(1, 1) - ends) < 1e-12);
  assert.ok(Math.abs(truncatedNormal(0, 1) + ends) < 1e-12);
  const fraction = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(fc.property(fraction, fraction, (a, b) => {
    if (b - a > 1e-9) assert.ok(truncatedNormal(a, 1) < truncatedNormal(b, 1));
    assert.ok(Math.abs(truncatedNormal(a, 3) + truncatedNormal(1 - a, 3)) < 1e-12);
  }));
});

Deno.test("truncatedNormal() has the asked deviation", () => {
  // The midpoint rule over the whole distribution; 1 % off would be 100 times the tolerance.
  const size = 10_000;
  const squares = Array.from({ length: size }, (_, i) => truncatedNormal((i + 0.5) / size, 0.25) ** 2);
  assert.ok(Math.abs(Math.sqrt(mean(squares)) / 0.25 - 1) < 1e-4);
});

Deno.test("truncatedNormals() are truncatedNormal() of the draws to the last bit", () => {
  const random = createRandom(4);
  const ends = [0, 2 ** -32, 0.5 - 2 ** -32, 0.5, 0.5 + 2 ** -32, 1 - 2 ** -32];
  const fractions = [...ends, ...Array.from({ length: 50_000 }, () => random.next())];
  for (const deviation of [0.25, 1 / Math.sqrt(512), 0]) {
    let i = 0;
    const drawn = truncatedNormals(fractions.length, deviation, { next: () => fractions[i++], normal: () => NaN });
    assert.deepEqual(drawn, Float32Array.from(fractions, (fraction) => truncatedNormal(fraction, deviation)));
  }
});

Deno.test("truncatedNormals() and normals() have mean 0 and the asked deviation", () => {
  for (const draw of [truncatedNormals, normals]) {
    const values = draw(50_000, 0.25, createRandom(1));
    // Five standard errors.
    assert.ok(Math.abs(mean(values)) < 5 * 0.25 / Math.sqrt(50_000));
    assert.ok(Math.abs(deviation(values) / 0.25 - 1) < 5 / Math.sqrt(2 * 50_000));
  }
});
