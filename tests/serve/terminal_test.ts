import { deepEqual, equal } from "node:assert/strict";
import { gridLines, sideBySide } from "../../serve/terminal.ts";

Deno.test("gridLines() writes digits without colour and two blanks a cell with it", () => {
  deepEqual(gridLines([[0, 1], [9, 5]], false), ["0 1", "9 5"]);
  deepEqual(gridLines([[0, 2]], true), ["\x1b[48;5;16m  \x1b[48;5;203m  \x1b[0m"]);
  deepEqual(gridLines([], false), ["-"]);
});

Deno.test("sideBySide() aligns panels of different sizes", () => {
  const text = sideBySide([{ title: "a", grid: [[1, 2, 3]] }, { title: "b", grid: [[4], [5]] }], false);
  equal(text, "a       b\n1 2 3   4\n        5");
});

Deno.test("sideBySide() counts only what is seen of a coloured cell", () => {
  const text = sideBySide([{ title: "a", grid: [[1]] }, { title: "b", grid: [[4]] }], true);
  equal(text, "a    b\n\x1b[48;5;32m  \x1b[0m   \x1b[48;5;220m  \x1b[0m");
});

Deno.test("sideBySide() breaks rows of panels that are too wide", () => {
  const panel = { title: "a", grid: [[1, 2, 3]] };
  equal(sideBySide([panel, panel, panel], false, 13), "a       a\n1 2 3   1 2 3\n\na\n1 2 3");
});
