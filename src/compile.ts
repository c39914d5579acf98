import { createRequire } from 'node:module'
import { dirname, relative, resolve } from 'node:path'
import { compileFunction } from 'node:vm'
import type { BuildFailure, Message } from 'esbuild'
import { type Problem, problemsError } from './errors.ts'
import type { MigrationConfig, MigrationFile, MigrationModule, Waivers } from './migration.ts'
import { createLocator, type Locate } from './source-location.ts'

/** A TypeScript module turned into one CommonJS text, with everything local that it imports. */
interface Bundle {
  readonly path: string
  readonly code: string
  readonly locate: Locate
  /** Absolute paths of the local modules in it, its own left out. Modules of types only are none. */
  readonly imports: readonly string[]
  /** What it imports from packages and from Node. */
  readonly packages: readonly string[]
}

/** A migration ready to run. */
export interface LoadedMigration {
  readonly file: MigrationFile
  readonly module: MigrationModule
  /** Finds the place in its source that an error came through. */
  readonly locate: Locate
  /** What it and its local modules import from packages and from Node. */
  readonly packages: readonly string[]
}

/**
 * Compiles and evaluates the modules, all before any is used.
 * Throws `invalid_migration` with every syntax error, failing import, and missing or misspelt export.
 */
export async function loadMigrations(
  files: readonly MigrationFile[],
): Promise<readonly LoadedMigration[]> {
  const { loaded, problems } = await inspectMigrations(files)
  if (problems.length > 0) {
    throw problemsError(
      'invalid_migration',
      'some migrations are not usable; nothing was run',
      problems,
    )
  }
  return loaded
}

/** The same for who has more to find wrong: problems are given, not thrown. */
export async function inspectMigrations(
  files: readonly MigrationFile[],
): Promise<{ readonly loaded: readonly LoadedMigration[]; readonly problems: readonly Problem[] }> {
  const kysely = await import('kysely')
  const problems: Problem[] = []
  const loaded: LoadedMigration[] = []
  const fileByPath = new Map(files.map((file) => [file.path, file]))
  for await (const compiled of bundleInBatches([...fileByPath.keys()])) {
    problems.push(...compiled.problems)
    for (const bundle of compiled.bundles) {
      const file = fileByPath.get(bundle.path)
      if (file === undefined) throw new Error(`esbuild gave an output for ${bundle.path}`)
      const evaluated = evaluateMigration(file, bundle, kysely)
      problems.push(...evaluated.problems)
      if (evaluated.migration !== undefined) loaded.push(evaluated.migration)
    }
  }
  return { loaded, problems }
}

/** The modules that compile, and what is wrong with the others. */
export interface Bundled {
  readonly bundles: readonly Bundle[]
  readonly problems: readonly Problem[]
}

/** How many modules one build takes: its memory grows with the square of their number. */
const BATCH = 100

/**
 * Bundles each module by itself. Packages stay imports; tsconfig files have no say, so that a
 * checksum depends on the sources alone.
 */
export async function bundleModules(paths: readonly string[]): Promise<Bundled> {
  const batches: Bundled[] = []
  for await (const batch of bundleInBatches(paths)) batches.push(batch)
  return joinBundled(batches)
}

/** Batch by batch, in order; the next one is compiled, in another process, while a batch is used. */
async function* bundleInBatches(paths: readonly string[]): AsyncGenerator<Bundled> {
  if (paths.length === 0) return
  let next = bundleBatch(paths.slice(0, BATCH))
  for (let start = BATCH; start < paths.length; start += BATCH) {
    const batch = await next
    next = bundleBatch(paths.slice(start, start + BATCH))
    yield batch
  }
  yield await next
}

