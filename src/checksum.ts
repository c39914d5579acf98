import { hash } from 'node:crypto'

/**
 * The algorithm in front of every checksum. A later algorithm gets a new number, and the old one
 * stays here, so that a new version of this tool still recognises what an old one applied.
 */
const ALGORITHM = '1'

/** A local module that a migration imports: its path relative to the migration's folder, and its text. */
export interface ImportedSource {
  readonly path: string
  readonly source: string
}

/**
 * The checksum of a migration: `1:` and 64 hex digits.
 * SHA-256 over the module's text and then, in order of path, each imported module's path and text;
 * every part preceded by its length, line endings as \n and without a byte order mark.
 * The migration's own name is not part of it, so that a renamed file can be recognised.
 */
export function migrationChecksum(source: string, imports: readonly ImportedSource[] = []): string {
  const inOrder = [...imports].sort((a, b) => (a.path < b.path ? -1 : 1))
  const parts = [
    normalise(source),
    ...inOrder.flatMap(({ path, source: imported }) => [path, normalise(imported)]),
  ]
  const text = parts.map((part) => `${part.length}:${part}`).join('')
  return `${ALGORITHM}:${hash('sha256', text)}`
}

/** True where this version of the tool can recompute the checksum. */
export function isKnownChecksum(checksum: string): boolean {
  return checksum.startsWith(`${ALGORITHM}:`)
}

function normalise(text: string): string {
  const withoutMark = text.startsWith('\uFEFF') ? text.slice(1) : text
  return withoutMark.includes('\r') ? withoutMark.replace(/\r\n?/g, '\n') : withoutMark
}
