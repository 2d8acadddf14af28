import assert from "node:assert/strict";
import { presets } from "../../model/config.ts";
import { exportCheckpoint, importCheckpoint, type ImportOptions, openTorch } from "../../model/import.ts";
import { specify } from "../../model/parameters.ts";
import {
  decodeSafetensors,
  encodeSafetensors,
  float32,
  type TensorData,
  writeSafetensors,
} from "../../model/safetensors.ts";
import { filesIn, inTemporaryFolder } from "../temporary_folder.ts";
import {
  dictionary,
  entry,
  joined,
  largeCheckpoint,
  legacyFile,
  op,
  pickle,
  tensorOps,
  writeChunks,
  zip,
  zipFile,
} from "./torch_files.ts";

const fixtures = new URL("../fixtures/torch/", import.meta.url).pathname;
const official: Pick<ImportOptions, "config" | "tokens"> = { config: `${fixtures}all_config.yaml`, tokens: 16 };
const read = async (path: string) => decodeSafetensors(await Deno.readFile(path), path);

/** Imports `path` into the folder and reads what was written. */
async function imported(folder: string, path: string, options: Partial<ImportOptions> = {}) {
  const out = `${folder}/imported.safetensors`;
  const metadata = () => ({ made: "by a test" });
  const result = await importCheckpoint(path, { puzzleTable: "mean", metadata, out, ...options });
  return { ...result, ...await read(out) };
}

Deno.test("importCheckpoint() writes the same weights from both containers, with and without wrappers in the names", async () => {
  await inTemporaryFolder(async (folder) => {
    const files = ["step_100", "step_100_uncompiled", "step_100_legacy"];
    const bytes = [];
    for (const file of files) {
      await imported(folder, fixtures + file, { ...official, puzzleTable: "keep" });
      bytes.push(await Deno.readFile(`${folder}/imported.safetensors`));
    }
    assert.deepEqual(bytes[1], bytes[0]);
    assert.deepEqual(bytes[2], bytes[0]);
  });
});

Deno.test("importCheckpoint() writes the tensors of the configuration under this project's names", async () => {
  await inTemporaryFolder(async (folder) => {
    const { config, rows, tensors, metadata } = await imported(folder, `${fixtures}step_100`, official);
    const size = { width: 32, heads: 2, headWidth: 16, feedForward: 256, hLayers: 1, lLayers: 1, puzzleWidth: 32 };
    assert.deepEqual(config, { ...presets.arc({ side: 4 }), ...size, maxSegments: 4 });
    assert.equal(rows, 23);
    assert.deepEqual(metadata, { made: "by a test" });
    assert.deepEqual(
      new Map([...tensors].map(([name, { dtype, shape }]) => [name, `${dtype} ${shape}`])),
      new Map([...specify(config).map(({ name, shape }) => [name, `F32 ${shape}`] as const), [
        "puzzle_table",
        "F32 1,32",
      ]]),
    );
    const source = await openTorch(`${fixtures}step_100`);
    const original = await source.read("_orig_mod.model.inner.L_level.layers.0.mlp.down_proj.weight");
    assert.deepEqual(tensors.get("L.0.down"), original);
    const start = float32(await source.read("_orig_mod.model.inner.H_init"));
    assert.deepEqual(float32(tensors.get("H_init")!), start);
    source.close();
  });
});

Deno.test("importCheckpoint() keeps, averages or drops the puzzle table", async () => {
  await inTemporaryFolder(async (folder) => {
    const table = async (puzzleTable: ImportOptions["puzzleTable"]) =>
      (await imported(folder, `${fixtures}step_100`, { ...official, puzzleTable })).tensors.get("puzzle_table");
    const all = (await table("keep"))!;
    assert.deepEqual(all.shape, [23, 32]);
    const source = await openTorch(`${fixtures}step_100`);
    assert.deepEqual(all, await source.read("_orig_mod.model.inner.puzzle_emb.weights"));
    source.close();
    const mean = float32((await table("mean"))!);
    mean.forEach((value, column) => {
      let sum = 0;
      for (let row = 0; row < 23; row++) sum += float32(all)[row * 32 + column];
      assert.equal(value, Math.fround(sum / 23));
    });
    assert.equal(await table("drop"), undefined);
  });
});

