/**
 * Task files in, whole files out: the room's only file access besides the fetching of data sets. Knows nothing of what
 * the tasks are used for.
 *
 * @module
 */
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Grid, parseTask, type Task, TaskError } from "./task.ts";

/** The folder of the small tasks that were made for this project. */
export function samplesFolder(): string {
  return fileURLToPath(new URL("./samples", import.meta.url));
}

/**
 * Reads tasks, in a fixed order:
 * - a task file, whose name is the task's id;
 * - a folder of task files, subfolders and links included, sorted by path;
 * - a joined file `{id: {train, test}}` as Kaggle has them; where its name ends in `challenges.json`, the answers come
 *   from the file beside it whose name ends in `solutions.json`, if it is there.
 *
 * @throws {TaskError} Naming the file, and what is wrong in it.
 */
export async function readTasks(path: string): Promise<Task[]> {
  const files = await taskFiles(path);
  if (files.length === 0) throw new TaskError(`Cannot read tasks: ${path} holds no .json file`);
  const seen = new Map<string, string>();
  const tasks: Task[] = [];
  for (const file of files) {
    for (const task of await readFile(file)) {
      const other = seen.get(task.id);
      if (other) {
        throw new TaskError(`Cannot read tasks: ${other} and ${file} both hold the task ${task.id}; read them apart`);
      }
      seen.set(task.id, file);
      tasks.push(task);
    }
  }
  return tasks;
}

/** @param above the folders that `path` was found in, where links lead in circles */
async function taskFiles(path: string, above: readonly string[] = []): Promise<string[]> {
  const found = await inFile(path, () => Deno.stat(path));
  if (!found.isDirectory) return above.length === 0 || path.endsWith(".json") ? [path] : [];
  const own = await Deno.realPath(path);
  if (above.includes(own)) return [];
  const entries = await inFile(path, () => Array.fromAsync(Deno.readDir(path)));
  const names = entries.filter(({ name, isFile }) => !isFile || name.endsWith(".json")).map(({ name }) => name);
  const nested = await Promise.all(names.sort().map((name) => taskFiles(join(path, name), [...above, own])));
  return nested.flat();
}

async function readFile(path: string): Promise<Task[]> {
  const document = await readJson(path);
  // A task has lists at its top level, a joined file has tasks there.
  const joined = isRecord(document) && Object.keys(document).length > 0 && Object.values(document).every(isRecord);
  return await inFile(path, async () => {
    if (!joined && path.endsWith("solutions.json")) {
      throw new TaskError("it holds answers only; name the challenges file beside it");
    }
    if (!joined) return [parseTask(document, basename(path, ".json"))];
    const tasks = Object.entries(document).map(([id, task]) => parseTask(task, id));
    const solutions = path.replace(/challenges\.json$/, "solutions.json");
    if (solutions !== path && await exists(solutions)) {
      return withSolutions(tasks, await readJson(solutions), solutions);
    }
    return tasks;
  });
}

function withSolutions(tasks: Task[], solutions: unknown, path: string): Task[] {
  return tasks.map((task) => {
    const outputs = isRecord(solutions) ? solutions[task.id] : undefined;
    if (!Array.isArray(outputs) || outputs.length !== task.test.length) {
      throw new TaskError(`${basename(path)} must hold a list of ${task.test.length} outputs for ${task.id}`);
    }
    return parseTask(
      { ...task, test: task.test.map(({ input }, t) => ({ input, output: outputs[t] as Grid })) },
      task.id,
    );
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether there is such a file or folder. */
export async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function readJson(path: string): Promise<unknown> {
  return inFile(path, async () => JSON.parse(await Deno.readTextFile(path)));
}

/** Runs `work` and puts the file's name on what it throws about the file or its content. */
async function inFile<Result>(path: string, work: () => Result | Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new TaskError(`Cannot read ${path}: there is no such file or folder`, { cause: error });
    }
    if (error instanceof SyntaxError || error instanceof TaskError) {
      throw new TaskError(`Cannot read ${path}: ${error.message}`, { cause: error });
    }
    throw error;
  }
}

/**
 * Writes a file so that it is there whole, under its name, or not at all: to a temporary file beside it, synced to disk
 * and renamed. Missing folders are made.
 */
export async function writeWhole(path: string, content: Uint8Array | string): Promise<void> {
  const folder = dirname(path);
  await Deno.mkdir(folder, { recursive: true });
  const temporary = join(folder, `.${basename(path)}.${crypto.randomUUID()}.tmp`);
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  try {
    {
      using file = await Deno.open(temporary, { write: true, createNew: true });
      for (let written = 0; written < bytes.length;) written += await file.write(bytes.subarray(written));
      await file.sync();
    }
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw error;
  }
  // The new name lives in the folder, so the folder has to reach the disk, too; Windows cannot open one.
  if (Deno.build.os === "windows") return;
  using directory = await Deno.open(folder);
  await directory.sync();
}
