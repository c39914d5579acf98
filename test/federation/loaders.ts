import DataLoader from 'dataloader'

/**
 * Collects the keys that one request asks for, and finds their rows in one query: the row of a key, or null.
 * A loader belongs to one request, since it remembers what it has found.
 */
export function rowLoader<Row>(
  find: (keys: readonly string[]) => Promise<readonly Row[]>,
  keyOf: (row: Row) => string,
): DataLoader<string, Row | null> {
  return new DataLoader(async (keys) => {
    const rows = new Map((await find(keys)).map((row) => [keyOf(row), row]))
    return keys.map((key) => rows.get(key) ?? null)
  })
}

/** The same for the many rows that refer to a key, in the order in which they are found. */
export function rowsLoader<Row>(
  find: (keys: readonly string[]) => Promise<readonly Row[]>,
  keyOf: (row: Row) => string,
): DataLoader<string, readonly Row[]> {
  return new DataLoader(async (keys) => {
    const groups = new Map(keys.map((key): [string, Row[]] => [key, []]))
    for (const row of await find(keys)) groups.get(keyOf(row))?.push(row)
    return keys.map((key) => groups.get(key) ?? [])
  })
}
