/**
 * Matrix products in WGSL: a workgroup computes a tile of the result from strips that it shares, a thread a block of registers. What becomes
 * of the numbers (stored, added, normalised, gated) is an epilogue's business. Knows no operation.
 *
 * @module
 */
import type { Shader } from "./dispatch.ts";
import { threadsOf, type Tile } from "./product_tiles.ts";

/** A matrix on one side of a product, read in strips of the summed axis. */
export interface Operand {
  /** The tensor's name in the shader. */
  tensor: string;
  /** Whether the summed axis is the contiguous one: `[m, k]` on the left, `[n, k]` on the right. */
  alongDepth: boolean;
  /** WGSL: where the matrix of `batch` begins, in elements. */
  begin?: string;
}

/** One product: m x n numbers, each a sum over k. */
export interface Product {
  m: number;
  n: number;
  k: number;
  left: Operand;
  right: Operand;
  /** Products side by side; 1 if not given. */
  batch?: number;
  /** Into how many parts the summed axis is cut, each stored for itself; 1 if not given. */
  parts?: number;
  /** Whether strips are shared and multiplied as f16; what a strip adds is summed as f32. All products of a shader alike. */
  half?: boolean;
  /** What becomes of the numbers. */
  epilogue: Epilogue;
}

/** A thread's place in the tile and its numbers: variables `sum_R_H`, a vec4 for each of its rows R and each four H of its columns. */
export interface Geometry {
  product: Product;
  tile: Tile;
  /** Threads side by side along rows and columns. */
  threads: { rows: number; columns: number };
  /** Groups of four rows or columns that a thread owns. */
  fours: { rows: number; columns: number };
}

/** The end of a product's shader. */
export interface Epilogue {
  /** What it does and with what: all that its text depends on beside the geometry. */
  name: string;
  /** Whether column tiles take one half of their columns from each half of the right operand's rows, `n` counting both. */
  halves?: boolean;
  /** WGSL at module level. */
  declare?(geometry: Geometry): string;
  /** WGSL that uses the sums; sees `rowStart`, `columnStart`, `tx`, `ty`, `slice` (part by part, batches) and the tile memory. */
  store(geometry: Geometry): string;
}

/** Components of a vec4. */
export const COMPONENTS = ["x", "y", "z", "w"] as const;

/** Whether rows of this length are read in fours. */
export function inFours(width: number): boolean {
  return width % 4 === 0;
}

/**
 * WGSL functions that read (`get_`) and write (`put_`) up to four neighbouring elements of each tensor, by the index of the first; elements
 * from `count` on are zero or left alone.
 */
export function accessors(tensors: Record<string, number>, writable: boolean): string {
  return Object.entries(tensors).map(([name, width]) => {
    if (writable) {
      return `fn put_${name}(at: u32, count: u32, value: vec4<f32>) {
  ${
        inFours(width)
          ? `${name}[at / 4u] = value;`
          : COMPONENTS.map((c, i) => `if (count > ${i}u) { ${name}[at + ${i}u] = value.${c}; }`).join("\n  ")
      }
}`;
    }
    return `fn get_${name}(at: u32, count: u32) -> vec4<f32> {
  ${
      inFours(width) ? `return ${name}[at / 4u];` : `var value = vec4<f32>();
  ${COMPONENTS.map((c, i) => `if (count > ${i}u) { value.${c} = ${name}[at + ${i}u]; }`).join("\n  ")}
  return value;`
    }
}`;
  }).join("\n");
}

/** The layout of a tile's threads. */
function geometryOf(product: Product, tile: Tile): Geometry {
  const [rows, columns] = tile.thread;
  return {
    product,
    tile,
    threads: { rows: tile.rows / rows, columns: tile.columns / columns },
    fours: { rows: rows / 4, columns: columns / 4 },
  };
}

/** Workgroups of a product. */
function groupsOf({ m, n, batch = 1, parts = 1 }: Product, { rows, columns }: Tile): number {
  return Math.ceil(m / rows) * Math.ceil(n / columns) * batch * parts;
}

