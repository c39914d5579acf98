import { execFile } from 'node:child_process'
import { chown, mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { MigrationError } from '../errors.ts'

/** An unprivileged account, in the names of spawn's options. */
export interface Account {
  readonly uid: number
  readonly gid: number
}

interface PasswdEntry extends Account {
  readonly name: string
}

/** What a program said and whether it exited with 0. */
export interface Outcome {
  readonly ok: boolean
  readonly output: string
}

/** The entries of an /etc/passwd. Negative numbers (macOS: nobody is -2) become what the kernel calls them. */
export function parsePasswd(text: string): PasswdEntry[] {
  return text.split('\n').flatMap((line) => {
    const [name, , uid, gid] = line.split(':')
    return name && uid && gid ? [{ name, uid: Number(uid) >>> 0, gid: Number(gid) >>> 0 }] : []
  })
}

/**
 * PostgreSQL refuses to run as root: the account to run it as instead; undefined when we are an ordinary user.
 * An existing data directory decides, since the server must own it; then the owner of `root`; then the
 * customary accounts. initdb asks for a passwd entry.
 */
export async function serverAccount(root: string, dataDir: string): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const data = await stat(dataDir).catch(() => undefined)
  if (data !== undefined && data.uid !== 0) return { uid: data.uid, gid: data.gid }
  const entries = parsePasswd(await readFile('/etc/passwd', 'utf8').catch(() => ''))
  const rootOwner = (await stat(root)).uid
  const account = [
    entries.find(({ uid }) => uid === rootOwner),
    entries.find(({ name }) => name === 'postgres'),
    entries.find(({ name }) => name === 'nobody'),
  ].find((entry) => entry !== undefined && entry.uid !== 0)
  if (account !== undefined) return account
  throw new MigrationError(
    'embedded_failed',
    'PostgreSQL does not run as root, and there is no account for it',
    {
      hint: 'Add an account named postgres (useradd --system postgres), or set DATABASE_URL or DB_HOST.',
    },
  )
}

/** Runs a program as the account (or as ourselves) and gives all that it printed. Never throws. */
export function run(
  account: Account | undefined,
  file: string,
  args: readonly string[],
): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(file, args, processOptions(account), (error, stdout, stderr) => {
      const reason = error !== null && stdout + stderr === '' ? error.message : ''
      resolve({ ok: error === null, output: stdout + stderr + reason })
    })
  })
}

/**
 * How the account's processes start: in a directory that anyone may enter, with nothing of our environment
 * (PGPORT and the like would change the server; passwords have no business in a process that stays).
 */
export function processOptions(account: Account | undefined) {
  const { PATH = '/usr/bin:/bin' } = process.env
  const identity = account === undefined ? {} : { uid: account.uid, gid: account.gid }
  return { ...identity, cwd: '/', env: { PATH, LC_ALL: 'C' } as NodeJS.ProcessEnv }
}

/**
 * Whether the account can get to the directory and own what we put there. Tried out, because no rule knows all
 * of parents' modes, ACLs, user namespaces and file systems without owners.
 */
export async function canLiveIn(account: Account, directory: string): Promise<boolean> {
  const probe = await mkdtemp(join(directory, `probe-${process.pid}-`))
  try {
    await chown(probe, account.uid, account.gid)
    const script = 'cd "$1" && : > file && test -O file'
    return (await run(account, '/bin/sh', ['-c', script, 'sh', probe])).ok
  } catch {
    return false
  } finally {
    await rm(probe, { recursive: true, force: true })
  }
}
