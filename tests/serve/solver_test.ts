import { deepEqual, equal } from "node:assert/strict";
import { withoutAnswers } from "../../arc/task.ts";
import { solveOptions } from "../../serve/command_line.ts";
import { rank } from "../../serve/solver.ts";
import { parseArguments } from "../../train/command_line.ts";
import { mirrorTask } from "./support.ts";

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

Deno.test("solveOptions() reads what a command line says of ranking", () => {
  const given = (...args: string[]) => solveOptions(parseArguments(args, ["ranking"], []));
  equal(given("--ranking", "votes").ranking, "votes");
  equal(given().ranking, undefined);
});
