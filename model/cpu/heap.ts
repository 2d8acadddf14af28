/**
 * One growing WebAssembly memory, handed out in blocks: what the kernels, a BLAS and all threads can address without copying.
 * Knows no tensors.
 *
 * @module
 */

const PAGE = 65536;
const MOST_PAGES = 65536;
/** The least growth, so that a training run grows a few times, not thousands. */
const GROWTH_PAGES = 1024;
const SMALLEST = 64;

/** A piece of the heap. */
export interface Block {
  /** Byte offset in the memory, a multiple of 64. */
  readonly address: number;
  /** Usable bytes, at least what was asked for. */
  readonly bytes: number;
}

/** An allocator over a shared WebAssembly memory with one list of free blocks for each of a few sizes an octave. */
export class Heap {
  /** The memory that modules import. */
  readonly memory: WebAssembly.Memory;
  #buffer: ArrayBufferLike;
  #top: number;
  #used = 0;
  readonly #free: Block[][] = [];

  /**
   * @param reserved bytes at the start of the memory that are never handed out
   * @param mostPages the memory's limit in pages of 64 KiB, at most 65536
   * @throws RangeError or TypeError where the platform has no shared memory
   */
  constructor(reserved: number, mostPages: number = MOST_PAGES) {
    const initial = Math.min(mostPages, GROWTH_PAGES);
    this.memory = new WebAssembly.Memory({ initial, maximum: mostPages, shared: true });
    this.#mostPages = mostPages;
    this.#buffer = this.memory.buffer;
    this.#top = Math.ceil(reserved / SMALLEST) * SMALLEST;
  }

  readonly #mostPages: number;

  /** Bytes in live blocks. */
  get used(): number {
    return this.#used;
  }

  /** Bytes ever handed out: live blocks and those waiting for reuse. */
  get extent(): number {
    return this.#top;
  }

  /** The memory's buffer at its present size; views of an earlier one stay valid. */
  get buffer(): ArrayBufferLike {
    return this.#buffer;
  }

  /**
   * A block of at least `bytes` bytes; its contents are arbitrary.
   *
   * @throws RangeError if the memory cannot grow as far
   */
  allocate(bytes: number): Block {
    const [list, size] = sizeClass(bytes);
    const block = this.#free[list]?.pop() ?? this.#larger(list) ?? this.#extend(size);
    this.#used += block.bytes;
    return block;
  }

  /** Hands a block back. A block must be freed once. */
  free(block: Block): void {
    this.#used -= block.bytes;
    (this.#free[sizeClass(block.bytes)[0]] ??= []).push(block);
  }

  /** A free block of up to twice the size, so that a change of shapes does not leave the old sizes idle. */
  #larger(list: number): Block | undefined {
    for (let i = list + 1; i <= list + 4; i++) {
      const block = this.#free[i]?.pop();
      if (block) return block;
    }
  }

  #extend(bytes: number): Block {
    const end = this.#top + bytes;
    if (end > this.#buffer.byteLength) {
      const missing = Math.ceil((end - this.#buffer.byteLength) / PAGE);
      const spare = this.#mostPages - this.#buffer.byteLength / PAGE;
      try {
        this.memory.grow(Math.max(missing, Math.min(GROWTH_PAGES, spare)));
      } catch {
        throw new RangeError(
          `Cannot allocate ${bytes} bytes: the CPU backend's memory holds ${this.#used} bytes in use and ends at ` +
            `${this.#mostPages * PAGE}; use a smaller batch or canvas, or dispose tensors`,
        );
      }
      this.#buffer = this.memory.buffer;
    }
    const block = { address: this.#top, bytes };
    this.#top = end;
    return block;
  }
}

/** The list of a size and the size that its blocks have: four steps an octave, multiples of 64. */
function sizeClass(bytes: number): [list: number, size: number] {
  if (bytes <= SMALLEST) return [0, SMALLEST];
  const octave = 31 - Math.clz32(bytes - 1);
  const step = Math.max(SMALLEST, 2 ** (octave - 2));
  const size = Math.ceil(bytes / step) * step;
  return [(octave - 5) * 4 + Math.ceil((bytes - 2 ** octave) / 2 ** (octave - 2)), size];
}
