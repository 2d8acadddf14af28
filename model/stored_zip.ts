/**
 * The directory of a zip file whose entries are stored uncompressed, as `torch.save` writes them, zip64 included.
 * Knows no pickles and no tensors. Source: PKWARE APPNOTE 6.3, sections 4.3 to 4.5.
 *
 * @module
 */

import type { ByteSource } from "./files.ts";

/** Where the bytes of an entry are in the zip file. */
export interface StoredEntry {
  /** Offset of the first byte. */
  offset: number;
  /** Number of bytes. */
  size: number;
}

const LOCAL_HEADER = 0x04034b50;
const DIRECTORY_ENTRY = 0x02014b50;
const DIRECTORY_END = 0x06054b50;
const ZIP64_END = 0x06064b50;
const ZIP64_LOCATOR = 0x07064b50;
const LARGEST_DIRECTORY = 2 ** 24;

const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * The entries of a zip file by name.
 * @throws {RangeError} if an entry is compressed or encrypted, leaves its folder, comes twice, overlaps another or goes
 * beyond the file
 */
export async function readStoredZip(source: ByteSource): Promise<Map<string, StoredEntry>> {
  const refusal = (reason: string) => new RangeError(`Cannot import ${source.name}: ${reason}`);
  const read = async (offset: number, length: number) => {
    if (offset + length > source.size) throw refusal("its zip directory points beyond the end of the file");
    return new DataView((await source.read(offset, length)).buffer);
  };
  const directory = await findDirectory(source, read, refusal);
  const view = await read(directory.offset, directory.size);

  const entries = new Map<string, StoredEntry>();
  const ranges: { name: string; start: number; end: number }[] = [];
  for (let at = 0; at < directory.size;) {
    const entry = parseEntry(view, at, refusal);
    checkEntry(entry, refusal);
    if (entries.has(entry.name)) throw refusal(`its zip directory has "${entry.name}" twice`);
    const local = await read(entry.localOffset, 30);
    if (local.getUint32(0, true) !== LOCAL_HEADER || local.getUint16(8, true) !== 0) {
      throw refusal(`the zip entry "${entry.name}" is not where the directory says`);
    }
    const offset = entry.localOffset + 30 + local.getUint16(26, true) + local.getUint16(28, true);
    if (offset + entry.size > directory.offset) {
      throw refusal(`the zip entry "${entry.name}" of ${entry.size} bytes goes beyond the entries' part of the file`);
    }
    entries.set(entry.name, { offset, size: entry.size });
    ranges.push({ name: entry.name, start: entry.localOffset, end: offset + entry.size });
    at += entry.length;
  }
  if (entries.size !== directory.count) throw refusal("its zip directory has another number of entries than it says");
  ranges.sort((a, b) => a.start - b.start);
  for (let i = 1; i < ranges.length; i++) {
    if (ranges[i].start < ranges[i - 1].end) {
      throw refusal(`the zip entries "${ranges[i - 1].name}" and "${ranges[i].name}" overlap`);
    }
  }
  return entries;
}

type Read = (offset: number, length: number) => Promise<DataView>;
type Refusal = (reason: string) => RangeError;

async function findDirectory(source: ByteSource, read: Read, refusal: Refusal) {
  const tailLength = Math.min(source.size, 22 + 0xffff);
  const tailStart = source.size - tailLength;
  const tail = await read(tailStart, tailLength);
  let end = tailLength - 22;
  while (end >= 0 && !(tail.getUint32(end, true) === DIRECTORY_END && atEnd(tail, end))) end--;
  if (end < 0) throw refusal("it has no zip directory; is the file cut short?");
  let count = tail.getUint16(end + 10, true);
  let size = tail.getUint32(end + 12, true);
  let offset = tail.getUint32(end + 16, true);
  if (end >= 20 && tail.getUint32(end - 20, true) === ZIP64_LOCATOR) {
    const zip64 = await read(uint64(tail, end - 12), 56);
    if (zip64.getUint32(0, true) !== ZIP64_END) throw refusal("its zip64 directory is not where it should be");
    count = uint64(zip64, 32);
    size = uint64(zip64, 40);
    offset = uint64(zip64, 48);
  }
  if (size > LARGEST_DIRECTORY) throw refusal(`its zip directory of ${size} bytes is larger than ${LARGEST_DIRECTORY}`);
  if (offset + size > tailStart + end) throw refusal("its zip directory goes beyond its place");
  return { count, size, offset };
}

/** The record's comment must reach exactly to the end of the file. */
function atEnd(tail: DataView, end: number): boolean {
  return end + 22 + tail.getUint16(end + 20, true) === tail.byteLength;
}

interface DirectoryEntry {
  name: string;
  flags: number;
  method: number;
  compressed: number;
  size: number;
  localOffset: number;
  /** Bytes this entry takes in the directory. */
  length: number;
}

function parseEntry(view: DataView, at: number, refusal: Refusal): DirectoryEntry {
  const left = view.byteLength - at;
  if (left < 46 || view.getUint32(at, true) !== DIRECTORY_ENTRY) throw refusal("its zip directory is damaged");
  const nameLength = view.getUint16(at + 28, true);
  const extraLength = view.getUint16(at + 30, true);
  const length = 46 + nameLength + extraLength + view.getUint16(at + 32, true);
  if (left < length) throw refusal("its zip directory is damaged");
  let name: string;
  try {
    name = utf8.decode(new Uint8Array(view.buffer, at + 46, nameLength));
  } catch {
    throw refusal("its zip directory has a name that is not UTF-8");
  }
  const entry: DirectoryEntry = {
    name,
    flags: view.getUint16(at + 8, true),
    method: view.getUint16(at + 10, true),
    compressed: view.getUint32(at + 20, true),
    size: view.getUint32(at + 24, true),
    localOffset: view.getUint32(at + 42, true),
    length,
  };
  const extraStart = at + 46 + nameLength;
  for (let extra = extraStart; extra + 4 <= extraStart + extraLength;) {
    const fieldEnd = extra + 4 + view.getUint16(extra + 2, true);
    if (fieldEnd > extraStart + extraLength) throw refusal(`the zip entry "${name}" has a damaged extra field`);
    if (view.getUint16(extra, true) === 1) {
      // Zip64: only what did not fit its 32 bits is here, in this order.
      let field = extra + 4;
      for (const key of ["size", "compressed", "localOffset"] as const) {
        if (entry[key] !== 0xffffffff) continue;
        if (field + 8 > fieldEnd) throw refusal(`the zip entry "${name}" has a damaged extra field`);
        entry[key] = uint64(view, field);
        field += 8;
      }
    }
    extra = fieldEnd;
  }
  return entry;
}

function checkEntry({ name, flags, method, compressed, size }: DirectoryEntry, refusal: Refusal): void {
  if (/^[/\\]|\\|\0|^[A-Za-z]:|(^|\/)\.\.(\/|$)/.test(name)) {
    throw refusal(`the zip entry "${name}" tries to leave its folder`);
  }
  if (flags & 1) throw refusal(`the zip entry "${name}" is encrypted`);
  if (method !== 0 || compressed !== size) {
    throw refusal(`the zip entry "${name}" is compressed; torch.save stores entries as they are`);
  }
}

/** Beyond 2⁵³ the number is not exact, but then it is beyond every file, too. */
function uint64(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}
