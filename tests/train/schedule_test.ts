import assert from "node:assert/strict";
import fc from "fast-check";
import { rateFactor } from "../../train/schedule.ts";

const close = (actual: number, expected: number) =>
  assert.ok(Math.abs(actual - expected) < 1e-12, `${actual}, expected ${expected}`);

Deno.test("rateFactor() rises in a line from the first step to the end of the warm-up", () => {
  const schedule = { warmup: 20, totalSteps: 100, finalRate: 0.1 };
  close(rateFactor(1, schedule), 1 / 20);
  close(rateFactor(15, schedule), 15 / 20);
  close(rateFactor(20, schedule), 1);
});

Deno.test("rateFactor() comes down half a cosine to the final rate", () => {
  const schedule = { warmup: 20, totalSteps: 100, finalRate: 0.1 };
  close(rateFactor(40, schedule), 0.1 + 0.9 * (1 + Math.SQRT1_2) / 2);
  close(rateFactor(60, schedule), 0.55);
  close(rateFactor(100, schedule), 0.1);
});

Deno.test("rateFactor() takes a warm-up below 1 as a fraction of all steps, and 0 as none", () => {
  close(rateFactor(1, { warmup: 0.02, totalSteps: 1000, finalRate: 1 }), 1 / 20);
  close(rateFactor(1, { warmup: 0.02, totalSteps: 10, finalRate: 1 }), 1);
  close(rateFactor(1, { warmup: 0, totalSteps: 10, finalRate: 1 }), 1);
});

Deno.test("rateFactor() stays at 1 after the warm-up where the final rate is 1 (official)", () => {
  for (const step of [2000, 2001, 100_000, 518_225]) {
    close(rateFactor(step, { warmup: 2000, totalSteps: 518_225, finalRate: 1 }), 1);
  }
});

Deno.test("rateFactor() never rises after the warm-up nor falls below the final rate", () => {
  const steps = fc.integer({ min: 1, max: 500 });
  const fraction = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(fc.property(steps, fraction, fraction, (totalSteps, part, finalRate) => {
    const warmup = Math.floor(part * totalSteps);
    const rates = Array.from(
      { length: totalSteps },
      (_, i) => rateFactor(i + 1, { warmup, totalSteps, finalRate }),
    );
    for (let i = Math.max(1, warmup); i < totalSteps; i++) assert.ok(rates[i] <= rates[i - 1] + 1e-12);
    assert.ok(rates.slice(warmup).every((rate) => rate >= finalRate - 1e-12 && rate <= 1 + 1e-12));
  }));
});
