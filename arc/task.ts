/** A coloured grid: rows of integers 0..9, rectangular, 1x1 to 30x30. */
export type Grid = number[][];

/** A demonstration: an input grid and the output grid it becomes. */
export interface Pair {
  input: Grid;
  output: Grid;
}

/** A test input; its output is present only in files that carry the answers. */
export interface Test {
  input: Grid;
  output?: Grid;
}

/** An ARC task: demonstrations and test inputs. */
export interface Task {
  id: string;
  train: Pair[];
  test: Test[];
}
