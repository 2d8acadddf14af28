/**
 * Tokens, crops, symmetries, votes and batches beside the official pipeline's. Knows no network.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { apply, applyToTask, type Augmentation, contentKey, dihedral, invert, sampleShift } from "../../arc/augment.ts";
import { createSampler } from "../../arc/dataset.ts";
import { collate } from "../../arc/examples.ts";
import { createRandom } from "../../arc/random.ts";
import { readTasks } from "../../arc/read.ts";
import type { Grid, Task } from "../../arc/task.ts";
import { type Canvas, decode, encode, IGNORE } from "../../arc/tokens.ts";
import { vote } from "../../arc/vote.ts";
import { type Comparison, flat, Ledger } from "./ledger.ts";

// deno-lint-ignore no-explicit-any -- a fixture's sections are read as they come
type Section = any;

const CANVAS: Canvas = { side: 30, marking: "eos" };
const COLOURS = Array.from({ length: 10 }, (_, colour) => colour);

/** Rows of hexadecimal digits to tokens. */
function tokens(rows: string[]): number[] {
  return [...rows.join("")].map((digit) => parseInt(digit, 16));
}

/** `task`, or `task_t3_0946137582` with the symmetry and the colours. */
function augmentationOf(name: string): Augmentation {
  const [, turn = "0", colours = COLOURS.join("")] = name.match(/_t(\d)_(\d{10})$/) ?? [];
  return { dihedral: Number(turn), colours: [...colours].map(Number) };
}

/**
 * Recomputes every file of a fixture of kind `arc-pipeline`.
 *
 * @param files names of JSON files in `folder`
 * @param taskFolders where ARC-AGI-1 may lie; the puzzle hashes are of whole tasks, which a fixture does not hold
 * @throws {TaskError} when tasks of ARC-AGI-1 are there and cannot be read
 */
export async function comparePipeline(folder: string, files: string[], taskFolders: string[]): Promise<Comparison[]> {
  const sections: Record<string, Section> = {};
  for (const file of files) {
    sections[file.replace(/\.json$/, "")] = JSON.parse(await Deno.readTextFile(`${folder}/${file}`));
  }
  const names = Object.entries(sections).flatMap(([name, section]) =>
    Object.keys(section).filter((key) => key !== "about").map((key) => `${name}.${key}`)
  );
  const ledger = new Ledger(names);
  const { sequences, crop, dihedral, voting, collate } = sections;
  if (sequences) await compareSequences(sequences, ledger, taskFolders);
  if (crop) compareCrops(crop, ledger);
  if (dihedral) compareSymmetries(dihedral, ledger);
  if (voting) compareVotes(voting, ledger);
  if (collate) compareCollation(collate, ledger);
  return ledger.close();
}

async function compareSequences({ cases, puzzle_hashes }: Section, ledger: Ledger, taskFolders: string[]) {
  const all = (what: string, expected: (it: Section) => unknown, actual: (it: Section) => unknown, of = cases) =>
    ledger.equal(`sequences.${what}`, of.map(expected), of.map(actual));
  ledger.given("sequences.cases");
  for (const side of ["input", "label"]) {
    const grid = side === "input" ? "input_grid" : "output_grid";
    const written = (it: Section) => [...encode(it[grid], CANVAS, [it.pad_r, it.pad_c])];
    all(`cases ${side}_tokens`, (it) => tokens(it[`${side}_tokens`]), written);
  }
  // A generator whose every draw is the largest possible.
  const greatest = { ...createRandom(0), integer: (n: number) => n - 1 };
  const drawn = cases.filter((it: Section) => it.pad_limits.length);
  const limits = ({ input_grid, output_grid }: Section) => {
    const longest = (size: (grid: Grid) => number) => Math.max(size(input_grid), size(output_grid));
    return sampleShift(longest((grid) => grid.length), longest((grid) => grid[0].length), 30, greatest);
  };
  all("cases pad_limits", (it) => it.pad_limits, limits, drawn);

  // A task's only pair is the one that is never shifted.
  const unshifted = cases.filter((it: Section) => it.pad_r === 0 && it.pad_c === 0);
  const sampled = ({ task: id, input_grid: input, output_grid: output }: Section) => {
    const task: Task = { id, train: [{ input, output }], test: [{ input }] };
    const options = { batchSize: 1, canvas: CANVAS, identity: "augmentation", augmentations: 0, seed: 0 } as const;
    const { inputs, labels } = createSampler([{ task, pairs: task.train }], options).next();
    return [[...inputs], [...labels]];
  };
  const offered = ({ input_tokens, label_tokens }: Section) => [
    tokens(input_tokens),
    tokens(label_tokens).map((label) => label === 0 ? IGNORE : label),
  ];
  all("cases as sampled", offered, sampled, unshifted);

  if (!puzzle_hashes) return;
  const tasks = await officialTasks(taskFolders);
  if (!tasks) {
    return ledger.failed("sequences.puzzle_hashes", "needs the tasks of ARC-AGI-1; deno task data fetches them");
  }
  const original = ({ task, part, index }: Section) =>
    tasks.get(task)![part as "train" | "test"][index] as { input: Grid; output: Grid };
  const augmented = (it: Section) => {
    const { input, output } = original(it);
    return [apply(it, input), apply(it, output)];
  };
  all("cases grids", (it) => [it.input_grid, it.output_grid], augmented);
  const looks = puzzle_hashes.map((it: Section) => applyToTask(it, tasks.get(it.task)!));
  ledger.equal("sequences.puzzle_hashes", puzzle_hashes.map((it: Section) => it.puzzle_hash), looks.map(puzzleHash));
  // The duplicate test itself: of these looks and their pairs in another order, the same are equal under both.
  const twice: Task[] = [...looks, ...looks.map((task: Task) => ({ ...task, train: task.train.toReversed() }))];
  const pattern = (key: (task: Task) => string) => {
    const keys = twice.map(key);
    return keys.map((own) => keys.indexOf(own));
  };
  ledger.equal("sequences.puzzle_hashes, which are equal", pattern(puzzleHash), pattern(contentKey));
}

