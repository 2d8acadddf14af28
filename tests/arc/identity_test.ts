import assert from "node:assert/strict";
import fc from "fast-check";
import { applyToTask, contentKey, identityAugmentation } from "../../arc/augment.ts";
import { identify } from "../../arc/identity.ts";
import { readTasks } from "../../arc/read.ts";
import type { Pair, Task } from "../../arc/task.ts";
import { augmentations, tasks } from "./arbitraries.ts";
import { dataFolder } from "./data.ts";

function withTrain(task: Task, train: Pair[]): Task {
  return { ...task, train };
}

/** The demonstrations in the look that identify() finds. */
function canonical(task: Task): string {
  return contentKey({ ...applyToTask(identify(task).augmentation, task), test: [] });
}

Deno.test("identify() gives every look and order of a task one key and one canonical form", () => {
  // Few colours and small grids make ties, symmetries and equal pairs common.
  const small = fc.oneof(tasks(2, 3), tasks(3, 4), tasks(5));
  const shuffled = small.chain((task) =>
    fc.tuple(
      fc.constant(task),
      augmentations,
      fc.shuffledSubarray(task.train, { minLength: task.train.length }),
    )
  );
  fc.assert(
    fc.property(shuffled, ([task, augmentation, train]) => {
      const other = applyToTask(augmentation, withTrain(task, train));
      assert.equal(identify(other).key, identify(task).key);
      assert.equal(canonical(other), canonical(task));
    }),
    { numRuns: 1000 },
  );
});

Deno.test("identify() finds an augmentation, black kept", () => {
  fc.assert(fc.property(tasks(3), (task) => {
    const { augmentation } = identify(task);
    assert.equal(augmentation.colours[0], 0);
    assert.deepEqual(augmentation.colours.toSorted(), identityAugmentation().colours);
  }));
});

Deno.test("identify() is the same for a task already in its canonical look", () => {
  fc.assert(fc.property(tasks(4), (task) => {
    const settled = applyToTask(identify(task).augmentation, task);
    assert.equal(identify(settled).key, identify(task).key);
    assert.equal(canonical(settled), canonical(task));
  }));
});

Deno.test("identify() tells tasks apart whose canonical forms differ, and no others", () => {
  fc.assert(
    fc.property(tasks(2, 3), tasks(2, 3), (a, b) => {
      assert.equal(identify(a).key === identify(b).key, canonical(a) === canonical(b));
    }),
    { numRuns: 1000 },
  );
});

Deno.test("identify() tells black from a colour, input from output and a missing pair", () => {
  const task = (...train: Pair[]): Task => ({ id: "t", train, test: [{ input: [[1]] }] });
  const keys = [
    task({ input: [[1, 2]], output: [[3]] }),
    task({ input: [[0, 2]], output: [[3]] }),
    task({ input: [[3]], output: [[1, 2]] }),
    task({ input: [[1]], output: [[1, 2]] }),
    task({ input: [[1, 2]], output: [[3]] }, { input: [[1, 2]], output: [[3]] }),
    task({ input: [[1, 2]], output: [[3]] }, { input: [[2, 1]], output: [[3]] }),
  ].map((it) => identify(it).key);
  assert.equal(new Set(keys).size, keys.length);
  assert(keys.every((key) => /^[0-9a-f]{64}$/.test(key)));
});

Deno.test("identify() does not look at the tests", () => {
  fc.assert(fc.property(tasks(3), tasks(3), (a, b) => {
    assert.equal(identify({ ...a, test: b.test }).key, identify(a).key);
  }));
});

Deno.test("identify() ends on demonstrations that differ in their colours alone", () => {
  const train: Pair[] = [];
  for (let a = 1; a < 10; a++) {
    for (let b = 1; b < 10; b++) if (a !== b) train.push({ input: [[a, b]], output: [[a]] });
  }
  assert.match(identify({ id: "t", train, test: [{ input: [[1]] }] }).key, /^[0-9a-f]{64}$/);
});

Deno.test({
  name: "identify() finds in the published sets the tasks that are known to be there twice, and only those",
  ignore: dataFolder() === undefined,
  fn: async () => {
    const all = await Promise.all(
      ["training", "evaluation"].map((set) => readTasks(`${dataFolder()}/arc-agi-1/${set}`)),
    );
    const groups = Map.groupBy(all.flat(), (task) => identify(task).key);
    const twice = [...groups.values()].filter((tasks) => tasks.length > 1).map((tasks) => tasks.map(({ id }) => id));
    assert.deepEqual(twice, [["40853293", "070dd51e"]]);
  },
});
