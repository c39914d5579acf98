import { type TypesResult, writeTypes } from '../codegen.ts'
import type { Context } from '../context.ts'
import { withDatabase } from '../database.ts'
import { typesLocation } from './types-location.ts'

/** Makes the generated types match the database's schema. Throws `codegen_failed`, and `usage` where the services file is not usable. */
export async function codegen(context: Context): Promise<TypesResult> {
  const { config, report } = context
  return withDatabase(config, report, { createIfMissing: false }, (database) =>
    writeTypes(database, typesLocation(context)),
  )
}
