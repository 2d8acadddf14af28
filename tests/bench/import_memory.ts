/**
 * How much memory importing a checkpoint of the size of the official ones (2.2 GB) takes. Makes such a file, imports it in a process
 * of its own and reads that process' highest resident size from Linux. Needs 5 GB in the temporary folder.
 *
 *     deno run --allow-all tests/bench/import_memory.ts
 *
 * @module
 */
import { largeCheckpoint, writeChunks } from "../model/torch_files.ts";

const ROWS = 8_600_000;

if (Deno.args[0] === "import") {
  const { main } = await import("../../train/import_main.ts");
  const [, file, puzzleTable] = Deno.args;
  const code = await main([file, "--puzzle-table", puzzleTable, "--out", `${file}.${puzzleTable}`]);
  const [, kilobytes] = (await Deno.readTextFile("/proc/self/status")).match(/VmHWM:\s*(\d+)/)!;
  console.log(`--puzzle-table ${puzzleTable}: at most ${Math.round(Number(kilobytes) / 1024)} MiB resident`);
  Deno.exit(code || (Number(kilobytes) < 2 ** 20 ? 0 : 1));
}

const folder = await Deno.makeTempDir();
try {
  const file = `${folder}/step_1`;
  await writeChunks(file, largeCheckpoint(ROWS));
  console.log(`${((await Deno.stat(file)).size / 1e9).toFixed(2)} GB`);
  for (const puzzleTable of ["mean", "keep"]) {
    const own = new URL(import.meta.url).pathname;
    const command = new Deno.Command(Deno.execPath(), {
      args: ["run", "--allow-all", own, "import", file, puzzleTable],
    });
    const { code, stdout, stderr } = await command.output();
    console.log(new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr));
    if (code) Deno.exitCode = 1;
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}