Deno.test("importCheckpoint() reads TRM, with attention and with a SwiGLU over the sequence", async () => {
  await inTemporaryFolder(async (folder) => {
    const arch = { hidden_size: 32, num_heads: 4, expansion: 4, H_cycles: 3, L_cycles: 4, H_layers: 0, L_layers: 1 };
    const more = { puzzle_emb_ndim: 32, halt_max_steps: 4, puzzle_emb_len: 16, name: "recursive_reasoning.trm@T" };
    const shapes: [string, number[]][] = [
      ["embed_tokens.embedding_weight", [12, 32]],
      ["lm_head.weight", [12, 32]],
      ["q_head.weight", [2, 32]],
      ["q_head.bias", [2]],
      ["H_init", [32]],
      ["L_init", [32]],
      ["puzzle_emb.weights", [5, 32]],
      ["L_level.layers.0.mlp.gate_up_proj.weight", [512, 32]],
      ["L_level.layers.0.mlp.down_proj.weight", [32, 256]],
    ];
    const attention: [string, number[]][] = [["qkv_proj", [96, 32]], ["o_proj", [32, 32]]];
    const overSequence: [string, number[]][] = [["gate_up_proj", [512, 25]], ["down_proj", [25, 256]]];
    const importAs = async (mixer: string, parts: [string, number[]][], keys: Record<string, unknown>) => {
      const tensors = [...shapes, ...parts.map(([n, s]) => [`L_level.layers.0.${mixer}.${n}.weight`, s] as const)];
      const zeros = tensors.map(([name, shape]): [string, TensorData] => [
        `model.inner.${name}`,
        { dtype: "F32", shape: [...shape], data: new Float32Array(shape.reduce((a, b) => a * b, 1)) },
      ]);
      await writeSafetensors(`${folder}/trm`, new Map(zeros));
      await Deno.writeTextFile(`${folder}/all_config.yaml`, JSON.stringify({ arch: { ...arch, ...more, ...keys } }));
      return await imported(folder, `${folder}/trm`, { config: `${folder}/all_config.yaml`, tokens: 9 });
    };
    const plain = (await importAs("self_attn", attention, { pos_encodings: "rope", mlp_t: false })).config;
    assert.deepEqual([plain.shared, plain.hLayers, plain.lLayers, plain.prefix, plain.tokens], [true, 0, 1, 16, 9]);
    assert.deepEqual([plain.hCycles, plain.lCycles, plain.gradientCalls, plain.halting], [3, 4, 5, "halt"]);
    const mixed = await importAs("mlp_t", overSequence, { pos_encodings: "none", mlp_t: true });
    assert.deepEqual([mixed.config.mixer, mixed.config.mixerWidth, mixed.config.tokens], ["tokens", 256, 9]);
    assert.deepEqual(mixed.tensors.get("L.0.mixer.down")!.shape, [25, 256]);
    await assert.rejects(
      importAs("self_attn", attention, { pos_encodings: "rope", name: "recursive_reasoning.trm_singlez@T" }),
      /Cannot read all_config\.yaml: its arch\.name is recursive_reasoning\.trm_singlez@T; only the models/,
    );
  });
});

