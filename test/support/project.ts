import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import process from 'node:process'
import type { Interrupts } from '../../src/interrupts.ts'
import { asError } from '../../src/stray.ts'
import { type Ending, type Environment, REPOSITORY, startProgram } from './program.ts'

/** What a command line came to. */
export type CommandOutput = Omit<Ending, 'signal'>

/** A throw-away project of one test's own: package.json, node_modules, and the files it is given. */
export interface TestProject {
  readonly root: string
  write(path: string, text: string): Promise<void>
  read(path: string): Promise<string>
  remove(path: string): Promise<void>
  /**
   * Runs a command line in this process, from the sources; `env` is the whole environment. `ask` is
   * the person at the terminal, where there is one.
   */
  run(args: readonly string[], env?: Environment, ask?: Ask): Promise<CommandOutput>
  /** Runs the built program in a process of its own; `env` adds to a bare environment. */
  spawn(args: readonly string[], env?: Environment): Promise<CommandOutput>
  dispose(): Promise<void>
}

type Ask = (question: string) => Promise<string>

/** A signal would end the tests too: what needs one runs in a process of its own. */
export const NO_INTERRUPTS: Interrupts = {
  stop: new AbortController().signal,
  cancel: new AbortController().signal,
}

/** Makes a project with the given files, by path relative to its root. */
export async function createTestProject(
  files: Readonly<Record<string, string>> = {},
): Promise<TestProject> {
  const root = await mkdtemp(join(tmpdir(), 'federation-migrate-project-'))
  await writeFile(join(root, 'package.json'), '{ "name": "test-project", "private": true }\n')
  await symlink(join(REPOSITORY, 'node_modules'), join(root, 'node_modules'))
  await mkdir(join(root, 'migrations'))
  const write = async (path: string, text: string): Promise<void> => {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), text)
  }
  for (const [path, text] of Object.entries(files)) await write(path, text)
  return {
    root,
    write,
    read: (path) => readFile(join(root, path), 'utf8'),
    remove: (path) => rm(join(root, path), { recursive: true }),
    run: (args, env = {}, ask) => runInProcess(root, args, env, ask),
    spawn: async (args, env = {}) => {
      const { exitCode, stdout, stderr } = await startProgram({ root, env }, args).ended
      return { exitCode, stdout, stderr }
    },
    dispose: () => rm(root, { recursive: true, force: true }),
  }
}

async function runInProcess(
  root: string,
  args: readonly string[],
  env: Environment,
  ask: Ask | undefined,
): Promise<CommandOutput> {
  const out: string[] = []
  const errors: string[] = []
  // As the commands are loaded: mocha may load the tests by require(), and a module loaded in both ways
  // is there twice, with two classes of errors.
  const { runCommandLine } = await import('../../src/cli.ts')
  const exitCode = await runCommandLine(args, {
    env,
    cwd: root,
    root,
    writeOut: (text) => out.push(text),
    writeError: (text) => errors.push(text),
    isOutTerminal: false,
    isErrorTerminal: false,
    version: '0.0.0-test',
    client: 'tester@test-host',
    ask,
    withInterrupts: (use) => use(NO_INTERRUPTS),
    onStray: (listener) => {
      // The test runner listens too, and would fail the test for what the program handles.
      const others = process.listeners('unhandledRejection')
      process.removeAllListeners('unhandledRejection')
      const onRejection = (reason: unknown): void =>
        listener({ error: asError(reason), isRejection: true })
      process.on('unhandledRejection', onRejection)
      return () => {
        process.off('unhandledRejection', onRejection)
        for (const other of others) process.on('unhandledRejection', other)
      }
    },
  })
  return { exitCode, stdout: out.join(''), stderr: errors.join('') }
}

/** The text of a migration module with these bodies. */
export function migrationSource(up: string, down = ''): string {
  return `import { type Kysely, sql } from 'kysely'
export async function up(db: Kysely<any>): Promise<void> {
  ${up}
}
export async function down(db: Kysely<any>): Promise<void> {
  ${down}
}
`
}

/** A migration that creates a table of that name, and drops it. */
export function tableMigration(table: string): string {
  return migrationSource(
    `await db.schema.createTable('${table}').addColumn('id', 'integer', (col) => col.primaryKey()).execute()`,
    `await db.schema.dropTable('${table}').execute()`,
  )
}