async function officialTasks(folders: string[]): Promise<Map<string, Task> | undefined> {
  for (const folder of folders) {
    try {
      const subsets = [`${folder}/arc-agi-1/training`, `${folder}/arc-agi-1/evaluation`];
      const tasks = (await Promise.all(subsets.map(readTasks))).flat();
      return new Map(tasks.map((task) => [task.id, task]));
    } catch (error) {
      // The next folder may hold them; what lies here and cannot be read is an error.
      if (!((error as Error).cause instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

/** sha256 over the sorted hashes of a task's grids (official dataset/build_arc_dataset.py, puzzle_hash). */
function puzzleHash({ train, test }: Task): string {
  const sha256 = (content: Uint8Array | string) => createHash("sha256").update(content).digest("hex");
  const grid = (it: Grid) => sha256(Uint8Array.from([it.length, it[0].length, ...it.flat()]));
  return sha256([...train, ...test].map(({ input, output }) => `${grid(input)}|${grid(output!)}`).sort().join("|"));
}

function compareCrops({ cases }: Section, ledger: Ledger): void {
  ledger.equal(
    "crop.cases",
    cases.map(({ grid, height, width }: Section) => [grid, height, width]),
    cases.map((it: Section) => {
      const grid = decode(tokens(it.tokens), CANVAS);
      return [grid, grid.length, grid[0]?.length ?? 0];
    }),
  );
}

function compareSymmetries({ inverse_of, cases }: Section, ledger: Ledger): void {
  const turn = (k: number): Augmentation => ({ dihedral: k, colours: COLOURS });
  const all = COLOURS.slice(0, 8);
  ledger.equal("dihedral.inverse_of", inverse_of, all.map((k) => invert(turn(k)).dihedral));
  ledger.equal(
    "dihedral.cases",
    cases.map(({ forward, inverse, back }: Section) => ({ forward, inverse, back })),
    cases.map(({ grid }: Section) => ({
      forward: all.map((k) => dihedral(grid, k)),
      inverse: all.map((k) => apply(invert(turn(k)), grid)),
      back: all.map((k) => apply(invert(turn(k)), apply(turn(k), grid))),
    })),
  );
}

function compareVotes({ cases }: Section, ledger: Ledger): void {
  ledger.given("voting.cases");
  const undone = (name: string, rows: string[]) => apply(invert(augmentationOf(name)), decode(tokens(rows), CANVAS));
  for (const { task, test_input, votes, ranking } of cases) {
    const answers: Grid[] = votes.map(({ name, answer_tokens }: Section) => undone(name, answer_tokens));
    ledger.equal(`voting.cases ${task}, inputs`, votes.map(() => test_input), [
      ...votes.map(({ name, input_tokens }: Section) => undone(name, input_tokens)),
    ]);
    ledger.equal(`voting.cases ${task}, answers`, votes.map((it: Section) => it.answer_grid), answers);
    const ranked = vote(votes.map(({ q_halt_logit }: Section, i: number) => ({
      grid: answers[i],
      halt: 1 / (1 + Math.exp(-q_halt_logit)),
    })));
    const placed = ({ grid, votes }: { grid: Grid; votes: number }) => [grid, votes];
    ledger.equal(`voting.cases ${task}, ranking`, ranking.map(placed), ranked.map(placed));
    const means = ranking.map((it: Section) => it.mean_q);
    // The notebook takes the sigmoid in f32.
    ledger.near(`voting.cases ${task}, mean q`, [means.length], means, ranked.map(({ halt }) => halt), {
      tolerance: 1e-7,
    });
  }
}

function compareCollation({ batch_size, given, gives }: Section, ledger: Ledger): void {
  ledger.given("collate.batch_size", "collate.given");
  const examples = given.inputs.map((inputs: number[], i: number) => ({
    inputs: Int32Array.from(inputs),
    labels: Int32Array.from(given.labels[i], (label: number) => label === 0 ? IGNORE : label),
    weights: new Float32Array(inputs.length),
    row: given.puzzle_identifiers[i],
    dihedral: 0,
    colours: COLOURS,
    roles: COLOURS.map(() => 0),
  }));
  const { inputs, labels, rows } = collate(examples, batch_size);
  const expected = [gives.inputs, gives.labels, gives.puzzle_identifiers].map(flat);
  ledger.equal("collate.gives", expected, [[...inputs], [...labels], [...rows]]);
}
