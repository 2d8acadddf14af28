/**
 * The solver where there is neither a GPU, nor a BLAS, nor a thread to spare, nor any permission but to read: for hosts that serve a module's
 * default export, as `deno serve --allow-read serve/deploy/edge.ts` does. Adaptations run in the one thread there is, to their end: Deno's own
 * server does not tell when a client went away (see listen.ts).
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { startBackend } from "../../model/backend.ts";
import { loadWeights } from "../../train/checkpoint.ts";
import { type App, createApp } from "../app.ts";
import { Solver } from "../solver.ts";

const { name } = await startBackend("cpu", 1);
const weights = await loadWeights(fileURLToPath(new URL("../../weights/default.safetensors", import.meta.url)));

/** What such hosts call for every request. */
const app: App = createApp(new Solver(weights, "default.safetensors", name, 0), { seconds: 10 });
export default app;
