/**
 * What becomes of a product's numbers before they leave the registers: stored, added to, normalised over rows, gated. Knows no operation.
 *
 * @module
 */
import { COMPONENTS, type Epilogue, type Geometry } from "./product.ts";
import { holdsRowSums } from "./product_tiles.ts";

/** WGSL of the logistic function. */
const sigmoid = (x: string) => `(1.0 / (1.0 + exp(-${x})))`;

/** Runs `f` for each of a thread's vectors of four neighbouring numbers, given where they belong. */
function eachFour(
  { tile, threads, fours }: Geometry,
  f: (vector: { sum: string; row: string; column: string; r: number; h: number }) => string,
): string {
  return Array.from({ length: tile.thread[0] }, (_, r) => {
    const row = `rowStart + ${(r >> 2) * threads.rows * 4 + r % 4}u + 4u * ty`;
    return Array.from({ length: fours.columns }, (_, h) => {
      const column = `columnStart + ${h * threads.columns * 4}u + 4u * tx`;
      return f({ sum: `sum_${r}_${h}`, row, column, r, h });
    }).join("\n");
  }).join("\n");
}

/** y = sum, or y = sum + addend where there is one; parts and batches one after the other. */
export function stored(y: string, addend?: string): Epilogue {
  return {
    name: ["stored", y, addend].join(" "),
    store(geometry) {
      const { m, n } = geometry.product;
      return eachFour(geometry, ({ sum, row, column }) =>
        `{
      let row = ${row};
      let column = ${column};
      if (row < ${m}u && column < ${n}u) {
        let at = (slice * ${m}u + row) * ${n}u + column;
        put_${y}(at, ${n}u - column, ${addend ? `${sum} + get_${addend}(at, ${n}u - column)` : sum});
      }
    }`);
    },
  };
}

/** y = silu(gate) · up, the first half of the columns gating the second; with `both`, these are stored, too, as [m, n]. */
export function gated(y: string, both?: string): Epilogue {
  return {
    name: ["gated", y, both].join(" "),
    halves: true,
    store(geometry) {
      const { m, n } = geometry.product;
      const width = n / 2;
      return eachFour(geometry, ({ row, column, r, h }) =>
        h ? "" : `{
      let row = ${row};
      let column = ${column};
      if (row < ${m}u && column < ${width}u) {
        let gate = sum_${r}_0;
        let up = sum_${r}_1;
        put_${y}(row * ${width}u + column, ${width}u - column, gate * ${sigmoid("gate")} * up);
        ${
          both
            ? `put_${both}(row * ${n}u + column, ${width}u - column, gate);
        put_${both}(row * ${n}u + ${width}u + column, ${width}u - column, up);`
            : ""
        }
      }
    }`);
    },
  };
}

/** The gradient of {@link gated} by gate and up, where the sums are that by y. */
export function gatedGradient(dBoth: string, both: string): Epilogue {
  return {
    name: ["gatedGradient", dBoth, both].join(" "),
    store(geometry) {
      const { m, n: width } = geometry.product;
      return eachFour(geometry, ({ sum, row, column }) =>
        `{
      let row = ${row};
      let column = ${column};
      if (row < ${m}u && column < ${width}u) {
        let at = row * ${2 * width}u + column;
        let count = ${width}u - column;
        let gate = get_${both}(at, count);
        let s = ${sigmoid("gate")};
        put_${dBoth}(at, count, ${sum} * get_${both}(at + ${width}u, count) * s * (1.0 + gate * (1.0 - s)));
        put_${dBoth}(at + ${width}u, count, ${sum} * gate * s);
      }
    }`);
    },
  };
}

/** y = h / √(mean(h²) + ε) of each row h = sum + residual, and 1 over that root; a tile holds whole rows. */
export function normalised(names: { y: string; inverse: string; residual: string }, epsilon: number): Epilogue {
  const { y, inverse, residual } = names;
  return {
    name: ["normalised", y, inverse, residual, epsilon].join(" "),
    // Sums of squares take the place of a strip of f32, but not of f16.
    declare: ({ product, tile, threads }) =>
      product.half ? `var<workgroup> squares: array<vec4<f32>, ${tile.rows / 4 * threads.columns}>;` : "",
    store(geometry) {
      const { product, tile, threads, fours } = geometry;
      const { m, n } = product;
      if (!product.half && !holdsRowSums(tile)) {
        throw new Error(
          `Cannot normalise rows in a tile of ${tile.rows} by ${tile.columns}: strips of ${tile.depth} are too short`,
        );
      }
      const groups = Array.from({ length: fours.rows }, (_, g) => g);
      const slot = (index: string) =>
        product.half
          ? `squares[${index}]`
          : `rightStrip[(${index}) / ${tile.columns / 4}u][(${index}) % ${tile.columns / 4}u]`;
      const owned = (g: number) => `(ty + ${g * threads.rows}u) * ${threads.columns}u`;
      const squares = (r: number) =>
        Array.from({ length: fours.columns }, (_, h) => `dot(sum_${r}_${h}, sum_${r}_${h})`).join(" + ");
      return `${
        eachFour(geometry, ({ sum, row, column }) =>
          `{
      let row = min(${row}, ${m - 1}u);
      let column = ${column};
      if (column < ${n}u) {
        let inside = vec4<u32>(column, column + 1u, column + 2u, column + 3u) < vec4<u32>(${n}u);
        ${sum} = select(vec4<f32>(), ${sum}, inside) + get_${residual}(row * ${n}u + column, ${n}u - column);
      } else { ${sum} = vec4<f32>(); }
    }`)
      }
    workgroupBarrier();
    ${
        groups.map((g) =>
          `${slot(`${owned(g)} + tx`)} = vec4<f32>(${[0, 1, 2, 3].map((i) => squares(4 * g + i)).join(", ")});`
        ).join("\n    ")
      }
    for (var stride = ${threads.columns / 2}u; stride > 0u; stride /= 2u) {
      workgroupBarrier();
      if (tx < stride) {
        ${groups.map((g) => `${slot(`${owned(g)} + tx`)} += ${slot(`${owned(g)} + tx + stride`)};`).join("\n        ")}
      }
    }
    workgroupBarrier();
    ${groups.map((g) => `let inverse_${g} = inverseSqrt(${slot(owned(g))} / ${n}.0 + ${epsilon});`).join("\n    ")}
    ${
        eachFour(geometry, ({ sum, row, column, r, h }) =>
          `{
      let row = ${row};
      let column = ${column};
      let scale = inverse_${r >> 2}.${COMPONENTS[r % 4]};
      if (row < ${m}u && column < ${n}u) {
        put_${y}(row * ${n}u + column, ${n}u - column, ${sum} * scale);
        ${h ? "" : `if (tx == 0u) { put_${inverse}(row, 1u, vec4<f32>(scale)); }`}
      }
    }`)
      }`;
    },
  };
}
