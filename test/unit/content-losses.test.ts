import { expect } from 'chai'
import { compareContents, type Contents } from '../../src/content-losses.ts'

/** A table `t` of that many rows with a column `a` that holds these values; `''` stands for null. */
function contents(
  values: readonly string[],
  { fallback = '-', identity = '1.1', table = 't' } = {},
) {
  const own = values.filter((value) => value !== '')
  const column = {
    identity,
    digest: [...own].sort().join(),
    values: own.length,
    defaults: own.filter((value) => value === fallback).length,
  }
  return new Map([[table, { rows: values.length, columns: new Map([['a', column]]) }]])
}

const FULL = contents(['x', 'y', ''])
const NOTHING: Contents = new Map()

describe('losses of contents', () => {
  it('are none where all is as it was, or where a table or column is not there before and after', () => {
    expect(compareContents(FULL, NOTHING, FULL)).to.deep.equal([])
    expect(compareContents(FULL, FULL, NOTHING)).to.deep.equal([])
    expect(compareContents(NOTHING, FULL, FULL)).to.deep.equal([])
    const bare: Contents = new Map([['t', { rows: 3, columns: new Map() }]])
    expect(compareContents(FULL, FULL, bare)).to.deep.equal([])
    expect(compareContents(bare, FULL, FULL)).to.deep.equal([])
  })

  it('are rows that are gone, and then nothing is said of columns', () => {
    const loss = { table: 't', column: undefined, rowsBefore: 3, rowsAfter: 1 }
    const less = contents(['x'])
    expect(compareContents(FULL, FULL, less)).to.deep.equal([{ ...loss, isKeepable: true }])
    expect(compareContents(FULL, less, less)).to.deep.equal([{ ...loss, isKeepable: false }])
    expect(compareContents(FULL, NOTHING, less)).to.deep.equal([{ ...loss, isKeepable: false }])
  })

  it('are values that became null, or the default', () => {
    const loss = { table: 't', column: 'a', rowsBefore: 2, rowsAfter: 1, isKeepable: true }
    expect(compareContents(FULL, FULL, contents(['x', '', '']))).to.deep.equal([loss])
    expect(compareContents(FULL, FULL, contents(['x', '-', '-']))).to.deep.equal([loss])
  })

  it('are not values that were the default before', () => {
    const plain = contents(['-', '-', ''])
    expect(compareContents(plain, plain, contents(['', '', '']))).to.deep.equal([])
  })

  it('are not values that merely changed, nor more rows', () => {
    expect(compareContents(FULL, FULL, contents(['X', 'Y', 'z']))).to.deep.equal([])
    expect(compareContents(FULL, FULL, contents(['x', 'y', '', 'q']))).to.deep.equal([])
  })

  it('are other values in a column that was made anew', () => {
    const remade = contents(['p', 'q', 'r'], { identity: '1.2' })
    const loss = { table: 't', column: 'a', rowsBefore: 2, rowsAfter: 0 }
    expect(compareContents(FULL, FULL, remade)).to.deep.equal([{ ...loss, isKeepable: true }])
    expect(compareContents(FULL, NOTHING, remade)).to.deep.equal([{ ...loss, isKeepable: false }])
    const restored = contents(['y', 'x', ''], { identity: '1.2' })
    expect(compareContents(FULL, NOTHING, restored)).to.deep.equal([])
  })

  it('are not the fault of the down where the up took the values', () => {
    const none = contents(['', '', ''])
    expect(compareContents(FULL, none, none)).to.deep.include.members([
      { table: 't', column: 'a', rowsBefore: 2, rowsAfter: 0, isKeepable: false },
    ])
  })

  it('are its fault where the up kept them elsewhere, but for a value that may be there by chance', () => {
    const none = contents(['', '', ''])
    const kept = contents(['y', 'x'], { table: 'elsewhere' })
    expect(compareContents(FULL, kept, none)[0]).to.include({ isKeepable: true })
    const single = contents(['x', ''])
    const chance = contents(['x'], { table: 'elsewhere' })
    expect(compareContents(single, chance, contents(['', '']))[0]).to.include({ isKeepable: false })
    const wasThere = new Map([...FULL, ...kept])
    expect(compareContents(wasThere, kept, new Map([...none, ...kept]))[0]).to.include({
      isKeepable: false,
    })
  })
})
