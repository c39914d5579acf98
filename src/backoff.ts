const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 6000

/**
 * How long to wait, in milliseconds, before retry number `retry` (1 is the first): twice as long each
 * time up to six seconds, less up to half of it, so that rivals do not stay in step. `random` gives
 * numbers from 0 to 1.
 */
export function retryPauseMs(retry: number, random: () => number): number {
  const longest = Math.min(FIRST_PAUSE_MS * 2 ** (retry - 1), LONGEST_PAUSE_MS)
  return Math.round(longest * (1 - random() / 2))
}
