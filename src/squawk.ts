import { spawn } from 'node:child_process'
import { access, constants } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { arch, platform } from 'node:os'
import { join } from 'node:path'
import type { Danger, MeasuredMigration } from './measurement.ts'
import type { ParsedStatement } from './rules/scene.ts'

/** One of squawk’s findings, as `--reporter json` gives it. Lines count from 0. */
interface SquawkFinding {
  readonly line: number
  readonly rule_name: string
  readonly message: string
  readonly help?: string | null
}

/**
 * Squawk’s rules that our own ones decide better: they know what was measured, which tables are new, and
 * what the runner sets. What squawk finds there, and they do not, does not apply.
 */
const DECIDED_BY_OURS: ReadonlySet<string> = new Set(
  `adding-field-with-default adding-foreign-key-constraint adding-not-nullable-field adding-required-field
  adding-serial-primary-key-field ban-alter-domain-with-add-constraint ban-char-field
  ban-concurrent-index-creation-in-transaction ban-drop-column ban-drop-table ban-truncate-cascade
  ban-uncommitted-transaction changing-column-type constraint-missing-not-valid disallowed-unique-constraint
  prefer-bigint-over-int prefer-bigint-over-smallint prefer-identity prefer-timestamp-tz renaming-column
  renaming-table require-concurrent-index-creation require-concurrent-index-deletion
  require-concurrent-partition-detach require-concurrent-reindex transaction-nesting`.split(/\s+/),
)

/**
 * Those that contradict what holds here: the runner sets the timeouts, the history makes a migration run
 * once, a longer varchar is free, and nobody sorts by an enum. Of what squawk can’t read the server is the judge.
 */
const NOT_HERE: ReadonlySet<string> = new Set(
  `prefer-robust-stmts prefer-text-field require-lock-timeout require-statement-timeout
  require-enum-value-ordering require-timeout-settings syntax-error`.split(/\s+/),
)

/** What squawk finds beyond our own rules, all to be looked at; nothing where it is not installed. */
export async function squawkDangers(
  { isInTransaction }: Pick<MeasuredMigration, 'isInTransaction'>,
  statements: readonly ParsedStatement[],
): Promise<readonly Danger[]> {
  const program = await findSquawk()
  if (program === undefined || statements.length === 0) return []
  const lines: number[] = []
  const text = statements.map(({ sql }, at) => {
    const statement = `${sql.replace(/;\s*$/, '')}\n;\n`
    lines.push(...Array<number>(statement.split('\n').length - 1).fill(at))
    return statement
  })
  const findings = await runSquawk(program, isInTransaction, text.join(''))
  return findings.flatMap(({ line, rule_name: rule, message, help }) => {
    const statement = statements[lines[line] ?? 0]
    if (statement === undefined || DECIDED_BY_OURS.has(rule) || NOT_HERE.has(rule)) return []
    return [
      {
        rule,
        level: 'look' as const,
        statement: statement.index,
        table: undefined,
        message: oneLine(message),
        hint: help ?? `See https://squawkhq.com/docs/${rule}.`,
        instead: undefined,
      },
    ]
  })
}

/** Searches as Node does from this file, which may be src/ or one bundled file in dist/. */
async function findSquawk(): Promise<string | undefined> {
  const here = typeof __dirname === 'string' ? __dirname : import.meta.dirname
  const name = `@squawk-cli/${platform()}-${arch()}`
  const file = platform() === 'win32' ? 'squawk.exe' : 'squawk'
  for (const directory of createRequire(`${here}/`).resolve.paths(name) ?? []) {
    const program = join(directory, name, 'bin', file)
    try {
      await access(program, constants.X_OK)
      return program
    } catch {
      // Not there: the next one.
    }
  }
  return undefined
}

/** It is a second opinion: where it fails, that is not what the migration is judged by. */
async function runSquawk(
  program: string,
  isInTransaction: boolean,
  sql: string,
): Promise<readonly SquawkFinding[]> {
  const args = [
    '--reporter=json',
    // No settings of whoever’s directory it is.
    '--config=/dev/null',
    ...(isInTransaction ? ['--assume-in-transaction'] : []),
  ]
  const output = await new Promise<string>((resolve) => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'ignore'] })
    const chunks: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.stdin.on('error', () => undefined)
    child.on('error', () => resolve(''))
    child.on('close', () => resolve(Buffer.concat(chunks).toString()))
    child.stdin.end(sql)
  })
  try {
    return JSON.parse(output) as readonly SquawkFinding[]
  } catch {
    return []
  }
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim().replace(/[.]$/, '')
}
