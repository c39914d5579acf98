import type { Danger, MeasuredMigration } from './measurement.ts'

/** What about a migration hurts a database in use, in the order of its statements. */
export async function findDangers(migration: MeasuredMigration): Promise<readonly Danger[]> {
  return Promise.resolve(
    migration.statements.flatMap(({ sql, effects }, statement) =>
      effects.flatMap(({ table, lock, size }): readonly Danger[] => {
        if (!/^\s*create\s+(unique\s+)?index\b/i.test(sql)) return []
        if (lock !== 'ShareLock' || size === undefined) return []
        return [
          {
            rule: 'create-index-blocks-writes',
            level: 'dangerous',
            statement,
            table,
            message: `CREATE INDEX holds SHARE on ${table} while it builds: nobody can write to it`,
            hint: 'Build it CONCURRENTLY, alone in a migration without a transaction.',
            instead: `export const config = { transaction: false }\n\nexport async function up(db: Kysely<any>): Promise<void> {\n  await sql\`${sql.replace(/\bindex\b/i, 'index concurrently')}\`.execute(db)\n}\n`,
          },
        ]
      }),
    ),
  )
}
