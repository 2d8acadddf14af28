/**
 * Which known tasks an unseen one resembles: its demonstrations are shown with the row of each, turned and renamed, and where the loss is
 * small the rule is likely much the same. Knows no learning.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { applyToTask, type Augmentation, identityAugmentation } from "../arc/augment.ts";
import { collate, encodePair, meaningfulColours } from "../arc/examples.ts";
import type { Random } from "../arc/random.ts";
import { sizeRule, taskCanvas } from "../arc/size.ts";
import type { Task } from "../arc/task.ts";
import { think } from "../model/act.ts";
import type { Network } from "../model/parameters.ts";
import { breathe } from "./breathe.ts";
import { logProbabilities } from "./guess.ts";
import type { PuzzleTable } from "./puzzle_table.ts";
import { modelInput } from "./segment.ts";

/** A known task, and how the unseen one looks like it. */
export interface Resemblance {
  /** The row of the puzzle table. */
  row: number;
  /** What makes the unseen task look like the known one. */
  augmentation: Augmentation;
  /** The demonstrations' mean loss a cell with that row. */
  loss: number;
}

/** How to look for resemblances. */
export interface ResembleOptions {
  /** How many known tasks are wanted. */
  count: number;
  /** Decides which colours are tried for which. */
  random: Random;
  /** Seconds after which no further known task is looked at; all are if not given. */
  seconds?: number;
  /** Aborting ends the search with what was found so far. */
  signal?: AbortSignal;
}

/** Cells of all looks of the first round: more known tasks and turns are tried of small grids than of large ones. */
const CELLS = 300_000;
/** Looks that the first round leaves, further renamings that each of them gets, and demonstrations of the second round. */
const KEPT = 48, RENAMINGS = 4, DEMONSTRATIONS = 3;
/** Cells in a batch of looks. */
const BATCH_CELLS = 6400;

/**
 * The known tasks most like `task`, best first, each with the augmentation that shows the likeness. A first round shows one demonstration
 * with every row in all turns for one segment; a second one shows the best of them more demonstrations, for two, in further colours.
 *
 * @param table rows of known tasks, from the second on, with roles
 */
export async function resemblances(
  task: Task,
  network: Network,
  table: PuzzleTable,
  { count, random, seconds = Infinity, signal }: ResembleOptions,
): Promise<Resemblance[]> {
  const canvas = taskCanvas(task, "outside");
  const own = meaningfulColours(task.train).flatMap((meaningful, colour) => meaningful && colour ? [colour] : []);
  const size = { ...network, config: { ...network.config, tokens: canvas.side ** 2 } };
  const started = performance.now();
  const late = () => signal?.aborted || (performance.now() - started) / 1000 > seconds;
  const batchSize = Math.max(4, Math.floor(BATCH_CELLS / canvas.side ** 2));

  type Look = Omit<Resemblance, "loss">;
  const look = (row: number, dihedral: number): Look => ({
    row,
    augmentation: { dihedral, colours: renaming(own, strongest(table, row, network.config.width), random) },
  });

  async function compare(looks: Look[], demonstrations: number, maxSegments: number): Promise<Resemblance[]> {
    const shown = looks.flatMap((look) =>
      Array.from({ length: demonstrations }, (_, demonstration) => ({ look, demonstration }))
    );
    const losses = new Float64Array(shown.length);
    let done = 0;
    for (; done < shown.length && !(done && late()); done += batchSize) {
      await breathe();
      const examples = shown.slice(done, done + batchSize).map(({ look: { row, augmentation }, demonstration }) => {
        const turned = applyToTask(augmentation, task);
        const puzzle = { task: turned, rule: sizeRule(turned.train), identity: "task" as const, row };
        return encodePair(puzzle, turned.train[demonstration], identityAugmentation(), canvas);
      });
      const batch = collate(examples);
      const input = modelInput(batch, table, size.config);
      const thoughts = await think(size, input, { maxSegments });
      tf.dispose(input as unknown as tf.TensorContainer);
      thoughts.forEach(({ logits }, i) =>
        losses[done + i] = meanLoss(logits, examples[i].labels, examples[i].weights, network.config.vocabulary)
      );
    }
    const compared = looks.slice(0, Math.floor(Math.min(done, shown.length) / demonstrations));
    return compared.map((look, i) => ({
      ...look,
      loss: losses.subarray(i * demonstrations, (i + 1) * demonstrations).reduce((a, b) => a + b) / demonstrations,
    })).sort((a, b) => a.loss - b.loss);
  }

  const turns = random.permutation((table.rows - 1) * 8).slice(0, Math.floor(CELLS / canvas.side ** 2));
  const first = await compare(turns.map((i) => look(1 + Math.floor(i / 8), i % 8)), 1, 1);
  const further = first.slice(0, KEPT).flatMap((kept) => [
    kept,
    ...Array.from({ length: own.length > 1 ? RENAMINGS : 0 }, () => look(kept.row, kept.augmentation.dihedral)),
  ]);
  const distinct = [...new Map(further.map((look) => [key(look), look])).values()];
  const ranked = late() ? first : await compare(distinct, Math.min(DEMONSTRATIONS, task.train.length), 2);
  return ranked.filter(({ row }, i) => ranked.findIndex((other) => other.row === row) === i).slice(0, count);
}

function key({ row, augmentation: { dihedral, colours } }: Omit<Resemblance, "loss">): string {
  return `${row} ${dihedral} ${colours}`;
}

/** The mean of -log p(label) over cells, by weight. */
function meanLoss(logits: Float32Array, labels: Int32Array, weights: Float32Array, V: number): number {
  const logP = logProbabilities(logits, V);
  let [sum, total] = [0, 0];
  weights.forEach((weight, cell) => {
    if (!weight) return;
    sum -= weight * logP[cell * V + labels[cell]];
    total += weight;
  });
  return sum / total;
}

/** Colours 1 … 9 by how much the row says of them. */
function strongest(table: PuzzleTable, row: number, width: number): number[] {
  const values = table.row(row);
  const said = Array.from({ length: 10 }, (_, colour) => {
    const role = values.subarray((colour + 1) * width, (colour + 2) * width);
    return role.reduce((sum, x) => sum + x * x, 0);
  });
  return [1, 2, 3, 4, 5, 6, 7, 8, 9].sort((a, b) => said[b] - said[a]);
}

/** A renaming that takes the meaningful colours, in any order, to the first of `targets`, and the others to the rest. */
function renaming(meaningful: readonly number[], targets: readonly number[], random: Random): number[] {
  const others = [1, 2, 3, 4, 5, 6, 7, 8, 9].filter((colour) => !meaningful.includes(colour));
  const order = [...random.permutation(meaningful.length).map((i) => meaningful[i]), ...others];
  const colours = Array<number>(10).fill(0);
  order.forEach((colour, i) => colours[colour] = targets[i]);
  return colours;
}