Deno.test("importCheckpoint() streams a large puzzle table: no read and no write of more than 16 MiB", async () => {
  const rows = 240_000;
  const prototype = Deno.FsFile.prototype;
  const { read, write } = prototype;
  let largest = 0;
  let total = 0;
  await inTemporaryFolder(async (folder) => {
    await writeChunks(`${folder}/step_1`, largeCheckpoint(rows));
    assert.ok((await Deno.stat(`${folder}/step_1`)).size > 60e6);
    try {
      prototype.read = function (buffer) {
        largest = Math.max(largest, buffer.length);
        total += buffer.length;
        return read.call(this, buffer);
      };
      prototype.write = function (buffer) {
        largest = Math.max(largest, buffer.length);
        return write.call(this, buffer);
      };
      const metadata = () => ({});
      const into = (puzzleTable: "mean" | "keep") =>
        importCheckpoint(`${folder}/step_1`, { puzzleTable, metadata, out: `${folder}/${puzzleTable}` });
      await into("mean");
      // The table passes once, the rest is small.
      assert.ok(total > rows * 256 && total < rows * 256 * 1.05, `${total} bytes were read`);
      await into("keep");
    } finally {
      Object.assign(prototype, { read, write });
    }
    assert.ok(largest <= 2 ** 24, `${largest} bytes at a time`);
    const mean = (await readTensors(`${folder}/mean`)).get("puzzle_table")!;
    assert.deepEqual([...float32(mean)], Array.from({ length: 64 }, (_, i) => Math.fround((rows - 1) / 2 + i / 64)));
    const kept = (await readTensors(`${folder}/keep`)).get("puzzle_table")!;
    assert.deepEqual(kept.shape, [rows, 64]);
    assert.ok(float32(kept).every((value, i) => value === Math.floor(i / 64) + (i % 64) / 64));
  });
});

const readTensors = async (path: string) => (await read(path)).tensors;

Deno.test("exportCheckpoint() undoes importCheckpoint()", async () => {
  await inTemporaryFolder(async (folder) => {
    await imported(folder, `${fixtures}step_100`, { ...official, puzzleTable: "keep" });
    await exportCheckpoint(`${folder}/imported.safetensors`, `${folder}/exported`);
    const exported = await readTensors(`${folder}/exported`);
    const source = await openTorch(`${fixtures}step_100_uncompiled`);
    assert.deepEqual(new Set(exported.keys()), new Set(source.names()));
    for (const [name, tensor] of exported) {
      const original = await source.read(name);
      assert.deepEqual(tensor, { dtype: "F32", shape: original.shape, data: float32(original) }, name);
    }
    source.close();
  });
});

Deno.test("exportCheckpoint() refuses tensors that the official networks have not, and writes nothing", async () => {
  await inTemporaryFolder(async (folder) => {
    const readout: TensorData = { dtype: "F32", shape: [1], data: new Float32Array(1) };
    await writeSafetensors(`${folder}/loop`, new Map([["readout", readout]]));
    await assert.rejects(
      exportCheckpoint(`${folder}/loop`, `${folder}/out`),
      /Cannot export loop: the official networks have no counterpart of readout/,
    );
    assert.deepEqual(filesIn(folder), ["loop"]);
  });
});

const text = (words: string) => new TextEncoder().encode(words);
const one = new Uint8Array(1);
const bigEndian = { "x/byteorder": text("big") };
const whole = zip();
const evil = dictionary({ x: [...op.global("builtins", "eval"), ...op.text("1"), 0x85, ...op.reduce] });

