/**
 * Official checkpoints, as the PyTorch trainers leave them, turned into this project's weights; and weights turned back into
 * official names. Works on files, block by block, however large their puzzle table is. Knows no training and no tfjs backend.
 *
 * @module
 */

import { parse as parseYaml } from "yaml";
import type { ModelConfig } from "./config.ts";
import { fileName, openFile } from "./files.ts";
import { modelConfigFromOfficial } from "./official_config.ts";
import { fromOfficial, officialName, toOfficial } from "./official_names.ts";
import { specify } from "./parameters.ts";
import {
  type Metadata,
  openSafetensors,
  type SafetensorsEntry,
  safetensorsSource,
  writeSafetensorsStream,
} from "./safetensors.ts";
import { elementCount, float32, type TensorSource, toBytes } from "./tensor_data.ts";
import { openTorch, torchSource } from "./torch_file.ts";

export { openTorch };

/** What becomes of the puzzle table: one row, the mean of all; all of it; or nothing. */
export type PuzzleTableChoice = "mean" | "keep" | "drop";

/** How {@link importCheckpoint} goes about it. */
export interface ImportOptions {
  /** Path of the trainer's all_config.yaml; without it, what shapes do not tell is taken as in the official HRM for ARC. */
  config?: string;
  /** S, the number of grid tokens, where the tensors do not tell. Default: 900, the 30 x 30 canvas. */
  tokens?: number;
  /** What becomes of the puzzle table. */
  puzzleTable: PuzzleTableChoice;
  /** Where the weights go. */
  out: string;
  /** The header's free text, given the network's configuration. */
  metadata: (config: ModelConfig) => Metadata;
}

/** What {@link importCheckpoint} wrote. */
export interface Imported {
  /** The network's configuration. */
  config: ModelConfig;
  /** Rows of the puzzle table in the checkpoint; 0 if it has none. */
  rows: number;
}

/** 16 MiB of f32: what is held of a puzzle table at a time. */
const BLOCK_ELEMENTS = 2 ** 22;

/** The models whose tensors and recurrence are understood, by the end of `arch.name` before the class. */
const KNOWN_MODELS = /(^|\.)(hrm|hrm_act_v1|trm)@/;

/**
 * Opens a checkpoint, whatever its container: of torch.save (zip or older) or safetensors.
 * @throws {RangeError} if it is none of them, or damaged
 * @throws {Deno.errors.NotFound} if there is no such file
 */
export async function openCheckpoint(path: string): Promise<TensorSource> {
  const source = await openFile(path);
  try {
    const start = new DataView((await source.read(0, Math.min(4, source.size))).buffer);
    // "PK\3\4", or a pickle of a long integer; both are too large to be the length of a safetensors header.
    const torch = start.byteLength === 4 && [0x504b0304, 0x80028a0a].includes(start.getUint32(0));
    return await (torch ? torchSource(source) : safetensorsSource(source));
  } catch (error) {
    source.close();
    throw error;
  }
}

/**
 * Writes an official HRM or TRM checkpoint as weights under this project's names, f32, whole or not at all.
 * @throws {RangeError} if the checkpoint is damaged or asks for anything but tensors
 * @throws {Error} if its tensors are not those of a network that its configuration describes
 */
export async function importCheckpoint(path: string, options: ImportOptions): Promise<Imported> {
  const source = await openCheckpoint(path);
  try {
    const file = fileName(path);
    const names = projectNames(source, file);
    const shapes = new Map([...names].map(([name, official]) => [name, source.info(official).shape]));
    const config = await inferConfig(shapes, options, file);
    checkShapes(shapes, config, file);

    const entries = specify(config).map(({ name, shape }): SafetensorsEntry => ({
      name,
      dtype: "F32",
      shape,
      chunks: wholeTensor(source, names.get(name)!),
    }));
    const table = names.get("puzzle_table");
    if (options.puzzleTable !== "drop") {
      if (!table) throw failure(file, "it has no puzzle table; drop is the only choice");
      entries.push(await tableEntry(source, table, options.puzzleTable));
    }
    await writeSafetensorsStream(options.out, entries, options.metadata(config));
    return { config, rows: table ? source.info(table).shape[0] : 0 };
  } finally {
    source.close();
  }
}

/**
 * Writes weights under the names of the official code (`model.inner.…`), f32, whole or not at all.
 * @throws {Error} if a tensor has no counterpart there, as in networks that only this project has
 */
export async function exportCheckpoint(path: string, out: string): Promise<void> {
  const source = await openSafetensors(path);
  try {
    const entries = source.names().filter((name) => name !== "puzzle_augmentations").map((name): SafetensorsEntry => {
      const official = toOfficial(name);
      if (!official) {
        throw new Error(`Cannot export ${fileName(path)}: the official networks have no counterpart of ${name}`);
      }
      const { shape } = source.info(name);
      const chunks = shape.length > 1 ? rowBlocks(source, name) : wholeTensor(source, name);
      return { name: `model.${official}`, dtype: "F32", shape, chunks };
    });
    await writeSafetensorsStream(out, entries, { format: "pt" });
  } finally {
    source.close();
  }
}

function failure(file: string, reason: string): Error {
  return new Error(`Cannot import ${file}: ${reason}`);
}

