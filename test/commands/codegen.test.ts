import { readdir, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { expect } from 'chai'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import {
  createTestProject,
  migrationSource,
  tableMigration,
  type TestProject,
} from '../support/project.ts'
import { until } from '../support/until.ts'

describe('codegen', () => {
  let project: TestProject
  let database: TestDatabase

  const run = (...args: readonly string[]) => project.run(args, { DATABASE_URL: database.url })

  beforeEach(async () => {
    project = await createTestProject({
      'migrations/001_patients.ts': tableMigration('patients'),
    })
    database = await createTestDatabase()
  })
  afterEach(async () => {
    await database.drop()
    await project.dispose()
  })

  it('writes the types, says how they changed, and leaves nothing else behind', async () => {
    await database.query('create table visits (id integer primary key, room text)')
    const first = await run('codegen')
    expect(first).to.deep.equal({
      exitCode: 0,
      stdout: 'Wrote generated/db.ts\nWrote generated/schema.md\n  + visits (2 columns)\n',
      stderr: '',
    })
    await database.query(
      'alter table visits drop room, add hospital_id uuid, alter id type text, add "odd name" date[]',
    )
    const second = await run('codegen')
    expect(second.stdout).to.equal(`Wrote generated/db.ts
Wrote generated/schema.md
  + visits.hospital_id: string | null
  ~ visits.id: number -> string  ! breaks readers
  + visits.odd name: ArrayColumn<string> | null
  - visits.room: string | null  ! breaks readers
`)
    expect(await readdir(join(project.root, 'generated'))).to.have.members(['db.ts', 'schema.md'])
  })

  it('does not touch a file that is right', async () => {
    await run('up')
    const file = join(project.root, 'generated/db.ts')
    await utimes(file, 1000, 1000)
    const before = await stat(file)
    const { exitCode, stdout } = await run('codegen')
    expect(exitCode).to.equal(0)
    expect(stdout).to.equal('generated/db.ts is what the database gives.\n')
    await run('up')
    const { mtimeMs, ino } = await stat(file)
    expect({ mtimeMs, ino }).to.deep.equal({ mtimeMs: before.mtimeMs, ino: before.ino })
  })

  it('makes right, after waiting for another runner, what that one changed', async () => {
    await run('up')
    const slow = migrationSource(
      'await sql`create table slow (id integer primary key)`.execute(db)\nawait sql`select pg_sleep(1)`.execute(db)',
      "await db.schema.dropTable('slow').execute()",
    )
    const other = await createTestProject({
      'migrations/001_patients.ts': tableMigration('patients'),
      'migrations/002_slow.ts': slow,
    })
    try {
      await project.write('migrations/002_slow.ts', slow)
      const first = other.run(['up'], { DATABASE_URL: database.url })
      await until('the other runner at work', async () => {
        const [row] = await database.query(
          `select from pg_stat_activity where datname = current_database() and query like '%pg_sleep(1)'`,
        )
        return row !== undefined
      })
      const second = await run('up')
      expect((await first).exitCode).to.equal(0)
      expect(second.stderr).to.include('Waiting for')
      expect(second.stdout).to.match(/^Nothing to apply[^]*\+ slow /)
      expect(await project.read('generated/db.ts')).to.include('slow: Slow')
    } finally {
      await other.dispose()
    }
  })

  it('makes right what someone edited by hand, also in up with nothing to apply', async () => {
    await run('up')
    const right = await project.read('generated/db.ts')
    for (const command of ['codegen', 'up']) {
      await project.write('generated/db.ts', right.replace('number', 'string'))
      const { stdout } = await run(command)
      expect(stdout).to.include('  ~ patients.id: string -> number  ! breaks readers\n')
      expect(await project.read('generated/db.ts')).to.equal(right)
    }
  })

  it('notices a change to the schema that no migration made', async () => {
    await run('up')
    await database.query('alter table patients add nickname text')
    const { stdout } = await run('up')
    expect(stdout).to.include('+ patients.nickname: string | null')
  })

  it('writes to --out and GENERATED_DIR', async () => {
    await run('codegen', '--out', join(project.root, 'deep/types'))
    expect(await project.read('deep/types/db.ts')).to.include('export interface DB')
    await project.run(['codegen'], { DATABASE_URL: database.url, GENERATED_DIR: 'elsewhere' })
    expect(await project.read('elsewhere/db.ts')).to.include('export interface DB')
  })

  it('fails where it can’t write, and says that the migrations were applied', async () => {
    await project.write('generated', 'a file where the folder should be')
    const { exitCode, stdout, stderr } = await run('up')
    expect(exitCode).to.equal(1)
    expect(stdout).to.equal('')
    expect(stderr.replace(/\d+ ms/, 'n ms')).to.equal(`  ↑ 001_patients n ms
Error: can't write ${join(project.root, 'generated/db.ts')} (${join(project.root, 'generated')} is a file, not a folder)
  applied, and kept: 001_patients
Hint: Make the folder writable, name another with --out, or leave the types alone with --no-codegen.
`)
    const json = await run('codegen', '--json')
    expect(json.exitCode).to.equal(1)
    expect(JSON.parse(json.stdout).error.code).to.equal('codegen_failed')
    expect((await run('status', '--check')).exitCode).to.equal(0)
  })

  it('says at once where the folder can’t be made', async () => {
    await project.write('notes.txt', 'a file')
    const notes = join(project.root, 'notes.txt')
    for (const [out, reason] of [
      [join(notes, 'deep/types'), `${notes} is a file, not a folder`],
      ['/proc/no/types', process.platform === 'linux' ? 'ENOENT' : ''],
    ] as const) {
      const { exitCode, stderr } = await run('codegen', '--out', out)
      expect(exitCode).to.equal(1)
      expect(stderr).to.include(`Error: can't write ${out}/db.ts (${reason}`)
    }
  })

  it('says where only a comment changed', async () => {
    await run('up')
    await database.query(`comment on column patients.id is 'a number'`)
    const { stdout } = await run('codegen')
    expect(stdout).to.equal(
      'Wrote generated/db.ts\nWrote generated/schema.md\n  only comments or other text changed\n',
    )
  })

  it('makes no node_modules to remember anything in', async () => {
    await project.remove('node_modules')
    const { exitCode, stderr } = await run('codegen')
    expect(exitCode, stderr).to.equal(0)
    expect(await readdir(project.root)).to.not.include('node_modules')
  })

  it('does not create a database that is missing', async () => {
    const env = { DATABASE_URL: database.url.replace(database.name, 'never_made') }
    const { exitCode, stderr } = await project.run(['codegen'], env)
    expect(exitCode).to.equal(1)
    expect(stderr).to.match(/^Error: there is no database never_made on /)
  })

  describe('with a file that says which service owns which tables', () => {
    const services = (text: string): string =>
      `import type { Services } from 'federation-migrate'\nexport const services = { ${text} } satisfies Services\n`
    const create = `create table visits (id integer primary key, patient_id integer references patients);
      create table rooms (id integer)`

    beforeEach(async () => {
      await project.write('src/services.ts', services(`patients: ['patients'], care: ['visits']`))
      await run('up', '--no-codegen')
      await database.query(create)
    })

    it('writes a slice of each service, and says which ones changed', async () => {
      const { stdout } = await run('codegen')
      expect(stdout).to.equal(`Wrote generated/db.ts
Wrote generated/read-only.ts
Wrote generated/services/care.ts
Wrote generated/services/patients.ts
Wrote generated/schema.md
  + patients (1 column)
  + rooms (1 column)
  + visits (2 columns)
  services: care, patients
`)
      expect(await project.read('generated/services/care.ts')).to.include(`export interface CareDB {
  patients: ReadOnly<DB["patients"]>;
  visits: DB["visits"];
}`)
      await database.query('alter table patients add name text')
      expect((await run('codegen')).stdout).to.equal(`Wrote generated/db.ts
Wrote generated/schema.md
  + patients.name: string | null
  services: care, patients
`)
      await database.query('alter table visits drop patient_id')
      const { types } = JSON.parse((await run('up', '--json')).stdout)
      expect(types).to.deep.include({
        changes: ['- visits.patient_id: number | null'],
        breaking: ['- visits.patient_id: number | null'],
        services: ['care'],
        written: ['db.ts', 'services/care.ts', 'schema.md'].map((name) =>
          join(project.root, 'generated', name),
        ),
        removed: [],
      })
    })

    it('notices what changed in the file and in each slice, and else does nothing', async () => {
      await run('codegen')
      const fresh = { stdout: /^Nothing to apply: .* is up to date\.\n$/ }
      expect((await run('up')).stdout).to.match(fresh.stdout)
      await project.write('generated/services/care.ts', '')
      expect((await run('up')).stdout).to.include('Wrote generated/services/care.ts\n')
      expect((await run('up')).stdout).to.match(fresh.stdout)
      await project.write('src/services.ts', services(`people: ['patients', 'visits']`))
      expect((await run('up')).stdout).to.include('Wrote generated/services/people.ts\n')
      await project.remove('generated/read-only.ts')
      expect((await run('up')).stdout).to.include('Wrote generated/read-only.ts\n')
      await project.remove('src/services.ts')
      expect((await run('up')).stdout).to.include('Removed generated/read-only.ts\n')
    })

    it('removes the slice of a service that is gone, and nothing else ever', async () => {
      await run('codegen')
      const slice = await project.read('generated/services/care.ts')
      const own = {
        'generated/services/care.old.ts': slice,
        'generated/services/mine.ts': 'export const mine = true\n',
        'generated/services/notes.md': slice,
        'generated/old.ts': slice,
      }
      for (const [path, text] of Object.entries(own)) await project.write(path, text)
      await project.write('src/services.ts', services(`patients: ['patients']`))
      expect((await run('codegen')).stdout).to.equal(`Wrote generated/schema.md
Removed generated/services/care.ts
  services: care
`)
      for (const [path, text] of Object.entries(own)) {
        expect(await project.read(path), path).to.equal(text)
      }
      expect((await readdir(join(project.root, 'generated/services'))).sort()).to.deep.equal([
        'care.old.ts',
        'mine.ts',
        'notes.md',
        'patients.ts',
      ])
    })

    it('takes it from --services or SERVICES_FILE, and nothing from a file of another kind', async () => {
      await project.write('src/services.ts', `throw new Error('this is no list of services')\n`)
      expect((await run('codegen')).stdout).to.not.include('services')
      await project.write('who.ts', services(`care: ['visits']`))
      const named = await project.run(['codegen'], {
        DATABASE_URL: database.url,
        SERVICES_FILE: 'who.ts',
      })
      expect(named.stdout).to.include('Wrote generated/services/care.ts')
      const { exitCode, stderr } = await run('codegen', '--services', 'src/services.ts')
      expect(exitCode).to.equal(2)
      expect(stderr).to.include('- this is no list of services')
    })

    it('finds it unusable before it applies, rolls back or drops anything', async () => {
      await project.write('src/services.ts', 'export const services = 1 satisfies Services')
      await project.write('migrations/002_beds.ts', tableMigration('beds'))
      const env = { DATABASE_URL: database.url, CONFIRM: database.name }
      for (const command of ['up', 'rollback', 'clean']) {
        expect((await project.run([command], env)).exitCode, command).to.equal(2)
      }
      expect((await run('status')).stdout).to.match(/1 applied, 1 pending/)
    })

    it('refuses a file that can’t be used, with what to do', async () => {
      for (const [text, problem] of [
        ['export const services = { Care: [] } satisfies Services', 'it exports no services'],
        [
          `import { up } from '../migrations/001_patients.ts'\nexport const services = { [up.name]: [] } satisfies Services`,
          'it imports something',
        ],
        ['export const services satisfies Services = {', 'Expected '],
      ] as const) {
        await project.write('src/services.ts', text)
        const { exitCode, stderr } = await run('codegen')
        expect(exitCode, text).to.equal(2)
        expect(stderr).to.include('Error: the services file services.ts is not usable\n')
        expect(stderr, text).to.include(problem)
      }
      const { exitCode, stderr } = await run('codegen', '--services', 'nowhere.ts')
      expect(exitCode).to.equal(2)
      expect(stderr).to.match(/can’t read the services file .*nowhere\.ts/)
    })
  })
})
