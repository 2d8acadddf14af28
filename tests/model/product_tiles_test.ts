/** The choice of tiles by what a device allows: no device is needed. */
import assert from "node:assert/strict";
import { holdsRowSums, rowTileBytes, rowTileFor, threadsOf } from "../../model/webgpu/product_tiles.ts";

Deno.test("rowTileFor() holds whole rows within any device's memory and threads", () => {
  for (const bytes of [16384, 32768, 49152]) {
    for (const threads of [256, 512, 1024]) {
      for (const [m, n] of [[1, 8], [900, 40], [14416, 65], [5000, 130], [14416, 512], [100000, 300]]) {
        for (const half of [false, true]) {
          const tile = rowTileFor(m, n, { bytes, threads }, half);
          const what = `${m} x ${n}, ${bytes} bytes, ${threads} threads, ${half}: ${JSON.stringify(tile)}`;
          assert.ok(tile && tile.columns >= n && tile.columns < Math.max(33, 2 * n), what);
          assert.ok(rowTileBytes(tile, half) <= bytes && threadsOf(tile) <= threads, what);
          assert.ok(half || holdsRowSums(tile), what);
        }
      }
    }
  }
});

Deno.test("rowTileFor() takes the most rows that keep the device busy, and nothing for rows that no tile holds", () => {
  const rows = (m: number, threads: number) => rowTileFor(m, 512, { bytes: 49152, threads })?.rows;
  assert.deepEqual([8192, 8191, 4095].map((m) => rows(m, 512)), [64, 32, 16]);
  assert.deepEqual([8192, 4095].map((m) => rows(m, 256)), [32, 16]);
  assert.equal(rowTileFor(8192, 513, { bytes: 49152, threads: 1024 }), undefined);
});
