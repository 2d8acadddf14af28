/**
 * Grids as text: coloured cells for terminals, digits elsewhere. Knows no solver and no files.
 *
 * @module
 */
import { stripVTControlCharacters } from "node:util";
import type { Grid } from "../arc/task.ts";
import { palette } from "./palette.ts";

/** A grid with a heading. */
export interface Panel {
  /** One line above the grid. */
  title: string;
  /** The grid; an empty one shows as a dash. */
  grid: Grid;
}

/** The lines of a grid: two blanks a cell on its colour, or its digits. */
export function gridLines(grid: Grid, colour: boolean): string[] {
  if (!grid.length) return ["-"];
  return grid.map((row) =>
    colour
      ? row.map((cell) => `\x1b[48;5;${palette[cell].terminal}m  `).join("") + "\x1b[0m"
      : row.map(String).join(" ")
  );
}

/** Panels side by side, each as wide as it needs, in as many rows of panels as `width` columns ask for. */
export function sideBySide(panels: readonly Panel[], colour: boolean, width = Infinity): string {
  const gap = 3;
  const blocks = panels.map(({ title, grid }) => {
    const lines = [title, ...gridLines(grid, colour)];
    return { lines, width: Math.max(...lines.map(visibleLength)) };
  });
  const rows: (typeof blocks)[] = [];
  let used = 0;
  for (const block of blocks) {
    if (!rows.length || used + gap + block.width > width) {
      rows.push([]);
      used = -gap;
    }
    rows.at(-1)!.push(block);
    used += gap + block.width;
  }
  return rows.map((row) => {
    const height = Math.max(...row.map(({ lines }) => lines.length));
    return Array.from(
      { length: height },
      (_, i) => row.map(({ lines, width }) => padded(lines[i] ?? "", width)).join(" ".repeat(gap)).trimEnd(),
    ).join("\n");
  }).join("\n\n");
}

function visibleLength(line: string): number {
  return stripVTControlCharacters(line).length;
}

function padded(line: string, width: number): string {
  return line + " ".repeat(Math.max(0, width - visibleLength(line)));
}
