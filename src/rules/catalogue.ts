import { BRIEF_LOCK_RULES } from './brief-locks.ts'
import { COLUMN_RULES } from './columns.ts'
import { CONSTRAINT_RULES } from './constraints.ts'
import { DOMAIN_AND_ENUM_RULES } from './domains-and-enums.ts'
import { EXPAND_CONTRACT_RULES } from './expand-contract.ts'
import { FOREIGN_KEY_RULES } from './foreign-keys.ts'
import { INDEX_RULES } from './indexes.ts'
import { LIMITING_TYPE_RULES } from './limiting-types.ts'
import { PARTITION_RULES } from './partitions.ts'
import { REPEATABLE_RULES } from './repeatable.ts'
import type { Rule } from './rule.ts'
import { TRANSACTION_RULES } from './transactions.ts'
import { WHOLE_TABLE_RULES } from './whole-table.ts'

/** The rules that know a statement by its text, in the order in which the documentation tells them. */
export const STATEMENT_RULES: readonly Rule[] = [
  ...INDEX_RULES,
  ...FOREIGN_KEY_RULES,
  ...CONSTRAINT_RULES,
  ...COLUMN_RULES,
  ...EXPAND_CONTRACT_RULES,
  ...WHOLE_TABLE_RULES,
  ...PARTITION_RULES,
  ...TRANSACTION_RULES,
  ...BRIEF_LOCK_RULES,
  ...DOMAIN_AND_ENUM_RULES,
  ...LIMITING_TYPE_RULES,
  ...REPEATABLE_RULES,
]