const hostile: [string, Uint8Array | string, RegExp][] = [
  [
    "a pickle that calls a function",
    "hostile_global",
    /asks for __builtin__\.print, which this importer does not know/,
  ],
  ["a pickle that calls eval", zip({ "x/data.pkl": evil }), /asks for builtins\.eval, which/],
  ["a file cut short", "truncated", /no zip directory; is the file cut short\?/],
  ["a zip file that is cut after its end", whole.subarray(0, -1), /no zip directory/],
  ["an empty file", new Uint8Array(0), /0 bytes are too few for a header/],
  ["another file", text("%PDF-1.7 and more"), /not a safetensors file/],
  ["a storage that is too short", zip({ "x/data/0": new Uint8Array(20) }), /storage "0" has 20 bytes, .* expect 24/],
  ["a storage that is too long", zip({ "x/data/0": new Uint8Array(28) }), /storage "0" has 28 bytes, .* expect 24/],
  [
    "a storage that is missing",
    zip({ "x/data.pkl": dictionary({ w: tensorOps({ key: "1", elements: 6, shape: [6] }) }) }),
    /storage "1" is missing/,
  ],
  [
    "a storage outside the folder",
    zip({ "x/data.pkl": dictionary({ w: tensorOps({ key: "../../0", elements: 6, shape: [6] }) }) }),
    /is missing/,
  ],
  [
    "huge declared elements",
    zip({ "x/data.pkl": dictionary({ w: tensorOps({ key: "0", elements: 2 ** 31 - 1, shape: [6] }) }) }),
    /has 24 bytes, its tensors expect 8589934588/,
  ],
  [
    "an entry that leaves its folder",
    zip({}, [entry("x/../../y", one)]),
    /"x\/\.\.\/\.\.\/y" tries to leave its folder/,
  ],
  ["an entry with an absolute path", zip({}, [entry("/etc/passwd", one)]), /tries to leave/],
  ["an entry with a drive", zip({}, [entry("C:x", one)]), /tries to leave/],
  ["an entry with backslashes", zip({}, [entry("x\\..\\y", one)]), /tries to leave/],
  ["a compressed entry", zip({}, [entry("x/version", one, { method: 8 })]), /"x\/version" is compressed/],
  ["an encrypted entry", zip({}, [entry("x/version", one, { flags: 0x809 })]), /"x\/version" is encrypted/],
  ["an entry twice", zip({}, [entry("x/data/0", one)]), /"x\/data\/0" twice/],
  ["an entry of huge size", zip({}, [entry("x/version", one, { declared: 0xfffffffe })]), /goes beyond/],
  [
    "an entry of a size beyond counting",
    zip({}, [entry("x/version", one, { declared: 2 ** 60 })], true),
    /goes beyond/,
  ],
  [
    "an entry outside the file",
    zip({}, [entry("x/version", one, { at: 2 ** 40 })], true),
    /beyond the end of the file/,
  ],
  ["an entry that is elsewhere", zip({}, [entry("x/version", one, { at: 3 })]), /not where the directory says/],
  ["entries that overlap", zip({}, [entry("x/version", one, { at: 0 })]), /overlap/],
  ["no pickle", joined(zipFile([entry("x/version", one)])), /has 0 entries data\.pkl/],
  ["two pickles", zip({}, [entry("y/data.pkl", one)]), /has 2 entries data\.pkl/],
  ["a pickle of 20 MB", zip({ "x/data.pkl": new Uint8Array(2e7) }), /data\.pkl has 20000000 bytes, more than/],
  ["another byte order", zip(bigEndian), /byte order is "big"; only little/],
  ["a pickle without end", zip({ "x/data.pkl": pickle(op.frame(2n ** 63n), op.none) }), /the pickle is cut short/],
  ["a list", zip({ "x/data.pkl": pickle([0x5d]) }), /does not hold a state dict/],
  [
    "more than tensors",
    zip({ "x/data.pkl": dictionary({ epoch: op.integer(3) }) }),
    /"epoch" is not a tensor; save model\.state_dict/,
  ],
  ["a wrong magic number", legacyFile({ magic: 0x1950a86a20f9469cfc6dn }), /not a file that torch\.save wrote/],
  ["another version", legacyFile({ version: 1002 }), /another version than 1001/],
  ["another byte order in the older container", legacyFile({ littleEndian: false }), /byte order is not little/],
  ["a missing storage in the older container", legacyFile({ keys: [] }), /storage "7" is missing/],
  ["an unknown storage in the older container", legacyFile({ keys: ["8"] }), /list of storages has the key "8"/],
  ["a storage twice in the older container", legacyFile({ keys: ["7", "7"] }), /list of storages has the key "7"/],
  ["another storage size in the older container", legacyFile({ size: 7 }), /storage "7" has 28 bytes, .* expect 24/],
  ["an older container cut in its storage", legacyFile().subarray(0, -1), /storage "7" is cut short/],
  ["an older container cut before its storage", legacyFile().subarray(0, -27), /storage "7" is cut short/],
  ["an older container cut in its pickles", legacyFile().subarray(0, 60), /the pickle is cut short/],
  ["a tensor that HRM has not", zip(), /"w" is not a tensor of HRM or TRM/],
  ["a safetensors file of another model", encodeSafetensors(new Map()), /no token embedding/],
];

