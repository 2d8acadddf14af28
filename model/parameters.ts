/**
 * A network's tensors: what is learned, by dotted name, and the initial states, which never are. Knows no equations.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import type { ModelConfig } from "./config.ts";
import { sequenceLength } from "./config.ts";
import { normals, type RandomSource, truncatedNormals } from "./initialise.ts";

/** The largest side of a canvas: rows and columns have learned vectors up to here. */
export const MAX_SIDE = 30;

/** Tensors by dotted name: `H.0.qkv`, `embed_tokens`, … */
export type Parameters = Record<string, tf.Tensor>;

/**
 * A network: its configuration and its tensors.
 *
 * @internal
 */
export interface Network {
  /** What the tensors mean. */
  config: ModelConfig;
  /** What is learned. */
  parameters: Parameters;
  /** `H_init` and `L_init`, f32[D]: where every position of a fresh state starts. */
  buffers: Parameters;
}

/** Name, shape and initial values of every tensor of a configuration, in a fixed order. */
interface Specification {
  name: string;
  shape: number[];
  buffer?: boolean;
  values: (size: number, random: RandomSource) => Float32Array;
}

const lecun = (fanIn: number) => (size: number, random: RandomSource) =>
  truncatedNormals(size, 1 / Math.sqrt(fanIn), random);
const zeros = (size: number) => new Float32Array(size);
const normal = (deviation: number) => (size: number, random: RandomSource) => normals(size, deviation, random);

function layerSpecifications(level: string, layers: number, config: ModelConfig): Specification[] {
  const { width: D, feedForward: F, heads: N, headWidth: K } = config;
  return Array.from({ length: layers }, (_, i): Specification[] => {
    const at = (name: string, out: number, into: number) => ({
      name: `${level}.${i}.${name}`,
      shape: [out, into],
      values: lecun(into),
    });
    const T = sequenceLength(config);
    const { mixerWidth: M } = config;
    const mixer = config.mixer === "attention"
      ? [at("qkv", 3 * N * K, D), at("o", D, N * K)]
      : [at("mixer.gate_up", 2 * M, T), at("mixer.down", T, M)];
    return [...mixer, at("gate_up", 2 * F, D), at("down", D, F)];
  }).flat();
}

/** Every tensor of a configuration, by name and shape. */
export function specify(config: ModelConfig): Specification[] {
  const { vocabulary: V, width: D } = config;
  const roles = config.conditioning === "roles";
  const list: Specification[] = [
    { name: "embed_tokens", shape: [V, D], values: roles ? normal(1) : lecun(D) },
    roles ? { name: "readout", shape: [D, D], values: lecun(D) } : { name: "lm_head", shape: [V, D], values: lecun(D) },
  ];
  if (config.halting !== "fixed") {
    // Official: halting starts out improbable, so that Q-learning sees many segments.
    list.push({ name: "q_head.weight", shape: [2, D], values: zeros });
    list.push({ name: "q_head.bias", shape: [2], values: (size) => new Float32Array(size).fill(-5) });
  }
  if (config.positions === "learned") {
    list.push({ name: "positions", shape: [sequenceLength(config), D], values: lecun(D) });
  }
  if (config.gridPositions) {
    for (const name of ["rows", "columns"]) list.push({ name, shape: [MAX_SIDE, D], values: normal(0.3) });
  }
  list.push(...layerSpecifications("H", config.hLayers, config), ...layerSpecifications("L", config.lLayers, config));
  list.push({ name: "H_init", shape: [D], buffer: true, values: lecun(1) });
  if (config.lLayers) list.push({ name: "L_init", shape: [D], buffer: true, values: lecun(1) });
  return list;
}

/** A network with initial values; the same random stream gives the same bits. */
export function initialise(config: ModelConfig, random: RandomSource): Network {
  const network: Network = { config, parameters: {}, buffers: {} };
  for (const { name, shape, buffer, values } of specify(config)) {
    const size = shape.reduce((a, b) => a * b, 1);
    (buffer ? network.buffers : network.parameters)[name] = tf.tensor(values(size, random), shape, "float32");
  }
  return network;
}

/** One fresh row of the puzzle table: zeros, but registers (with `roles`) start at random so that they differ. */
export function initialRow(config: ModelConfig, random: RandomSource): Float32Array {
  const row = new Float32Array(config.puzzleWidth);
  if (config.conditioning === "roles") {
    const registers = config.prefix * config.width;
    row.set(normals(registers, 0.5, random), config.puzzleWidth - registers);
  }
  return row;
}

/** A network of its own tensors with the same values. */
export function copyNetwork({ config, parameters, buffers }: Network): Network {
  const copy = (tensors: Parameters) =>
    Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, tf.clone(tensor)]));
  return { config, parameters: copy(parameters), buffers: copy(buffers) };
}

/** Disposes every tensor of a network. */
export function disposeNetwork({ parameters, buffers }: Network): void {
  tf.dispose([parameters, buffers]);
}

/** How many numbers are learned. */
export function countParameters(config: ModelConfig): number {
  return specify(config).filter(({ buffer }) => !buffer).reduce(
    (sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1),
    0,
  );
}
