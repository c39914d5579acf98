import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'chai'
import packageJson from '../package.json' with { type: 'json' }
import { createTestDatabase, type TestDatabase } from './support/database.ts'
import { REPOSITORY } from './support/program.ts'
import { tableMigration } from './support/project.ts'
import { IS_FULL, sample } from './support/size.ts'

const run = promisify(execFile)
const QUIET = ['--no-audit', '--no-fund', '--loglevel=error']

/** The tarball of npm pack in a project of its own, beside that project's migrations. */
describe('the package', function () {
  this.timeout(300_000)

  let root: string
  let database: TestDatabase

  const write = (name: string, text: string) => writeFile(join(root, name), text)
  /** Runs a program of the project; gives what it prints, and fails where it fails. */
  const execute = async (program: string, ...args: readonly string[]): Promise<string> => {
    const { stdout } = await run(program, args, {
      cwd: root,
      env: { ...process.env, DATABASE_URL: database.url },
    }).catch((error: unknown) => {
      const { stdout: out, stderr } = error as { stdout: string; stderr: string }
      throw new Error(`${program} ${args.join(' ')} failed\n${out}\n${stderr}`)
    })
    return stdout
  }

  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'federation-migrate-package-'))
    database = await createTestDatabase()
    await run('npm', ['pack', '--pack-destination', root, ...QUIET], { cwd: REPOSITORY })
    const tarball = (await readdir(root)).find((name) => name.endsWith('.tgz')) ?? ''
    await write('package.json', JSON.stringify(consumerPackage(tarball)))
    await write('package-lock.json', JSON.stringify(await consumerLock(tarball)))
    await execute('npm', 'install', '--prefer-offline', '--ignore-scripts', ...QUIET)
  })
  after(async () => {
    await database.drop()
    await rm(root, { recursive: true, force: true })
  })

  it('holds what is needed to run, and nothing else', async () => {
    const files = await readdir(join(root, 'node_modules/federation-migrate'), { recursive: true })
    expect(files.filter((name) => /\.[a-z]+$/.test(name)).sort()).to.include.members([
      'dist/db.js',
      'dist/generated/db.d.ts',
      'dist/generated/read-only.d.ts',
      'dist/generated/services/providers.d.ts',
      'dist/index.js',
      'dist/main.cjs',
      'dist/services/providers.js',
      'dist/src/index.d.ts',
      'package.json',
    ])
    expect(
      files.filter((name) => /^(src|test|migrations|node_modules)\b/.test(name)),
    ).to.deep.equal([])
  })

  it('brings a command that migrates the project’s own migrations', async () => {
    expect(await execute('npx', 'federation-migrate', '--version')).to.equal(
      `${packageJson.version}\n`,
    )
    await execute('npx', 'federation-migrate', 'create', 'create_patients')
    await write('migrations/001_create_patients.ts', tableMigration('patients'))
    expect(await execute('npx', 'federation-migrate', 'up')).to.match(
      /^Applied 1 migration .*\nWrote generated\/db\.ts\nWrote generated\/schema\.md\n {2}\+ patients \(1 column\)\n$/,
    )
    expect(await execute('npx', 'federation-migrate', 'status', '--check')).to.match(
      /001_create_patients {2}applied/,
    )
    expect(await readFile(join(root, 'generated/db.ts'), 'utf8')).to.include('interface Patients {')
  })

  it('brings a library whose types compile, and that runs', async () => {
    await write(
      'service.ts',
      `import { createFederationDb } from 'federation-migrate'
import { type DB, type NewVisit, VISIT_STATUSES } from 'federation-migrate/db'
import type { ProvidersDB } from 'federation-migrate/services/providers'

const providers = createFederationDb<ProvidersDB>({ connectionString: process.env.DATABASE_URL })
providers.selectFrom('patients').select('first_name')
// @ts-expect-error patients belongs to another service
providers.deleteFrom('patients').execute()
const status: NewVisit['status'] = VISIT_STATUSES[0]
// @ts-expect-error no CHECK allows it
const wrong: NewVisit['status'] = 'LOST'

const db = createFederationDb<DB>({ connectionString: process.env.DATABASE_URL, max: 2 })
const patients = db.selectFrom('patients').select(['id', 'date_of_birth'])
const births: Promise<{ id: string; date_of_birth: string }[]> = patients.execute()
// @ts-expect-error there is no such column
db.selectFrom('patients').select('birthday')
// @ts-expect-error there is no such option: the types of pg come along
createFederationDb<DB>({ connectionURL: 'postgres://localhost' })
export { births, status, wrong }
`,
    )
    // At full size with the declarations of all packages checked as well: that takes its time.
    for (const [module, moduleResolution, skipLibCheck] of sample(
      [
        ['nodenext', 'nodenext', !IS_FULL],
        ['esnext', 'bundler', true],
      ] as const,
      1,
    )) {
      await write(
        'tsconfig.json',
        JSON.stringify({
          compilerOptions: {
            module,
            moduleResolution,
            skipLibCheck,
            target: 'es2022',
            strict: true,
            noEmit: true,
            types: ['node'],
          },
          files: ['service.ts'],
        }),
      )
      await execute('npx', 'tsc')
    }

    await write(
      'service.mjs',
      `import { createFederationDb } from 'federation-migrate'
import { PHI_COLUMNS, VISIT_STATUSES } from 'federation-migrate/db'
import * as slice from 'federation-migrate/services/providers'
import { sql } from 'kysely'

const db = createFederationDb({ connectionString: process.env.DATABASE_URL })
const { rows } = await sql\`select date '1956-03-25' as born, numeric '0.10' as amount\`.execute(db)
await db.destroy()
const values = [VISIT_STATUSES[0], PHI_COLUMNS.patients[0], Object.keys(slice)]
console.log(JSON.stringify({ rows, values }))
`,
    )
    expect(JSON.parse(await execute('node', 'service.mjs'))).to.deep.equal({
      rows: [{ born: '1956-03-25', amount: '0.10' }],
      values: ['SCHEDULED', 'address', []],
    })
  })
})

function consumerPackage(tarball: string) {
  return {
    name: 'consumer',
    version: '1.0.0',
    private: true,
    type: 'module',
    dependencies: { [packageJson.name]: `file:${tarball}` },
    devDependencies: { typescript: packageJson.devDependencies.typescript },
  }
}

/** A lock with this repository's own versions, so that npm asks the registry for nothing that is in its cache. */
async function consumerLock(tarball: string) {
  const text = await readFile(join(REPOSITORY, 'package-lock.json'), 'utf8')
  const { lockfileVersion, packages } = JSON.parse(text)
  const { version, dependencies, peerDependencies, bin, engines } = packageJson
  const self = {
    version,
    resolved: `file:${tarball}`,
    dependencies,
    peerDependencies,
    bin,
    engines,
  }
  return {
    name: 'consumer',
    version: '1.0.0',
    lockfileVersion,
    requires: true,
    packages: {
      ...packages,
      '': consumerPackage(tarball),
      [`node_modules/${packageJson.name}`]: self,
    },
  }
}
