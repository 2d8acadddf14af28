/**
 * The command `deno task score`: the three scores of a submission, whoever made it.
 *
 * @module
 */
import type { Submission } from "../arc/submission.ts";
import { onlyPositional, parseArguments, runCommand } from "../train/command_line.ts";
import { scoreTable } from "./outcome.ts";
import { readSubmission, scoreSubmission } from "./submission_file.ts";

const HELP =
  `Scores a Kaggle submission by the three rules in use: the mean over test outputs (Kaggle), the mean over tasks of the share of
test outputs (arc-agi-benchmarking), and the tasks with all test outputs (ARC-AGI's readme).

Usage: deno task score FILE [--data PATH]

  --data PATH  the tasks with their answers: a folder, or a Kaggle challenges file beside its solutions file.
               Default: those of the run in whose folder FILE lies
  --help       this text`;

/** The command; returns its exit code. */
export function main(args: string[]): Promise<number> {
  return runCommand(HELP, args, run);
}

async function run(args: string[]): Promise<number> {
  const given = parseArguments(args, ["data"]);
  const file = onlyPositional(given, "submission file");
  const { tasks, document, faults } = await readSubmission(file, given.values.data);
  if (faults.length) {
    faults.forEach((fault) => console.error(fault));
    throw new Error(`Cannot score ${file}: ${faults.length} ${faults.length === 1 ? "fault" : "faults"}`);
  }
  console.log(scoreTable(scoreSubmission(document as Submission, tasks)));
  return 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
