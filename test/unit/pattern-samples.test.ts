import { expect } from 'chai'
import { sampleLike, samplePattern } from '../../src/pattern-samples.ts'

/** In a form that JavaScript reads too. */
const PATTERNS = [
  '^[0-9]{10}$',
  '^\\d{3}-\\d{4}$',
  '^[A-Z]{2,}$',
  '^(ICD|LOINC):[A-Z]\\d{2}(\\.\\d{1,4})?$',
  '^[a-z0-9]+(?:-[a-z0-9]+)*$',
  '^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\\.[A-Za-z]{2,}$',
  '^\\+[1-9]\\d{1,14}$',
  '^[^@\\s]+@[^@\\s]+$',
  '^#(?:[0-9a-f]{3}){1,2}$',
  '^https?://.+$',
  '^a|b|$',
  '^[]x]$',
  '^\\w+\\s\\S+$',
  '^(a(b|c)){2,3}?d*$',
  '^v(0|[1-9]\\d*)\\.(0|[1-9]\\d*)$',
]

describe('samples of a pattern', () => {
  for (const pattern of PATTERNS) {
    it(`match ${pattern}`, () => {
      // "[]x]" has a bracket in it, which JavaScript wants escaped.
      const expression = new RegExp(pattern.replace('[]', '[\\]'))
      for (const seed of [1, 2, 3]) {
        const samples = samplePattern(pattern, seed)
        expect(samples).not.to.be.empty
        for (const sample of samples) expect(sample).to.match(expression)
      }
    })
  }

  it('differ from row to row', () => {
    expect([1, 2, 3].map((seed) => samplePattern('^[0-9]{4}$', seed))).to.deep.equal([
      ['1111'],
      ['2222'],
      ['3333'],
    ])
  })

  it('know the classes of PostgreSQL', () => {
    expect(samplePattern('^[[:upper:]]{2}[[:digit:]_]$', 1)).to.deep.equal(['BB1'])
    expect(samplePattern('***:(?i)^x\\M$', 1)).to.deep.equal(['x'])
  })

  it('are none where it can’t be read', () => {
    for (const pattern of ['(', '[a', 'a)', '[^', '{']) {
      expect(samplePattern(pattern, 1), pattern).to.satisfy(
        (samples: readonly string[]) => samples.length === 0 || pattern === '{',
      )
    }
  })

  it('fill in what LIKE leaves open', () => {
    expect(sampleLike('a%_\\%', 2)).to.deep.equal(['asample2x%', 'ax%'])
  })
})
