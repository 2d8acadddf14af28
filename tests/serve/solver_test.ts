import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { withoutAnswers } from "../../arc/task.ts";
import { startBackend } from "../../model/backend.ts";
import { solveOptions } from "../../serve/command_line.ts";
import { rank, type Solution, Solver } from "../../serve/solver.ts";
import { adapt } from "../../train/adapt.ts";
import { parseArguments } from "../../train/command_line.ts";
import { makeConfig } from "../../train/config.ts";
import { mirrorTask, tinySolver } from "./support.ts";

Deno.test("rank() asks each test input's answers what its own input and all demonstrations say, or counts votes", () => {
  const guesses = (grid: number[][], count: number) =>
    Array<{ grid: number[][]; halt: number }>(count).fill({ grid, halt: 1 });
  // Mirrored rows keep their counts; the most voted answers do not.
  const own = [
    [...guesses([[8, 8]], 3), ...guesses([[8, 7]], 2)],
    [...guesses([[9, 9, 1]], 3), ...guesses([[9, 1, 1]], 2)],
  ];
  const best = (ranking: "invariants" | "votes") =>
    rank(withoutAnswers(mirrorTask), own, ranking).map(([{ grid, votes }]) => [grid, votes]);
  deepEqual(best("votes"), [[[[8, 8]], 3], [[[9, 9, 1]], 3]]);
  deepEqual(best("invariants"), [[[[8, 7]], 2], [[[9, 1, 1]], 2]]);
});

Deno.test("Solver ends looking at an abort with a look at each test input, and tells how many looks there were", async () => {
  const solver = await tinySolver();
  const looks = ({ answers }: Solution) =>
    answers.map(({ candidates }) => candidates.reduce((sum, { votes }) => sum + votes, 0));
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 0);
  // So many that the event loop has a turn before they are all taken.
  const stopped = await solver.solve(withoutAnswers(mirrorTask), { adapt: "never", augmentations: 20_000 }, controller);
  for (const count of looks(stopped)) ok(count > 0 && count < 20_000, String(count));
  equal(stopped.solver.augmentations, Math.max(...looks(stopped)));
  // An adaptation learns 64 looks beside the task's own.
  const adapted = await solver.solve(withoutAnswers(mirrorTask), { steps: 1, members: 1, augmentations: 100 });
  deepEqual([adapted.solver.augmentations, looks(adapted)], [65, [65, 65]]);
  await solver.close();
});

Deno.test("Solver ends a task after so many seconds at most, whatever was asked", async () => {
  const solver = await tinySolver();
  const asked = { steps: 100_000, augmentations: 2, adapt: "always" } as const;
  const { answers, solver: { adaptation_steps } } = await solver.solve(withoutAnswers(mirrorTask), asked, {
    mostSeconds: 0.2,
  });
  ok(adaptation_steps < 2 * asked.steps, String(adaptation_steps));
  for (const { candidates } of answers) ok(candidates.length > 0);
  await solver.close();
});

Deno.test("Solver without weights learns each task from nothing, its members as adapt() does from a configuration", async () => {
  await startBackend("cpu", 1);
  const config = makeConfig("loop", 30);
  const solver = new Solver({ config }, "nothing", "cpu", 0);
  const task = withoutAnswers(mirrorTask);
  const { solver: how, answers } = await solver.solve(task, {
    steps: 2,
    members: 2,
    augmentations: 3,
    seed: 5,
    ranking: "votes",
  });
  deepEqual([how.known, how.adaptation_steps, how.weights], [false, 4, "nothing"]);
  const members = [5, 6].map((seed) => adapt(task, { config }, { budget: { steps: 2 }, views: 3, seed }));
  const found = await Promise.all(members);
  const pooled = task.test.map((_, test) => found.flatMap(({ guesses }) => guesses[test]));
  deepEqual(answers.map(({ candidates }) => candidates), rank(task, pooled, "votes"));
  await rejects(solver.solve(task, { adapt: "never" }), /^Error: Cannot answer without adapting: nothing was learned/);
  await solver.close();
});

Deno.test("solveOptions() reads what a command line says of ranking", () => {
  const given = (...args: string[]) => solveOptions(parseArguments(args, ["ranking"], []));
  equal(given("--ranking", "votes").ranking, "votes");
  equal(given().ranking, undefined);
});
