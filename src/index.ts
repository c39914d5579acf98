export { createFederationDb } from './federation-db.ts'
export type { Services } from './ownership.ts'
