/** The command `deno task solve`, as its user sees it. */
import assert from "node:assert/strict";
import { main } from "../../serve/solve_main.ts";
import type { Solution } from "../../serve/solver.ts";
import { run } from "../command.ts";

const sample = (name: string) => new URL(`../../arc/samples/${name}`, import.meta.url).pathname;
const known = sample("recolour.json");

Deno.test("solve shows a known task's answers beside the truth, and how they were come by", async () => {
  const { code, printed } = await run(main, known, "--backend", "cpu");
  assert.equal(code, 0);
  assert.match(printed, /test 1 +attempt 1 ✓ right +attempt 2 [✓✗] \w+ +truth/);
  assert.match(
    printed,
    /votes \(mean certainty, doubt in nats\) of (the only candidate|the best of \d+ candidates): \d+ \(\d+ %/,
  );
  assert.match(
    printed,
    /^recolour: known to the weights; 32 looks of up to \d+ segments; [\d.]+ s \([\d.]+ s adapting\) on cpu with default/m,
  );
  const { printed: sure } = await run(main, sample("denoise.json"), "--backend", "cpu", "--adapt", "never");
  assert.match(sure, /of the only candidate: 32 \(\d+ %/);
});

Deno.test("solve adapts to a known task exactly where most of its looks do not agree", async () => {
  const ask = async (name: string, ...args: string[]) => {
    const { printed } = await run(main, sample(name), "--backend", "cpu", "--json", ...args);
    return JSON.parse(printed.slice(printed.indexOf("{"))) as Solution;
  };
  const adapted = new Set<boolean>();
  for (const name of ["recolour.json", "tile.json", "rotate.json"]) {
    const atOnce = await ask(name, "--adapt", "never");
    const unsure = atOnce.answers.some(({ candidates }) => Math.max(...candidates.map(({ votes }) => votes)) <= 16);
    const { solver, answers } = await ask(name, "--steps", "4");
    assert.equal(solver.known, true);
    assert.equal(solver.adaptation_steps, unsure ? 8 : 0, name);
    // Its looks vote, too, beside those of two members after three and four steps.
    const votes = answers.map(({ candidates }) => candidates.reduce((sum, { votes }) => sum + votes, 0));
    assert.deepEqual(votes, answers.map(() => unsure ? 32 + 2 * 2 * 32 : 32));
    adapted.add(unsure);
  }
  assert.equal(adapted.size, 2, "there are both kinds");
});

Deno.test("solve --json prints the reply; with steps the seed decides it", async () => {
  const ask = async (seed: string) => {
    const { printed } = await run(main, known, ...["--adapt", "always", "--steps", "20", "--seed", seed, "--json"]);
    return JSON.parse(printed.slice(printed.indexOf("{"))) as Solution;
  };
  const [first, again, other] = [await ask("3"), await ask("3"), await ask("4")];
  assert.equal(first.id, "recolour");
  assert.equal(first.solver.adaptation_steps, 40, "two members");
  assert.deepEqual(again.answers, first.answers);
  assert.notDeepEqual(
    other.answers.map(({ candidates }) => candidates),
    first.answers.map(({ candidates }) => candidates),
  );
});

Deno.test("solve --preset learns from nothing, with a recipe that --config changes", async () => {
  const folder = await Deno.makeTempDir();
  const file = `${folder}/config.json`;
  const ask = async (overrides: unknown, ...args: string[]) => {
    await Deno.writeTextFile(file, JSON.stringify(overrides));
    const { code, printed } = await run(main, known, "--steps", "3", "--config", file, ...args, "--json");
    return { code, printed, solution: code ? undefined : JSON.parse(printed.slice(printed.indexOf("{"))) as Solution };
  };
  try {
    const { solution } = await ask({ model: { width: 32, puzzleWidth: 27 * 32 } }, "--preset", "loop");
    assert.deepEqual(
      [solution!.solver.weights, solution!.solver.known, solution!.solver.adaptation_steps, solution!.solver.segments],
      ["loop, from nothing", false, 6, 4],
    );
    const deeper = await ask({ model: { maxSegments: 5 }, adaptation: { learningRate: 0 } }, "--preset", "loop");
    assert.equal(deeper.solution!.solver.segments, 5);
    const refused = async (pattern: RegExp, exit: number, overrides: unknown, ...args: string[]) => {
      const { code, printed } = await ask(overrides, ...args);
      assert.match(printed, pattern);
      assert.equal(code, exit);
    };
    await refused(/--config needs --preset/, 2, {});
    await refused(/--weights and --preset exclude/, 2, {}, "--preset", "loop", "--weights", "x");
    await refused(/nothing was learned before/, 2, {}, "--preset", "loop", "--adapt", "never");
    await refused(/--preset must be one of arc, mini, trm, transformer, loop, not big/, 2, {}, "--preset", "big");
    const idle = { seed: 1, training: {}, model: { tokens: 900 } };
    await refused(/seed, training, model\.tokens would play no part/, 2, idle, "--preset", "loop");
    await refused(/adaptation\.learningRate: /, 1, { adaptation: { learningRate: -1 } }, "--preset", "loop");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("solve says what is wrong with its arguments, and with its file", async () => {
  const folder = await run(main, sample(""));
  assert.equal(folder.code, 2);
  assert.match(folder.printed, /holds \d+ tasks; `deno task evaluate` solves many/);
  const missing = await run(main, sample("none.json"));
  assert.equal(missing.code, 1);
  assert.match(missing.printed, /none\.json/);
  assert.equal((await run(main)).code, 2);
  assert.equal((await run(main, known, "--seconds", "soon")).code, 2);
});
