/**
 * The ten colours of ARC: their names, and how screens and terminals show them. Knows nothing of grids.
 *
 * @module
 */

/** A colour as people see it. */
export interface PaletteColour {
  /** Its name. */
  name: string;
  /** Red, green and blue for a screen, `#rrggbb`. */
  hex: string;
  /** The nearest of a terminal's 256 colours. */
  terminal: number;
}

/** The colours 0 to 9, in order. */
export const palette: readonly PaletteColour[] = [
  { name: "black", hex: "#000000", terminal: 16 },
  { name: "blue", hex: "#0074d9", terminal: 32 },
  { name: "red", hex: "#ff4136", terminal: 203 },
  { name: "green", hex: "#2ecc40", terminal: 41 },
  { name: "yellow", hex: "#ffdc00", terminal: 220 },
  { name: "grey", hex: "#aaaaaa", terminal: 248 },
  { name: "magenta", hex: "#f012be", terminal: 200 },
  { name: "orange", hex: "#ff851b", terminal: 208 },
  { name: "light blue", hex: "#7fdbff", terminal: 117 },
  { name: "maroon", hex: "#870c25", terminal: 88 },
];
