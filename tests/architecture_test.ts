import assert from "node:assert/strict";

/** What a room may import: of ours a room or one file of it, and packages. */
interface Room {
  ours: string[];
  /** Packages allowed besides `node:` built-ins; any but hono if not given. */
  packages?: string[];
}

const rooms: Record<string, Room> = {
  // Archives of tasks are unpacked here.
  arc: { ours: [], packages: ["zod", "@zip.js/zip.js"] },
  model: { ours: [] },
  train: { ours: ["arc", "model"] },
  // Answering needs what was learned and how to guess with it, and nothing of how training goes on; commands read arguments alike.
  serve: {
    ours: [
      "arc",
      "model",
      ...["adapt", "checkpoint", "command_line", "config", "ensemble", "guess", "known"].map((name) =>
        `train/${name}.ts`
      ),
    ],
  },
};

const root = new URL("../", import.meta.url);

/** Paths of the TypeScript files under a folder, relative to the root. */
function filesUnder(folder: string): string[] {
  return [...Deno.readDirSync(new URL(`${folder}/`, root))].flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    return isDirectory ? filesUnder(path) : /\.ts$/.test(name) ? [path] : [];
  }).sort();
}

/** The specifiers that a source imports or re-exports from, `import()` with a literal included. */
function importsOf(source: string): string[] {
  const code = source.replace(/^\s*(\/\*[\s\S]*?\*\/|\/\/.*)$/gm, "");
  const statement = /^\s*(?:import|export)\b[^;"'`]*?\bfrom\s*["']([^"']+)["']|^\s*import\s*["']([^"']+)["']/gm;
  const dynamic = /\bimport\(\s*["']([^"']+)["']/g;
  return [...code.matchAll(statement), ...code.matchAll(dynamic)].map((match) => match[1] ?? match[2]);
}

/** Where a file's relative import leads, relative to the root. */
function resolve(file: string, specifier: string): string {
  return new URL(specifier, new URL(file, root)).pathname.slice(root.pathname.length);
}

/** What is wrong with a room's file. */
function violations(room: string, file: string, source: string): string[] {
  const { ours, packages } = rooms[room];
  return importsOf(source).flatMap((specifier) => {
    if (specifier.startsWith("node:")) return [];
    if (/^(npm|jsr|https?|file):/.test(specifier)) {
      return [`${file} names ${specifier}: packages are pinned in deno.json`];
    }
    if (!specifier.startsWith(".")) {
      const name = specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
      const allowed = packages ? packages.includes(name) : name !== "hono" || room === "serve";
      return allowed ? [] : [`${file} imports the package ${specifier}`];
    }
    const target = resolve(file, specifier);
    const allowed = [room, ...ours].some((own) => target === own || target.startsWith(`${own}/`));
    return allowed ? [] : [`${file} imports ${target}`];
  });
}

Deno.test("importsOf() finds every form of import, over lines and among comments, and no other text", () => {
  const source = `/** import { a } from "comment"; */
import { type A,
  b } from "./one.ts";
import * as tf from "two";
import "./three.ts";
// import d from "comment";
export { e } from "./four.ts";
export * from "./five.ts";
const six = await import("./six.ts");
const text = 'from "text"';
export const from = "text";
`;
  assert.deepEqual(importsOf(source).sort(), ["./five.ts", "./four.ts", "./one.ts", "./six.ts", "./three.ts", "two"]);
});

Deno.test("violations() finds a room that imports what it must not", () => {
  const found = (room: string, specifier: string) => violations(room, `${room}/deep/x.ts`, `import "${specifier}";`);
  assert.deepEqual(found("arc", "../../model/config.ts"), ["arc/deep/x.ts imports model/config.ts"]);
  assert.deepEqual(found("arc", "@tensorflow/tfjs"), ["arc/deep/x.ts imports the package @tensorflow/tfjs"]);
  assert.deepEqual(found("model", "../../arc/task.ts"), ["model/deep/x.ts imports arc/task.ts"]);
  assert.deepEqual(found("train", "hono/cors"), ["train/deep/x.ts imports the package hono/cors"]);
  assert.deepEqual(found("serve", "../../train/step.ts"), ["serve/deep/x.ts imports train/step.ts"]);
  assert.equal(found("serve", "npm:hono@4").length, 1);
  const fine = ["arc zod", "arc node:path", "arc ../task.ts", "model @tensorflow/tfjs", "serve hono"];
  for (const [room, specifier] of fine.map((line) => line.split(" "))) assert.deepEqual(found(room, specifier), []);
  assert.deepEqual(found("serve", "../../train/adapt.ts"), []);
});

for (const room of Object.keys(rooms)) {
  Deno.test(`${room}/ imports only what its room may`, () => {
    const files = filesUnder(room);
    assert.ok(files.length > 0);
    assert.deepEqual(files.flatMap((file) => violations(room, file, Deno.readTextFileSync(new URL(file, root)))), []);
  });
}

Deno.test("mod.ts re-exports and does nothing else", () => {
  const source = Deno.readTextFileSync(new URL("mod.ts", root));
  const rest = source.replace(/\/\*[\s\S]*?\*\//g, "").replace(/\/\/.*$/gm, "")
    .replace(/export\s+(?:type\s+)?(?:\*|\{[^}]*\})\s*from\s*"[^"]+";/g, "");
  assert.equal(rest.trim(), "");
});
