import { isConcurrent, tokens, transactionBreach } from '../sql-text.ts'
import { tableIdentifier, withoutQuotes } from './identifier.ts'
import { migrationOf, takeBack } from './inverse.ts'
import { printMigrations, run } from './kysely-code.ts'
import type { Rule } from './rule.ts'
import {
  as,
  BLOCKING_LOCKS,
  BLOCKS,
  effectsInUse,
  findAll,
  identityOf,
  isInUse,
  lockName,
  nameOf,
  parseIdentity,
  type ParsedStatement,
  type Scene,
  strings,
  type TableName,
} from './scene.ts'

const noLockTimeout: Rule = {
  id: 'lock-timeout-off',
  level: 'dangerous',
  what: 'lock_timeout = 0, set by the migration itself',
  why: 'A statement that waits for one slow query makes everybody wait behind it, without end. Dangerous for whatever lock it waits for. For CONCURRENTLY the runner sets 0 by itself.',
  hint: 'Leave it to the runner, which gives up, lets traffic pass, and tries again; or say how long in config.lockTimeoutMs.',
  example: ['set local lock_timeout = 0', 'alter table visits add column note_count integer'],
  find: (scene) => {
    const own = scene.migration.lockTimeoutMs === 0 && scene.at === 0
    if (!own && !turnsLockTimeoutOff(scene)) return []
    if (isAllConcurrent(scene)) return []
    const rest = scene.statements.filter((_, at) => own || at !== scene.at)
    return [
      {
        table: undefined,
        message: own
          ? 'config.lockTimeoutMs is 0: a statement waits for its lock without end, and everybody behind it'
          : 'lock_timeout is set to 0: a statement waits for its lock without end, and everybody behind it',
        instead: printMigrations(migrationOf(scene, rest)),
      },
    ]
  },
}

const workUnderLock: Rule = {
  id: 'work-under-lock',
  level: 'dangerous',
  what: 'reading or writing a whole table in the transaction of a statement whose lock blocks a table in use',
  why: 'A lock is held to the end of the transaction: what follows lengthens the outage. Dangerous, as the wait grows with the table.',
  hint: 'Split the migration: what needs the strong lock for a moment apart from what takes long.',
  example: [
    'alter table visits add constraint visits_duration_check check (duration > 0) not valid',
    'alter table visits validate constraint visits_duration_check',
  ],
  find: (scene) => {
    if (!scene.migration.isInTransaction) return []
    const held = heldBefore(scene)
    const work = worksOn(scene)
    if (held === undefined || work === undefined) return []
    return [
      {
        table: work,
        message: `${firstWords(scene.statement.sql)} works on ${work} while the transaction holds ${lockName(held.lock)} on ${held.table}, which blocks ${BLOCKS[held.lock]}`,
        instead: printMigrations(
          migrationOf(scene, scene.statements.slice(0, scene.at)),
          migrationOf(scene, scene.statements.slice(scene.at)),
        ),
      },
    ]
  },
}

const repeatedAlters: Rule = {
  id: 'repeated-scans',
  level: 'look',
  what: 'several ALTER TABLE of one table in use that each read or write all of it',
  why: 'One ALTER TABLE does all its parts in one pass. To be looked at: each of them has its own finding where it hurts.',
  hint: 'Put them into one ALTER TABLE.',
  example: [
    'alter table visits validate constraint visits_type_check',
    'alter table visits validate constraint visits_status_check',
  ],
  find: (scene) => {
    const same = passes(scene.statements).filter(
      (other) => other.relation === passOf(scene.statement)?.relation,
    )
    const [first, ...others] = same
    if (others.length === 0 || first?.statement !== scene.statement) return []
    if (!isInUse(scene, first.table)) return []
    const alter = `alter table ${tableIdentifier(first.table)}`
    const actions = same.map(({ actions: text }) => withoutQuotes(text))
    return [
      {
        table: identityOf(scene, first.table),
        message: `${same.length} ALTER TABLE each read all of ${identityOf(scene, first.table)}`,
        instead: printMigrations({
          up: [run(`${alter}\n  ${actions.join(',\n  ')}`)],
          down: takeBack(
            scene,
            same.map(({ statement }) => statement),
          ),
        }),
      },
    ]
  },
}

