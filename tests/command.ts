/** Commands in the tests' own process. @module */

/** Runs a command; its exit code and what it printed. */
export async function run(main: (args: string[]) => Promise<number>, ...args: string[]) {
  const { log, error } = console;
  const printed: string[] = [];
  console.log = console.error = (line: string) => printed.push(line);
  try {
    return { code: await main(args), printed: printed.join("\n") };
  } finally {
    Object.assign(console, { log, error });
  }
}
