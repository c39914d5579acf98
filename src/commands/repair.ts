import { type ChangeKind, explainChange } from '../changed-file.ts'
import { loadMigrations } from '../compile.ts'
import { type Context, interruptible } from '../context.ts'
import { withDatabase } from '../database.ts'
import { MigrationError } from '../errors.ts'
import { readMigrationFiles } from '../files.ts'
import { readHistory, recordRepair } from '../history.ts'
import { withLock } from '../lock.ts'
import { findEntry } from '../plan.ts'
import { compareHistory } from '../state.ts'

/** What `repair` did. */
export interface RepairResult {
  readonly name: string
  /** False where the file is what was applied: there was nothing to accept. */
  readonly isRepaired: boolean
  readonly difference: ChangeKind | undefined
}

/**
 * Accepts a file that changed after it was applied: the history takes its checksum, and keeps who
 * accepted it, when and why. The schema is not touched.
 * Throws `usage` for a migration that is unknown or not applied, `history_mismatch` where its file is
 * gone, and `invalid_migration` where it can't be loaded.
 */
export async function repair(
  context: Context,
  options: { readonly name: string; readonly reason: string },
): Promise<RepairResult> {
  const { config, report } = context
  return withDatabase(config, report, { createIfMissing: false }, async (database) => {
    const files = await readMigrationFiles(config.migrationsDir)
    return interruptible(context, (running) =>
      withLock(database, running, async () => {
        const entry = findEntry(compareHistory(files, await readHistory(database)), options.name)
        const { name, state } = entry
        switch (state) {
          case 'applied':
            return { name, isRepaired: false, difference: undefined }
          case 'missing':
            throw new MigrationError(
              'history_mismatch',
              `${name}.ts is gone: there is nothing to accept`,
              {
                hint: 'Restore it from version control.',
              },
            )
          case 'pending':
          case 'out-of-order':
            throw new MigrationError('usage', `${name} is not applied`, {
              hint: 'Only a file that changed after it was applied can be accepted.',
            })
          case 'changed': {
            // A file that can't be loaded could not be rolled back either.
            await loadMigrations([entry.file])
            const difference = await explainChange(database, entry.file)
            await recordRepair(database, name, {
              reason: options.reason,
              client: context.client,
              role: database.role,
              fromChecksum: entry.applied.checksum,
              toChecksum: entry.file.checksum,
            })
            return { name, isRepaired: true, difference }
          }
        }
      }),
    )
  })
}
