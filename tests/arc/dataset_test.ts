import assert from "node:assert/strict";
import fc from "fast-check";
import { apply, dihedral, identityAugmentation } from "../../arc/augment.ts";
import {
  createSampler,
  describe,
  ROUNDS,
  rowsOn,
  type Sampler,
  SIDES,
  trainingCanvas,
  trainingTasks,
} from "../../arc/dataset.ts";
import { type Batch, type Identity, meaningfulColours } from "../../arc/examples.ts";
import { sizeRule } from "../../arc/size.ts";
import type { Grid, Task } from "../../arc/task.ts";
import { type Canvas, encode, IGNORE } from "../../arc/tokens.ts";
import { tasks } from "./arbitraries.ts";

// The colour of the first cell tells the pair, that of the second the task.
function task(index: number, pairs: number): Task {
  const train = Array.from({ length: pairs }, (_, p) => ({ input: [[p + 1, 9, index + 1]], output: [[p + 1, 9]] }));
  return { id: `t${index}`, train, test: [{ input: [[1, 9, 3]], output: [[7, 7]] }] };
}

function demonstrations(...tasks: Task[]) {
  return trainingTasks([{ tasks, useTest: false }]);
}

const eos: Canvas = { side: 5, marking: "eos" };
const outside: Canvas = { side: 5, marking: "outside" };
const options = { batchSize: 6, canvas: eos, identity: "augmentation" as Identity, augmentations: 4, seed: 1 };

function take(sampler: Sampler, count: number): Batch[] {
  return Array.from({ length: count }, () => sampler.next());
}

function row(batch: Batch, b: number) {
  const part = <Words extends Int32Array | Float32Array | Uint8Array>(words: Words, width: number) => [
    ...words.subarray(b * width, (b + 1) * width),
  ];
  return {
    inputs: part(batch.inputs, batch.tokens),
    labels: part(batch.labels, batch.tokens),
    weights: part(batch.weights, batch.tokens),
    row: batch.rows[b],
    dihedral: batch.dihedral[b],
    colours: part(batch.colours, 10),
    roles: part(batch.roles, 10),
  };
}

function allRows(batches: Batch[]) {
  return batches.flatMap((batch) => Array.from({ length: batch.size }, (_, b) => row(batch, b)));
}

/** Every way to write a grid on a canvas: the shift, and the tokens. */
function placements(grid: Grid, canvas: Canvas): { shift: [number, number]; tokens: string }[] {
  const found: { shift: [number, number]; tokens: string }[] = [];
  for (let r = 0; r + grid.length <= canvas.side; r++) {
    for (let c = 0; c + grid[0].length <= canvas.side; c++) {
      found.push({ shift: [r, c], tokens: String(encode(grid, canvas, [r, c])) });
    }
  }
  return found;
}

Deno.test("trainingTasks() takes test pairs only where it is told to, and describe() counts them", () => {
  const sets = [{ tasks: [task(0, 2), task(1, 3)], useTest: true }, { tasks: [task(2, 4)], useTest: false }];
  const found = trainingTasks(sets);
  assert.deepEqual(found.map(({ pairs }) => pairs.length), [3, 4, 4]);
  assert.equal(describe(found), "3 tasks, 9 train pairs, 2 test pairs");
  assert.equal(describe(demonstrations(task(0, 2))), "1 tasks, 2 train pairs, 0 test pairs");
});

Deno.test("trainingTasks() refuses to train on a test pair without an output", () => {
  const blind = { ...task(0, 2), test: [{ input: [[1]] }] };
  assert.equal(demonstrations(blind).length, 1);
  assert.throws(() => trainingTasks([{ tasks: [blind], useTest: true }]), {
    name: "TaskError",
    message: "Cannot train on the tests of task t0: test[0] has no output; train on its demonstrations only",
  });
});

Deno.test("trainingCanvas() holds the test pairs that are trained on", () => {
  const large = { ...task(0, 2), test: [{ input: [[1]], output: [Array(9).fill(1)] }] };
  assert.equal(trainingCanvas(demonstrations(large), "eos").side, 4);
  assert.equal(trainingCanvas(trainingTasks([{ tasks: [large], useTest: true }]), "eos").side, 10);
});

