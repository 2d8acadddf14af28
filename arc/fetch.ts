/**
 * Getting the published task sets: downloaded at a fixed commit or copied from a folder, and checked file by file.
 * Knows nothing of what stands in a task.
 *
 * @module
 */
import { configure, Uint8ArrayReader, Uint8ArrayWriter, ZipReader } from "@zip.js/zip.js";
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { writeWhole } from "./read.ts";

/** A published set of tasks. */
export interface DataSet {
  /** Its name here, and that of its folder. */
  name: string;
  /** Owner and name of its repository. */
  repository: string;
  /** The commit, 40 hexadecimal digits. */
  commit: string;
  /** The folder of the tasks in the repository. */
  folder: string;
  /** Which files of that folder belong to the set. */
  files: RegExp;
  /** How many tasks there are. */
  tasks: number;
  /** See {@link digest}. */
  digest: string;
}

/** The sets that can be fetched. */
export const DATA_SETS: readonly DataSet[] = [
  {
    name: "arc-agi-1",
    repository: "fchollet/ARC-AGI",
    commit: "399030444e0ab0cc8b4e199870fb20b863846f34",
    folder: "data",
    files: /^(training|evaluation)\/[0-9a-f]{8}\.json$/,
    tasks: 800,
    digest: "76e2360f6673093730676345fd3db8bf289be3f58179c002980a4e91ae0d9cda",
  },
  {
    name: "arc-agi-2",
    repository: "arcprize/ARC-AGI-2",
    commit: "f3283f727488ad98fe575ea6a5ac981e4a188e49",
    folder: "data",
    files: /^(training|evaluation)(\/[0-9a-f]{8}\.json|\.txt)$/,
    tasks: 1120,
    digest: "3c9661f29d502299f9a4a179fa9e28a81cb4d10e5dcaba7078859bb8067895d8",
  },
  {
    name: "concept-arc",
    repository: "victorvikram/ConceptARC",
    commit: "b22ef526b4656679816b7811e78f55cc24d736d7",
    folder: "corpus",
    files: /^(\w+)\/\1\d+\.json$/,
    tasks: 160,
    digest: "a3bab570eb59be921d4e9e2271aecb98c351ef8d679895674eec9573ee0394a0",
  },
  {
    name: "mini-arc",
    repository: "KSB21ST/MINI-ARC",
    commit: "792d082c40d496f2f106f63fa7125bb115c8230b",
    folder: "data/MiniARC",
    files: /^[^/]+\.json$/,
    tasks: 149,
    digest: "7a79c840fa6953e259a4206057d64120caf69cb5c2230be99ca7f853c1e1f93f",
  },
];

/** A set could not be fetched; the message says why, and what to do. */
export class FetchError extends Error {
  /** "FetchError". */
  override name = "FetchError";
}

/** Where to get a set from. */
export interface FetchOptions {
  /** The folder that the sets lie in, each in a folder of its name. */
  data: string;
  /** A folder laid out in the same way, to copy from instead of downloading. */
  from?: string;
  /** What stands before the repository's name in the address of its archive. */
  baseUrl?: string;
}

/** Files by their path within the set, and the licence if it was found. */
interface Content {
  files: Map<string, Uint8Array>;
  licence?: Uint8Array;
}

/**
 * sha256, in hexadecimal digits, over the lines `<sha256 of the file>  <path>` of all .json files, sorted by path: the
 * same for two folders exactly if they hold the same tasks under the same names.
 */
export function digest(files: ReadonlyMap<string, Uint8Array>): string {
  const tasks = [...files].filter(([path]) => path.endsWith(".json")).sort(([a], [b]) => a < b ? -1 : 1);
  const lines = tasks.map(([path, bytes]) => `${createHash("sha256").update(bytes).digest("hex")}  ${path}\n`);
  return createHash("sha256").update(lines.join("")).digest("hex");
}

/**
 * Makes sure that a set lies in the data folder: finds it there, copies it, or downloads it, going on with a download
 * that broke off. The set's folder appears whole and checked, or not at all.
 *
 * @returns How it came there: "present", "copied" or "fetched".
 * @throws {FetchError} If it cannot be had, or is not what was published.
 */
export async function fetchDataSet(set: DataSet, options: FetchOptions): Promise<"present" | "copied" | "fetched"> {
  const { data, from, baseUrl = "https://github.com" } = options;
  const target = join(data, set.name);
  const present = await readFolder(target, set);
  if (present) {
    if (digest(present) === set.digest) return "present";
    throw new FetchError(
      `Cannot fetch ${set.name}: ${target} is there but differs from ${set.repository} at ${set.commit}; move it away and try again`,
    );
  }
  const partial = join(data, `.${set.name}.zip.part`);
  const content = from === undefined
    ? await unpack(await download(set, baseUrl, partial), set, partial)
    : await readCopy(set, from);
  if (digest(content.files) !== set.digest) {
    await removeIfThere(partial);
    throw new FetchError(
      `Cannot fetch ${set.name}: ${
        from ?? "the archive"
      } does not hold the ${set.tasks} tasks of ${set.repository} at ${set.commit}`,
    );
  }
  if (content.licence) await writeWhole(join(data, `LICENSE-${set.name}`), content.licence);
  await writeFolder(target, content.files);
  await removeIfThere(partial);
  return from === undefined ? "fetched" : "copied";
}