async function bundleBatch(paths: readonly string[]): Promise<Bundled> {
  const esbuild = await import('esbuild')
  const base = commonFolder(paths)
  const outDir = resolve(base, '.compiled')
  try {
    const result = await esbuild.build({
      entryPoints: [...paths],
      absWorkingDir: base,
      outbase: base,
      outdir: outDir,
      bundle: true,
      write: false,
      metafile: true,
      format: 'cjs',
      platform: 'node',
      target: 'node20',
      packages: 'external',
      // Else `sideEffects` in a package.json decides which imports count.
      ignoreAnnotations: true,
      supported: { 'dynamic-import': false },
      tsconfigRaw: {},
      sourcemap: 'external',
      sourcesContent: false,
      logLevel: 'silent',
    })
    const textByPath = new Map(result.outputFiles.map((file) => [file.path, file.text]))
    const bundles = Object.entries(result.metafile.outputs).flatMap(
      ([output, { entryPoint, inputs, imports }]) => {
        if (entryPoint === undefined) return []
        const outputPath = resolve(base, output)
        const path = resolve(base, entryPoint)
        return [
          {
            path,
            code: textByPath.get(outputPath) ?? '',
            locate: createLocator(path, outputPath, textByPath.get(`${outputPath}.map`) ?? '{}'),
            imports: Object.keys(inputs)
              .map((input) => resolve(base, input))
              .filter((input) => input !== path),
            packages: imports.map((imported) => imported.path),
          },
        ]
      },
    )
    return { bundles, problems: [] }
  } catch (error) {
    if (!isBuildFailure(error)) throw error
    if (paths.length === 1)
      return { bundles: [], problems: error.errors.map((message) => compileProblem(base, message)) }
    // esbuild gives nothing for the good ones: each by itself.
    return joinBundled(await Promise.all(paths.map((path) => bundleBatch([path]))))
  }
}

/** Together; a broken module that several import is broken once. */
function joinBundled(parts: readonly Bundled[]): Bundled {
  const problems = parts.flatMap((part) => part.problems)
  return {
    bundles: parts.flatMap((part) => part.bundles),
    problems: [...new Map(problems.map((problem) => [problem.message, problem])).values()],
  }
}

interface EvaluatedMigration {
  readonly migration: LoadedMigration | undefined
  readonly problems: readonly Problem[]
}

function evaluateMigration(
  file: MigrationFile,
  bundle: Bundle,
  kysely: unknown,
): EvaluatedMigration {
  const { locate, packages } = bundle
  try {
    const { module, problems } = checkExports(file.name, evaluateModule(bundle, kysely))
    return { migration: module && { file, module, locate, packages }, problems }
  } catch (error) {
    return { migration: undefined, problems: [evaluationProblem(file, error, locate)] }
  }
}

/** What a module exports. `kysely` is what it gets where it imports that. Throws what the module throws. */
export function evaluateModule(bundle: Bundle, kysely?: unknown): Record<string, unknown> {
  const module = { exports: {} as Record<string, unknown> }
  // One Kysely for the runner and the migrations, whatever format each was loaded in.
  const require = (name: string): unknown =>
    name === 'kysely' ? kysely : createRequire(bundle.path)(name)
  const run = compileFunction(
    bundle.code,
    ['exports', 'require', 'module', '__filename', '__dirname'],
    { filename: bundle.path },
  ) as unknown as (...values: unknown[]) => void
  run(module.exports, require, module, bundle.path, dirname(bundle.path))
  return module.exports
}

interface CheckedExports {
  readonly module: MigrationModule | undefined
  readonly problems: readonly Problem[]
}

const EXPORTS = ['up', 'down', 'config', 'irreversible']

