import {
  type AppliedMigration,
  type MigrationAttempt,
  type MigrationFile,
  migrationNumber,
} from '../../src/migration.ts'

/** A migration file of that name, as read from disk. */
export function migrationFile(name: string, checksum = `1:${name}`): MigrationFile {
  return { name, number: migrationNumber(name)!, path: `/app/migrations/${name}.ts`, checksum }
}

/** The history row of a migration of that name, applied as `migrationFile` makes it. */
export function appliedMigration(
  name: string,
  facts: Partial<AppliedMigration> = {},
): AppliedMigration {
  return {
    name,
    appliedAt: new Date('2026-11-22T08:15:30.123Z'),
    checksum: `1:${name}`,
    durationMs: 12,
    role: 'app_owner',
    client: 'ada@laptop',
    gitCommit: null,
    gitDirty: null,
    toolVersion: '1.0.0',
    ...facts,
  }
}

/** A migration of that name that was interrupted after two statements. */
export function migrationAttempt(
  name: string,
  direction: MigrationAttempt['direction'] = 'up',
): MigrationAttempt {
  const lastStatement = 'create index concurrently a_id on a (id)'
  return {
    name,
    id: '6f0c4c5e-2f3b-4f0e-9d5b-0c3f4a1b2c3d',
    direction,
    startedAt: new Date('2026-11-22T08:15:30.123Z'),
    role: 'app_owner',
    client: 'ada@laptop',
    statements: ['create table b (id integer)', lastStatement],
    indexes: [],
    lastStatement,
    backfills: {},
  }
}
