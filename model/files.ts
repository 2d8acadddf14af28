/**
 * Files read by offset, and files written whole or not at all. Knows nothing of tensors or formats.
 *
 * @module
 */

/** Bytes that are read by offset, so that a file larger than memory can be used. */
export interface ByteSource {
  /** What error messages call it: the file's name. */
  readonly name: string;
  /** Length in bytes. */
  readonly size: number;
  /** The `length` bytes from `offset`. @throws {RangeError} if they are not all inside the source. */
  read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
  /** Closes the file behind it. */
  close(): void;
}

/** The last part of a path, for error messages. */
export function fileName(path: string): string {
  return path.split(/[\\/]/).at(-1)!;
}

/**
 * Opens a file for reading by offset.
 * @throws {Deno.errors.NotFound} if there is no such file
 */
export async function openFile(path: string): Promise<ByteSource> {
  const file = await Deno.open(path);
  const { size } = await file.stat();
  const name = fileName(path);
  // Seeking and reading share one position in the file, so reads take turns.
  let turn: Promise<unknown> = Promise.resolve();
  const readNow = async (offset: number, length: number) => {
    if (!(offset >= 0 && length >= 0 && offset + length <= size)) {
      throw new RangeError(`Cannot read ${name}: bytes ${offset} to ${offset + length} are outside its ${size} bytes`);
    }
    const bytes = new Uint8Array(length);
    await file.seek(offset, Deno.SeekMode.Start);
    for (let filled = 0; filled < length;) {
      const count = await file.read(bytes.subarray(filled));
      if (count === null) throw new RangeError(`Cannot read ${name}: it became shorter while it was read`);
      filled += count;
    }
    return bytes;
  };
  return {
    name,
    size,
    read(offset, length) {
      const result = turn.then(() => readNow(offset, length));
      turn = result.catch(() => {});
      return result;
    },
    close: () => file.close(),
  };
}

/**
 * Writes a file whole or not at all: to a temporary file beside it, flushed to the disk, then renamed.
 * If `chunks` throws, the temporary file is removed, `path` stays as it was and the error is passed on.
 */
export async function writeWhole(
  path: string,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  const temporary = `${path}.${crypto.randomUUID()}.tmp`;
  const file = await Deno.open(temporary, { write: true, createNew: true });
  try {
    try {
      for await (const chunk of chunks) {
        for (let written = 0; written < chunk.length;) written += await file.write(chunk.subarray(written));
      }
      await file.sync();
    } finally {
      file.close();
    }
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary);
    throw error;
  }
}
