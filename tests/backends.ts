/**
 * One test body on every backend. A missing GPU is seen in the count of ignored tests; with HRM_REQUIRE_GPU=1 it fails.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { type Backend, startBackend } from "../model/backend.ts";
import { checkTexts } from "../model/webgpu/dispatch.ts";
import { refuseComponentWrites } from "./wgsl.ts";

const adapter = await navigator.gpu?.requestAdapter();
const required = Deno.env.get("HRM_REQUIRE_GPU") === "1";

/** Where tests run. */
export type TestedBackend = "cpu" | "webgpu";

const started = new Map<string, { backend: Backend; registered: string }>();

/** Starts a backend once and selects it; a second device would not see the first one's tensors. */
async function select(name: TestedBackend): Promise<Backend> {
  let known = started.get(name);
  if (!known) {
    // One thread: a module that ends while a second one holds the BLAS, and a software GPU driver is unloaded, can crash inside glibc.
    const backend = await startBackend(name, 1);
    if (name === "webgpu") checkTexts(refuseComponentWrites);
    started.set(name, known = { backend, registered: tf.getBackend() });
  }
  await tf.setBackend(known.registered);
  return known.backend;
}

/**
 * Registers a test for each backend, named `name [cpu]` and `name [webgpu]`. The latter is ignored without an adapter, but fails if
 * HRM_REQUIRE_GPU=1.
 *
 * @param backends fewer where a test is of what happens beside the device, and long
 */
export function eachBackend(
  name: string,
  test: (backend: Backend) => void | Promise<void>,
  backends: TestedBackend[] = ["cpu", "webgpu"],
): void {
  for (const backend of backends) {
    Deno.test({
      name: `${name} [${backend}]`,
      ignore: backend === "webgpu" && !adapter && !required,
      // A device outlives the test that first asks for it.
      sanitizeOps: false,
      sanitizeResources: false,
      fn: async () => await test(await select(backend)),
    });
  }
}
