import type pg from 'pg'
import { type Blocker, summariseBlockers } from './blocker.ts'
import { closeClient, type Database } from './database.ts'
import type { Report } from './events.ts'
import { LOCK_MODES } from './measurement.ts'
import { describeProgress, type ServerProgress } from './server-progress.ts'

/** A statement of a migration that is on its way. */
export interface WatchedStatement {
  /** The migration that sent it. */
  readonly name: string
  /** The server's process that runs it. */
  readonly pid: number
  /** How long a wait for a lock lasts at most; 0 for no limit. */
  readonly lockTimeoutMs: number
  /** Takes who was seen in its way, each time that somebody was. */
  readonly onBlockers: (blockers: readonly Blocker[]) => void
}

/** Looks from a connection of its own at what the migrations' session does. */
export interface Monitor {
  /** Watches a statement until the function that this gives is called. */
  readonly watch: (statement: WatchedStatement) => () => void
  readonly close: () => Promise<void>
}

/** Most statements are over before anybody looks. */
const FIRST_LOOK_MS = 500
const LOOK_INTERVAL_MS = 1000
/** How long a statement runs before its progress is worth telling. */
const PROGRESS_AFTER_MS = 2000

/**
 * A monitor for one run. It connects when a statement takes long for the first time, and tells of what
 * it sees as `migration-activity`. Whatever fails in it fails in silence: the run does not depend on it.
 */
export function createMonitor(database: Database, report: Report): Monitor {
  let connection: Promise<pg.Client> | undefined

  /** Undefined where it fails; the next one tries with a new connection. */
  const ask = async <Answer>(
    question: (client: pg.Client) => Promise<Answer>,
  ): Promise<Answer | undefined> => {
    const asked = (connection ??= database.connectAtOnce())
    try {
      return await question(await asked)
    } catch {
      if (connection === asked) connection = undefined
      void asked.then(closeClient, () => undefined)
      return undefined
    }
  }

  return {
    watch: ({ name, pid, lockTimeoutMs, onBlockers }) => {
      const startedAt = performance.now()
      let isOver = false
      let isTold = false
      const tell = (activity: string | undefined): void => {
        if (activity === undefined && !isTold) return
        isTold = activity !== undefined
        report({ type: 'migration-activity', name, activity })
      }
      const lookOnce = async (): Promise<void> => {
        const isProgressWanted = performance.now() - startedAt >= PROGRESS_AFTER_MS
        const sight = await ask((client) =>
          observe(client, database.serverVersion, pid, isProgressWanted),
        )
        const { blockers = [], progress } = sight ?? {}
        // Also when it is over by now: then this is what it failed of.
        if (blockers.length > 0) onBlockers(blockers)
        if (isOver) return
        tell(describeActivity(blockers, progress))
        timer = setTimeout(() => void lookOnce(), LOOK_INTERVAL_MS)
      }
      const firstLookMs = lockTimeoutMs === 0 ? FIRST_LOOK_MS : lockTimeoutMs / 2
      let timer = setTimeout(() => void lookOnce(), Math.min(FIRST_LOOK_MS, firstLookMs))
      return () => {
        isOver = true
        clearTimeout(timer)
        tell(undefined)
      }
    },
    close: async () => {
      const client = await connection?.catch(() => undefined)
      if (client !== undefined) await closeClient(client)
    },
  }
}

/** What is to be seen of a session at one moment. */
interface Sight {
  readonly blockers: readonly Blocker[]
  readonly progress: ServerProgress | undefined
}

function describeActivity(
  blockers: readonly Blocker[],
  progress: ServerProgress | undefined,
): string | undefined {
  const blocked = summariseBlockers(blockers)
  const parts = [
    progress === undefined ? undefined : describeProgress(progress),
    blocked === undefined ? undefined : `blocked by ${blocked}`,
  ].filter((part) => part !== undefined)
  return parts.length === 0 ? undefined : parts.join('; ')
}

async function observe(
  client: pg.Client,
  serverVersion: number,
  pid: number,
  isProgressWanted: boolean,
): Promise<Sight> {
  const blockers = await client.query<Blocker>(BLOCKERS, [pid])
  const progress = isProgressWanted
    ? await client.query<ServerProgress>(progressQuery(serverVersion), [pid])
    : undefined
  return { blockers: blockers.rows, progress: progress?.rows[0] }
}

/** Who blocks the session $1. Of a prepared transaction pg_locks has no pid, and pg_blocking_pids says 0. */
const BLOCKERS = `
  with locks as (select * from pg_locks),
  wanted as (select * from locks where pid = $1 and not granted limit 1)
  select b.pid, a.usename as "user", a.application_name as "applicationName", a.backend_type as kind, a.state,
    extract(epoch from clock_timestamp() - a.xact_start)::float8 * 1000 as "openMs",
    w.locktype as "lockType", w.mode as wanted,
    (select format('%I.%I', n.nspname, c.relname)
       from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.oid = coalesce(w.relation, (
        select t.relation from locks t where t.pid = $1 and t.granted and t.locktype = 'tuple' limit 1))
    ) as relation,
    (select h.mode from locks h
      where h.granted and h.pid is not distinct from nullif(b.pid, 0) and h.locktype = w.locktype
        and h.database is not distinct from w.database and h.relation is not distinct from w.relation
      order by array_position(array['${LOCK_MODES.join("','")}'], h.mode) desc limit 1) as held
    from (select distinct unnest(pg_blocking_pids($1)) as pid) b
    left join wanted w on true
    left join pg_stat_activity a on a.pid = b.pid
   order by b.pid`

/** The views that tell of a command's progress, and what each calls what is done and what there is. */
const PROGRESS_VIEWS = [
  {
    since: 90600,
    view: 'pg_stat_progress_vacuum',
    command: `'VACUUM'`,
    phase: 'phase',
    done: `case phase when 'scanning heap' then heap_blks_scanned when 'vacuuming heap' then heap_blks_vacuumed end`,
    total: 'heap_blks_total',
  },
  {
    since: 120000,
    view: 'pg_stat_progress_create_index',
    command: 'command',
    phase: 'phase',
    // Blocks while something is read, rows while they are loaded; the counts of the last phase stay while it waits.
    done: `case when phase like 'waiting%' then null when blocks_total > 0 then blocks_done else tuples_done end`,
    total: 'case when blocks_total > 0 then blocks_total else tuples_total end',
  },
  {
    since: 120000,
    view: 'pg_stat_progress_cluster',
    command: 'command',
    phase: 'phase',
    done: `case phase when 'seq scanning heap' then heap_blks_scanned end`,
    total: 'heap_blks_total',
  },
  {
    since: 130000,
    view: 'pg_stat_progress_analyze',
    command: `'ANALYZE'`,
    phase: 'phase',
    done: `case when phase like 'acquiring%' then sample_blks_scanned end`,
    total: 'sample_blks_total',
  },
  {
    since: 140000,
    view: 'pg_stat_progress_copy',
    command: 'command',
    phase: 'null::text',
    done: 'bytes_processed',
    total: 'bytes_total',
  },
]

/** The progress of what the session $1 runs: at most one row. */
function progressQuery(serverVersion: number): string {
  return PROGRESS_VIEWS.filter(({ since }) => serverVersion >= since)
    .map(
      ({ view, command, phase, done, total }) =>
        `select ${command} as command, ${phase} as phase, (${done})::float8 as done, (${total})::float8 as total
           from ${view} where pid = $1`,
    )
    .join(' union all ')
}
