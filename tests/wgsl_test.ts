import assert from "node:assert/strict";
import { refuseComponentWrites } from "./wgsl.ts";

const shader = (statement: string) =>
  `alias Line = array<vec4<f32>, 3>;
var<workgroup> lines: array<Line, 2>;
var<workgroup> single: vec4<f32>;
var<workgroup> numbers: array<f32, 8>;
fn main() { ${statement} }`;

Deno.test("refuseComponentWrites() tells a component of a shared vector from a whole one", () => {
  for (
    const allowed of [
      "lines[1][i / 4u] = vec4<f32>();",
      "single = lines[0][1];",
      "numbers[i] = lines[1][2][3];",
      "let x = lines[0][1][2] == 1.0;",
      "var own = vec4<f32>(); own.x = 1.0; own[2] += 1.0;",
    ]
  ) refuseComponentWrites(shader(allowed));
  for (
    const refused of ["lines[1][i / 4u][i % 4u] = 1.0;", "lines[0][1].y = 2.0;", "single[i] = 1.0;", "single.x += 1.0;"]
  ) assert.throws(() => refuseComponentWrites(shader(refused)), /A component of a shared vector is written/, refused);
});
