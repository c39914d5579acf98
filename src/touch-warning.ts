import type { Database } from './database.ts'
import type { Report } from './events.ts'
import { touchedTables } from './touched-tables.ts'

/**
 * Says in one line where the statements that were applied changed tables that hold rows. Asks nothing where
 * their texts name none that was there; and what it asks then is the catalog.
 */
export async function warnOfTouched(
  { client }: Database,
  statements: readonly string[],
  report: Report,
): Promise<void> {
  const names = touchedTables(statements)
  if (names.length === 0) return
  try {
    const { rows } = await client.query<{ name: string }>(
      `select c.relname as name from pg_class c
        where c.oid in (select to_regclass(name) from unnest($1::text[]) as name)
          and (c.reltuples > 0 or pg_stat_get_live_tuples(c.oid) > 0)
        order by 1`,
      [names],
    )
    if (rows.length === 0) return
    const tables = rows.map(({ name }) => name).join(', ')
    report({
      type: 'warning',
      message: `tables that hold rows were changed (${tables}): federation-migrate plan shows beforehand what that locks`,
    })
  } catch {
    // What was applied stays applied, whatever becomes of a hint.
  }
}
