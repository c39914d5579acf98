import type { Database } from './database.ts'
import { readMigrationFolder } from './files.ts'
import { readRecords, type RecordedMigration } from './history.ts'
import { LOOP_LIMIT, statementsOf } from './statement-preview.ts'

/**
 * What was applied, in order, with what each migration sent: as it was recorded, or, where that is not what its
 * file sends, as the file would send it now, so that databases with the same migrations give the same. What
 * can't be told without a database is left as it was recorded.
 */
export async function readSentStatements(
  database: Database,
  migrationsDir: string,
): Promise<readonly RecordedMigration[]> {
  const records = await readRecords(database)
  if (records.every(({ isWhole }) => isWhole)) return records
  const { files } = await readMigrationFolder(migrationsDir).catch(() => ({ files: [] }))
  const fileByName = new Map(files.map((file) => [file.name, file]))
  const completed: RecordedMigration[] = []
  for (const record of records) {
    const file = record.isWhole ? undefined : fileByName.get(record.name)
    const statements = file && (await statementsOf(file, LOOP_LIMIT))
    const isTold = statements !== undefined && statements.length < LOOP_LIMIT
    completed.push(isTold ? { ...record, statements } : record)
  }
  return completed
}
