import { loadMigrations } from './compile.ts'
import type { RunContext } from './context.ts'
import type { Database } from './database.ts'
import { withDetails } from './errors.ts'
import { ensureHistory } from './history.ts'
import { type MigrationFile, OWN_TABLES } from './migration.ts'
import { type ScratchWish, withScratchServer } from './scratch.ts'
import { isRoleSupplied, runOnScratch } from './scratch-run.ts'

/**
 * The types of the schema where that many of the migrations are applied, for each of the positions, which
 * ascend: read on a scratch database. Throws `invalid_migration`, what a migration fails with there, and like `withScratchServer`.
 */
export async function replayTypes(
  context: RunContext,
  wish: ScratchWish,
  files: readonly MigrationFile[],
  positions: readonly number[],
): Promise<ReadonlyMap<number, string>> {
  const { config, report } = context
  const loaded = await loadMigrations(files)
  const migrations = [...loaded].sort((a, b) => a.file.number - b.file.number)
  return withScratchServer(config, report, wish, async (server) => {
    for (;;) {
      const types = await server.withDatabase(async (database) => {
        const texts = new Map<number, string>()
        await ensureHistory(database, [])
        let applied = 0
        for (const position of positions) {
          const trial = { context, server, database }
          const error = await runOnScratch(trial, migrations.slice(applied, position), 'up')
          if (await isRoleSupplied(server, error)) return undefined
          if (error !== undefined) {
            throw withDetails(error, [
              'that is on a scratch database, on which the types before and after a migration are read',
            ])
          }
          applied = position
          texts.set(position, await typesText(database))
        }
        return texts
      })
      if (types !== undefined) return types
    }
  })
}

/** The types of a database's schema. */
export async function typesText(database: Database): Promise<string> {
  const { generateTypes } = await import('./types-generator.ts')
  const { text } = await generateTypes(database, OWN_TABLES)
  return text
}
