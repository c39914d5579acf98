import type {
  DocumentedColumn,
  DocumentedTable,
  SchemaDocument,
} from '../../src/schema-docs/document.ts'

/** A column with what a test says of it. */
export function column(name: string, facts: Partial<DocumentedColumn> = {}): DocumentedColumn {
  return {
    name,
    type: 'text',
    isNullable: false,
    hasOldNulls: false,
    default: undefined,
    comment: undefined,
    isPhi: false,
    keys: [],
    changedBy: undefined,
    ...facts,
  }
}

/** A table with what a test says of it. */
export function table(name: string, facts: Partial<DocumentedTable> = {}): DocumentedTable {
  return {
    name,
    kind: 'table',
    comment: undefined,
    service: undefined,
    madeBy: undefined,
    changedBy: undefined,
    columns: [],
    primaryKey: undefined,
    uniqueKeys: [],
    foreignKeys: [],
    checks: [],
    indexes: [],
    triggers: [],
    ...facts,
  }
}

/** A foreign key by its column. */
export function foreignKey(
  name: string,
  target: string,
  isOptional = false,
): DocumentedTable['foreignKeys'][number] {
  return {
    name: `fk_${name}`,
    columns: [name],
    table: target,
    foreignColumns: ['id'],
    onDelete: 'cascade',
    caveat: undefined,
    isOptional,
    isUnique: false,
  }
}

/** Two tables in which there is one of everything. */
export const WARDS: SchemaDocument = {
  migration: '002_beds',
  tables: [
    table('beds', {
      comment: '- <b>Beds</b> | of a *ward*',
      service: 'wards',
      madeBy: '001_wards',
      changedBy: '002_beds',
      columns: [
        column('id', {
          type: 'uuid',
          default: 'gen_random_uuid()',
          keys: ['primary'],
          changedBy: '001_wards',
        }),
        column('ward_id', {
          type: 'uuid',
          isNullable: true,
          keys: ['foreign'],
          changedBy: '002_beds',
        }),
        column('patient', { comment: 'Who lies in it | "name" & <i>id</i>', isPhi: true }),
      ],
      primaryKey: { name: 'beds_pkey', columns: ['id'] },
      foreignKeys: [foreignKey('ward_id', 'wards', true)],
      checks: [{ name: 'beds_check', definition: `patient <> '|'` }],
      indexes: [{ name: 'idx_beds', definition: '(ward_id)', isUnique: false }],
      triggers: [{ name: 'beds_set', definition: 'beds_set BEFORE UPDATE ON beds' }],
    }),
    table('wards', {
      columns: [
        column('id', { type: 'uuid', keys: ['primary'] }),
        column('name', { keys: ['unique'] }),
      ],
      primaryKey: { name: 'wards_pkey', columns: ['id'] },
      uniqueKeys: [{ name: 'wards_name_key', columns: ['name'] }],
    }),
  ],
}
