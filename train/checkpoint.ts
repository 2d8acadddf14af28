/**
 * Weights files and what is needed to go on training. A weights file `W.safetensors` answers puzzles: parameters (averaged where an average
 * is kept), initial states, the puzzle table, whose puzzles its rows are, and the configuration. Its companion `W.state.safetensors` holds the
 * rest: raw parameters, moments, what each row was working on, the step. Knows no learning.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import type { Augmentation } from "../arc/augment.ts";
import type { Batch } from "../arc/examples.ts";
import type { View } from "./guess.ts";
import {
  decodeSafetensors,
  float32,
  type Metadata,
  openSafetensors,
  type TensorData,
  writeSafetensors,
} from "../model/safetensors.ts";
import { type Network, type Parameters, specify } from "../model/parameters.ts";
import { type Config, parseConfig } from "./config.ts";
import { PuzzleTable } from "./puzzle_table.ts";
import type { TrainingState } from "./step.ts";

/** A task that a network was trained on, found again by its content. */
export interface KnownTask {
  /** The task's name when it was trained on. */
  id: string;
  /** Content key of its demonstrations, the same for every augmentation of them. */
  key: string;
  /** Maps the task as it was trained on to the canonical form behind the key. */
  canonical: Augmentation;
  /** Its rows of the puzzle table, with the augmentation each was learned for. */
  views: View[];
}

/** What a weights file holds. */
export interface Weights {
  /** The network that answers. */
  network: Network;
  /** The puzzles' rows; row 0 is blank. */
  table: PuzzleTable;
  /** Whose rows they are. */
  tasks: KnownTask[];
  /** How it was trained. */
  config: Config;
  /** Steps of training behind it. */
  steps: number;
  /** The side of the canvas that it was trained on. */
  side: number;
}

/** What is there before anything was learned. */
export type Untrained = Pick<Weights, "config">;

/** Where a run stands besides its {@link TrainingState}. */
export interface RunState {
  /** Names, content keys and numbers of rows of the tasks trained on; another set cannot be gone on with. */
  tasks: string;
  /** The sampler's place. */
  sampler: { epoch: number; batch: number };
  /** The state of the stream that draws exploration. */
  random: number[];
  /** Seconds of training so far. */
  seconds: number;
}

const AUGMENTATION = 10;

async function read(tensors: Parameters, prefix = ""): Promise<[string, TensorData][]> {
  return await Promise.all(
    Object.entries(tensors).map(async ([name, tensor]): Promise<[string, TensorData]> => [
      prefix + name,
      { dtype: "F32", shape: tensor.shape, data: new Float32Array(await tensor.data() as Float32Array) },
    ]),
  );
}

function tensor(tensors: Map<string, TensorData>, name: string, file: string): tf.Tensor {
  const data = tensors.get(name);
  if (!data) throw new Error(`Cannot read ${file}: it holds no tensor ${name}`);
  return tf.tensor(float32(data), data.shape, "float32");
}

/** The companion's path: `W.safetensors` → `W.state.safetensors`. */
export function companionPath(path: string): string {
  return path.replace(/(\.safetensors)?$/, ".state.safetensors");
}

/** Writes a weights file, whole or not at all. */
export async function saveWeights(path: string, weights: Weights): Promise<void> {
  const { network, table, tasks, config, steps, side } = weights;
  const augmentations = new Uint8Array(table.rows * AUGMENTATION);
  for (const { views } of tasks) {
    for (const { row, augmentation } of views) {
      augmentations.set([augmentation.dihedral, ...augmentation.colours.slice(1)], row * AUGMENTATION);
    }
  }
  const tensors = new Map<string, TensorData>([
    ...await read(network.parameters),
    ...await read(network.buffers),
    ["puzzle_table", { dtype: "F32", shape: [table.rows, table.width], data: new Float32Array(table.values) }],
    ["puzzle_augmentations", { dtype: "U8", shape: [table.rows, AUGMENTATION], data: augmentations }],
  ]);
  const known = tasks.map(({ id, key, canonical, views }) => ({
    id,
    key,
    canonical,
    rows: views.map(({ row }) => row),
  }));
  await writeSafetensors(path, tensors, {
    config: JSON.stringify(config),
    tasks: JSON.stringify(known),
    steps: String(steps),
    side: String(side),
  });
}

function json<T>(metadata: Metadata, name: string, file: string): T {
  try {
    return JSON.parse(metadata[name]);
  } catch {
    throw new Error(`Cannot read ${file}: its header holds no ${name}; it was not written by this project's training`);
  }
}

/**
 * Reads a weights file onto the current backend.
 *
 * @throws {Error} when the file is not one, or a tensor is missing or of another shape than its configuration says
 */
export async function loadWeights(path: string): Promise<Weights> {
  const { tensors, metadata } = decodeSafetensors(await Deno.readFile(path), path);
  const config = parseConfig(json(metadata, "config", path));
  const network: Network = { config: config.model, parameters: {}, buffers: {} };
  for (const { name, shape, buffer } of specify(config.model)) {
    const found = tensor(tensors, name, path);
    if (String(found.shape) !== String(shape)) {
      throw new Error(`Cannot read ${path}: ${name} is [${found.shape}], its configuration asks for [${shape}]`);
    }
    (buffer ? network.buffers : network.parameters)[name] = found;
  }
  const stored = tensors.get("puzzle_table");
  const table = new PuzzleTable(stored?.shape[0] ?? 1, config.model.puzzleWidth, config.training.puzzleRule);
  if (stored) table.values.set(float32(stored));
  const augmentations = tensors.get("puzzle_augmentations")?.data as Uint8Array | undefined;
  const view = (row: number): View => {
    const [dihedral = 0, ...colours] = augmentations?.subarray(row * AUGMENTATION, (row + 1) * AUGMENTATION) ?? [];
    return { row, augmentation: { dihedral, colours: [0, ...colours] } };
  };
  type Stored = Omit<KnownTask, "views"> & { rows: number[] };
  const tasks = json<Stored[]>(metadata, "tasks", path).map(({ rows, ...task }) => ({
    ...task,
    views: rows.map(view),
  }));
  return { network, table, tasks, config, steps: Number(metadata.steps), side: Number(metadata.side) };
}

