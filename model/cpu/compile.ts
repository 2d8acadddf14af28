/**
 * Compiles the kernels in assembly/ to WebAssembly and writes them into kernels_wasm.ts. A development tool: nothing imports it at run time.
 *
 * @module
 */
import asc from "assemblyscript/asc";

const folder = new URL("./assembly/", import.meta.url);

/**
 * The WebAssembly bytes of the kernels.
 *
 * @throws Error with the compiler's words if the source does not compile
 */
export async function compileKernels(): Promise<Uint8Array<ArrayBuffer>> {
  let binary: Uint8Array<ArrayBuffer> | undefined;
  const { error, stderr } = await asc.main([
    "index.ts",
    "--outFile=kernels.wasm",
    "--optimizeLevel=3",
    "--runtime=stub",
    "--noAssert",
    "--importMemory",
    "--noExportMemory",
    "--sharedMemory",
    "--initialMemory=1",
    "--maximumMemory=65536",
    "--enable=simd",
    "--enable=threads",
    "--enable=relaxed-simd",
    "--memoryBase=1024",
    "--use=abort=",
  ], {
    readFile(name: string) {
      try {
        return Deno.readTextFileSync(new URL(name, folder));
      } catch {
        return null;
      }
    },
    writeFile(_name: string, data: string | Uint8Array) {
      if (data instanceof Uint8Array) binary = new Uint8Array(data);
    },
    listFiles: () => null,
  });
  if (error || !binary) throw new Error(`Cannot compile ${folder.pathname}: ${error?.message ?? ""} ${stderr}`);
  return binary;
}

if (import.meta.main) {
  const base64 = (await compileKernels()).toBase64();
  const lines = base64.match(/.{1,110}/g)!.map((line) => `  "${line}",`);
  const text = [
    "/**",
    " * The kernels of assembly/ as WebAssembly. Written by `deno task kernels`; do not edit.",
    " *",
    " * @module",
    " */",
    "",
    "/** The module's bytes in base64. */",
    "export const kernelsBase64: string = [",
    ...lines,
    '].join("");',
    "",
  ].join("\n");
  const target = new URL("./kernels_wasm.ts", import.meta.url);
  const temporary = new URL("./kernels_wasm.ts.tmp", import.meta.url);
  await Deno.writeTextFile(temporary, text);
  await Deno.rename(temporary, target);
  console.log(`kernels_wasm.ts: ${base64.length * 3 / 4} bytes of WebAssembly`);
}
