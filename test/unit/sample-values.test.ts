import { expect } from 'chai'
import { NO_HINTS, readCheckHints } from '../../src/check-hints.ts'
import { type SampleType, sampleValues, type ValueWish } from '../../src/sample-values.ts'

const base = (name: string, category: string, modifier = -1): SampleType => ({
  kind: 'base',
  name,
  category,
  modifier,
})
const INTEGER = base('int4', 'N')
const TEXT = base('text', 'S')

const values = (type: SampleType, wish: Partial<ValueWish> = {}): readonly string[] =>
  sampleValues(type, { seed: 1, hints: NO_HINTS, isKey: false, defaultValue: undefined, ...wish })

describe('sample values', () => {
  it('begin with what is natural, and differ from row to row', () => {
    const firsts = (type: SampleType): unknown[] =>
      [1, 2, 3].map((seed) => values(type, { seed })[0])
    expect(firsts(TEXT)).to.deep.equal(['sample 1', 'sample 2', 'sample 3'])
    expect(firsts(INTEGER)).to.deep.equal(['1', '2', '3'])
    expect(firsts(base('date', 'D'))).to.deep.equal(['2001-02-01', '2001-02-02', '2001-02-03'])
    expect(firsts({ kind: 'enum', labels: ['a', 'b'] })).to.deep.equal(['a', 'b', 'a'])
    expect(firsts({ kind: 'array', element: TEXT })[0]).to.equal('{"sample 1"}')
  })

  it('keep keys away from the numbers that people begin with', () => {
    expect(values(INTEGER, { isKey: true })[0]).to.equal('9001')
    expect(values(base('int2', 'N'), { isKey: true })[0]).to.equal('9001')
  })

  it('stay within a type’s length, precision and range', () => {
    const short = values(base('varchar', 'S', 4 + 3))
    expect(short.every((text) => text.length <= 3)).to.be.true
    expect(short).to.include('1')
    // numeric(4, 2)
    const numbers = values(base('numeric', 'N', 4 + ((4 << 16) | 2)), {
      hints: readCheckHints(['(a > 99.5)']),
    }).map(Number)
    expect(numbers.every((n) => Math.abs(n) < 100)).to.be.true
    expect(numbers.some((n) => n > 99.5)).to.be.true
    // numeric(3, 5): PostgreSQL 15 and later
    expect(values(base('numeric', 'N', 4 + ((3 << 16) | 5))).map(Number)).to.satisfy(
      (all: readonly number[]) => all.every((n) => Math.abs(n) < 0.01),
    )
    const small = values(base('int2', 'N'), { hints: readCheckHints(['(a < 1000000)']) })
    expect(small.every((text) => Math.abs(Number(text)) <= 32767)).to.be.true
  })

  it('are whole numbers where the type is, and written without an exponent', () => {
    const hints = readCheckHints(['((a > 0.5) AND (a < 3e20))'])
    expect(values(INTEGER, { hints }).every((text) => /^-?\d+$/.test(text))).to.be.true
    expect(values(base('numeric', 'N'), { hints }).every((text) => !/e/i.test(text))).to.be.true
  })

  it('take in the constants of constraints, and what lies around them', () => {
    const hints = readCheckHints([
      `((a >= '2030-05-05'::date) AND (b = 'x'::text) AND (length(b) = 12) AND (c ~ '^[a-c]$'::text))`,
    ])
    expect(values(base('date', 'D'), { hints })).to.include.members(['2030-05-06', '2030-05-04'])
    expect(values(TEXT, { hints })).to.include.members(['x', '1'.repeat(12), 'b', 'xsample1'])
    const numbers = readCheckHints(['((a > 100) AND (a < 110))'])
    expect(values(INTEGER, { hints: numbers })).to.include.members(['101', '105', '99'])
  })

  it('take the default first, but for keys, and JSON like it', () => {
    const defaultValue = 'open'
    expect(values(TEXT, { defaultValue })[0]).to.equal('open')
    expect(values(TEXT, { defaultValue, isKey: true })[0]).to.equal('sample 1')
    expect(values(base('jsonb', 'U'), { defaultValue: '[]' })[0]).to.equal('["sample 1"]')
    expect(values(base('jsonb', 'U'), { defaultValue: '{}' })[0]).to.equal('{"sample":1}')
  })

  it('hold each value once, and not too many', () => {
    const hints = readCheckHints([
      `(a = ANY (ARRAY[${Array.from({ length: 200 }, (_, n) => `'v${n}'::text`).join(', ')}]))`,
    ])
    const all = values(TEXT, { hints })
    expect(new Set(all)).to.have.lengthOf(all.length)
    expect(all.length).to.be.at.most(60)
  })
})
