/**
 * A task shared between the main thread and waiting worker threads. The main thread never yields: it posts a job into shared memory, takes chunks
 * itself, and is done when every chunk is. Which thread takes which chunk is left to chance; what a chunk computes is not.
 *
 * @module
 */
import { Worker } from "node:worker_threads";
import { type Machine, type TaskName, taskNames, tasks } from "./machine.ts";

/** Bytes at the start of the memory through which threads talk. */
const CONTROL_BYTES = 512;

/** Bytes at the start of the memory that are not the heap's: the control area, and from 1024 the kernels' constants. */
export const RESERVED_BYTES: number = 2048;

/** Int32 slots of the control area. */
const TICKET = 0; // chunks of the present job that nobody has taken; the upper bits count jobs, so that each job changes it
const DONE = 1; // chunks finished
const SLEEPERS = 2; // workers that must be woken
const TASK = 3;
const CHUNKS = 4;
const TOTAL = 5;
const ALIGN = 6;
const FAILED = 7;
const WAITING = 8; // 1 while the main thread sleeps until chunks are finished
/** Byte offset of the arguments. */
const VALUES = 64;

const CHUNK_BITS = 10;
const CHUNK_MASK = (1 << CHUNK_BITS) - 1;

/**
 * How often a thread looks before it sleeps. A sleeper is awake again after microseconds, but one that looks for long uses up its share of a
 * busy core and then misses milliseconds when it is needed.
 */
const SPINS = 400;

/** The control area, as one thread sees it. */
export interface Control {
  /** Slots for atomic access. */
  slots: Int32Array;
  /** The arguments of the present job. */
  values: Float64Array;
}

/** Views of the control area of a memory. */
export function controlOf(memory: WebAssembly.Memory): Control {
  return {
    slots: new Int32Array(memory.buffer, 0, VALUES / 4),
    values: new Float64Array(memory.buffer, VALUES, (CONTROL_BYTES - VALUES) / 8),
  };
}

/** Takes chunks of the present job until none is left. */
export function work({ slots, values }: Control, machine: Machine): void {
  for (;;) {
    const ticket = Atomics.load(slots, TICKET);
    const left = ticket & CHUNK_MASK;
    if (left === 0) return;
    if (Atomics.compareExchange(slots, TICKET, ticket, ticket - 1) !== ticket) continue;
    // From here to the count below the job cannot end, so its description is stable.
    const [chunks, total, align] = [slots[CHUNKS], slots[TOTAL], slots[ALIGN]];
    const blocks = Math.ceil(total / align);
    const from = Math.floor((left - 1) * blocks / chunks) * align;
    const to = Math.min(total, Math.floor(left * blocks / chunks) * align);
    try {
      tasks[taskNames[slots[TASK]]](machine, values, from, to);
    } catch (error) {
      console.error(error);
      Atomics.store(slots, FAILED, 1);
    }
    Atomics.add(slots, DONE, 1);
    if (Atomics.load(slots, WAITING)) Atomics.notify(slots, DONE);
  }
}

/** A worker's life: looks for work, then sleeps until there is some. */
export function serve(control: Control, machine: Machine): never {
  const { slots } = control;
  for (;;) {
    work(control, machine);
    let spins = 0;
    while ((Atomics.load(slots, TICKET) & CHUNK_MASK) === 0) {
      if (++spins < SPINS) continue;
      const ticket = Atomics.load(slots, TICKET);
      Atomics.add(slots, SLEEPERS, 1);
      if ((ticket & CHUNK_MASK) === 0) Atomics.wait(slots, TICKET, ticket);
      Atomics.sub(slots, SLEEPERS, 1);
      spins = 0;
    }
  }
}

/** What a worker is told at its start. */
export interface WorkerSetup {
  /** The heap. */
  memory: WebAssembly.Memory;
  /** The thread's number, from 1. */
  index: number;
  /** Byte offset of the thread's packing area. */
  packing: number;
  /** The library that the main thread has found. */
  blasPath?: string;
}

/** Runs tasks, on several threads where that pays. */
export interface Threads {
  /** How many threads there are, the main one included. */
  readonly count: number;
  /**
   * Runs a task over [0, total).
   *
   * @param align multiples at which the range may be cut
   * @param pieces how many chunks a thread should get; 0 for the main thread alone
   * @throws Error if the task failed on a worker
   */
  run(task: TaskName, total: number, align: number, pieces: number, values: number[]): void;
}

/** Threads over a memory. Workers are started by the first job that needs them and never keep the process alive. */
export function createThreads(
  memory: WebAssembly.Memory,
  machine: Machine,
  count: number,
  setup: (index: number) => WorkerSetup,
): Threads {
  const control = controlOf(memory);
  const { slots, values } = control;
  let jobs = 0;
  let started = false;
  return {
    count,
    run(task, total, align, pieces, given) {
      for (let i = 0; i < given.length; i++) values[i] = given[i];
      const chunks = Math.min(Math.ceil(total / align), count * pieces, CHUNK_MASK);
      if (count === 1 || chunks <= 1) {
        tasks[task](machine, values, 0, total);
        return;
      }
      if (!started) {
        started = true;
        for (let index = 1; index < count; index++) {
          const worker = new Worker(new URL("./worker.ts", import.meta.url), { workerData: setup(index) });
          worker.on("error", (error: Error) => console.warn(`A thread is left out: ${error.message}`));
          worker.unref();
        }
      }
      slots[TASK] = taskNames.indexOf(task);
      slots[CHUNKS] = chunks;
      slots[TOTAL] = total;
      slots[ALIGN] = align;
      Atomics.store(slots, DONE, 0);
      jobs = (jobs + 1) & 0xfffff;
      Atomics.store(slots, TICKET, (jobs << CHUNK_BITS) | chunks);
      if (Atomics.load(slots, SLEEPERS) > 0) Atomics.notify(slots, TICKET);
      work(control, machine);
      for (let spins = 0, done; (done = Atomics.load(slots, DONE)) < chunks;) {
        if (++spins < SPINS) continue;
        Atomics.store(slots, WAITING, 1);
        Atomics.wait(slots, DONE, done);
        Atomics.store(slots, WAITING, 0);
      }
      if (Atomics.exchange(slots, FAILED, 0)) throw new Error(`Cannot compute ${task}: a thread failed, see above`);
    },
  };
}
