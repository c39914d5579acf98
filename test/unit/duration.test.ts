import { expect } from 'chai'
import { formatDuration } from '../../src/duration.ts'

describe('formatDuration', () => {
  for (const [durationMs, text] of [
    [0, '0 ms'],
    [0.4, '0 ms'],
    [12.5, '13 ms'],
    [999, '999 ms'],
    [999.6, '1.0 s'],
    [1000, '1.0 s'],
    [3449, '3.4 s'],
    [59_949, '59.9 s'],
    [59_999, '1 min 0 s'],
    [60_000, '1 min 0 s'],
    [119_700, '2 min 0 s'],
    [125_000, '2 min 5 s'],
    [3_600_000, '60 min 0 s'],
  ] as const) {
    it(`is ${text} for ${durationMs} ms`, () => {
      expect(formatDuration(durationMs)).to.equal(text)
    })
  }
})
