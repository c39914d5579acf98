import { execFile } from 'node:child_process'
import { chmod, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { createTestDatabase } from '../support/database.ts'
import { REPOSITORY } from '../support/program.ts'
import { createTestProject, type TestProject } from '../support/project.ts'

const run = promisify(execFile)

describe('create', () => {
  let project: TestProject

  const create = (name: string, ...args: readonly string[]) =>
    project.run(['create', ...args, name])
  const files = async (): Promise<string[]> =>
    (await readdir(join(project.root, 'migrations'))).sort()

  beforeEach(async () => {
    project = await createTestProject()
  })
  afterEach(() => project.dispose())

  it('writes the next numbered module, and prints its path', async () => {
    const first = await create('create_patients')
    expect(first).to.deep.equal({
      exitCode: 0,
      stdout: `${join(project.root, 'migrations/001_create_patients.ts')}\n`,
      stderr: '',
    })
    await create('add_patient_allergies')
    expect(await files()).to.deep.equal(['001_create_patients.ts', '002_add_patient_allergies.ts'])
  })

  it('gives the name and path to programs', async () => {
    const { stdout } = await create('create_patients', '--json')
    expect(JSON.parse(stdout)).to.deep.equal({
      ok: true,
      name: '001_create_patients',
      file: join(project.root, 'migrations/001_create_patients.ts'),
    })
  })

  for (const [existing, expected] of [
    [['002_a.ts', '007_b.ts'], '008_next.ts'],
    [['099_a.ts'], '100_next.ts'],
    [['999_a.ts'], '1000_next.ts'],
    [['999_a.ts', '1000_b.ts'], '1001_next.ts'],
    [['0001_a.ts', '0002_b.ts'], '0003_next.ts'],
    [['20260301093000_a.ts'], '20260301093001_next.ts'],
    [['1_a.ts'], '002_next.ts'],
    [['readme.md', 'notes.txt'], '001_next.ts'],
  ] as const) {
    it(`goes from ${existing.join(', ')} to ${expected}`, async () => {
      for (const file of existing) await project.write(`migrations/${file}`, '')
      const { exitCode } = await create('next')
      expect(exitCode).to.equal(0)
      expect(await files()).to.include(expected)
    })
  }

  for (const [given, expected] of [
    ['Add Patient Allergies', '001_add_patient_allergies.ts'],
    ['add-patient-allergies', '001_add_patient_allergies.ts'],
    ['add_patient_allergies.ts', '001_add_patient_allergies.ts'],
    [' v2 ', '001_v2.ts'],
  ] as const) {
    it(`makes ${expected} of "${given}"`, async () => {
      await create(given)
      expect(await files()).to.deep.equal([expected])
    })
  }

  for (const name of [
    '../outside',
    '/etc/passwd',
    'a/b',
    'a\\b',
    '006_with_number',
    'ünïcode',
    'a__b',
    '_a',
    'a_',
    '2026',
    '$(rm)',
    'a;b',
    ' ',
    'a.sql',
  ]) {
    it(`refuses "${name}"`, async () => {
      await project.remove('migrations')
      const { exitCode, stderr } = await create(name)
      expect(exitCode).to.equal(2)
      expect(stderr).to.include(`"${name}" can't be part of a migration's name`)
      expect(await readdir(project.root)).not.to.include('migrations')
    })
  }

  it('makes the folder where it is missing', async () => {
    await project.remove('migrations')
    expect((await create('create_patients')).exitCode).to.equal(0)
    expect(await files()).to.deep.equal(['001_create_patients.ts'])
  })

  it('never overwrites a file', async () => {
    // Two at once want the same number; whatever they write, nothing is lost.
    const both = await Promise.all([create('same'), create('same')])
    expect(both.map(({ exitCode }) => exitCode)).to.include(0)
    for (const { exitCode, stderr } of both) {
      if (exitCode !== 0) expect(stderr).to.include('EEXIST')
    }
  })

  it('says why it can’t write', async () => {
    await project.write('file', 'no folder')
    const { exitCode, stderr } = await create(
      'x',
      '--migrations-dir',
      join(project.root, 'file/sub'),
    )
    expect(exitCode).to.equal(2)
    expect(stderr).to.match(/^Error: can't write a migration: \S+file is a file, not a folder\n/)
  })

  it('needs no database', async () => {
    const env = { DATABASE_URL: 'postgres://nobody@name.invalid/none' }
    expect((await project.run(['create', 'x'], env)).exitCode).to.equal(0)
  })

  it('writes a template that type-checks under this repository’s settings', async () => {
    await create('first')
    await project.write(
      'tsconfig.json',
      JSON.stringify({ extends: join(REPOSITORY, 'tsconfig.json'), include: ['migrations'] }),
    )
    await project.write('package.json', '{ "type": "module" }')
    await run(join(REPOSITORY, 'node_modules/.bin/tsc'), ['-p', project.root])
    await run(join(REPOSITORY, 'node_modules/.bin/prettier'), [
      '--check',
      '--config',
      join(REPOSITORY, '.prettierrc.json'),
      join(project.root, 'migrations/001_first.ts'),
    ])
  })

  it('writes a template that can be applied and rolled back as it is', async () => {
    await create('first')
    const database = await createTestDatabase()
    try {
      const env = { DATABASE_URL: database.url }
      const up = await project.run(['up', '--no-codegen'], env)
      expect(up.exitCode, up.stderr).to.equal(0)
      expect(up.stderr).to.include('Warning: 001_first sent no statement to the database')
      expect((await project.run(['rollback', '--no-codegen'], env)).exitCode).to.equal(0)
    } finally {
      await database.drop()
    }
  })

  it('leaves a file that its owner can edit', async () => {
    await create('first')
    await chmod(join(project.root, 'migrations/001_first.ts'), 0o644)
    expect(await project.read('migrations/001_first.ts')).to.include('export async function down')
  })
})