for (const [what, bad, message] of hostile) {
  Deno.test(`importCheckpoint() refuses ${what} and writes nothing`, async () => {
    await inTemporaryFolder(async (folder) => {
      const path = typeof bad === "string" ? fixtures + bad : `${folder}/step_1`;
      if (typeof bad !== "string") await Deno.writeFile(path, bad);
      const before = filesIn(folder);
      await assert.rejects(imported(folder, path), (error: Error) => {
        assert.match(error.message, message);
        assert.match(error.message, /^Cannot (import|read) (step_1|hostile_global|truncated): /);
        return true;
      });
      assert.deepEqual(filesIn(folder), before);
    });
  });
}

Deno.test("importCheckpoint() says which tensor does not fit the configuration, and writes nothing", async () => {
  await inTemporaryFolder(async (folder) => {
    const yaml = await Deno.readTextFile(`${fixtures}all_config.yaml`);
    const withYaml = async (text: string, options: Partial<ImportOptions> = {}) => {
      await Deno.writeTextFile(`${folder}/all_config.yaml`, text);
      return await imported(folder, `${fixtures}step_100`, { config: `${folder}/all_config.yaml`, ...options });
    };
    const changed = (from: string, to: string) => withYaml(yaml.replace(from, to));
    await assert.rejects(changed("H_layers: 1", "H_layers: 2"), /inner\.H_level\.layers\.1\.\S+ is missing/);
    await assert.rejects(changed("L_layers: 1", "L_layers: 0"), /lCycles/);
    await assert.rejects(
      changed("hidden_size: 32", "hidden_size: 64"),
      /is \[12,32\], its configuration asks for \[12,64\]/,
    );
    await assert.rejects(changed("puzzle_emb_ndim: 32", "puzzle_emb_ndim: 16"), /is \[23,32\], .* asks for \[23,16\]/);
    await assert.rejects(changed("pos_encodings: rope", "pos_encodings: learned"), /embed_pos\S* is missing/);
    await assert.rejects(
      changed("pos_encodings: rope", "pos_encodings: spiral"),
      /official configuration: pos_encodings/,
    );
    await assert.rejects(withYaml("lr: 1"), /Cannot read all_config\.yaml: it has no section arch/);
    await assert.rejects(withYaml("arch: ["), /Cannot read all_config\.yaml: it cannot be parsed as YAML/);
    await assert.rejects(
      imported(folder, `${fixtures}step_100`),
      /do not tell the number of heads; give the all_config/,
    );
    assert.deepEqual(filesIn(folder), ["all_config.yaml"]);
  });
});

Deno.test("importCheckpoint() leaves the old file as it was when the checkpoint breaks while it is read", async () => {
  await inTemporaryFolder(async (folder) => {
    const out = `${folder}/imported.safetensors`;
    await Deno.writeTextFile(out, "old");
    const metadata = () => {
      Deno.truncateSync(`${folder}/step_1`, 9000);
      return {};
    };
    await Deno.copyFile(`${fixtures}step_100`, `${folder}/step_1`);
    await assert.rejects(
      importCheckpoint(`${folder}/step_1`, { ...official, puzzleTable: "keep", metadata, out }),
      /Cannot read step_1: it became shorter while it was read/,
    );
    assert.equal(await Deno.readTextFile(out), "old");
    assert.deepEqual(filesIn(folder), ["imported.safetensors", "step_1"]);
  });
});