/** The checkpoint's names by this project's. */
function projectNames(source: TensorSource, file: string): Map<string, string> {
  const names = new Map<string, string>();
  for (const official of source.names()) {
    const name = fromOfficial(official);
    if (name === undefined) throw failure(file, `"${officialName(official)}" is not a tensor of HRM or TRM`);
    if (names.has(name)) throw failure(file, `"${officialName(official)}" is there twice`);
    const { dtype } = source.info(official);
    if (!["F32", "F64", "F16", "BF16"].includes(dtype)) {
      throw failure(file, `"${officialName(official)}" has the type ${dtype}, not a floating-point type`);
    }
    names.set(name, official);
  }
  return names;
}

type Shapes = Map<string, number[]>;

function layers(shapes: Shapes, level: "H" | "L"): number {
  return new Set([...shapes.keys()].map((name) => name.match(`^${level}\\.(\\d+)\\.`)?.[1]).filter(Boolean)).size;
}

/** What the shapes tell, then what all_config.yaml tells, then what the official configuration of HRM for ARC says. */
async function inferConfig(shapes: Shapes, options: ImportOptions, file: string): Promise<ModelConfig> {
  const [vocabulary, width] = shapes.get("embed_tokens") ?? [];
  if (!vocabulary || !width) throw failure(file, "it has no token embedding of shape [tokens, width]");
  const trm = layers(shapes, "H") === 0;
  const told = options.config === undefined ? undefined : await readArchitecture(options.config);
  if (!told && (trm || width % 64)) {
    const missing = trm ? "cycles of a TRM" : "number of heads";
    throw failure(file, `its tensors do not tell the ${missing}; give the all_config.yaml that lies beside it`);
  }
  const table = shapes.get("puzzle_table");
  const keys = {
    hidden_size: width,
    num_heads: width / 64,
    expansion: 4,
    H_layers: layers(shapes, "H"),
    L_layers: layers(shapes, "L"),
    H_cycles: 2,
    L_cycles: 2,
    pos_encodings: shapes.has("positions") ? "learned" : "rope",
    puzzle_emb_ndim: table?.[1] ?? 0,
    halt_max_steps: 16,
    ...told,
    vocab_size: vocabulary,
  };
  const withTokens = (tokens: number) => modelConfigFromOfficial({ ...keys, seq_len: tokens }, trm);
  const guess = withTokens(options.tokens ?? 900);
  const sequence = shapes.get("positions")?.[0] ?? shapes.get("L.0.mixer.down")?.[0];
  return sequence === undefined ? guess : withTokens(sequence - guess.prefix);
}

async function readArchitecture(path: string): Promise<Record<string, unknown>> {
  const refusal = (reason: string) => new Error(`Cannot read ${fileName(path)}: ${reason}`);
  const text = await Deno.readTextFile(path);
  let arch: unknown;
  try {
    arch = parseYaml(text)?.arch;
  } catch (error) {
    throw refusal(`it cannot be parsed as YAML (${(error as Error).message})`);
  }
  if (typeof arch !== "object" || arch === null) throw refusal("it has no section arch");
  const { name } = arch as { name?: unknown };
  if (name !== undefined && !KNOWN_MODELS.test(`${name}`)) {
    throw refusal(`its arch.name is ${name}; only the models hrm, hrm_act_v1 and trm are known`);
  }
  return arch as Record<string, unknown>;
}

/** The tensors must be exactly those of the configuration, the puzzle table apart. */
function checkShapes(shapes: Shapes, config: ModelConfig, file: string): void {
  const expected = new Map(specify(config).map(({ name, shape }) => [name, shape]));
  if (config.puzzleWidth && shapes.has("puzzle_table")) {
    expected.set("puzzle_table", [shapes.get("puzzle_table")![0], config.puzzleWidth]);
  }
  for (const [name, shape] of expected) {
    const found = shapes.get(name);
    if (!found) throw failure(file, `${toOfficial(name)} is missing`);
    if (String(found) !== String(shape) || found.includes(0)) {
      throw failure(file, `${toOfficial(name)} is [${found}], its configuration asks for [${shape}]`);
    }
  }
  const extra = [...shapes.keys()].find((name) => !expected.has(name));
  if (extra) throw failure(file, `${toOfficial(extra)} has no place in its configuration`);
}

async function* wholeTensor(source: TensorSource, name: string): AsyncIterable<Uint8Array> {
  yield toBytes(float32(await source.read(name)));
}

async function* rowBlocks(source: TensorSource, name: string): AsyncIterable<Uint8Array<ArrayBuffer>> {
  const [rows, ...row] = source.info(name).shape;
  const block = Math.max(1, Math.floor(BLOCK_ELEMENTS / Math.max(1, elementCount(row))));
  for (let from = 0; from < rows; from += block) {
    yield toBytes(await source.rows(name, from, Math.min(rows, from + block)));
  }
}

async function tableEntry(source: TensorSource, official: string, choice: "mean" | "keep"): Promise<SafetensorsEntry> {
  const [rows, width] = source.info(official).shape;
  const name = "puzzle_table";
  if (choice === "keep") return { name, dtype: "F32", shape: [rows, width], chunks: rowBlocks(source, official) };
  const sums = new Float64Array(width);
  for await (const block of rowBlocks(source, official)) {
    const values = new Float32Array(block.buffer, block.byteOffset, block.byteLength / 4);
    for (let i = 0; i < values.length; i++) sums[i % width] += values[i];
  }
  const mean = Float32Array.from(sums, (sum) => sum / rows);
  return { name, dtype: "F32", shape: [1, width], chunks: [toBytes(mean)] };
}