/** WGSL for one operand: `setUp` places, `load` reads a strip into registers, `share` puts it into the tile memory. */
function strips(side: "left" | "right", { product, tile }: Geometry) {
  const { k, epilogue, half } = product;
  const operand = product[side];
  const length = side === "left" ? product.m : product.n;
  const across = side === "left" ? tile.rows : tile.columns;
  const start = side === "left" ? "rowStart" : "columnStart";
  const threads = threadsOf(tile);
  const pieces = across * tile.depth / 4;
  const perThread = Math.ceil(pieces / threads);
  const stripes = side === "right" && epilogue.halves;
  const wide = inFours(operand.alongDepth ? k : length);
  const unit = wide ? 4 : 1;
  const begin = operand.begin ?? "0u";
  // What a last strip has beyond the end must add zeros.
  const guarded = k % tile.depth !== 0;
  // Four lines that are inside or outside together need one place.
  const together = operand.alongDepth && inFours(stripes ? length / 2 : length);
  const places = operand.alongDepth && !together ? 4 : 1;

  const each = (body: (i: number) => string) => Array.from({ length: perThread }, (_, i) => body(i)).join("\n");
  const eachPlace = (body: (line: number) => string) =>
    Array.from({ length: places }, (_, line) => body(line)).join("\n");
  const partly = (i: number, body: string) =>
    (i + 1) * threads > pieces ? `if (${side}Own_${i} < ${pieces}u) { ${body} }` : body;
  /** Rows beyond the matrix repeat its last ones: what comes of them is not stored. */
  const outer = (line: string) => {
    const last = together ? 4 : 1;
    if (!stripes) return `min(${start} + ${line}, ${length - last}u)`;
    const [middle, end] = [tile.columns / 2, length / 2 - last];
    const [first, second] = [line, `${line} - ${middle}u`].map((line) => `min(columnStart + ${line}, ${end}u)`);
    return `select(${first}, ${length / 2}u + ${second}, ${line} >= ${middle}u)`;
  };
  const setUp = each((i) => {
    const own = `let ${side}Own_${i} = thread + ${i * threads}u;`;
    if (operand.alongDepth) {
      return `${own}
    let ${side}Line_${i} = ${side}Own_${i} / ${tile.depth}u;
    let ${side}Depth_${i} = ${side}Own_${i} % ${tile.depth}u;
    ${
        eachPlace((line) =>
          `var ${side}At_${i}_${line} = (${begin} + ${
            outer(`(${side}Line_${i} * 4u + ${line}u)`)
          } * ${k}u + depthStart) / ${unit}u + ${side}Depth_${i} / ${unit}u;`
        )
      }`;
    }
    const quads = across / 4;
    return `${own}
    let ${side}Line_${i} = ${side}Own_${i} % ${quads}u;
    let ${side}Depth_${i} = ${side}Own_${i} / ${quads}u;
    let ${side}Outer_${i} = ${start} + ${side}Line_${i} * 4u;
    var ${side}At_${i}_0 = (${begin} + (depthStart + ${side}Depth_${i}) * ${length}u${
      wide ? ` + min(${side}Outer_${i}, ${length - 4}u)` : ""
    }) / ${unit}u;`;
  });

  // A four of the tile memory holds one number of each of four lines. Where these do not lie side by side, a thread reads them one by one,
  // neighbours the next along the lines: putting fours of a line into four fours would take four threads, or one four times the registers, for
  // writing one number into a shared four may write the other three, too (WGSL).
  const declare = each((i) => `var ${side}Next_${i} = vec4<f32>();`);
  const read = (i: number) => {
    const at = (line: number) => together ? `${side}At_${i}_0 + ${line * k / unit}u` : `${side}At_${i}_${line}`;
    const element = (line: number) =>
      operand.alongDepth
        ? `${operand.tensor}[${at(line)}]${wide ? `[${side}Depth_${i} % 4u]` : ""}`
        : `${operand.tensor}[${side}At_${i}_0 + min(${side}Outer_${i} + ${line}u, ${length - 1}u)]`;
    const value = wide && !operand.alongDepth
      ? `${operand.tensor}[${side}At_${i}_0]`
      : `vec4<f32>(${COMPONENTS.map((_, line) => element(line)).join(", ")})`;
    const plain = `${side}Next_${i} = ${value};`;
    if (!guarded) return plain;
    return `if (depth + ${side}Depth_${i} < ${k}u) { ${plain} } else { ${side}Next_${i} = vec4<f32>(); }`;
  };
  const load = each((i) => partly(i, read(i)));
  const step = operand.alongDepth ? tile.depth / unit : tile.depth * length / unit;
  const advance = each((i) => eachPlace((line) => `${side}At_${i}_${line} += ${step}u;`));
  const next = (i: number) => half ? `vec4<f16>(${side}Next_${i})` : `${side}Next_${i}`;
  const share = each((i) => partly(i, `${side}Strip[${side}Depth_${i}][${side}Line_${i}] = ${next(i)};`));
  return { setUp, declare, load, advance, share };
}

