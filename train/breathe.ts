/**
 * Lets signals, requests and aborts be heard during long computations.
 *
 * @module
 */

let last = 0;

/** Gives the event loop a turn if it has had none for a twentieth of a second; computing on the processor never does by itself. */
export async function breathe(): Promise<void> {
  const now = performance.now();
  if (now - last < 50) return;
  await new Promise((resolve) => setTimeout(resolve, 0));
  last = performance.now();
}