const transactionControl: Rule = {
  id: 'transaction-control',
  level: 'look',
  what: 'BEGIN, COMMIT, ROLLBACK or a SET that outlasts the migration',
  why: 'It would end the runner’s transaction, or leak into the next migration. To be looked at only: the runner refuses it.',
  hint: 'Leave the transaction to the runner; SET LOCAL ends with it, and names with their schema need no search_path.',
  example: ['set search_path to clinic, public', 'create table appointments (id uuid primary key)'],
  find: (scene) => {
    const { sql } = scene.statement
    const breach = scene.migration.isInTransaction ? transactionBreach(sql) : undefined
    if (breach === undefined) return []
    const local = /^\s*set\s+(session\s+)?/i
    const rest = scene.statements.flatMap((statement, at) => {
      if (at !== scene.at) return [statement]
      return local.test(sql) ? [{ ...statement, sql: sql.replace(local, 'set local ') }] : []
    })
    return [
      {
        table: undefined,
        message: breach,
        instead: printMigrations(migrationOf(scene, rest)),
      },
    ]
  },
}

export const TRANSACTION_RULES: readonly Rule[] = [
  noLockTimeout,
  workUnderLock,
  repeatedAlters,
  transactionControl,
]

/** As the server reads a duration of nothing: 0, '0', '0s'. */
const ZERO = /^0+\s*(us|ms|s|min|h|d)?$/

function turnsLockTimeoutOff({ statement: { node } }: Scene): boolean {
  const set = as(node, 'VariableSetStmt')
  if (set?.name === 'lock_timeout')
    return set.kind === 'VAR_SET_VALUE' && (set.args ?? []).some(isZero)
  return findAll(node, 'FuncCall').some(({ funcname, args = [] }) => {
    const [name, value] = args
    return (
      strings(funcname).at(-1) === 'set_config' &&
      as(name, 'A_Const')?.sval?.sval === 'lock_timeout' &&
      value !== undefined &&
      isZero(value)
    )
  })
}

/** What is CONCURRENTLY waits in nobody’s way. */
function isAllConcurrent({ statements, migration }: Scene): boolean {
  return (
    !migration.isInTransaction &&
    statements.every(
      ({ node, sql }) => as(node, 'VariableSetStmt') !== undefined || isConcurrent(sql),
    )
  )
}

function isZero(node: Parameters<typeof as>[0]): boolean {
  const constant = as(node, 'A_Const')
  // The parser leaves a zero out of its message.
  if (constant?.ival !== undefined) return (constant.ival.ival ?? 0) === 0
  return ZERO.test(constant?.sval?.sval ?? '-')
}

/** The strongest lock that blocks traffic and that an earlier statement took. */
function heldBefore({ statements, statement, at, migration }: Scene) {
  const locks = statements
    .slice(0, at)
    .filter(({ index }) => index < statement.index)
    .flatMap((earlier) => effectsInUse(earlier, migration))
    .flatMap(({ table, lock }) =>
      lock !== undefined && BLOCKING_LOCKS.has(lock) ? [{ table, lock }] : [],
    )
  return locks.find(({ lock }) => lock === 'AccessExclusiveLock') ?? locks[0]
}

/** The table in use that the statement reads or writes as a whole, as it was measured. */
function worksOn({ statement, migration }: Scene): string | undefined {
  return effectsInUse(statement, migration).find((effect) => effect.isScanned || effect.isRewritten)
    ?.table
}

function firstWords(sql: string): string {
  const [first, second] = tokens(sql)
  return [first, second].map((token) => token?.text.toLowerCase() ?? '').join(' ')
}

interface Pass {
  readonly statement: ParsedStatement
  readonly table: TableName
  readonly relation: string
  readonly actions: string
}

/** The ALTER TABLE statements that were measured to read or write all of their table. */
function passes(statements: readonly ParsedStatement[]): readonly Pass[] {
  return statements.flatMap((statement) => passOf(statement) ?? [])
}

function passOf(statement: ParsedStatement): Pass | undefined {
  const alter = as(statement.node, 'AlterTableStmt')
  if (alter?.objtype !== 'OBJECT_TABLE' || alter.relation?.relname === undefined) return undefined
  const table = nameOf(alter.relation)
  const effects = statement.effects.filter(
    (effect) => parseIdentity(effect.table).name === table.name,
  )
  if (!effects.some((effect) => effect.isScanned || effect.isRewritten)) return undefined
  const words = [...tokens(statement.sql)]
  const at = words.findIndex(({ text }) => text.replaceAll('"', '') === table.name)
  const next = words[words[at + 1]?.text === '*' ? at + 2 : at + 1]
  if (next === undefined) return undefined
  return { statement, table, relation: table.name, actions: statement.sql.slice(next.index) }
}
