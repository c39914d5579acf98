export { createFederationDb } from './federation-db.ts'
