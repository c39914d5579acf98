import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { awaitCancellation } from './cancellation.ts'
import type { Database } from './database.ts'
import { MigrationError } from './errors.ts'
import { stoppedWaiting } from './interrupts.ts'
import { isConnectionLost } from './failure.ts'
import { firstTargets } from './index-mentions.ts'
import { startWait } from './lock-retry.ts'
import type { IndexTarget, MigrationAttempt } from './migration.ts'
import { plainSession, type SessionContext } from './migration-session.ts'
import { createStatementScope } from './statement-scope.ts'

/** An index that is invalid: what a statement on it began, it did not bring to its end. */
export interface LeftoverIndex {
  /** As PostgreSQL names it on this connection. */
  readonly name: string
  /** Quoted, with its schema. */
  readonly identity: string
  /** What its statement was about to do; `reindex` left a second index beside the one that it rebuilds. */
  readonly kind: 'create' | 'drop' | 'reindex'
  /** The session that is just building an index on its table. */
  readonly builder: string | null
}

/**
 * The invalid indexes that statements with these targets left: by their names, on their tables, and not
 * invalid before. No others, whatever is wrong with those. Which sessions build,
 * pg_stat_progress_create_index tells every role; on which tables, only pg_locks does.
 */
export async function findLeftovers(
  { client }: Database,
  targets: readonly IndexTarget[],
): Promise<readonly LeftoverIndex[]> {
  const first = firstTargets(targets)
  if (first.length === 0) return []
  const { rows } = await client.query<LeftoverIndex>(
    `select distinct on (c.oid) c.oid::regclass::text as name, format('%I.%I', n.nspname, c.relname) as identity,
            split_part(t.kind, '-', 1) as kind,
            (select format('%s (pid %s)', coalesce(nullif(a.application_name, ''), 'a session'), p.pid)
               from pg_stat_progress_create_index p join pg_locks l using (pid) join pg_stat_activity a using (pid)
              where l.locktype = 'relation' and l.relation = i.indrelid and a.datname = current_database()
              limit 1) as builder
       from jsonb_to_recordset($1) as t (kind text, name name, "table" int8, schemas jsonb, before jsonb),
            pg_index i join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace
      where not i.indisvalid and c.relkind = 'i' and not t.before @> to_jsonb(c.oid::int8)
        and case t.kind
              when 'create' then c.relname = t.name and i.indrelid = t."table"::oid
              when 'drop' then c.relname = t.name and t.schemas @> to_jsonb(n.oid::int8)
              when 'reindex-table' then c.relname ~ ${REINDEX_MARK} and i.indrelid = t."table"::oid
              else c.relname ~ ${REINDEX_MARK} and i.indrelid = t."table"::oid
                and (regexp_replace(c.relname, ${REINDEX_MARK}, '') = t.name
                     -- A long name was cut to make room.
                     or octet_length(c.relname) >= 60
                        and starts_with(t.name, regexp_replace(c.relname, ${REINDEX_MARK}, '')))
            end
      order by c.oid`,
    [JSON.stringify(first)],
  )
  return rows
}

/** How REINDEX CONCURRENTLY names the index that it is about to put in another one's place, or has replaced. */
const REINDEX_MARK = `'_cc(new|old)[0-9]*$'`

const POLL_MS = 250

/** What dropping leftovers takes. */
export interface DroppingContext extends SessionContext {
  /** How long to wait for a session that is still building. */
  readonly lockWaitMs: number
  /** Puts the session back to its defaults. */
  readonly resetSql: string
}

/**
 * Drops the invalid indexes that an interrupted attempt left, before it is tried again. CREATE INDEX would
 * find its name taken, or with IF NOT EXISTS take the invalid one for its own. What was being dropped
 * stays: the migration drops it again. An index that a session is still building (a server does not
 * always notice that a runner was killed) is waited for.
 * Throws `locked` where that takes longer than `lockWaitMs`, `interrupted` where it is stopped or cancelled.
 */
export async function dropLeftovers(
  context: DroppingContext,
  attempt: MigrationAttempt,
): Promise<void> {
  const leftovers = await untilNobodyBuilds(context, attempt)
  if (leftovers.length === 0) return
  const { database, interrupts, report, resetSql } = context
  const { client } = database
  const { name } = attempt
  const session = plainSession(context, {
    scope: createStatementScope(name, false, () => undefined),
    wish: { name, lockTimeoutMs: 0, statementTimeoutMs: 0 },
    wait: startWait(name, 0),
  })
  const cancellation = awaitCancellation(name, context)
  try {
    await session.open()
    for (const index of leftovers) {
      report({ type: 'index-dropping', index: index.name, migration: name })
      const sql = `drop index concurrently if exists ${index.identity}`
      const dropped = session
        .around(sql, () => client.query(sql))
        .catch((cause: unknown) => {
          throw refusedDrop(index, name, cause) ?? cause
        })
      try {
        await Promise.race([dropped, cancellation.cancelled])
      } finally {
        await dropped.catch(() => undefined)
      }
    }
  } finally {
    cancellation.dispose()
    await client.query(resetSql).catch(() => undefined)
  }
  if (interrupts.stop.aborted) {
    throw new MigrationError(
      'interrupted',
      `stopped by ${String(interrupts.stop.reason)} once what ${name} had left invalid was dropped`,
    )
  }
}

/** Undefined where it is not the server's refusal. */
function refusedDrop(
  { name, identity }: LeftoverIndex,
  migration: string,
  cause: unknown,
): MigrationError | undefined {
  if (!(cause instanceof pg.DatabaseError) || isConnectionLost(cause)) return undefined
  return new MigrationError(
    'database_refused',
    `index ${name}, which ${migration} left invalid, can’t be dropped: ${cause.message}`,
    {
      hint: `Drop it, then run this again: drop index concurrently ${identity}`,
      details: [`SQLSTATE ${cause.code ?? ''}`],
      cause,
    },
  )
}

async function untilNobodyBuilds(
  { database, interrupts, lockWaitMs, report }: DroppingContext,
  attempt: MigrationAttempt,
): Promise<readonly LeftoverIndex[]> {
  const deadline = performance.now() + lockWaitMs
  const told = { isWaiting: false }
  try {
    for (;;) {
      const found = await findLeftovers(database, attempt.indexes)
      const leftovers = found.filter(({ kind }) => kind !== 'drop')
      const busy = leftovers.find(({ builder }) => builder !== null)
      if (busy === undefined) return leftovers
      const holder = `${busy.builder ?? ''}, which still builds an index beside ${busy.name}`
      if (performance.now() >= deadline) throw stillBuilding(busy, lockWaitMs)
      report({ type: 'waiting-for-lock', holder })
      told.isWaiting = true
      await sleep(POLL_MS, undefined, { signal: interrupts.stop }).catch(() => undefined)
      if (interrupts.stop.aborted) throw stoppedWaiting(holder, interrupts.stop)
    }
  } finally {
    if (told.isWaiting) report({ type: 'lock-wait-ended' })
  }
}

function stillBuilding({ name, builder }: LeftoverIndex, waitMs: number): MigrationError {
  return new MigrationError(
    'locked',
    `index ${name} is not valid, and ${builder ?? ''} did not finish on its table within ${waitMs / 1000} s`,
    {
      hint: 'Wait for it, or end that session: select pg_terminate_backend(PID); nothing was changed.',
    },
  )
}
