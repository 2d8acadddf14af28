/**
 * Programs in processes of their own, for what must not happen to the tests' own devices.
 *
 * @module
 */

/**
 * What a program prints. It imports like the project's own modules, from addresses made with `import.meta.url`.
 *
 * @param permission all that the program may do
 */
export async function outputOf(program: string, permission = "--allow-all"): Promise<string> {
  const config = new URL("../deno.json", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", permission, "--no-prompt", "--no-check", `--config=${config}`, "-"],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(program));
  await writer.close();
  const { stdout } = await child.output();
  return new TextDecoder().decode(stdout);
}
