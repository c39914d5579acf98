import { expect } from 'chai'
import { describeProgress, percentage } from '../../src/server-progress.ts'

describe('percentage', () => {
  for (const [done, total, percent] of [
    [0, 200, 0],
    [1, 200, 0],
    [199, 200, 99],
    [200, 200, 100],
    [250, 200, 100],
    [-1, 200, 0],
    [0, 0, undefined],
    [5, 0, undefined],
    [null, 200, undefined],
    [5, null, undefined],
  ] as const) {
    it(`is ${percent} for ${done} of ${total}`, () => {
      expect(percentage(done, total)).to.equal(percent)
    })
  }
})

describe('describeProgress', () => {
  const command = 'CREATE INDEX'
  for (const [phase, done, total, text] of [
    [
      'building index: scanning table',
      42,
      100,
      'CREATE INDEX, building index: scanning table, 42 %',
    ],
    ['initializing', 0, 0, 'CREATE INDEX, initializing'],
    [null, 1, 2, 'CREATE INDEX, 50 %'],
    [null, null, null, 'CREATE INDEX'],
  ] as const) {
    it(`is "${text}"`, () => {
      expect(describeProgress({ command, phase, done, total })).to.equal(text)
    })
  }
})