const HELD = ["inputs", "labels", "weights", "rows", "dihedral", "colours", "roles"] as const;
const DTYPES = { Int32Array: "I32", Float32Array: "F32", Uint8Array: "U8" } as const;

function plain(array: Int32Array | Float32Array | Uint8Array): TensorData {
  const dtype = DTYPES[array.constructor.name as keyof typeof DTYPES];
  return { dtype, shape: [array.length], data: array.slice() as TensorData["data"] };
}

/** What training goes on from. */
export interface Resumable {
  /** Everything that a step changes. */
  state: TrainingState;
  /** Where the run stands besides. */
  run: RunState;
  /** The recipe. */
  config: Config;
}

/** Writes everything that training goes on from into the companion of a weights file; it stands alone, whatever became of the weights. */
export async function saveState(path: string, { state, run, config }: Resumable): Promise<void> {
  const { network, moments, average, table, carry, held, steps } = state;
  const part = (name: "first" | "second") =>
    Object.fromEntries(Object.entries(moments).map(([parameter, moment]) => [parameter, moment[name]]));
  const tensors = new Map<string, TensorData>([
    ...await read(network.parameters, "parameter."),
    ...await read(network.buffers, "buffer."),
    ...await read(part("first"), "first."),
    ...await read(part("second"), "second."),
    ...await read(average ?? {}, "average."),
    ["table.values", plain(table.values)],
    ["table.first", plain(table.first)],
    ["table.second", plain(table.second)],
    ["table.updates", plain(table.updates)],
  ]);
  if (carry && held) {
    const { zH, zL } = carry.state;
    for (const [name, data] of await read(zL ? { zH, zL } : { zH }, "carry.")) tensors.set(name, data);
    tensors.set("carry.segments", plain(carry.segments));
    tensors.set("carry.halted", plain(carry.halted));
    for (const key of HELD) tensors.set(`held.${key}`, plain(held[key]));
  }
  await writeSafetensors(companionPath(path), tensors, {
    config: JSON.stringify(config),
    run: JSON.stringify(run),
    steps: String(steps),
    rows: String(table.rows),
    batch: JSON.stringify(held ? { size: held.size, tokens: held.tokens } : null),
  });
}

/** Says that a companion cannot be gone on with. */
export function cannotResume(file: string, cause: Error): never {
  throw new Error(
    `Cannot resume: ${file} cannot be read (${cause.message}); it is written beside the weights while training`,
    { cause },
  );
}

/**
 * The recipe in a weights file, or in its companion. No tensor is read.
 *
 * @throws {Error} when the file is missing or not one
 */
export async function loadConfig(file: string): Promise<Config> {
  const source = await openSafetensors(file);
  source.close();
  return parseConfig(json(source.metadata, "config", file));
}

/**
 * Goes on from the companion of a weights file: the same bits as without the interruption.
 *
 * @throws {Error} when the companion is missing or not one
 */
export async function loadState(path: string): Promise<Resumable> {
  const file = companionPath(path);
  const bytes = await Deno.readFile(file).catch((error) => cannotResume(file, error));
  const { tensors, metadata } = decodeSafetensors(bytes, file);
  const config = parseConfig(json(metadata, "config", file));
  const array = (name: string) => {
    const data = tensors.get(name);
    if (!data) throw new Error(`Cannot read ${file}: it holds no tensor ${name}`);
    return data.data;
  };
  const network: Network = { config: config.model, parameters: {}, buffers: {} };
  const moments: TrainingState["moments"] = {};
  const average: Parameters | undefined = config.training.ema ? {} : undefined;
  for (const { name, buffer } of specify(config.model)) {
    if (buffer) {
      network.buffers[name] = tensor(tensors, `buffer.${name}`, file);
      continue;
    }
    network.parameters[name] = tensor(tensors, `parameter.${name}`, file);
    moments[name] = { first: tensor(tensors, `first.${name}`, file), second: tensor(tensors, `second.${name}`, file) };
    if (average) average[name] = tensor(tensors, `average.${name}`, file);
  }
  const table = new PuzzleTable(Number(metadata.rows), config.model.puzzleWidth, config.training.puzzleRule);
  for (const name of ["values", "first", "second"] as const) table[name].set(array(`table.${name}`) as Float32Array);
  table.updates.set(array("table.updates") as Int32Array);
  const state: TrainingState = { network, moments, average, table, steps: Number(metadata.steps) };
  const batch = json<{ size: number; tokens: number } | null>(metadata, "batch", file);
  if (batch) {
    const zL = tensors.has("carry.zL") ? tensor(tensors, "carry.zL", file) : undefined;
    state.carry = {
      state: { zH: tensor(tensors, "carry.zH", file), zL },
      segments: array("carry.segments") as Int32Array,
      halted: array("carry.halted") as Uint8Array,
    };
    state.held = { ...batch, ...Object.fromEntries(HELD.map((key) => [key, array(`held.${key}`)])) } as Batch;
  }
  return { state, run: json(metadata, "run", file), config };
}
