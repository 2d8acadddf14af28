/**
 * Trains hierarchical reasoning models on ARC puzzles and solves puzzles with them, in Deno. Re-exports only.
 *
 * ```ts ignore
 * import { createApp, loadWeights, Solver, startBackend } from "./path/to/mod.ts";
 *
 * const backend = await startBackend();
 * const solver = new Solver(await loadWeights("weights/default.safetensors"), "default", backend.name, backend.threads);
 * const app = createApp(solver);
 * Deno.serve((request) => app.fetch(request));
 * ```
 *
 * @module
 */
export {
  type Grid,
  MAX_SIDE,
  type Pair,
  parseTask,
  type Task,
  TaskError,
  type Test,
  type UnansweredTask,
  withoutAnswers,
} from "./arc/task.ts";
export type { Augmentation } from "./arc/augment.ts";
export { readTasks, samplesFolder } from "./arc/read.ts";
export { type Answered, type Score, score, type Tally } from "./arc/score.ts";
export { type Attempts, buildSubmission, type Submission, validateSubmission } from "./arc/submission.ts";
export type { Candidate } from "./arc/vote.ts";
export { type TrainingTask, trainingTasks } from "./arc/dataset.ts";
export type { SizeRule } from "./arc/size.ts";
export { type Backend, type BackendName, startBackend } from "./model/backend.ts";
export type { Precision } from "./model/backend.ts";
export { type ModelConfig, type Preset, presets, type Size } from "./model/config.ts";
export { type Config, type ConfigOverrides, makeConfig, type TrainingConfig } from "./train/config.ts";
export { train, type TrainOptions, type TrainReport } from "./train/loop.ts";
export type { StepReport } from "./train/step.ts";
export { type KnownTask, loadWeights, saveWeights, type Untrained, type Weights } from "./train/checkpoint.ts";
export type { View } from "./train/guess.ts";
export type { AdaptProgress, Prior } from "./train/adapt.ts";
export { type App, createApp } from "./serve/app.ts";
export {
  type Answer,
  type Solution,
  type SolveCall,
  type SolveOptions,
  Solver,
  type TaskSolver,
} from "./serve/solver.ts";
