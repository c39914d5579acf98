/**
 * Measures the built program as it is used, whole processes at a time, against bare Node processes
 * that only connect and send: `npm run bench -- [--runs N] [--quick]`.
 */
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { startServer, stopServer } from '../../src/embedded/server.ts'
import { queryUrl } from '../support/database.ts'
import { BARE_ENVIRONMENT, REPOSITORY } from '../support/program.ts'
import { createTestProject } from '../support/project.ts'
import { BARE_APPLY, BARE_QUERY } from './bare.ts'
import { type Command, measureAlone, measurePair, runOnce } from './measure.ts'
import { generateMigrations } from './migrations.ts'
import { renderTable, type Row } from './table.ts'

const { values: flags } = parseArgs({
  options: { runs: { type: 'string' }, quick: { type: 'boolean', default: false } },
})
/** How many migrations the large project has; the small one has this repository's own. */
const SIZE = flags.quick ? 100 : 1000
/** As many as `verify` is to be done with in a minute. */
const MEDIUM_SIZE = SIZE / 5
const RUNS = Number(flags.runs ?? (flags.quick ? 5 : 20))
/** Applying takes seconds, so that fewer runs are as certain. */
const APPLY_RUNS = Math.ceil(RUNS / 8)

const project = await createTestProject({
  ...generateMigrations(SIZE),
  ...generateMigrations(MEDIUM_SIZE, 'medium/migrations'),
})
try {
  // Lets the server's own account in, where this runs as root.
  await chmod(project.root, 0o755)
  const server = await startServer(project.root, () => undefined)
  const url = `postgres://${server.user}:${server.password}@${server.host}:${server.port}`
  process.stdout.write(renderTable(await measureAll(project.root, url)))
} finally {
  await stopServer(project.root)
  await project.dispose()
}

/** `url` is the server's, without a database. */
async function measureAll(root: string, url: string): Promise<readonly Row[]> {
  const write = async (name: string, text: string): Promise<string> => {
    const file = join(root, name)
    await writeFile(file, text)
    return file
  }
  const folders: Readonly<Record<string, string>> = {
    small: REPOSITORY,
    medium: join(root, 'medium'),
  }
  const program = (database: string, ...args: readonly string[]): Command => ({
    args: [join(REPOSITORY, 'dist/main.cjs'), ...args],
    cwd: root,
    env: {
      ...BARE_ENVIRONMENT,
      DB_NAME: database,
      MIGRATIONS_DIR: join(folders[database] ?? root, 'migrations'),
      GENERATED_DIR: join(root, 'generated', database),
    },
  })
  const bare = (database: string, ...args: readonly string[]): Command => ({
    args,
    cwd: root,
    env: { ...BARE_ENVIRONMENT, DATABASE_URL: `${url}/${database}` },
  })
  /** The same command, each time on a new database. */
  const afresh = (database: string, command: Command): Command => ({
    ...command,
    prepare: async () => {
      await queryUrl(`${url}/postgres`, `drop database if exists ${database}`)
      await queryUrl(`${url}/postgres`, `create database ${database}`)
    },
  })

  process.stderr.write(
    `Preparing databases with 5, ${MEDIUM_SIZE} and ${SIZE} applied migrations …\n`,
  )
  await runOnce(program('small', 'up'))
  await runOnce(program('medium', 'up'))
  await runOnce(program('large', 'up'))
  const history = await queryUrl<{ statements: string[] }>(
    `${url}/large`,
    'select statements from migration_history order by name',
  )
  const statements = history.map((row) => row.statements)
  const sqlFile = await write('statements.json', JSON.stringify(statements))
  const query = await write('query.cjs', BARE_QUERY)
  const apply = await write('apply.cjs', BARE_APPLY)

  const rows: Row[] = []
  const measure = async (
    title: string,
    runs: number,
    commands: readonly [program: Command, bare: Command],
    max: number,
  ): Promise<void> => {
    process.stderr.write(`${title} …\n`)
    const [ofProgram, ofBare] = await measurePair(...commands, runs)
    rows.push({ title, program: ofProgram, bare: ofBare, max })
  }
  await measure('up, 5 applied', RUNS, [program('small', 'up'), bare('small', query)], 1.2)
  await measure(`up, ${SIZE} applied`, RUNS, [program('large', 'up'), bare('large', query)], 1.5)
  await measure(
    `status, ${SIZE} applied`,
    RUNS,
    [program('large', 'status'), bare('large', query)],
    1.5,
  )
  await measure(
    `up --no-codegen, ${SIZE} to apply`,
    APPLY_RUNS,
    [
      afresh('by_program', program('by_program', 'up', '--no-codegen')),
      afresh('by_bare', bare('by_bare', apply, sqlFile)),
    ],
    1.3,
  )

  const verify = async (database: string, count: number, runs: number, max: number) => {
    const title = `verify, ${count} migrations`
    process.stderr.write(`${title} …\n`)
    const ofProgram = await measureAlone(program(database, 'verify'), runs)
    rows.push({ title, program: ofProgram, bare: undefined, max })
  }
  await verify('small', 5, Math.ceil(RUNS / 2), 3)
  await verify('medium', MEDIUM_SIZE, 1, 60)
  return rows
}
