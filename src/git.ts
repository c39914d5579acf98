import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** The commit that migrations were run from; nulls where no checkout is, or no git. */
export interface GitState {
  readonly commit: string | null
  readonly isDirty: boolean | null
}

/** Asks git about the folder. `fallbackCommit` stands in where there is no checkout (an image, say). */
export async function readGitState(
  folder: string,
  fallbackCommit: string | undefined,
): Promise<GitState> {
  const git = async (...args: string[]): Promise<string | undefined> => {
    try {
      const { stdout } = await promisify(execFile)('git', ['-C', folder, ...args], {
        timeout: 5000,
      })
      return stdout.trim()
    } catch {
      return undefined
    }
  }
  const [commit, changes] = await Promise.all([
    git('rev-parse', '--verify', 'HEAD'),
    git('status', '--porcelain', '--untracked-files=normal'),
  ])
  if (commit === undefined) return { commit: fallbackCommit ?? null, isDirty: null }
  return { commit, isDirty: changes === undefined ? null : changes !== '' }
}
