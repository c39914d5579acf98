import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type TypesResult, writeTypes } from '../codegen.ts'
import { type Context, interruptible } from '../context.ts'
import { withDatabase } from '../database.ts'
import { listNames, readMigrationFiles } from '../files.ts'
import { readFrozenImports, writeFrozen } from '../frozen-folder.ts'
import { dataMigrations, frozenFiles, frozenPositions, strayImports } from '../frozen-types.ts'
import type { GeneratedFile } from '../generated-file.ts'
import { migrationNumber } from '../migration.ts'
import type { ScratchWish } from '../scratch.ts'
import { typesLocation } from './types-location.ts'

/**
 * Makes the generated types match the database's schema, and those that are frozen for migrations which
 * move data what a scratch database gives; without such a migration none is made.
 * Throws `codegen_failed`, `usage` where the services file is not usable, and what a migration fails with
 * on the scratch database.
 */
export async function codegen(context: Context): Promise<TypesResult> {
  const { config, report } = context
  const { migrationsDir, generatedDir } = config
  const names = existsSync(migrationsDir) ? listNames(migrationsDir) : []
  const imports = readFrozenImports(
    names
      .filter((name) => migrationNumber(name) !== undefined)
      .map((name) => ({ name, path: join(migrationsDir, `${name}.ts`) })),
  )
  const data = dataMigrations(imports)
  for (const { message, hint } of strayImports(imports)) report({ type: 'warning', message, hint })
  return withDatabase(config, report, { createIfMissing: false }, async (database) => {
    const types = await writeTypes(database, typesLocation(context))
    const { scratchWishOf } = await import('../scratch.ts')
    const files = data.size === 0 ? [] : await replay(context, await scratchWishOf(database), data)
    const frozen = await writeFrozen(generatedDir, files, data)
    const written = [...types.written, ...frozen.written]
    const removed = [...types.removed, ...frozen.removed]
    return { ...types, isWritten: written.length + removed.length > 0, written, removed }
  })
}

async function replay(
  context: Context,
  wish: ScratchWish,
  data: ReadonlySet<string>,
): Promise<readonly GeneratedFile[]> {
  const { replayTypes } = await import('../frozen-replay.ts')
  const files = await readMigrationFiles(context.config.migrationsDir)
  const names = files.map(({ name }) => name)
  const positions = frozenPositions(names, data)
  const types = await interruptible(context, (running) =>
    replayTypes(running, wish, files, positions),
  )
  return frozenFiles(names, data, types)
}
