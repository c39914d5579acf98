import { MigrationError } from '../errors.ts'

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EDQUOT: 'disk quota exceeded',
  EEXIST: 'something else is there',
  EISDIR: 'it is a directory',
  ELOOP: 'it is a symbolic link',
  ENOENT: 'it does not exist',
  ENOSPC: 'no space left on device',
  ENOTDIR: 'a part of the path is no directory',
  EPERM: 'operation not permitted',
  EROFS: 'read-only file system',
}

const ELSEWHERE = 'set DATABASE_URL or DB_HOST to use another database'

/**
 * Turns the file system's refusals into one line with a remedy.
 *
 * @returns MigrationError embedded_failed; any other error as it is
 */
export function explain(error: unknown): unknown {
  const { code = '', path } = error as NodeJS.ErrnoException
  const reason = REASONS[code]
  if (error instanceof MigrationError || reason === undefined) return error
  const what = path ?? 'its files'
  return new MigrationError('embedded_failed', `the embedded server can't use ${what}: ${reason}`, {
    hint: remedy(reason),
    cause: error,
  })
}

/** What to do about a program's or the system's complaint: one sentence. */
export function remedy(complaint: string): string {
  if (/no space left|free disk space|quota/i.test(complaint)) {
    return `Free some space and run the same command again, or ${ELSEWHERE}.`
  }
  if (/read-only|permission|permitted|wrong ownership/i.test(complaint)) {
    return `Let this account write there (.postgres may belong to another), or ${ELSEWHERE}.`
  }
  if (complaint.includes('incompatible with server')) {
    return `Move .postgres away to begin with an empty database, or ${ELSEWHERE}.`
  }
  return `Remove the cause and run the same command again, or ${ELSEWHERE}.`
}