async function writeFolder(target: string, files: Map<string, Uint8Array>): Promise<void> {
  const temporary = `${target}.${crypto.randomUUID()}.tmp`;
  try {
    for (const [path, bytes] of files) {
      await Deno.mkdir(dirname(join(temporary, path)), { recursive: true });
      await Deno.writeFile(join(temporary, path), bytes);
    }
    await Deno.rename(temporary, target);
  } catch (error) {
    await Deno.remove(temporary, { recursive: true }).catch(() => {});
    throw error;
  }
}

/** The set's files in a folder; undefined if there is no such folder. */
async function readFolder(folder: string, set: DataSet): Promise<Map<string, Uint8Array> | undefined> {
  const files = new Map<string, Uint8Array>();
  const walk = async (prefix: string): Promise<void> => {
    for await (const { name, isDirectory } of Deno.readDir(join(folder, prefix))) {
      const path = prefix + name;
      if (isDirectory) await walk(`${path}/`);
      else if (set.files.test(path)) files.set(path, await Deno.readFile(join(folder, path)));
    }
  };
  try {
    await walk("");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  return files;
}

async function readCopy(set: DataSet, from: string): Promise<Content> {
  const files = await readFolder(join(from, set.name), set);
  if (!files) throw new FetchError(`Cannot copy ${set.name}: there is no folder ${join(from, set.name)}`);
  const licence = await Deno.readFile(join(from, `LICENSE-${set.name}`)).catch(() => undefined);
  return { files, licence };
}

/** The set's archive, downloaded into `partial` from where an earlier download broke off. */
async function download(set: DataSet, baseUrl: string, partial: string): Promise<Uint8Array> {
  const url = `${baseUrl}/${set.repository}/archive/${set.commit}.zip`;
  await Deno.mkdir(dirname(partial), { recursive: true });
  const size = (await Deno.stat(partial).catch(() => undefined))?.size ?? 0;
  try {
    const response = await fetch(url, { headers: size > 0 ? { range: `bytes=${size}-` } : {} });
    // 416: nothing comes after what is there already.
    if (response.status === 416) await response.body?.cancel();
    else if (!response.ok || !response.body) {
      await response.body?.cancel();
      throw new Error(`the server answers ${response.status}`);
    } else {
      const goOn = response.status === 206;
      using file = await Deno.open(partial, { write: true, create: true, append: goOn, truncate: !goOn });
      for await (const chunk of response.body) {
        for (let written = 0; written < chunk.length;) written += await file.write(chunk.subarray(written));
      }
    }
  } catch (cause) {
    throw new FetchError(
      `Cannot fetch ${set.name} from ${url}: ${
        (cause as Error).message
      }. Try again to go on from where it broke off; ` +
        "without a network, take a local copy with `deno task data --from DIR`, or name it with --data where tasks are read",
      { cause },
    );
  }
  return await Deno.readFile(partial);
}

/** Bytes of a file of a set at most: a task of the largest grids has far fewer. */
const LARGEST_FILE = 1_000_000;

/** The set's files in the zip archive of its repository. A broken archive is thrown away, so that the next try starts anew. */
async function unpack(archive: Uint8Array, set: DataSet, partial: string): Promise<Content> {
  // The archives are small; without workers nothing is left running.
  configure({ useWebWorkers: false });
  const content: Content = { files: new Map() };
  try {
    const entries = await new ZipReader(new Uint8ArrayReader(archive)).getEntries();
    for (const entry of entries) {
      if (entry.directory) continue;
      // The first folder bears the commit's name. Paths that lead out of the archive are refused by getEntries().
      const path = entry.filename.split("/").slice(1).join("/");
      const file = path.startsWith(`${set.folder}/`) ? path.slice(set.folder.length + 1) : "";
      const wanted = set.files.test(file);
      if (!wanted && path !== "LICENSE") continue;
      if (entry.uncompressedSize > LARGEST_FILE) throw new Error(`${path} has ${entry.uncompressedSize} bytes`);
      const bytes = await entry.getData(new Uint8ArrayWriter(), { checkSignature: true });
      if (wanted) content.files.set(file, bytes);
      else content.licence = bytes;
    }
  } catch (cause) {
    await removeIfThere(partial);
    throw new FetchError(`Cannot fetch ${set.name}: the archive is broken: ${(cause as Error).message}; try again`, {
      cause,
    });
  }
  return content;
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
