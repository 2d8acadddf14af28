import assert from "node:assert/strict";
import fc from "fast-check";
import { sizeRule, taskCanvas, tasksCanvas } from "../../arc/size.ts";
import { type Grid, type Pair, withoutAnswers } from "../../arc/task.ts";
import { tasks } from "./arbitraries.ts";

function blank(height: number, width: number): Grid {
  return Array.from({ length: height }, () => Array(width).fill(0));
}

function pair(inputHeight: number, inputWidth: number, height: number, width: number): Pair {
  return { input: blank(inputHeight, inputWidth), output: blank(height, width) };
}

function task(train: Pair[], ...test: [number, number][]) {
  return { id: "t", train, test: test.map(([height, width]) => ({ input: blank(height, width) })) };
}

Deno.test("sizeRule() finds same, constant and ratio, in this order", () => {
  assert.equal(sizeRule([pair(2, 3, 2, 3), pair(2, 3, 2, 3)])?.kind, "same");
  const constant = sizeRule([pair(2, 3, 4, 1), pair(3, 3, 4, 1)]);
  assert.equal(constant?.kind, "constant");
  assert.deepEqual(constant?.apply(9, 9), [4, 1]);
  const ratio = sizeRule([pair(2, 3, 4, 1), pair(4, 6, 8, 2)]);
  assert.equal(ratio?.kind, "ratio");
  assert.deepEqual(ratio?.apply(3, 9), [6, 3]);
  assert.equal(sizeRule([pair(2, 3, 4, 1), pair(4, 6, 8, 3)]), undefined);
});

Deno.test("sizeRule() rounds a ratio down, never below 1 nor above 30, and does not lose a cell to rounding", () => {
  const half = sizeRule([pair(4, 4, 2, 2), pair(6, 6, 3, 3)])!;
  assert.deepEqual(half.apply(5, 1), [2, 1]);
  const triple = sizeRule([pair(2, 2, 6, 6), pair(3, 3, 9, 9)])!;
  assert.deepEqual(triple.apply(12, 5), [30, 15]);
  for (let small = 1; small <= 30; small++) {
    for (let large = 1; large <= 30; large++) {
      const rule = sizeRule([pair(large, 1, small, 1), pair(2 * large, 1, 2 * small, 1)])!;
      assert.deepEqual(rule.apply(large, 1)[0], small);
    }
  }
});

Deno.test("sizeRule() holds for every pair it was read from", () => {
  fc.assert(
    fc.property(tasks(3), ({ train }) => {
      const rule = sizeRule(train);
      if (!rule) return;
      for (const { input, output } of train) {
        assert.deepEqual(rule.apply(input.length, input[0].length), [output.length, output[0].length]);
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("taskCanvas() is as large as demonstrations, test inputs and predicted outputs", () => {
  const same = [pair(3, 4, 3, 4), pair(5, 2, 5, 2)];
  assert.deepEqual(taskCanvas(task(same, [2, 2]), "outside"), { side: 5, marking: "outside" });
  assert.deepEqual(taskCanvas(task(same, [2, 2], [2, 7]), "outside"), { side: 7, marking: "outside" });
  assert.equal(taskCanvas(task([pair(2, 2, 4, 4), pair(3, 3, 6, 6)], [4, 4]), "outside").side, 8);
});

Deno.test("taskCanvas() makes room for the end of the answer: always for EOS, else when no rule fixes the size", () => {
  const ruled = task([pair(3, 3, 3, 3)], [3, 3]);
  const free = task([pair(3, 3, 2, 3), pair(3, 3, 1, 3)], [3, 3]);
  assert.equal(taskCanvas(ruled, "eos").side, 4);
  assert.equal(taskCanvas(ruled, "outside").side, 3);
  assert.equal(taskCanvas(free, "eos").side, 4);
  assert.equal(taskCanvas(free, "outside").side, 4);
  assert.equal(taskCanvas(task([pair(30, 3, 2, 3), pair(3, 3, 1, 3)], [3, 3]), "eos").side, 30);
});

Deno.test("taskCanvas() does not look at the answers", () => {
  fc.assert(fc.property(tasks(12), fc.constantFrom("eos" as const, "outside" as const), (task, marking) => {
    assert.deepEqual(taskCanvas(task, marking), taskCanvas(withoutAnswers(task), marking));
  }));
});

Deno.test("tasksCanvas() is the largest of the tasks' own", () => {
  const small = task([pair(3, 3, 3, 3)], [3, 3]), large = task([pair(3, 9, 3, 9)], [3, 3]);
  assert.deepEqual(tasksCanvas([small, large, small], "eos"), { side: 10, marking: "eos" });
});
