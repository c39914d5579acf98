import { expect } from 'chai'
import { retryPauseMs } from '../../src/backoff.ts'

describe('retryPauseMs', () => {
  const pauses = (random: number): readonly number[] =>
    [1, 2, 3, 4, 5, 6, 11].map((retry) => retryPauseMs(retry, () => random))

  it('grows up to a limit', () => {
    expect(pauses(0)).to.deep.equal([500, 1000, 2000, 4000, 6000, 6000, 6000])
  })

  it('is down to half as long by chance', () => {
    expect(pauses(1)).to.deep.equal([250, 500, 1000, 2000, 3000, 3000, 3000])
  })

  it('comes to about a minute with the default timeouts and retries', () => {
    const LOCK_TIMEOUT_MS = 2000
    const RETRIES = 11
    const total = Array.from({ length: RETRIES }, (_, i) => retryPauseMs(i + 1, () => 0.5))
      .concat(LOCK_TIMEOUT_MS * (RETRIES + 1))
      .reduce((sum, ms) => sum + ms)
    expect(total).to.be.within(55_000, 65_000)
  })
})
