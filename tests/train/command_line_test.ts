import assert from "node:assert/strict";
import { namedTasks, parseArguments, UsageError } from "../../train/command_line.ts";

const items = ["a", "b", "c"].map((id) => ({ id }));
const named = (...args: string[]) => namedTasks(items, parseArguments(args, ["tasks"])).map(({ id }) => id);

Deno.test("namedTasks() keeps the order of what there is, and all of it where nothing is named", () => {
  assert.deepEqual(named("--tasks", "c, a"), ["a", "c"]);
  assert.deepEqual(named(), ["a", "b", "c"]);
});

Deno.test("namedTasks() refuses a name that is not there", () => {
  assert.throws(() => named("--tasks", "a,d"), new UsageError("--tasks: there is no task d in what was read"));
});
