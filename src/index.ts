export { createFederationDb } from './federation-db.ts'
export type { MigrationTools } from './migration.ts'
export type { Services } from './ownership.ts'
