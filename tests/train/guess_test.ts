import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs";
import { apply, identityAugmentation, invert, swapsSides } from "../../arc/augment.ts";
import { createRandom } from "../../arc/random.ts";
import type { Grid, Task } from "../../arc/task.ts";
import { type ModelConfig, parseModelConfig, presets, rolesWidth } from "../../model/config.ts";
import type { Network } from "../../model/parameters.ts";
import { specify } from "../../model/parameters.ts";
import { canvasFor, guess, toldViews, type View } from "../../train/guess.ts";
import { PuzzleTable } from "../../train/puzzle_table.ts";
import { eachBackend } from "../backends.ts";

const tiny = { width: 12, heads: 1, headWidth: 12, feedForward: 4, hLayers: 1, positions: "none" } as const;
const roles = { vocabulary: 11, prefix: 0, width: 12 };
const looks = { neighbourShift: false, gridPositions: false, maxSegments: 2 };
const told = parseModelConfig({
  ...presets.loop({ side: 6 }),
  ...tiny,
  ...roles,
  ...looks,
  puzzleWidth: rolesWidth(roles),
});
const painted = parseModelConfig({ ...presets.transformer({ side: 6 }), ...tiny, puzzleWidth: 12, maxSegments: 2 });

/** A network that answers with what it is shown: every token has an axis of its own, and no block adds anything. */
function copying(config: ModelConfig): Network {
  const network: Network = { config, parameters: {}, buffers: {} };
  for (const { name, shape, buffer } of specify(config)) {
    const axes = ["embed_tokens", "readout", "lm_head"].includes(name);
    (buffer ? network.buffers : network.parameters)[name] = axes
      ? tf.eye(shape[0], shape[1])
      : tf.zeros(shape, "float32");
  }
  return network;
}

const input: Grid = [[1, 0, 2], [3, 3, 9]];
const square: Grid = [[4, 4], [4, 5]];
/** A task whose answers have the sizes of these outputs. */
const taskOf = (...outputs: Grid[]): Task => ({
  id: "copy",
  train: outputs.map((output, i) => ({ input: i ? square : input, output })),
  test: [{ input }, { input: square }],
});
const blank = ({ puzzleWidth }: ModelConfig) => new PuzzleTable(1, puzzleWidth, "sign");

eachBackend(
  "guess() turns every told answer back, as large as the logits make it where no rule tells its size",
  async () => {
    const canvas = { side: 6, marking: "outside" } as const;
    const views = toldViews(0, 12, createRandom(0));
    const task = taskOf([[1]], [[1, 2]]);
    const found = await guess(copying(told), blank(told), task, views, { canvas, identity: "task", trace: true });
    for (const [test, expected] of [input, square].entries()) {
      assert.equal(found[test].length, 12);
      for (const { grid, trace, segments } of found[test]) {
        assert.deepEqual([grid, trace, segments], [expected, [expected, expected], 2]);
      }
    }
  },
  ["cpu"],
);

eachBackend("guess() thinks no longer than the network's own number of segments where it is late", async () => {
  const options = { canvas: { side: 6, marking: "outside" }, identity: "task", maxSegments: 9 } as const;
  const views = toldViews(0, 3, createRandom(0));
  const segments = async (late: boolean) =>
    (await guess(copying(told), blank(told), taskOf([[1]]), views, { ...options, late: () => late }))
      .map((own) => own.map(({ segments }) => segments));
  assert.deepEqual(await segments(false), [[9, 9, 9], [9, 9, 9]]);
  assert.deepEqual(await segments(true), [[2, 2, 2], [2, 2, 2]]);
}, ["cpu"]);

eachBackend("guess() cuts a told answer to the size that a rule tells, turned as the look is", async () => {
  const canvas = { side: 6, marking: "outside" } as const;
  const views = toldViews(0, 8, createRandom(0));
  const task = taskOf([[1, 2]], [[3, 4]]);
  const [found] = await guess(copying(told), blank(told), task, views, { canvas, identity: "task", trace: true });
  for (const [i, { augmentation: { dihedral } }] of views.entries()) {
    const turn = { ...identityAugmentation(), dihedral };
    const [height, width] = swapsSides(dihedral) ? [2, 1] : [1, 2];
    const corner = apply(turn, input).slice(0, height).map((row) => row.slice(0, width));
    const expected = apply(invert(turn), corner);
    assert.deepEqual([found[i].grid, found[i].trace], [expected, [expected, expected]], `dihedral ${dihedral}`);
  }
}, ["cpu"]);

eachBackend("guess() turns and recolours every painted answer back", async () => {
  const canvas = { side: 6, marking: "eos" } as const;
  const colours = [0, 3, 1, 2, 4, 5, 6, 7, 9, 8];
  const views = Array.from({ length: 8 }, (_, dihedral): View => ({ row: 0, augmentation: { dihedral, colours } }));
  const options = { canvas, identity: "augmentation", trace: true } as const;
  const found = await guess(copying(painted), blank(painted), taskOf([[1]]), views, options);
  for (const [test, expected] of [input, square].entries()) {
    for (const { grid, trace } of found[test]) assert.deepEqual([grid, trace], [expected, [expected, expected]]);
  }
}, ["cpu"]);

Deno.test("canvasFor() is the task's own, the network's where positions count along its rows, or where there is no other", () => {
  const wide: Task = {
    id: "wide",
    train: [{ input: [[1, 2, 3, 4]], output: [[4, 3, 2, 1]] }],
    test: [{ input: [[5]] }],
  };
  const side = (positions: ModelConfig["positions"], own: number) => {
    const network: Network = { config: { ...presets.mini({ side: own }), positions }, parameters: {}, buffers: {} };
    return canvasFor(wide, "eos", network).side;
  };
  assert.equal(canvasFor(wide, "eos").side, 5);
  assert.deepEqual([side("rope2d", 9), side("rope", 9), side("learned", 9)], [5, 9, 9]);
  assert.deepEqual([side("rope2d", 3), side("rope", 3)], [5, 5]);
  assert.throws(() => side("learned", 3), {
    name: "TaskError",
    message: "Cannot solve task wide: it needs a canvas of side 5, these weights work on one of side 3 only",
  });
});
