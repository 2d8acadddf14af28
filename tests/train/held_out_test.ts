import assert from "node:assert/strict";
import { applyToTask } from "../../arc/augment.ts";
import type { Task } from "../../arc/task.ts";
import { answerHeldOut, heldOut } from "../../train/held_out.ts";
import { mirrorTask, tinyWeights } from "../serve/support.ts";

Deno.test("heldOut() leaves out tasks that are trained on in any look, or with a test pair among other pairs", () => {
  const named = (id: string, task: Task): Task => ({ ...task, id });
  const other: Task = {
    ...mirrorTask,
    train: [{ input: [[1]], output: [[2]] }],
    test: [{ input: [[3]], output: [[4]] }],
  };
  const tasks = [
    named("same", mirrorTask),
    named("edited", { ...other, test: mirrorTask.test }),
    named("other", other),
  ];
  const turned = applyToTask({ dihedral: 3, colours: [0, 3, 1, 2, 4, 5, 6, 7, 9, 8] }, mirrorTask);
  const left = (trained: Task[]) => heldOut(tasks, trained).map(({ id }) => id);
  assert.deepEqual(left([]), ["same", "edited", "other"]);
  assert.deepEqual(left([turned]), ["edited", "other"]);
  assert.deepEqual(left([mirrorTask]), ["other"]);
  const asDemonstration = { ...other, id: "x", train: [...other.train, mirrorTask.test[0] as Task["train"][0]] };
  assert.deepEqual(left([{ ...asDemonstration, test: [{ input: [[5]], output: [[6]] }] }]), ["other"]);
  assert.deepEqual(heldOut([...tasks, asDemonstration], []).map(({ id }) => id), ["other", "x"]);
});

Deno.test("answerHeldOut() answers every test input, and hears an abort between two tasks", async () => {
  const weights = await tinyWeights();
  const answered = await answerHeldOut(weights, [mirrorTask], { seed: 0 });
  assert.deepEqual(answered!.map(({ task, answers }) => [task.id, answers.length]), [["mirror", 2]]);
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 0);
  // So many that they are not all answered before the event loop has a turn.
  const many = Array(2000).fill(mirrorTask);
  const stopped = await answerHeldOut(weights, many, { seed: 0, signal: controller.signal });
  assert.equal(stopped?.length, undefined);
});
