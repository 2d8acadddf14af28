/**
 * Official checkpoint files: imported, run, and refused where they are not what they seem. Knows no container format.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { answer, embed, haltValues, initialState, rotary, settle, step } from "../../model/hrm.ts";
import { importCheckpoint, openCheckpoint } from "../../model/import.ts";
import { type Network, specify } from "../../model/parameters.ts";
import { decodeSafetensors, float32, openSafetensors } from "../../model/safetensors.ts";
import { type Comparison, flat, Ledger } from "./ledger.ts";

/** What a fixture's config.json says, as far as it is used. */
interface Fixture {
  checkpoints: string[];
  config?: string;
  expected: string;
  seq_len: number;
}

/**
 * How near the answers of an imported network must be. The fixture's own network multiplies rounding errors by 25 over four segments: its
 * official f32 logits lie 7e-5 from exact ones, this project's 3e-5.
 */
const TOLERANCE = 5e-4;

/**
 * Imports every checkpoint of a fixture of kind `torch` and compares its answers on the current backend; compares the values of single
 * tensors with `*.expected.json`; expects files named `hostile…` and `truncated…` to be refused.
 */
export async function compareTorch(folder: string, fixture: Fixture): Promise<Comparison[]> {
  const named = [fixture.config, fixture.expected, "config.json"];
  const listed = (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort();
  const files = listed.filter((name) => !named.includes(name) && !name.endsWith(".json"));
  const ledger = new Ledger(files);
  const scratch = await Deno.makeTempDir();
  try {
    for (const file of files) {
      if (fixture.checkpoints.includes(file)) await compareCheckpoint(folder, file, fixture, scratch, ledger);
      else if (listed.includes(`${file}.expected.json`)) await compareValues(folder, file, ledger);
      else if (/^(hostile|truncated)/.test(file)) await compareRefusal(folder, file, fixture, scratch, ledger);
    }
  } finally {
    await Deno.remove(scratch, { recursive: true });
  }
  return ledger.close();
}

async function importAs(folder: string, file: string, fixture: Fixture, out: string) {
  return await importCheckpoint(`${folder}/${file}`, {
    config: fixture.config && `${folder}/${fixture.config}`,
    tokens: fixture.seq_len,
    puzzleTable: "keep",
    out,
    metadata: () => ({}),
  });
}

async function compareCheckpoint(folder: string, file: string, fixture: Fixture, scratch: string, ledger: Ledger) {
  ledger.given(file);
  const { tensors } = decodeSafetensors(await Deno.readFile(`${folder}/${fixture.expected}`), fixture.expected);
  const out = `${scratch}/${file}.safetensors`;
  const { config } = await importAs(folder, file, fixture, out);
  const weights = await openSafetensors(out);
  tf.engine().startScope();
  try {
    const network: Network = { config, parameters: {}, buffers: {} };
    for (const { name, shape, buffer } of specify(config)) {
      const tensor = tf.tensor(float32(await weights.read(name)), shape, "float32");
      (buffer ? network.buffers : network.parameters)[name] = tensor;
    }
    const { parameters } = network;
    const integers = (name: string) => Int32Array.from(float32(tensors.get(name)!));
    const [B, S] = tensors.get("inputs")!.shape;
    const rows = await Promise.all(
      [...integers("puzzle_identifiers")].map((row) => weights.rows("puzzle_table", row, row + 1)),
    );
    const input = {
      tokens: tf.tensor2d(integers("inputs"), [B, S], "int32"),
      rows: tf.tensor2d(rows.map((row) => [...row])),
    };
    const embedded = embed(parameters, input, config, rotary(config, S));
    let state = initialState(network, B, S);
    for (let n = 1; tensors.has(`segment_${n}.logits`); n++) {
      state = step(parameters, settle(parameters, state, embedded, config), embedded, config);
      const [halt, going] = tf.unstack(haltValues(parameters, state.zH), 1);
      const logits = answer(parameters, state.zH, embedded, config);
      for (const [name, tensor] of Object.entries({ logits, q_halt_logits: halt, q_continue_logits: going })) {
        const { shape, data } = tensors.get(`segment_${n}.${name}`)!;
        const actual = await tensor.data() as Float32Array;
        ledger.near(`${file} segment_${n}.${name}`, shape, data as Float32Array, actual, { tolerance: TOLERANCE });
      }
    }
  } finally {
    tf.engine().endScope();
    weights.close();
  }
}

async function compareValues(folder: string, file: string, ledger: Ledger): Promise<void> {
  ledger.given(file);
  const expected: Record<string, unknown> = JSON.parse(await Deno.readTextFile(`${folder}/${file}.expected.json`));
  const source = await openCheckpoint(`${folder}/${file}`);
  try {
    ledger.equal(`${file} names`, Object.keys(expected).sort(), source.names().sort());
    for (const [name, nested] of Object.entries(expected)) {
      const tensor = await source.read(name);
      ledger.near(`${file} ${name}`, tensor.shape, flat(nested).map(Number), float32(tensor), { tolerance: 0 });
    }
  } finally {
    source.close();
  }
}

async function compareRefusal(folder: string, file: string, fixture: Fixture, scratch: string, ledger: Ledger) {
  const out = `${scratch}/${file}.safetensors`;
  let message = "";
  try {
    await importAs(folder, file, fixture, out);
  } catch (error) {
    message = (error as Error).message;
  }
  const wrong: string[] = [];
  if (!message) wrong.push("it was imported");
  if ((await Array.fromAsync(Deno.readDir(scratch))).some(({ name }) => name.startsWith(file))) {
    wrong.push("something was written");
  }
  if (file.startsWith("hostile") && !await namesGlobal(`${folder}/${file}`, message)) {
    wrong.push("the message does not name the global");
  }
  ledger.equal(`${file} is refused`, [], wrong, wrong.join("; ") || message);
  ledger.given(file);
}

/** Whether a message holds a dotted name whose parts both stand in the file. */
async function namesGlobal(path: string, message: string): Promise<boolean> {
  const bytes = new TextDecoder("latin1").decode(await Deno.readFile(path));
  return [...message.matchAll(/([\w.]+)\.(\w+)/g)].some(([, module, name]) =>
    bytes.includes(module) && bytes.includes(name)
  );
}
