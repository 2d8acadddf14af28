/**
 * Which of its kernels OpenBLAS takes. It knows processors by their model numbers; a release older than the processor takes it for the oldest
 * there is and computes at a fifth of its speed. Knows no products.
 *
 * @module
 */

/** The core that OpenBLAS falls back to, older than AVX. */
const FALLBACK = "Prescott";
const WISH = "OPENBLAS_CORETYPE";

/**
 * Loads OpenBLAS again for the processor's instruction sets if it fell back to kernels without them; to be called before anything else opens it.
 * What OPENBLAS_CORETYPE says stays; a library that is no OpenBLAS is left alone.
 *
 * @throws Error if the library cannot be opened
 */
export function chooseCore(path: string): void {
  if (coreOf(path) !== FALLBACK) return;
  if (Deno.permissions.querySync({ name: "env", variable: WISH }).state !== "granted" || Deno.env.has(WISH)) return;
  const core = newestCore();
  if (!core) return;
  // Read once, when the library is loaded; a process started from here is free to choose.
  Deno.env.set(WISH, core);
  // Not closed: it stays as it was told to be.
  Deno.dlopen(path, {});
  Deno.env.delete(WISH);
}

/** The name of the core that OpenBLAS has chosen; undefined for another library. The library stays loaded unless the core is the fallback. */
export function coreOf(path: string): string | undefined {
  const library = Deno.dlopen(path, {
    openblas_get_corename: { parameters: [], result: "pointer", optional: true },
  });
  const found = library.symbols.openblas_get_corename?.();
  const name = found ? Deno.UnsafePointerView.getCString(found) : undefined;
  // Only what is to be loaded again is unloaded: OpenBLAS ends its threads then, beside whatever else is going on.
  if (name === FALLBACK) library.close();
  return name;
}

/** The newest core whose instructions the processor and the system allow, as glibc (2.33 or later) tells them. */
function newestCore(): "SKYLAKEX" | "HASWELL" | undefined {
  if (Deno.build.os !== "linux" || Deno.build.arch !== "x86_64") return;
  try {
    const libc = Deno.dlopen("libc.so.6", {
      __x86_get_cpuid_feature_leaf: { parameters: ["u32"], result: "pointer" },
    });
    // struct cpuid_feature: four registers as the processor gives them, then four with what may be used.
    const usable = (leaf: number, register: number) =>
      new Deno.UnsafePointerView(libc.symbols.__x86_get_cpuid_feature_leaf(leaf)!).getUint32(16 + 4 * register);
    const [EBX, ECX] = [1, 2];
    const has = (register: number, ...bits: number[]) => bits.every((bit) => register >>> bit & 1);
    const [basic, extended] = [usable(0, ECX), usable(1, EBX)];
    libc.close();
    const [FMA, AVX2, AVX512] = [12, 5, [16, 17, 28, 30, 31]]; // F, DQ, CD, BW, VL
    if (!has(basic, FMA) || !has(extended, AVX2)) return;
    return has(extended, ...AVX512) ? "SKYLAKEX" : "HASWELL";
  } catch {
    return;
  }
}
