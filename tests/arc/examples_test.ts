import assert from "node:assert/strict";
import fc from "fast-check";
import { apply, dihedral, identityAugmentation } from "../../arc/augment.ts";
import { collate, encodePair, encodeTest, meaningfulColours } from "../../arc/examples.ts";
import { createRandom } from "../../arc/random.ts";
import { sizeRule } from "../../arc/size.ts";
import { type Canvas, encode, IGNORE } from "../../arc/tokens.ts";
import official from "../fixtures/arc-pipeline/collate.json" with { type: "json" };
import { augmentations, tasks } from "./arbitraries.ts";

const eos: Canvas = { side: 5, marking: "eos" };
const outside: Canvas = { side: 5, marking: "outside" };

Deno.test("meaningfulColours() are black and the colours of every pair", () => {
  const pairs = [{ input: [[1, 2]], output: [[3]] }, { input: [[2, 3]], output: [[4]] }];
  assert.deepEqual(meaningfulColours(pairs), [1, 0, 1, 1, 0, 0, 0, 0, 0, 0]);
});

Deno.test("collate() fills a short batch with blank rows as the official loader does", () => {
  const { given, gives } = official;
  const examples = given.inputs.map((inputs, b) => ({
    inputs: Int32Array.from(inputs),
    labels: Int32Array.from(given.labels[b], (label) => label || IGNORE),
    weights: new Float32Array(6).fill(1),
    row: given.puzzle_identifiers[b],
    roles: Array(10).fill(1),
    ...identityAugmentation(),
  }));
  const batch = collate(examples, official.batch_size);
  assert.deepEqual([...batch.inputs], gives.inputs.flat());
  assert.deepEqual([...batch.labels], gives.labels.flat());
  assert.deepEqual([...batch.rows], gives.puzzle_identifiers);
  assert.deepEqual([...batch.weights.subarray(18, 24)], [0, 0, 0, 0, 0, 0]);
  assert.deepEqual([...batch.colours.subarray(30, 40)], identityAugmentation().colours);
  assert.equal(collate(examples).size, 3);
});

Deno.test("encodeTest() shows a test input unshifted: augmented, or turned and told", () => {
  fc.assert(fc.property(tasks(5), augmentations, (task, augmentation) => {
    const { input } = task.test[0];
    const painted = encodeTest(task, 0, augmentation, eos, "augmentation", 3);
    assert.deepEqual(painted.inputs, encode(apply(augmentation, input), eos));
    assert.deepEqual(painted.colours, identityAugmentation().colours);
    assert.equal(painted.dihedral, 0);
    const told = encodeTest(task, 0, augmentation, outside, "task", 3);
    assert.deepEqual(told.inputs, encode(dihedral(input, augmentation.dihedral), outside));
    assert.deepEqual({ dihedral: told.dihedral, colours: told.colours }, augmentation);
    assert.deepEqual(told.roles, meaningfulColours(task.train));
    for (const { row, labels, weights } of [painted, told]) {
      assert.equal(row, 3);
      assert(labels.every((label) => label === IGNORE) && weights.every((weight) => weight === 0));
    }
  }));
});

Deno.test("encodePair() begins at the first cell, or where chance moves input and output together", () => {
  const task = { id: "t", train: [{ input: [[1, 2]], output: [[2, 1]] }], test: [{ input: [[1, 1]] }] };
  const shown = { task, rule: sizeRule(task.train), identity: "task" as const, row: 4 };
  const still = encodePair(shown, task.train[0], identityAugmentation(), outside);
  assert.deepEqual(still.inputs, encode([[1, 2]], outside));
  assert.deepEqual([...still.labels].filter((label) => label !== IGNORE), [3, 2]);
  assert.deepEqual([...still.weights].slice(0, 3), [1, 1, 0]);
  assert.equal(still.row, 4);
  const random = createRandom(2);
  const places = new Set(Array.from({ length: 400 }, () => {
    const { inputs, labels } = encodePair(shown, task.train[0], identityAugmentation(), outside, random);
    const at = inputs.findIndex((token) => token !== 0);
    assert.deepEqual([labels[at], labels[at + 1]], [3, 2], "the answer lies where the input lies");
    return at;
  }));
  assert.equal(places.size, 20, "five rows, four columns");
});