/** Holds a module's exports against the contract. */
export function checkExports(
  name: string,
  exports: Readonly<Record<string, unknown>>,
): CheckedExports {
  const { up, down, config, irreversible } = exports
  const problems: Problem[] = []
  const problem = (message: string, hint: string): void => {
    problems.push({ message: `${name}.ts ${message}`, hint })
  }

  for (const exported of Object.keys(exports)) {
    if (!EXPORTS.includes(exported)) {
      problem(
        `exports "${exported}", which means nothing to the runner`,
        `A migration exports ${EXPORTS.join(', ')}; keep anything else unexported.`,
      )
    }
  }
  if (up === undefined) {
    problem('exports no up', 'Add: export async function up(db: Kysely<any>): Promise<void>')
  } else if (!isFunction(up)) {
    problem(
      'exports an up that is no function',
      'Write it as: export async function up(db: Kysely<any>): Promise<void>',
    )
  }
  if (down === undefined && irreversible === undefined) {
    problem(
      'exports no down',
      'Add down, or say why there is none: export const irreversible = "reason"',
    )
  } else if (down !== undefined && irreversible !== undefined) {
    problem('exports both down and irreversible', 'Keep one of them.')
  } else if (down !== undefined && !isFunction(down)) {
    problem(
      'exports a down that is no function',
      'Write it as: export async function down(db: Kysely<any>): Promise<void>',
    )
  } else if (
    irreversible !== undefined &&
    (typeof irreversible !== 'string' || irreversible.trim() === '')
  ) {
    problem(
      'exports irreversible without a reason',
      'Say why: export const irreversible = "reason"',
    )
  }
  const settings = readConfig(config)
  if (settings === undefined) {
    problem(
      'exports a config that is not understood',
      'It reads: export const config = { transaction: false, lockTimeoutMs: 500, statementTimeoutMs: 60_000, waive: { "rule-name": "why" } }, or any of them; times are whole milliseconds, 0 for no limit; a waiver needs its reason.',
    )
  }
  if (problems.length > 0 || !isFunction(up) || settings === undefined) {
    return { module: undefined, problems }
  }
  return {
    module: {
      up: up as MigrationModule['up'],
      down: isFunction(down) ? (down as MigrationModule['up']) : undefined,
      irreversible: typeof irreversible === 'string' ? irreversible : undefined,
      ...settings,
    },
    problems,
  }
}

/** Undefined where `config` is of another shape. */
function readConfig(config: unknown): MigrationConfig | undefined {
  if (config === undefined) return readConfig({})
  if (typeof config !== 'object' || config === null || Array.isArray(config)) return undefined
  const {
    transaction = true,
    lockTimeoutMs,
    statementTimeoutMs,
    waive = {},
    ...others
  } = config as Readonly<Record<string, unknown>>
  const isKnown = typeof transaction === 'boolean' && Object.keys(others).length === 0
  return isKnown && isTimeout(lockTimeoutMs) && isTimeout(statementTimeoutMs) && isWaivers(waive)
    ? { transaction, lockTimeoutMs, statementTimeoutMs, waive }
    : undefined
}

/** Whether a rule of that name exists is not asked: `plan` tells of a waiver that nothing needs. */
function isWaivers(value: unknown): value is Waivers {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((reason) => typeof reason === 'string' && reason.trim() !== '')
  )
}

/** The longest that the server takes: an int of milliseconds. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1

function isTimeout(value: unknown): value is number | undefined {
  if (value === undefined) return true
  return (
    typeof value === 'number' &&
    Number.isInteger(value) &&
    value >= 0 &&
    value <= LONGEST_TIMEOUT_MS
  )
}

function isFunction(value: unknown): value is (...args: never) => unknown {
  return typeof value === 'function'
}

function evaluationProblem(file: MigrationFile, error: unknown, locate: Locate): Problem {
  const message = error instanceof Error ? error.message.split('\n')[0] : String(error)
  const site = locate(error)
  return {
    message: `${file.name}.ts can't be loaded: ${message ?? ''}`,
    hint: site === undefined ? 'Nothing was run.' : `It fails at ${site}; nothing was run.`,
  }
}

function compileProblem(base: string, { text, location }: Message): Problem {
  if (location === null) return { message: text }
  const place = `${relative(dirname(base), resolve(base, location.file))}:${location.line}:${location.column + 1}`
  if (!text.startsWith('Top-level await')) {
    return { message: `${place} ${text}`, hint: location.lineText.trim() }
  }
  return {
    message: `${place} Top-level await is not possible in a migration`,
    hint: 'Await inside up or down: all migrations are loaded before any runs.',
  }
}

function isBuildFailure(error: unknown): error is BuildFailure {
  return error instanceof Error && 'errors' in error && Array.isArray(error.errors)
}

/** The folder that all paths share: esbuild names its outputs by what lies below it. */
function commonFolder(paths: readonly string[]): string {
  const folders = paths.map((path) => dirname(path))
  let folder = folders[0] ?? '/'
  while (folders.some((other) => relative(folder, other).startsWith('..'))) folder = dirname(folder)
  return folder
}
