import process from 'node:process'

/** Where the moments of a run's faults come from: the same seed gives the same ones. */
export const SEED = Number(process.env.FAULTS_SEED ?? Date.now() % 1_000_000)

/** Numbers from 0 up to 1, which only the seed decides (mulberry32). */
export function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
