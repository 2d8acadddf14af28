/**
 * The puzzle as plain data, and the one place where a task document is checked. Knows nothing of files, tokens or
 * networks.
 *
 * @module
 */
import { z } from "zod";

/** A coloured grid: rows of integers 0..9, rectangular, 1x1 to 30x30. */
export type Grid = number[][];

/** A demonstration: an input grid and the output grid it becomes. */
export interface Pair {
  /** What is given. */
  input: Grid;
  /** What it becomes. */
  output: Grid;
}

/** A test input; its output is present only in files that carry the answers. */
export interface Test {
  /** What is given. */
  input: Grid;
  /** What it becomes, where that is known. */
  output?: Grid;
}

/** An ARC task: demonstrations and test inputs. */
export interface Task {
  /** Its name, that of its file in the published sets. */
  id: string;
  /** The demonstrations, at least one. */
  train: Pair[];
  /** What is to be answered, at least one. */
  test: Test[];
}

/** A task whose answers nobody can read: the type has no place for them. */
export interface UnansweredTask extends Task {
  /** Test inputs alone. */
  test: { input: Grid; output?: never }[];
}

/** Most rows and most columns of a grid. */
export const MAX_SIDE = 30;

/** A task document, or a file of them, that cannot be used; the message says where and what was expected. */
export class TaskError extends Error {
  /** "TaskError". */
  override name = "TaskError";
}

/** What the parser complains about: where (a path of keys and indices), and what. */
interface Complaint {
  code?: string;
  input?: unknown;
  keys?: string[];
  path?: PropertyKey[];
}

function show(value: unknown): string {
  if (value === undefined) return "missing";
  if (Array.isArray(value)) return "a list";
  if (value !== null && typeof value === "object") return "an object";
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

function expected(what: string): (complaint: Complaint) => string {
  return ({ input }) => `is ${show(input)}, must be ${what}`;
}

/** A list of 1 to `most` items; `unit` names the items in messages. */
function list<Item extends z.ZodType>(item: Item, unit: string, most: number) {
  const size = (bound: string) => ({ input }: Complaint) =>
    `has ${(input as unknown[]).length} ${unit}, must be ${bound}`;
  return z.array(item, { error: expected(`a list of ${unit}`) })
    .min(1, { error: size(">= 1") })
    .max(most, { error: size(`<= ${most}`) });
}

function record<Shape extends z.ZodRawShape>(shape: Shape) {
  const names = Object.keys(shape).join(", ");
  return z.strictObject(shape, {
    error: (complaint) => {
      const { code, keys } = complaint as Complaint;
      if (code !== "unrecognized_keys") return expected(`an object with ${names}`)(complaint as Complaint);
      return `has the unknown key ${JSON.stringify(keys![0])}, must have only ${names}`;
    },
  });
}

const colourMessage = { error: expected("an integer 0..9") };
const colourSchema = z.int(colourMessage).min(0, colourMessage).max(9, colourMessage);

const gridSchema = list(list(colourSchema, "columns", MAX_SIDE), "rows", MAX_SIDE).superRefine((grid, context) => {
  const ragged = grid.findIndex((row) => row.length !== grid[0].length);
  if (ragged < 0) return;
  const message = `has ${grid[ragged].length} columns, must be ${grid[0].length} as in the first row`;
  context.addIssue({ code: "custom", path: [ragged], message });
});

const pairSchema = record({ input: gridSchema, output: gridSchema });
const testSchema = record({ input: gridSchema, output: gridSchema.optional() });
const text = z.string({ error: expected("a text") });

const taskSchema = record({
  train: list(pairSchema, "pairs", Infinity),
  test: list(testSchema, "pairs", Infinity),
  id: text.optional(),
  name: text.optional(),
});

function place(path: PropertyKey[]): string {
  const written = path.map((key) => typeof key === "number" ? `[${key}]` : `.${String(key)}`).join("");
  return written.replace(/^\./, "") || "the document";
}

/**
 * Checks a task document and copies it.
 *
 * @param json `{train: [{input, output}, …], test: [{input, output?}, …]}` with an optional `id`; a `name`, which a few
 * published files carry, is dropped.
 * @param id The task's id; without it the document's own `id`, else "task".
 * @throws {TaskError} Naming the first offending place, e.g.
 * `Cannot parse task: train[0].input has 31 rows, must be <= 30`.
 */
export function parseTask(json: unknown, id?: string): Task {
  const result = taskSchema.safeParse(json);
  if (!result.success) {
    const { path, message } = result.error.issues[0];
    throw new TaskError(`Cannot parse task${id === undefined ? "" : ` ${id}`}: ${place(path)} ${message}`);
  }
  const { train, test } = result.data;
  return { id: id ?? result.data.id ?? "task", train, test };
}

/** The same task with the outputs of its test inputs removed. */
export function withoutAnswers(task: Task): UnansweredTask {
  return { ...task, test: task.test.map(({ input }) => ({ input })) };
}
