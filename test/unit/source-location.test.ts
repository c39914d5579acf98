import { expect } from 'chai'
import { createLocator } from '../../src/source-location.ts'

/** One line of output, whose first column is line 3, column 5 of the module. */
const MAP = JSON.stringify({
  version: 3,
  sources: ['../001_a.ts'],
  names: [],
  mappings: 'AAEI',
})

const locate = createLocator('/app/migrations/001_a.ts', '/app/migrations/.compiled/001_a.js', MAP)

function withStack(stack: string): Error {
  return Object.assign(new Error('oops'), { stack })
}

describe('createLocator', () => {
  it('finds line and column in the source, from the folder above the migrations', () => {
    const error = withStack('Error: oops\n    at up (/app/migrations/001_a.ts:1:1)\n')
    expect(locate(error)).to.equal('migrations/001_a.ts:3:5')
  })

  it('takes the innermost frame of the module', () => {
    const error = withStack(
      'Error: oops\n    at f (/app/node_modules/x.js:9:9)\n    at /app/migrations/001_a.ts:1:1\n    at /app/migrations/001_a.ts:9:9',
    )
    expect(locate(error)).to.equal('migrations/001_a.ts:3:5')
  })

  it('knows nothing of errors that passed elsewhere', () => {
    expect(locate(withStack('Error: oops\n    at up (/app/migrations/002_b.ts:1:1)'))).to.be
      .undefined
    expect(locate(withStack('Error: oops\n    at up (/app/migrations/001_a.ts)'))).to.be.undefined
  })

  it('knows nothing of what has no stack', () => {
    expect(locate('oops')).to.be.undefined
    expect(locate(undefined)).to.be.undefined
    expect(locate(Object.assign(new Error('oops'), { stack: undefined }))).to.be.undefined
  })
})
