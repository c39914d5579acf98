import { expect } from 'chai'
import { isKnownChecksum, migrationChecksum } from '../../src/checksum.ts'

const SOURCE = "import { sql } from 'kysely'\n\nexport const up = 1\n"

describe('migrationChecksum', () => {
  it('is the version of the algorithm and 64 hex digits', () => {
    expect(migrationChecksum(SOURCE)).to.match(/^1:[0-9a-f]{64}$/)
  })

  it('stays what it was when it was first released', () => {
    expect(migrationChecksum('a')).to.equal(
      '1:4162fddd39a3e4225e8e2392eced237fbeb34e6e218b5647d27bd4d2b9c0da24',
    )
    expect(migrationChecksum('é\n', [{ path: 'lib/b.ts', source: 'b' }])).to.equal(
      '1:2e6443548c594f35cdad3d1c889091f1068577e17ee17940f1fc1c021e956c13',
    )
  })

  it('is the same for Windows, old Mac and Unix line endings', () => {
    expect(migrationChecksum(SOURCE.replaceAll('\n', '\r\n'))).to.equal(migrationChecksum(SOURCE))
    expect(migrationChecksum(SOURCE.replaceAll('\n', '\r'))).to.equal(migrationChecksum(SOURCE))
  })

  it('is the same with a byte order mark', () => {
    expect(migrationChecksum(`\uFEFF${SOURCE}`)).to.equal(migrationChecksum(SOURCE))
  })

  it('normalises imported modules too', () => {
    const unix = migrationChecksum(SOURCE, [{ path: 'a.ts', source: 'x\ny\n' }])
    const windows = migrationChecksum(SOURCE, [{ path: 'a.ts', source: '\uFEFFx\r\ny\r\n' }])
    expect(windows).to.equal(unix)
  })

  for (const [change, changed] of [
    ['a blank line', SOURCE.replace('\n\n', '\n')],
    ['a trailing space', SOURCE.replace('1\n', '1 \n')],
    ['a missing end of line', SOURCE.trimEnd()],
    ['a comment', `${SOURCE}// done\n`],
  ] as const) {
    it(`changes with ${change}`, () => {
      expect(migrationChecksum(changed)).to.not.equal(migrationChecksum(SOURCE))
    })
  }

  it('does not depend on the order of the imports', () => {
    const a = { path: 'lib/a.ts', source: '1' }
    const b = { path: 'lib/b.ts', source: '2' }
    expect(migrationChecksum(SOURCE, [a, b])).to.equal(migrationChecksum(SOURCE, [b, a]))
  })

  it('leaves the list of imports as it was', () => {
    const imports = [
      { path: 'b.ts', source: '' },
      { path: 'a.ts', source: '' },
    ]
    migrationChecksum(SOURCE, imports)
    expect(imports.map(({ path }) => path)).to.deep.equal(['b.ts', 'a.ts'])
  })

  it('changes with an imported module, its path, and its being imported at all', () => {
    const checksums = [
      migrationChecksum(SOURCE),
      migrationChecksum(SOURCE, [{ path: 'a.ts', source: '' }]),
      migrationChecksum(SOURCE, [{ path: 'a.ts', source: '1' }]),
      migrationChecksum(SOURCE, [{ path: 'b.ts', source: '1' }]),
    ]
    expect(new Set(checksums).size).to.equal(checksums.length)
  })

  it('changes when content moves from one file to another', () => {
    const before = migrationChecksum('one', [
      { path: 'a.ts', source: 'two' },
      { path: 'b.ts', source: '' },
    ])
    const moved = [
      migrationChecksum('onetwo', [
        { path: 'a.ts', source: '' },
        { path: 'b.ts', source: '' },
      ]),
      migrationChecksum('one', [
        { path: 'a.ts', source: '' },
        { path: 'b.ts', source: 'two' },
      ]),
      migrationChecksum('one', [
        { path: 'a.ts', source: 'tw' },
        { path: 'b.ts', source: 'o' },
      ]),
      migrationChecksum('one4:a.ts3:two', [{ path: 'b.ts', source: '' }]),
    ]
    expect(moved).to.not.include(before)
  })
})

describe('isKnownChecksum', () => {
  it('knows what migrationChecksum makes', () => {
    expect(isKnownChecksum(migrationChecksum(SOURCE))).to.be.true
  })

  it('knows no other algorithm, however alike its number', () => {
    for (const checksum of ['2:abc', '11:abc', '10:abc', '1', '', 'abc']) {
      expect(isKnownChecksum(checksum), checksum).to.be.false
    }
  })
})
