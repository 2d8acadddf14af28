/** The committed WebAssembly against its source. */
import assert from "node:assert/strict";
import { kernelsBase64 } from "../../model/cpu/kernels_wasm.ts";

const compiler = await import("../../model/cpu/compile.ts").catch(() => undefined);

Deno.test("kernels_wasm.ts is what `deno task kernels` makes of the source", { ignore: !compiler }, async () => {
  assert.equal((await compiler!.compileKernels()).toBase64(), kernelsBase64);
});
