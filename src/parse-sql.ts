import { splitStatements } from './sql-text.ts'
import type { ParsedStatement } from './rules/scene.ts'
import type { MeasuredStatement } from './measurement.ts'

/**
 * The statements in PostgreSQL’s own syntax tree, read by its own parser (as WebAssembly, loaded when it
 * is first needed). One text may hold several; a text that this parser does not know gives none.
 */
export async function parseStatements(
  statements: readonly MeasuredStatement[],
): Promise<readonly ParsedStatement[]> {
  const { loadModule, parseSync } = await import('libpg-query')
  await loadModule()
  return statements.flatMap((measured, index) =>
    splitStatements(measured.sql).flatMap((sql): readonly ParsedStatement[] => {
      try {
        return (parseSync(sql).stmts ?? []).flatMap(({ stmt }) =>
          stmt === undefined ? [] : [{ index, sql, node: stmt, effects: measured.effects }],
        )
      } catch {
        // The server took it: it is newer than the parser, and what was measured of it still counts.
        return []
      }
    }),
  )
}
