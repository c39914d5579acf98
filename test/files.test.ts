import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { listNames, readMigrationFiles } from '../src/files.ts'
import type { Problem } from '../src/errors.ts'
import { rejectionOf, thrownBy } from './support/errors.ts'
import { createTestProject, tableMigration, type TestProject } from './support/project.ts'

describe('migration files', () => {
  let project: TestProject
  let folder: string
  beforeEach(async () => {
    project = await createTestProject()
    folder = join(project.root, 'migrations')
  })
  afterEach(() => project.dispose())

  const write = async (...names: readonly string[]): Promise<void> => {
    for (const name of names) await project.write(`migrations/${name}`, tableMigration('t'))
  }
  const names = async (): Promise<readonly string[]> =>
    (await readMigrationFiles(folder)).map(({ name }) => name)
  /** All problems of a folder that is refused. */
  const problems = async (): Promise<readonly Problem[]> => {
    const error = await rejectionOf(readMigrationFiles(folder))
    expect(error.code).to.equal('invalid_migration')
    return error.problems.length > 0 ? error.problems : [error]
  }
  const messages = async (): Promise<readonly string[]> =>
    (await problems()).map(({ message }) => message)

  describe('readMigrationFiles', () => {
    it('finds none in an empty folder', async () => {
      expect(await names()).to.deep.equal([])
    })

    it('gives name, number, path and checksum', async () => {
      await write('007_bonds.ts')
      const [file] = await readMigrationFiles(folder)
      expect(file).to.deep.include({
        name: '007_bonds',
        number: 7,
        path: join(folder, '007_bonds.ts'),
      })
      expect(file?.checksum).to.match(/^1:[0-9a-f]{64}$/)
    })

    it('sorts by number, not by letter', async () => {
      await write('1000_d.ts', '999_c.ts', '2_b.ts', '001_z.ts')
      expect(await names()).to.deep.equal(['001_z', '2_b', '999_c', '1000_d'])
    })

    it('leaves alone what is no migration', async () => {
      await write(
        '001_a.ts',
        'README.md',
        '.gitkeep',
        '.#001_a.ts',
        '._001_a.ts',
        '.001_a.ts.swp',
        '001_a.ts.orig',
        '001_a.ts~',
        '001_a.d.ts',
        'types.d.ts',
        '001_notes.md',
        'fixtures.json',
        'lib/002_b.ts',
        '003_c/helper.ts',
      )
      await mkdir(join(folder, '004_d.ts'))
      expect(await names()).to.deep.equal(['001_a'])
    })

    for (const name of [
      '001_a.sql',
      '001_a.SQL',
      '001_a.js',
      '001_a.mjs',
      '001_a.cts',
      '001_a.tsx',
      '001_a.TS',
      '001-a.ts',
      '001_A.ts',
      '001_a.test.ts',
      'helper.ts',
      'index.ts',
      '001.ts',
    ]) {
      it(`refuses ${name} by its name`, async () => {
        await write(name)
        expect(await problems()).to.have.length(1)
        expect((await problems())[0]).to.include({
          message: `${name} is not a migration's name`,
          hint: 'Name it number_snake_case_name.ts, for example 006_add_patient_allergies.ts.',
        })
      })
    }

    it('refuses a number that is too large', async () => {
      await write('999999999999999_y.ts', '99999999999999999999_z.ts')
      expect(await problems()).to.have.length(1)
      expect((await problems())[0]).to.include({
        message: 'the number of 99999999999999999999_z.ts is too large',
        hint: 'A number has 15 digits at most.',
      })
    })

    it('refuses what can’t be read', async () => {
      await symlink('../gone.ts', join(folder, '001_a.ts'))
      expect(await problems()).to.have.length(1)
      expect((await problems())[0]).to.include({
        message: "001_a.ts can't be read (ENOENT)",
        hint: 'Where it is a link, what it names is gone: restore that, or remove the link.',
      })
      await symlink('.', join(folder, '002_b.ts'))
      expect(await messages()).to.deep.equal([
        "001_a.ts can't be read (ENOENT)",
        "002_b.ts can't be read (EISDIR)",
      ])
      const { exitCode, stdout, stderr } = await project.run(['verify', '--no-target'])
      expect([exitCode, stdout]).to.deep.equal([2, ''])
      expect(stderr).to.contain("001_a.ts can't be read").and.not.contain('This is a bug')
    })

    it('refuses a number that several have, however they write it', async () => {
      await write('002_b.ts', '01_a.ts', '2_c.ts', '002_a.ts')
      expect(await messages()).to.deep.equal(['number 2 is used by 002_a and 002_b and 2_c'])
    })

    it('tells of bad names and shared numbers at once', async () => {
      await write('001_a.ts', '1_b.ts', '3_c.ts', '003_d.ts', 'x.ts', '002_B.ts')
      const error = await rejectionOf(readMigrationFiles(folder))
      expect(error.message).to.equal('some migration files are not usable')
      expect(error.problems.map(({ message }) => message)).to.have.members([
        "x.ts is not a migration's name",
        "002_B.ts is not a migration's name",
        'number 1 is used by 001_a and 1_b',
        'number 3 is used by 003_d and 3_c',
      ])
    })

    it('runs nothing and needs no valid syntax', async () => {
      await writeFile(join(folder, '001_a.ts'), 'throw new Error("run"); }{')
      expect(await names()).to.deep.equal(['001_a'])
    })

    it('says what to do where there is no such folder', async () => {
      const error = await rejectionOf(readMigrationFiles(join(project.root, 'nowhere')))
      expect(error.code).to.equal('usage')
      expect(error.message).to.equal(
        `can't read the migrations folder ${join(project.root, 'nowhere')}`,
      )
      expect(error.hint).to.include('--migrations-dir')
    })

    it('says so where the folder is a file', async () => {
      const file = join(project.root, 'package.json')
      expect((await rejectionOf(readMigrationFiles(file))).code).to.equal('usage')
    })
  })

  describe('checksums', () => {
    /** The checksum of a migration with that import, after the project's files are written. */
    const checksumWith = async (
      text: string,
      files: Readonly<Record<string, string>> = {},
    ): Promise<string> => {
      for (const [path, content] of Object.entries(files)) {
        await project.write(`migrations/${path}`, content)
      }
      await project.write('migrations/001_a.ts', `${text}\n${tableMigration('t')}`)
      const [file] = await readMigrationFiles(folder)
      return file!.checksum
    }
    /** True where the checksum changes with the text of a file. */
    const isCovered = async (
      text: string,
      path: string,
      [before, after]: readonly [string, string],
    ): Promise<boolean> =>
      (await checksumWith(text, { [path]: before })) !==
      (await checksumWith(text, { [path]: after }))

    const VALUES = ['export const x = 1', 'export const x = 2'] as const
    const TYPES = ['export type X = 1', 'export type X = 2'] as const

    for (const [how, text] of [
      ['imported', "import { x } from './lib/x.ts'\nconsole.log(x)"],
      ['imported without an extension', "import { x } from './lib/x'\nconsole.log(x)"],
      ['imported as a whole', "import * as lib from './lib/x.ts'\nconsole.log(lib.x)"],
      [
        'imported with a comment in between',
        "import { x } from /* ours */ './lib/x.ts'\nconsole.log(x)",
      ],
      ['imported over several lines', "import {\n  x,\n} from\n  './lib/x.ts'\nconsole.log(x)"],
      ['imported when it runs', "void import('./lib/x.ts')"],
      ['imported when it runs, with a comment', "void import(/* late */ './lib/x.ts')"],
      ['required', "require('./lib/x.ts')"],
    ] as const) {
      it(`cover a module that is ${how}`, async () => {
        expect(await isCovered(text, 'lib/x.ts', VALUES)).to.be.true
      })
    }

    it('cover a module that is imported for its effects, where it has any', async () => {
      const effects = ['globalThis.name = "a"', 'globalThis.name = "b"'] as const
      expect(await isCovered("import './lib/x.ts'", 'lib/x.ts', effects)).to.be.true
    })

    it('cover JSON', async () => {
      const text = "import rows from './rows.json' with { type: 'json' }\nconsole.log(rows)"
      expect(await isCovered(text, 'rows.json', ['[1]', '[2]'])).to.be.true
    })

    it('cover what an imported module imports', async () => {
      await project.write('migrations/lib/y.ts', "export { x as y } from './x.ts'")
      const text = "import { y } from './lib/y.ts'\nconsole.log(y)"
      expect(await isCovered(text, 'lib/x.ts', VALUES)).to.be.true
    })

    it('cover a module outside the folder', async () => {
      const text = "import { x } from '../shared/x.ts'\nconsole.log(x)"
      expect(await isCovered(text, '../shared/x.ts', VALUES)).to.be.true
    })

    for (const [how, text] of [
      ['by import type', "import type { X } from './lib/x.ts'\nconst c: X = 1"],
      ['by import { type }', "import { type X } from './lib/x.ts'\nconst c: X = 1\nconsole.log(c)"],
      ['by a plain import', "import { X } from './lib/x.ts'\nconst c: X = 1\nconsole.log(c)"],
      ['in a type', "const c: import('./lib/x.ts').X = 1\nconsole.log(c)"],
    ] as const) {
      it(`do not cover types that are named ${how}`, async () => {
        expect(await isCovered(text, 'lib/x.ts', TYPES)).to.be.false
      })
    }

    it('take an import in a comment for none', async () => {
      expect(await isCovered("// import './lib/x.ts'", 'lib/x.ts', VALUES)).to.be.false
      expect(await checksumWith("/* import x from './gone.ts' */")).to.match(/^1:/)
    })

    it('cover no packages', async () => {
      const text = "import pg from 'pg'\nimport { join } from 'path'\nconsole.log(pg, join)"
      expect(await checksumWith(text)).to.match(/^1:/)
    })

    it('are the same from any folder, and through a link to it', async () => {
      const text = "import { x } from './lib/x.ts'\nconsole.log(x)"
      const here = await checksumWith(text, { 'lib/x.ts': VALUES[0] })
      await symlink(folder, join(project.root, 'link'))
      const [linked] = await readMigrationFiles(join(project.root, 'link'))
      expect(linked?.checksum).to.equal(here)
      const other = await createTestProject({
        'migrations/001_a.ts': await project.read('migrations/001_a.ts'),
        'migrations/lib/x.ts': VALUES[0],
      })
      try {
        const [copied] = await readMigrationFiles(join(other.root, 'migrations'))
        expect(copied?.checksum).to.equal(here)
      } finally {
        await other.dispose()
      }
    })

    it('do not depend on other files, nor on package.json and tsconfig.json', async () => {
      const text = `import { x } from './lib/x.ts'
import { y } from '@lib/y.ts'
console.log(x, y)`
      const files = {
        'lib/x.ts': "import './effects.ts'\nexport const x = 1",
        'lib/effects.ts': 'globalThis.name = "a"',
        'lib/y.ts': 'export const y = 1',
      }
      const before = await checksumWith(text, files)
      await project.write('package.json', '{ "type": "module", "sideEffects": false }')
      expect(await checksumWith(text, files)).to.equal(before)
      const compilerOptions = { paths: { '@lib/*': ['./migrations/lib/*'] } }
      await project.write('tsconfig.json', JSON.stringify({ compilerOptions }))
      await write('002_b.ts')
      await project.write('migrations/003_c.ts', `import './lib/x.ts'\n${tableMigration('c')}`)
      expect(await checksumWith(text, files)).to.equal(before)
    })

    it('tell of every import that leads nowhere', async () => {
      await project.write('migrations/001_a.ts', "import './gone.ts'")
      await project.write('migrations/002_b.ts', "import { x } from './lib/x.ts'\nconsole.log(x)")
      await project.write('migrations/lib/x.ts', "export const x = 1\nimport '../lost.ts'")
      await write('003_c.ts')
      expect(await messages()).to.deep.equal([
        'migrations/001_a.ts:1:8 Could not resolve "./gone.ts"',
        'migrations/lib/x.ts:2:8 Could not resolve "../lost.ts"',
      ])
    })
  })

  describe('listNames', () => {
    it('gives names without .ts, and others whole', async () => {
      await write('001_a.ts', '002_b.sql', 'README.md')
      expect(listNames(folder)).to.have.members(['001_a', '002_b.sql'])
    })

    it('throws where there is no folder', () => {
      expect(thrownBy(() => listNames(join(folder, 'nowhere'))).code).to.equal('usage')
    })
  })
})
