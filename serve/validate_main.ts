/**
 * The command `deno task validate`: says precisely what is wrong with a submission.
 *
 * @module
 */
import { onlyPositional, parseArguments, runCommand } from "../train/command_line.ts";
import { readSubmission } from "./submission_file.ts";

const HELP = `Checks a Kaggle submission: every task, every test input, both attempts, every grid.

Usage: deno task validate FILE [--data PATH]

  --data PATH  the tasks that it answers: a folder, or a Kaggle challenges file. Default: those of the run in whose folder FILE lies
  --help       this text

Exit code 1 if anything is wrong.`;

/** The command; returns its exit code. */
export function main(args: string[]): Promise<number> {
  return runCommand(HELP, args, run);
}

async function run(args: string[]): Promise<number> {
  const given = parseArguments(args, ["data"]);
  const file = onlyPositional(given, "submission file");
  const { tasks, faults } = await readSubmission(file, given.values.data);
  faults.forEach((fault) => console.log(fault));
  console.log(
    `${file}: ${
      faults.length ? `${faults.length} ${faults.length === 1 ? "fault" : "faults"}` : `good, ${tasks.length} tasks`
    }`,
  );
  return faults.length ? 1 : 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
