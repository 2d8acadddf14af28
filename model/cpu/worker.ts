/**
 * A worker thread's entry: builds its machine over the shared memory and serves jobs. Started by threads.ts alone.
 *
 * @module
 */
import { workerData } from "node:worker_threads";
import { createMachine } from "./machine.ts";
import { controlOf, serve, type WorkerSetup } from "./threads.ts";

if (workerData) {
  const { memory, index, packing, blasPath } = workerData as WorkerSetup;
  serve(controlOf(memory), createMachine(memory, index, packing, blasPath));
}
