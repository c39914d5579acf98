import { BACKFILL_RULES } from './backfills.ts'
import { BRIEF_LOCK_RULES } from './brief-locks.ts'
import { CASCADE_RULES } from './cascades.ts'
import { CONSTRAINT_RULES } from './constraints.ts'
import { DOMAIN_AND_ENUM_RULES } from './domains-and-enums.ts'
import { DROP_RULES } from './drops.ts'
import { FOREIGN_KEY_RULES } from './foreign-keys.ts'
import { INDEX_RULES } from './indexes.ts'
import { LIMITING_TYPE_RULES } from './limiting-types.ts'
import { NEW_COLUMN_RULES } from './new-columns.ts'
import { PARTITION_RULES } from './partitions.ts'
import { RENAME_RULES } from './renames.ts'
import { REPEATABLE_RULES } from './repeatable.ts'
import type { Rule } from './rule.ts'
import { TRANSACTION_RULES } from './transactions.ts'
import { TYPE_CHANGE_RULES } from './type-changes.ts'
import { WHOLE_TABLE_RULES } from './whole-table.ts'

/** The rules that know a statement by its text, in the order in which the documentation tells them. */
export const STATEMENT_RULES: readonly Rule[] = [
  ...INDEX_RULES,
  ...FOREIGN_KEY_RULES,
  ...CONSTRAINT_RULES,
  ...NEW_COLUMN_RULES,
  ...TYPE_CHANGE_RULES,
  ...RENAME_RULES,
  ...DROP_RULES,
  ...CASCADE_RULES,
  ...WHOLE_TABLE_RULES,
  ...PARTITION_RULES,
  ...BACKFILL_RULES,
  ...TRANSACTION_RULES,
  ...BRIEF_LOCK_RULES,
  ...DOMAIN_AND_ENUM_RULES,
  ...LIMITING_TYPE_RULES,
  ...REPEATABLE_RULES,
]
