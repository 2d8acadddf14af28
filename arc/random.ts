/**
 * Seeded random numbers. Knows nothing of grids or networks; passed everywhere as `random`.
 *
 * @module
 */

/** A stream of random numbers whose whole state is four 32-bit words. */
export interface Random {
  /** A number in [0, 1) with 32 random bits. */
  next(): number;
  /** An integer in [0, n). */
  integer(n: number): number;
  /** A standard normal number. */
  normal(): number;
  /** A random order of 0 … n-1. */
  permutation(n: number): number[];
  /** An independent stream, decided by this stream's seed state and `name`, that does not advance this one. */
  fork(name: string | number): Random;
  /** The state, to be written into a checkpoint; {@link randomFromState} resumes it. */
  state(): [number, number, number, number];
}

function hash(text: string): number {
  let h = 2166136261;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 16777619);
  return h >>> 0;
}

function splitmix(seed: number): () => number {
  let s = seed >>> 0;
  return () => {
    s = (s + 0x9e3779b9) >>> 0;
    let z = s;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
}

/** A stream that starts from an integer seed. */
export function createRandom(seed: number): Random {
  const word = splitmix(seed);
  return randomFromState([word(), word(), word(), word()]);
}

/** A stream that goes on from a saved state (the small fast counter generator, sfc32). */
export function randomFromState(saved: readonly number[]): Random {
  let [a, b, c, counter] = saved.map((word) => word >>> 0);
  const bits = () => {
    const t = (a + b + counter) >>> 0;
    counter = (counter + 1) >>> 0;
    a = (b ^ (b >>> 9)) >>> 0;
    b = (c + (c << 3)) >>> 0;
    c = (((c << 21) | (c >>> 11)) + t) >>> 0;
    return t;
  };
  const random: Random = {
    next: () => bits() / 4294967296,
    integer: (n) => Math.floor((bits() / 4294967296) * n),
    normal: () => {
      const radius = Math.sqrt(-2 * Math.log((bits() + 1) / 4294967297));
      return radius * Math.cos(2 * Math.PI * random.next());
    },
    permutation: (n) => {
      const order = Array.from({ length: n }, (_, i) => i);
      for (let i = n - 1; i > 0; i--) {
        const j = random.integer(i + 1);
        [order[i], order[j]] = [order[j], order[i]];
      }
      return order;
    },
    fork: (name) => {
      const word = splitmix((a ^ Math.imul(b, 31) ^ Math.imul(c, 101) ^ hash(String(name))) >>> 0);
      return randomFromState([word(), word(), word(), counter ^ word()]);
    },
    state: () => [a, b, c, counter],
  };
  return random;
}