/** WGSL of one product by the workgroup number `group` among its own. */
function body(geometry: Geometry): string {
  const { product, tile, threads, fours } = geometry;
  const { m, n, k, batch = 1, parts = 1, epilogue, half } = product;
  const [rowTiles, columnTiles] = [Math.ceil(m / tile.rows), Math.ceil(n / tile.columns)];
  const steps = Math.ceil(k / tile.depth);
  const stepsAPart = Math.ceil(steps / parts);
  const left = strips("left", geometry);
  const right = strips("right", geometry);
  const rows = Array.from({ length: tile.thread[0] }, (_, i) => i);
  const quads = Array.from({ length: fours.columns }, (_, i) => i);
  const cells = (f: (cell: string) => string) => rows.flatMap((r) => quads.map((h) => f(`${r}_${h}`))).join("\n    ");
  // Few enough f16 products are summed as such that their rounding is that of the operands.
  const [sum, four] = half ? ["strip", "vec4<f16>"] : ["sum", "vec4<f32>"];
  const multiply = Array.from({ length: tile.depth }, (_, depth) =>
    `{
      ${
      Array.from(
        { length: fours.rows },
        (_, g) => `let a${g} = leftStrip[${depth}][ty + ${g * threads.rows}u];`,
      ).join(" ")
    }
      ${quads.map((h) => `let b${h} = rightStrip[${depth}][tx + ${h * threads.columns}u];`).join(" ")}
      ${
      rows.flatMap((r) =>
        quads.map((h) => `${sum}_${r}_${h} = fma(${four}(a${r >> 2}.${COMPONENTS[r % 4]}), b${h}, ${sum}_${r}_${h});`)
      ).join("\n      ")
    }
    }`).join("\n    ");
  // Eight threads by four, a warp: the fewest different words of tile memory a read.
  const warps = threads.columns % 8 === 0 && threads.rows % 4 === 0;
  const place = warps
    ? `let tx = thread % 8u + 8u * (thread / 32u % ${threads.columns / 8}u);
    let ty = thread / 8u % 4u + 4u * (thread / ${4 * threads.columns}u);`
    : `let tx = thread % ${threads.columns}u;
    let ty = thread / ${threads.columns}u;`;
  return `let columnStart = group % ${columnTiles}u * ${epilogue.halves ? tile.columns / 2 : tile.columns}u;
    let rowStart = group / ${columnTiles}u % ${rowTiles}u * ${tile.rows}u;
    let slice = group / ${columnTiles * rowTiles}u;
    let batch = slice % ${batch}u;
    let part = slice / ${batch}u;
    let depthStart = part * ${stepsAPart * tile.depth}u;
    let depthEnd = min(depthStart + ${stepsAPart * tile.depth}u, ${steps * tile.depth}u);
    ${place}
    ${left.setUp}
    ${right.setUp}
    ${left.declare}
    ${right.declare}
    ${cells((cell) => `var sum_${cell} = vec4<f32>();`)}
    var depth = depthStart;
    ${left.load}
    ${right.load}
    loop {
      if (depth >= depthEnd) { break; }
      workgroupBarrier();
      ${left.share}
      ${right.share}
      workgroupBarrier();
      depth += ${tile.depth}u;
      if (depth < depthEnd) {
        ${left.advance}
        ${right.advance}
        ${left.load}
        ${right.load}
      }
      ${half ? cells((cell) => `var strip_${cell} = vec4<f16>();`) : ""}
      ${multiply}
      ${half ? cells((cell) => `sum_${cell} += vec4<f32>(strip_${cell});`) : ""}
    }
    ${epilogue.store(geometry)}`;
}

/**
 * The shader of one product, or of several that one dispatch makes beside each other with one tile: they share tile memory and fill the device
 * where each alone would leave a part of it idle.
 *
 * @param inputs the lengths of the tensors' last axes by name: those of a multiple of four are bound in fours
 * @param outputs the same, written
 */
export function productShader(
  products: Product[],
  tile: Tile,
  inputs: Record<string, number>,
  outputs: Record<string, number>,
): Shader {
  const counts = products.map((product) => groupsOf(product, tile));
  const total = counts.reduce((sum, count) => sum + count, 0);
  const half = products.some((product) => product.half);
  const element = half ? "vec4<f16>" : "vec4<f32>";
  const geometries = products.map((product) => geometryOf(product, tile));
  const bodies = geometries.map((geometry, i) => {
    const before = counts.slice(0, i).reduce((sum, count) => sum + count, 0);
    return `if (number < ${before + counts[i]}u) {
    let group = number - ${before}u;
    ${body(geometry)}
  }`;
  });
  const names = products.map(({ m, n, k, left, right, batch = 1, parts = 1, epilogue }) =>
    `${left.alongDepth ? "a" : "aᵀ"}${right.alongDepth ? "bᵀ" : "b"} ${m}x${n}x${k}${
      batch > 1 ? `, batch ${batch}` : ""
    }${parts > 1 ? `, ${parts} parts` : ""}, ${epilogue.name.split(" ")[0]}`
  );
  return {
    name: `product ${names.join(" + ")}`,
    groups: total,
    half,
    fours: [...Object.entries(inputs), ...Object.entries(outputs)].flatMap(([name, width]) =>
      inFours(width) ? [name] : []
    ),
    code: `${accessors(inputs, false)}
${accessors(outputs, true)}
${geometries.map((geometry) => geometry.product.epilogue.declare?.(geometry) ?? "").join("\n")}
var<workgroup> leftStrip: array<array<${element}, ${tile.rows / 4 + 1}>, ${tile.depth}>;
var<workgroup> rightStrip: array<array<${element}, ${tile.columns / 4 + 1}>, ${tile.depth}>;
@compute @workgroup_size(${threadsOf(tile)})
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let number = workgroup.y * GROUPS_X + workgroup.x;
  if (number >= ${total}u) { return; }
  ${bodies.join(" else ")}
}`,
  };
}
