import { execFile } from 'node:child_process'
import { cp, readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { check, resolveConfig } from 'prettier'
import type { Finding } from '../src/findings.ts'
import { backfill } from '../src/rules/backfill-code.ts'
import { NO_TRANSACTION, printMigrations } from '../src/rules/kysely-code.ts'
import { createTestDatabase, serverUrl, type TestDatabase } from './support/database.ts'
import { REPOSITORY } from './support/program.ts'
import {
  type CommandOutput,
  createTestProject,
  tableMigration,
  type TestProject,
} from './support/project.ts'

const run = promisify(execFile)

const FOLDER = 'generated/migrations/002_fill'
const MIGRATION = 'migrations/002_fill.ts'

/** What a person makes of the template. */
const UP = `await db.schema.alterTable('patients').addColumn('name', 'text').execute()`
const DOWN = `await db.schema.alterTable('patients').dropColumn('name').execute()`

describe('the types of a migration that moves data', () => {
  let project: TestProject
  let database: TestDatabase

  const command = async (...args: readonly string[]): Promise<CommandOutput> =>
    project.run(args, { DATABASE_URL: database.url, SCRATCH_DATABASE_URL: serverUrl() })
  const succeed = async (...args: readonly string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await command(...args)
    expect(exitCode, stderr + stdout).to.equal(0)
    return stdout
  }
  const findings = async (): Promise<readonly string[]> => {
    const { stdout } = await command('verify', '--no-target', '--json')
    return JSON.parse(stdout).findings.map(({ kind, message, hint, details }: Finding) =>
      [kind, message, hint, ...details].join(' | '),
    )
  }
  const fill = async (): Promise<void> => {
    const template = await project.read(MIGRATION)
    const [head = '', down = ''] = template.split('\n/** Undoes')
    const body = (text: string, code: string): string =>
      text.replace(/\n {2}\/\/[^]*\n\}/, `\n  ${code}\n}`)
    await project.write(MIGRATION, `${body(head, UP)}\n/** Undoes${body(down, DOWN)}`)
  }

  beforeEach(async () => {
    ;[project, database] = await Promise.all([
      createTestProject({ 'migrations/001_patients.ts': tableMigration('patients') }),
      createTestDatabase(),
    ])
  })
  afterEach(() => Promise.all([project.dispose(), database.drop()]))

  it('are made with it, follow it with codegen, and let what the README has compile', async () => {
    await project.remove('migrations')
    await cp(join(REPOSITORY, 'migrations'), join(project.root, 'migrations'), { recursive: true })
    const [file, folder] = [
      'migrations/006_prefer_names.ts',
      FOLDER.replace(/\w+$/, '006_prefer_names'),
    ]
    expect(await succeed('create', '--data', 'prefer_names')).to.equal(
      [file, `${folder}/before.ts`, `${folder}/after.ts`]
        .map((path) => `${join(project.root, path)}\n`)
        .join(''),
    )
    expect(await project.read(`${folder}/after.ts`)).to.include('export interface Patients {')
    const style = {
      ...(await resolveConfig(join(REPOSITORY, 'package.json'))),
      parser: 'typescript',
    }
    expect(await check(await project.read(file), style)).to.equal(true)
    const readme = await readFile(join(REPOSITORY, 'README.md'), 'utf8')
    const source = /^```ts\n(\/\*\* Gives every patient [^]*?)^```/m.exec(readme)?.[1] ?? ''
    await project.write(file, source)
    await succeed('up')
    expect(await succeed('codegen')).to.equal(`Wrote ${folder}/after.ts\n`)
    expect(await project.read(`${folder}/before.ts`)).to.not.include('preferred_name')
    expect(await project.read(`${folder}/after.ts`)).to.include('preferred_name: string | null')

    await project.write(
      'tsconfig.json',
      JSON.stringify({ extends: join(REPOSITORY, 'tsconfig.json'), include: ['migrations'] }),
    )
    await project.write('package.json', '{ "type": "module" }')
    await project.write('migrations/wrong.ts', source.replace('backfill(after', 'backfill(db'))
    // What plan prints knows no types.
    const printed = backfill(
      { schema: undefined, name: 'patients' },
      [
        { column: 'preferred_name', value: "'Jo'" },
        { column: 'first_name', value: '$1' },
      ],
      'last_name = $2 or last_name is null',
    )
    await project.write(
      'migrations/printed.ts',
      printMigrations({ config: NO_TRANSACTION, up: [printed], down: [] }),
    )
    const { stdout } = await run(join(REPOSITORY, 'node_modules/.bin/tsc'), [
      '-p',
      project.root,
      '--pretty',
      'false',
    ]).catch((error: unknown) => error as { stdout: string })
    const broken = stdout.match(/^\S+(?=\(\d+,\d+\): error)/gm) ?? []
    expect(new Set(broken.map((path) => basename(path)))).to.deep.equal(new Set(['wrong.ts']))
    expect(stdout).to.include(`'"preferred_name"' is not assignable`)
  })

  it('are no part of the checksum', async () => {
    await succeed('create', '--data', 'fill')
    await succeed('up')
    await project.write(`${FOLDER}/after.ts`, 'export interface DB {}')
    await project.remove(`${FOLDER}/before.ts`)
    expect(await succeed('status', '--check')).to.not.include('changed')
    expect(await succeed('up')).to.match(/^Nothing to apply/)
  })

  it('are found stale, missing, or left behind by verify, and put right by codegen', async () => {
    await succeed('create', '--data', 'fill')
    await fill()
    await succeed('up')
    const remedy = 'Make it again, and commit that: federation-migrate codegen'
    expect(await findings()).to.deep.equal([
      `types | ${FOLDER}/after.ts is not what the migrations give | ${remedy} | + patients.name: string | null`,
    ])
    const text = await project.read(`${FOLDER}/before.ts`)
    await project.remove(FOLDER)
    await project.write('generated/migrations/000_gone/before.ts', text)
    await project.write('generated/migrations/000_mine/before.ts', '// by hand')
    expect(await findings()).to.deep.equal([
      `types | ${FOLDER}/before.ts is not there | ${remedy}`,
      `types | ${FOLDER}/after.ts is not there | ${remedy}`,
      `types | generated/migrations/000_gone/before.ts belongs to no migration any more | ${remedy}`,
    ])
    expect(await succeed('codegen')).to.equal(`Wrote ${FOLDER}/before.ts
Wrote ${FOLDER}/after.ts
Removed generated/migrations/000_gone/before.ts
`)
    expect((await readdir(join(project.root, 'generated/migrations'))).sort()).to.deep.equal([
      '000_mine',
      '002_fill',
    ])
    expect(await findings()).to.deep.equal([])
    expect(await succeed('codegen')).to.equal('generated/db.ts is what the database gives.\n')
  })

  it('are missed where a renamed migration still imports those of its old name', async () => {
    await succeed('create', '--data', 'fill')
    const source = await project.read(MIGRATION)
    await project.remove(MIGRATION)
    await project.write('migrations/003_fill.ts', source)
    await succeed('up', '--no-codegen')
    const message = '003_fill imports the types of 002_fill, for which none are made'
    const hint =
      'Import its own, …/migrations/003_fill/before.js and after.js, then: federation-migrate codegen'
    const { stderr } = await command('codegen')
    expect(stderr).to.equal(`Warning: ${message}\n  ${hint}\n`)
    expect(await findings()).to.deep.equal([`types | ${message} | ${hint}`])
    await project.write('migrations/003_fill.ts', source.replaceAll('002_fill', '003_fill'))
    expect(await command('codegen')).to.include({ exitCode: 0, stderr: '' })
  })

  it('are written before their migration: where they can’t be, there is none', async () => {
    await project.write('generated', 'a file')
    const { exitCode, stderr } = await command('create', '--data', 'fill')
    expect(exitCode).to.equal(1)
    expect(stderr).to.include("can't write ")
    expect(await readdir(join(project.root, 'migrations'))).to.deep.equal(['001_patients.ts'])
  })

  it('need a scratch database only where there is such a migration', async () => {
    const env = { DATABASE_URL: database.url, SCRATCH_DATABASE_URL: 'postgres://name.invalid/none' }
    expect((await project.run(['codegen'], env)).exitCode).to.equal(0)
    expect((await project.run(['create', '--data', 'fill', '--no-codegen'], env)).stdout).to.equal(
      `${join(project.root, MIGRATION)}\n`,
    )
    await project.remove(MIGRATION)
    const { exitCode, stderr } = await project.run(['create', '--data', 'fill'], {
      ...env,
      DB_CONNECT_TIMEOUT: '1',
    })
    expect(exitCode).to.equal(1)
    expect(stderr).to.include('Error: on the scratch server: ')
    expect(await readdir(join(project.root, 'migrations'))).to.deep.equal(['001_patients.ts'])
  })
})