Deno.test("createSampler() gives every augmented task a row after the blank one", () => {
  const sampler = createSampler(demonstrations(task(0, 2), task(1, 3)), options);
  assert.equal(sampler.rows, 11);
  assert.deepEqual(sampler.puzzles.map(({ row }) => row), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  assert.deepEqual(sampler.puzzles.map(({ task }) => task), [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]);
  assert.deepEqual(sampler.puzzles[5].augmentation, identityAugmentation());
  assert.equal(sampler.examples, 5 * 2 + 5 * 3);
});

Deno.test("createSampler() gives every task one row when the augmentation is told", () => {
  const sampler = createSampler(demonstrations(task(0, 2), task(1, 3)), { ...options, identity: "task" });
  assert.equal(sampler.rows, 3);
  assert.deepEqual(sampler.puzzles.map(({ task, row }) => [task, row]), [[0, 1], [1, 2]]);
  assert.equal(sampler.examples, 5);
});

Deno.test("createSampler() gives the same puzzles whether the answers are known or not", () => {
  const symmetric: Task = {
    id: "s",
    train: [{ input: [[0]], output: [[0]] }],
    test: [{ input: [[0]], output: [[1, 2]] }],
  };
  const blind = { ...symmetric, test: [{ input: [[0]] }] };
  const puzzles = (task: Task) => createSampler(demonstrations(task), options).puzzles;
  assert.deepEqual(puzzles(symmetric), puzzles(blind));
});

Deno.test("Sampler shows each puzzle's pairs augmented, with one shift for input and output", () => {
  const training = demonstrations(task(0, 3), task(1, 2), task(2, 4));
  const sampler = createSampler(training, options);
  for (const { inputs, labels, weights, row, ...told } of allRows(take(sampler, 30))) {
    const { task, augmentation } = sampler.puzzles[row - 1];
    const shown = training[task].pairs.flatMap(({ input, output }) =>
      placements(apply(augmentation, input), eos).map(({ shift, tokens }) => ({ tokens, output, shift }))
    ).filter(({ tokens }) => tokens === String(inputs));
    assert.equal(shown.length, 1);
    const written = [...encode(apply(augmentation, shown[0].output), eos, shown[0].shift)];
    assert.deepEqual(labels, written.map((token) => token === 0 ? IGNORE : token));
    assert.deepEqual(weights, written.map((token) => token === 0 ? 0 : 1));
    assert.deepEqual(told, { ...identityAugmentation(), roles: Array(10).fill(0) });
  }
});

Deno.test("Sampler visits each task once a round with all its examples, and drops an incomplete last batch an epoch", () => {
  const training = demonstrations(...[0, 1, 2].map((index) => task(index, 3)));
  const sampler = createSampler(training, { ...options, batchSize: 6 });
  const orders = new Set<string>();
  for (let epoch = 0; epoch < 2; epoch++) {
    const rows = allRows(take(sampler, 150)).map(({ row }) => row);
    assert.deepEqual(sampler.state(), { epoch: epoch + 1, batch: 0 });
    for (let round = 0; round < ROUNDS; round++) {
      const counts = Map.groupBy(rows.slice(9 * round, 9 * round + 9), (row) => sampler.puzzles[row - 1].task);
      assert.deepEqual([...counts.values()].map((own) => own.length), [3, 3, 3]);
      for (const own of counts.values()) assert.equal(new Set(own).size, 1);
      orders.add(String([...counts.keys()]));
    }
  }
  assert.equal(orders.size, 6);
  // Seven visits fill a batch; of 300 the last six fill none.
  const dropping = createSampler(training, { ...options, batchSize: 21 });
  take(dropping, 42);
  assert.deepEqual(dropping.state(), { epoch: 1, batch: 0 });
});

Deno.test("Sampler shows every pair of a puzzle once in a visit", () => {
  const sampler = createSampler(demonstrations(task(0, 6)), {
    ...options,
    augmentations: 0,
    canvas: { side: 3, marking: "eos" },
  });
  for (const batch of take(sampler, 5)) {
    const firsts = Array.from(
      { length: 6 },
      (_, b) => batch.inputs[b * 9 + batch.inputs.subarray(b * 9).findIndex((t) => t > 1)],
    );
    assert.deepEqual(firsts.sort(), [3, 4, 5, 6, 7, 8]);
  }
});

Deno.test("Sampler goes round again when all examples together do not fill a batch", () => {
  const sampler = createSampler(demonstrations(task(0, 2)), { ...options, batchSize: 2 * ROUNDS + 1 });
  const [batch] = take(sampler, 1);
  assert.equal(batch.size, 2 * ROUNDS + 1);
  assert(batch.rows.every((row) => row > 0));
  assert.deepEqual(sampler.state(), { epoch: 1, batch: 0 });
});

Deno.test("Sampler never shifts one and the same example of each puzzle and shifts the others", () => {
  const training = demonstrations(task(0, 3));
  const sampler = createSampler(training, { ...options, batchSize: 3 });
  const shifts = new Map<string, Set<string>>();
  for (const { inputs, row } of allRows(take(sampler, 1000))) {
    const { augmentation } = sampler.puzzles[row - 1];
    training[0].pairs.forEach(({ input }, pair) => {
      const place = placements(apply(augmentation, input), eos).find(({ tokens }) => tokens === String(inputs));
      const key = `${row} ${pair}`;
      if (place) shifts.set(key, (shifts.get(key) ?? new Set()).add(String(place.shift)));
    });
  }
  for (const { row } of sampler.puzzles) {
    const kinds = [0, 1, 2].map((pair) => shifts.get(`${row} ${pair}`)!.size).sort((a, b) => a - b);
    // A 1x3 grid has 5 x 3 places on a 5x5 canvas.
    assert.deepEqual(kinds, [1, 15, 15]);
  }
  const still = [...shifts].filter(([, places]) => places.size === 1);
  assert(still.every(([, places]) => places.has("0,0")));
  assert(new Set(still.map(([key]) => key.split(" ")[1])).size > 1);
});

Deno.test("Sampler tells the augmentation and keeps the colours with identity task", () => {
  const training = demonstrations(task(0, 3), task(1, 2));
  const sampler = createSampler(training, { ...options, identity: "task", batchSize: 50 });
  const rows = allRows(take(sampler, 20));
  for (const { inputs, labels, row, dihedral: k, colours, roles } of rows) {
    const { pairs, task } = training[row - 1];
    const shown = pairs.flatMap(({ input, output }) =>
      placements(dihedral(input, k), eos).map(({ shift, tokens }) => ({ tokens, output, shift }))
    ).filter(({ tokens }) => tokens === String(inputs));
    assert.equal(shown.length, 1);
    const written = [...encode(dihedral(shown[0].output, k), eos, shown[0].shift)];
    assert.deepEqual(labels, written.map((token) => token === 0 ? IGNORE : token));
    assert.equal(colours[0], 0);
    assert.deepEqual(colours.toSorted(), identityAugmentation().colours);
    assert.deepEqual(roles, meaningfulColours(task.train));
  }
  assert.equal(new Set(rows.map(({ dihedral }) => dihedral)).size, 8);
  assert(new Set(rows.map(({ colours }) => String(colours))).size > 990);
  const shares = [1, 2].map((row) => rows.filter((it) => it.row === row).length / rows.length);
  assert(shares.every((share) => Math.abs(share - 0.5) < 0.06));
});

Deno.test("Sampler shifts seven in ten examples with identity task", () => {
  const sampler = createSampler(demonstrations(task(0, 3)), {
    ...options,
    canvas: { side: 30, marking: "outside" },
    identity: "task",
    batchSize: 500,
  });
  const [batch] = take(sampler, 1);
  // A shift drawn to be [0, 0] is one in 28 · 30.
  const still = allRows([batch]).filter(({ inputs }) => inputs[0] !== 0).length / batch.size;
  assert(Math.abs(still - 0.3) < 0.06, `${still}`);
});

Deno.test("Sampler scores only the answer where a rule fixes its size", () => {
  const training = demonstrations(task(0, 3));
  assert.equal(training[0].rule?.kind, "constant");
  const sampler = createSampler(training, { ...options, canvas: outside, identity: "task" });
  for (const { labels, weights } of allRows(take(sampler, 10))) {
    assert.equal(weights.filter((weight) => weight === 1).length, 2);
    assert(weights.every((weight, i) => weight === 0 ? labels[i] === IGNORE : weight === 1 && labels[i] > 0));
  }
});

Deno.test("Sampler scores the border of the answer fully and the rest by a tenth where no rule fixes its size", () => {
  const free: Task = {
    id: "free",
    train: [{ input: [[1, 1], [1, 1]], output: [[2, 2, 2]] }, { input: [[3, 3], [3, 3]], output: [[4]] }],
    test: [{ input: [[1]] }],
  };
  assert.equal(sizeRule(free.train), undefined);
  const sampler = createSampler(demonstrations(free), { ...options, canvas: outside, identity: "task" });
  for (const { inputs, labels, weights } of allRows(take(sampler, 30))) {
    const inside = labels.flatMap((label, i) => label > 0 ? [i] : []);
    assert(inside.length === 3 || inside.length === 1);
    const scored = inside.flatMap((i) => [i, i + 1, i + 5, i + 6]);
    assert.equal(new Set(scored).size, inside.length === 1 ? 4 : 8);
    weights.forEach((weight, i) => assert.equal(weight, Math.fround(scored.includes(i) ? 1 : 0.1)));
    assert(labels.every((label) => label >= 0));
    // A column and a row stay free, for the end of the answer.
    assert(inputs.every((token, i) => token === 0 || i % 5 < 4 && i < 20));
  }
});

Deno.test("rowsOn() keeps a batch within its cells, but never without a row", () => {
  const rows = (batchCells?: number) => [5, 10, 11, 30].map((side) => rowsOn(side, { batchSize: 6, batchCells }));
  assert.deepEqual(rows(800), [6, 6, 6, 1]);
  assert.deepEqual(rows(100), [4, 1, 1, 1]);
  assert.deepEqual(rows(0), [6, 6, 6, 6]);
  assert.deepEqual(rows(), [6, 6, 6, 6]);
});

Deno.test("Sampler keeps every batch within its cells", () => {
  const batches = (own: object) => {
    const sampler = createSampler(demonstrations(task(0, 2), task(1, 3)), { ...options, batchCells: 80, ...own });
    return take(sampler, 9).map(({ size }) => size);
  };
  assert.deepEqual(batches({}), Array(9).fill(3));
  assert.deepEqual(batches({ identity: "task" }), Array(9).fill(3));
});

Deno.test("Sampler by size puts tasks of about one size together, each as often as any other", () => {
  const wide = (index: number, width: number): Task => {
    const grid = [Array(width).fill(index + 1)];
    return { id: `w${index}`, train: [{ input: grid, output: grid }], test: [{ input: grid }] };
  };
  const widths = [3, 5, 6, 8, 9, 9];
  const sized = {
    ...options,
    canvas: { side: 9, marking: "outside" } as Canvas,
    identity: "task" as Identity,
    bySize: true,
  };
  const training = demonstrations(...widths.map((width, i) => wide(i, width)));
  const sampler = createSampler(training, sized);
  const counts = widths.map(() => 0);
  for (const batch of take(sampler, 600)) {
    const side = Math.sqrt(batch.tokens);
    for (const row of batch.rows) {
      assert(
        SIDES.find((smallest) => smallest >= widths[row - 1]) === side,
        `width ${widths[row - 1]} on side ${side}`,
      );
      counts[row - 1]++;
    }
  }
  for (const count of counts) assert(Math.abs(count / 3600 - 1 / 6) < 0.05, `${counts}`);
  const bounded = createSampler(training, { ...sized, batchCells: 200 });
  const sizes = new Set(take(bounded, 100).map(({ tokens, size }) => `${tokens}: ${size}`));
  assert.deepEqual([...sizes].sort(), ["25: 6", "49: 4", "81: 2"]);
});

Deno.test("Sampler ignores exactly the cells without weight", () => {
  const kinds = fc.record({
    identity: fc.constantFrom<Identity>("augmentation", "task"),
    canvas: fc.constantFrom<Canvas>({ side: 8, marking: "eos" }, { side: 8, marking: "outside" }),
    seed: fc.nat(),
  });
  fc.assert(
    fc.property(tasks(7), kinds, (task, kind) => {
      const { labels, weights } = createSampler(demonstrations(task), { ...options, ...kind }).next();
      labels.forEach((label, i) => assert.equal(label === IGNORE, weights[i] === 0));
    }),
    { numRuns: 50 },
  );
});

Deno.test("Sampler goes on after restore() exactly as if it had not been stopped", () => {
  const training = demonstrations(task(0, 3), task(1, 2), task(2, 4), task(3, 3));
  const places = fc.tuple(fc.constantFrom<Identity>("augmentation", "task"), fc.nat(9), fc.nat());
  fc.assert(
    // Three batches an epoch with identity augmentation, one with task.
    fc.property(places, ([identity, stop, seed]) => {
      const make = () => createSampler(training, { ...options, identity, seed, batchSize: 400 });
      const whole = make();
      take(whole, stop);
      const resumed = make();
      resumed.restore(JSON.parse(JSON.stringify(whole.state())));
      assert.deepEqual(take(resumed, 5), take(whole, 5));
      assert.deepEqual(resumed.state(), whole.state());
    }),
    { numRuns: 30 },
  );
});

Deno.test("Sampler draws other batches from another seed", () => {
  const training = demonstrations(task(0, 3), task(1, 2), task(2, 4));
  for (const identity of ["augmentation", "task"] as const) {
    const first = (seed: number) => String(createSampler(training, { ...options, identity, seed }).next().inputs);
    assert.equal(new Set([0, 1, 2, 3].map(first)).size, 4);
  }
});

Deno.test("createSampler() refuses what cannot be trained on", () => {
  const wide: Task = {
    ...task(0, 2),
    train: [{ input: [[1]], output: [[1]] }, { input: [[1]], output: [Array(6).fill(1)] }],
  };
  assert.throws(() => createSampler(demonstrations(wide), options), {
    name: "TaskError",
    message:
      "Cannot train on task t0: pair 1 needs a canvas of side 6, the canvas has 5; use a larger canvas or leave the task out",
  });
  assert.throws(() => createSampler([], options), { message: "Cannot make batches: there are no tasks to train on" });
  assert.throws(() => createSampler([{ task: task(0, 1), pairs: [] }], options), {
    message: "Cannot train on task t0: none of its pairs is to be trained on",
  });
  assert.throws(() => createSampler(demonstrations(task(0, 1)), { ...options, batchSize: 0 }), {
    name: "RangeError",
    message: "Cannot make batches: the batch size is 0, must be a positive integer",
  });
});
