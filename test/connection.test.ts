import { lookup } from 'node:dns/promises'
import { chmod, chown, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import pg from 'pg'
import { requestCancel } from '../src/cancel-request.ts'
import { type EmbeddedServer, startServer, stopServer } from '../src/embedded/server.ts'
import { createAuthority } from './support/certificate.ts'
import { queryUrl } from './support/database.ts'
import { startProgram } from './support/program.ts'
import {
  type CommandOutput,
  createTestProject,
  tableMigration,
  type TestProject,
} from './support/project.ts'
import { until } from './support/until.ts'

/** Whatever happens, no output may hold it; what a shell or a URL could split it at is in it too. */
const SECRET = 's3cret/P@ss:w0rd?#%&'

/** A server of this file's own: TLS on, a role with a password, and a role that must use TLS. */
describe('connection', () => {
  const authority = createAuthority('Clinic CA')
  let root: string
  let server: EmbeddedServer
  let adminUrl: string
  let project: TestProject
  let env: Readonly<Record<string, string>>

  /** Runs status as text and as JSON: both fail alike, and neither shows the password. */
  const fail = async (
    change: Readonly<Record<string, string>>,
    command = 'status',
  ): Promise<{ error: string; hint: string; exitCode: number | null }> => {
    const args = command === 'up' ? [command, '--no-codegen'] : [command]
    const text = await project.run(args, { ...env, ...change })
    const json = await project.run([...args, '--json'], { ...env, ...change })
    expectNoSecret(text, json)
    expect(text.stdout).to.equal('')
    const { ok, error } = JSON.parse(json.stdout)
    expect(ok).to.be.false
    expect(json.exitCode).to.equal(text.exitCode)
    expect(text.stderr.slice(text.stderr.indexOf('Error: '))).to.equal(
      `Error: ${error.message}\nHint: ${error.hint}\n`,
    )
    return { error: error.message, hint: error.hint, exitCode: text.exitCode }
  }
  const succeed = async (change: Readonly<Record<string, string>>): Promise<void> => {
    const output = await project.run(['status'], { ...env, ...change })
    expectNoSecret(output)
    expect(output.exitCode, output.stderr).to.equal(0)
  }
  const address = (): string => `127.0.0.1:${server.port}`
  const databases = async (name: string): Promise<number> =>
    (await queryUrl(adminUrl, 'select from pg_database where datname = $1', [name])).length

  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'federation-migrate-tls-'))
    await chmod(root, 0o755)
    server = await startServer(root, () => undefined)
    adminUrl = `postgres://${server.user}:${server.password}@${server.host}:${server.port}/postgres`
    for (const statement of [
      `create role clinic login createdb password '${SECRET}'`,
      `create role reader login password '${SECRET}'`,
      `create role tls_only login password '${SECRET}' in role clinic`,
      'create database health owner clinic',
      'create database closed owner postgres',
      'revoke connect on database closed from public',
    ]) {
      await queryUrl(adminUrl, statement)
    }
    const { key, certificate } = authority.certify('127.0.0.1')
    await writeAsServer('server.key', key)
    await writeAsServer('server.crt', certificate)
    const hba = await readFile(join(server.dataDir, 'pg_hba.conf'), 'utf8')
    await writeAsServer(
      'pg_hba.conf',
      `hostssl all tls_only all scram-sha-256\n${hba.replace(/\ball(\s+)all\b/g, 'all$1postgres,clinic,reader,nobody')}`,
    )
    await queryUrl(adminUrl, 'alter system set ssl = on')
    await queryUrl(adminUrl, 'select pg_reload_conf()')
    await until('TLS', () =>
      queryUrl(`${adminUrl}?sslmode=no-verify`, 'select').then(
        () => true,
        () => false,
      ),
    )
    project = await createTestProject({
      'ca.pem': authority.certificate,
      'other-ca.pem': createAuthority('Other CA').certificate,
    })
    env = {
      DB_HOST: '127.0.0.1',
      DB_PORT: String(server.port),
      DB_NAME: 'health',
      DB_USER: 'clinic',
      DB_PASSWORD: SECRET,
      DB_CONNECT_TIMEOUT: '10',
    }
  })
  after(async () => {
    await project.dispose()
    await stopServer(root)
    await rm(root, { recursive: true, force: true })
  })

  async function writeAsServer(name: string, text: string): Promise<void> {
    const { uid, gid } = await stat(server.dataDir)
    const file = join(server.dataDir, name)
    await writeFile(file, text, { mode: 0o600 })
    if (process.getuid?.() === 0) await chown(file, uid, gid)
  }

  describe('by DB_* variables', () => {
    it('logs in with a password', () => succeed({}))

    it('refuses a wrong password at once', async () => {
      expect(await fail({ DB_PASSWORD: 'wrong' })).to.deep.equal({
        error: `${address()} refuses the password of user "clinic"`,
        hint: 'Check DB_USER and DB_PASSWORD, or the user and password in DATABASE_URL.',
        exitCode: 1,
      })
    })

    it('refuses an unknown user alike', async () => {
      const { error, exitCode } = await fail({ DB_USER: 'nobody' })
      expect(error).to.equal(`${address()} refuses the password of user "nobody"`)
      expect(exitCode).to.equal(1)
    })

    it('refuses a database that the role may not enter', async () => {
      expect(await fail({ DB_NAME: 'closed' })).to.deep.equal({
        error: 'user "clinic" may not connect to database "closed"',
        hint: 'Let an administrator run: grant connect on database "closed" to "clinic"',
        exitCode: 1,
      })
    })

    it('names the grant where the role may not create anything', async () => {
      await project.write('migrations/001_patients.ts', tableMigration('patients'))
      const output = await project.run(['up', '--no-codegen'], { ...env, DB_USER: 'reader' })
      await project.remove('migrations/001_patients.ts')
      expect(output).to.deep.equal({
        exitCode: 1,
        stdout: '',
        stderr: `Error: the database refuses: permission denied for schema public
  SQLSTATE 42501
Hint: Use a role that owns the schema, or let an administrator run: grant usage, create on schema "public" to "reader"
`,
      })
    })

    it('names the object that the role lacks a privilege on', async () => {
      await project.write('migrations/001_patients.ts', tableMigration('patients'))
      expect((await project.run(['up', '--no-codegen'], env)).exitCode).to.equal(0)
      const url = adminUrl.replace(/postgres$/, 'health')
      try {
        const { stderr } = await project.run(['status'], { ...env, DB_USER: 'reader' })
        expect(stderr).to
          .equal(`Error: the database refuses: permission denied for table migration_history
  SQLSTATE 42501
Hint: Use a role that owns the table, or let an administrator run: grant select, insert, update, delete on table "public"."migration_history" to "reader"
`)
      } finally {
        await project.remove('migrations/001_patients.ts')
        await queryUrl(url, 'drop table migration_history, patients')
      }
    })

    it('refuses an unknown host', async () => {
      const code = await lookup('name.invalid').catch(
        (error: unknown) => (error as { code: string }).code,
      )
      const { error, exitCode } = await fail({ DB_HOST: 'name.invalid', DB_CONNECT_TIMEOUT: '1' })
      expect(exitCode).to.equal(1)
      // Without any name server nobody can tell, so it is waited for.
      expect(error).to.equal(
        code === 'EAI_AGAIN'
          ? `no database answers at name.invalid:${server.port} within 1 s (name server not ready)`
          : 'unknown host name.invalid',
      )
    })

    it('waits for a port that nobody listens on, no longer than DB_CONNECT_TIMEOUT', async () => {
      const port = await freePort()
      for (const [seconds, least] of [
        ['1', 700],
        ['0', 0],
      ] as const) {
        const startedAt = performance.now()
        const output = await project.run(['status'], {
          ...env,
          DB_PORT: String(port),
          DB_CONNECT_TIMEOUT: seconds,
        })
        expect(performance.now() - startedAt).to.be.at.least(least)
        expectNoSecret(output)
        expect(output).to.deep.equal({
          exitCode: 1,
          stdout: '',
          stderr: `Error: no database answers at 127.0.0.1:${port} within ${seconds} s (connection refused)
Hint: Start the server, or check DB_HOST and DB_PORT; DB_CONNECT_TIMEOUT sets how long to wait.
`,
        })
      }
    })

    it('gives up on a server that never answers', async () => {
      const silent = createServer(() => undefined)
      const port = await listen(silent)
      const { error } = await fail({ DB_PORT: String(port), DB_CONNECT_TIMEOUT: '1' })
      silent.close()
      expect(error).to.equal(`no database answers at 127.0.0.1:${port} within 1 s (no answer)`)
    })

    it('needs no more than one attempt, also with DB_CONNECT_TIMEOUT=0', () =>
      succeed({ DB_CONNECT_TIMEOUT: '0' }))

    it('waits for a server that is starting, and says so', async () => {
      const port = await freePort()
      const place = { root: project.root, env: { ...env, DB_PORT: String(port) } }
      const running = startProgram(place, ['status'])
      await running.says('Waiting for ')
      const proxy = createServer((socket) => forward(socket, server.port))
      await listen(proxy, port)
      const output = await running.ended
      proxy.close()
      expectNoSecret(output)
      expect(output.exitCode, output.stderr).to.equal(0)
      expect(output.stderr).to.equal(`Waiting for 127.0.0.1:${port} (connection refused) …\n`)
    })

    it('waits for a server that says that it is starting up', async () => {
      let attempts = 0
      const proxy = createServer((socket) => {
        attempts++
        if (attempts > 2) forward(socket, server.port)
        else socket.once('data', () => socket.end(STARTING_UP))
      })
      const port = await listen(proxy)
      await succeed({ DB_PORT: String(port) })
      proxy.close()
      expect(attempts).to.equal(3)
    })
  })

  describe('to a database that does not exist', () => {
    it('creates it where the role may, in up', async () => {
      const name = 'made "by" up'
      const output = await project.run(['up', '--no-codegen'], { ...env, DB_NAME: name })
      expectNoSecret(output)
      expect(output.exitCode, output.stderr).to.equal(0)
      expect(output.stderr).to.equal(`Created database ${name}\n`)
      expect(await databases(name)).to.equal(1)
    })

    it('creates it once, where two want it', async () => {
      const change = { ...env, DB_NAME: 'twice' }
      const both = await Promise.all([
        project.run(['up', '--no-codegen'], change),
        project.run(['up', '--no-codegen'], change),
      ])
      for (const { exitCode, stderr } of both) expect(exitCode, stderr).to.equal(0)
      expect(await databases('twice')).to.equal(1)
    })

    it('says what an administrator has to do where the role may not', async () => {
      expect(await fail({ DB_USER: 'reader', DB_NAME: 'new' }, 'up')).to.deep.equal({
        error: `database "new" does not exist and can't be created: permission denied to create database`,
        hint: 'Let an administrator run: create database "new" owner "reader"',
        exitCode: 1,
      })
      expect(await databases('new')).to.equal(0)
    })

    it('does not blame the maintenance database', async () => {
      await queryUrl(adminUrl, 'revoke connect on database postgres from public')
      const { error } = await fail({ DB_NAME: 'new' }, 'up')
      await queryUrl(adminUrl, 'grant connect on database postgres to public')
      expect(error).to.equal(
        `database "new" does not exist and can't be created: user "clinic" may not connect to database "postgres"`,
      )
    })
  })

  describe('with TLS', () => {
    const tls = (mode: string, ca?: string) => ({
      DB_SSL: mode,
      ...(ca === undefined ? {} : { DB_SSL_CA: ca }),
    })

    it('works in each mode', async () => {
      await succeed(tls('disable'))
      await succeed(tls('require'))
      await succeed(tls('verify-full', join(project.root, 'ca.pem')))
      await succeed(tls('verify-full', 'ca.pem'))
    })

    it('lets a statement be cancelled', async () => {
      for (const ssl of [false, { rejectUnauthorized: false }] as const) {
        const client = new pg.Client({ connectionString: adminUrl, ssl })
        await client.connect()
        try {
          const sleeping = client
            .query('select pg_sleep(300)')
            .catch((error: unknown) => (error as pg.DatabaseError).code)
          await until('the statement under way', async () => {
            const rows = await queryUrl(
              adminUrl,
              `select from pg_stat_activity where state = 'active' and query = 'select pg_sleep(300)'`,
            )
            return rows.length > 0
          })
          requestCancel(client)
          expect(await sleeping).to.equal('57014')
        } finally {
          await client.end()
        }
      }
    })

    it('is used where it is asked for', async () => {
      for (const [mode, isUsed] of [
        ['disable', false],
        ['require', true],
      ] as const) {
        await project.write(
          'migrations/001_tls.ts',
          `import { type Kysely, sql } from 'kysely'
export async function up(db: Kysely<any>): Promise<void> {
  await sql\`create table if not exists tls as select ssl from pg_stat_ssl where pid = pg_backend_pid()\`.execute(db)
}
export async function down(db: Kysely<any>): Promise<void> {
  await db.schema.dropTable('tls').execute()
}
`,
        )
        const change = { ...env, ...tls(mode) }
        expect((await project.run(['up', '--no-codegen'], change)).exitCode).to.equal(0)
        const url = new URL(adminUrl)
        url.pathname = '/health'
        expect(await queryUrl(url.href, 'select ssl from tls')).to.deep.equal([{ ssl: isUsed }])
        expect((await project.run(['rollback', '--no-codegen'], change)).exitCode).to.equal(0)
        await project.remove('migrations/001_tls.ts')
      }
    })

    it('refuses a certificate of an authority that is not trusted', async () => {
      for (const ca of [undefined, 'other-ca.pem']) {
        const { error, hint, exitCode } = await fail(tls('verify-full', ca))
        expect(error).to.match(
          new RegExp(`^the certificate of ${address()} is not trusted \\([A-Z_]+\\)$`),
        )
        expect(hint).to.include('Set DB_SSL_CA to the file of the authority that signed it')
        expect(exitCode).to.equal(1)
      }
    })

    it('refuses a certificate for another host', async () => {
      expect(await fail({ ...tls('verify-full', 'ca.pem'), DB_HOST: 'localhost' })).to.deep.equal({
        error: `the certificate of localhost:${server.port} is for another host`,
        hint: 'Use the host name that the certificate names, or DB_SSL=require to skip the check.',
        exitCode: 1,
      })
    })

    it('refuses a server without it', async () => {
      const plain = createServer((socket) => socket.once('data', () => socket.write('N')))
      const port = await listen(plain)
      for (const mode of ['require', 'verify-full']) {
        expect(await fail({ ...tls(mode), DB_PORT: String(port) })).to.deep.equal({
          error: `127.0.0.1:${port} does not offer TLS, which DB_SSL=${mode} demands`,
          hint: 'Turn TLS on at the server, or set DB_SSL=disable where the network is trusted.',
          exitCode: 1,
        })
      }
      plain.close()
    })

    it('is hinted at where the server insists on it', async () => {
      expect(await fail({ DB_USER: 'tls_only' })).to.deep.equal({
        error: `${address()} does not let user "tls_only" in`,
        hint: 'The server asks for TLS: set DB_SSL=require or DB_SSL=verify-full.',
        exitCode: 1,
      })
      await succeed({ DB_USER: 'tls_only', ...tls('require') })
    })

    it('refuses a DB_SSL_CA that is not there, and a mode that is none', async () => {
      const missing = await fail(tls('verify-full', 'no.pem'))
      expect(missing.exitCode).to.equal(2)
      expect(missing.error).to.equal(
        `can't read the file of DB_SSL_CA, ${join(project.root, 'no.pem')}`,
      )
      const unknown = await fail(tls('prefer'))
      expect(unknown).to.deep.equal({
        error: 'DB_SSL is "prefer"',
        hint: 'It takes disable, require, verify-full.',
        exitCode: 2,
      })
    })
  })

  describe('by a URL', () => {
    const url = (suffix = '', password = SECRET): string =>
      `postgres://clinic:${encodeURIComponent(password)}@${address()}/health${suffix}`

    it('logs in with a percent-encoded password', async () => {
      const output = await project.run(['status'], { DATABASE_URL: url() })
      expectNoSecret(output)
      expect(output.exitCode, output.stderr).to.equal(0)
      expect(output.stdout).to.include('health: 0 applied, 0 pending')
    })

    it('is beaten by the flag, and beats DB_*', async () => {
      const { exitCode } = await project.run(['status', '--database-url', url()], {
        DATABASE_URL: 'postgres://name.invalid/none',
        DB_HOST: 'name.invalid',
      })
      expect(exitCode).to.equal(0)
      await succeed({ DB_HOST: 'name.invalid', DATABASE_URL: url() })
    })

    it('names its TLS mode', async () => {
      const ca = encodeURIComponent(join(project.root, 'ca.pem'))
      await succeed({ DATABASE_URL: url(`?sslmode=verify-full&sslrootcert=${ca}`) })
      const { error } = await fail({ DATABASE_URL: url('?sslmode=verify-full') })
      expect(error).to.match(/ is not trusted /)
    })

    it('is refused without being repeated where it is none', async () => {
      for (const text of [
        `postgres://clinic:${SECRET}@${address()}/health`,
        `mysql://clinic:${encodeURIComponent(SECRET)}@${address()}/health`,
        SECRET,
      ]) {
        const { exitCode } = await fail({ DATABASE_URL: text })
        expect(exitCode).to.equal(2)
      }
    })
  })

  describe('with variables of libpq in the environment', () => {
    /** Runs status in a process of its own, and gives what it tells the server when it connects. */
    const startupOf = async (environment: (port: number) => Readonly<Record<string, string>>) => {
      let startup: Buffer | undefined
      const proxy = createServer((socket) => {
        socket.once('data', (chunk) => (startup ??= chunk))
        forward(socket, server.port)
      })
      const port = await listen(proxy)
      const { exitCode, stderr } = await project.spawn(['status'], environment(port))
      proxy.close()
      expect(exitCode, stderr).to.equal(0)
      return startupParameters(startup ?? Buffer.alloc(0))
    }
    const expected = {
      user: 'clinic',
      database: 'health',
      application_name: 'federation-migrate',
      client_encoding: 'UTF8',
    }

    it('heeds none of them', async () => {
      const startup = await startupOf((port) => ({
        ...env,
        DB_PORT: String(port),
        PGOPTIONS: '-c search_path=elsewhere',
        PGHOST: 'name.invalid',
        PGHOSTADDR: '192.0.2.1',
        PGPORT: '1',
        PGDATABASE: 'elsewhere',
        PGUSER: 'nobody',
        PGPASSWORD: 'wrong',
        PGAPPNAME: 'elsewhere',
        PGSSLMODE: 'verify-full',
        PGSSLROOTCERT: '/no.pem',
        PGSSLNEGOTIATION: 'direct',
        PGCLIENTENCODING: 'LATIN1',
        PGCLIENT_ENCODING: 'LATIN1',
        PGREPLICATION: 'database',
        PGBINARY: '1',
        PGCONNECT_TIMEOUT: '1',
        PGTZ: 'Asia/Tokyo',
      }))
      expect(startup).to.deep.equal(expected)
    })

    it('sends the options of the URL alone', async () => {
      const options = '-c search_path=public'
      const startup = await startupOf((port) => ({
        DATABASE_URL: `postgres://clinic:${encodeURIComponent(SECRET)}@127.0.0.1:${port}/health?options=${encodeURIComponent(options)}`,
        PGOPTIONS: '-c search_path=elsewhere',
      }))
      expect(startup).to.deep.equal({ ...expected, options })
    })
  })

  describe('by a .env file', () => {
    it('reads it beside package.json, also from a folder below; real variables win', async () => {
      const other = await createTestProject({
        '.env': `DB_HOST=127.0.0.1\nDB_PORT=${server.port}\nDB_NAME=health\nDB_USER=clinic\nDB_PASSWORD='${SECRET}'\n`,
      })
      try {
        const read = await other.spawn(['status'])
        expectNoSecret(read)
        expect(read.exitCode, read.stderr).to.equal(0)
        expect(read.stdout).to.include('health: 0 applied')
        const beaten = await other.spawn(['status'], { DB_PASSWORD: 'wrong' })
        expectNoSecret(beaten)
        expect(beaten.stderr).to.include('refuses the password of user "clinic"')
      } finally {
        await other.dispose()
      }
    })
  })
})

/** ErrorResponse of PostgreSQL's protocol with SQLSTATE 57P03, as a server gives it while it starts. */
const STARTING_UP = (() => {
  const fields = ['SFATAL', 'C57P03', 'Mthe database system is starting up', '']
  const body = Buffer.from(fields.map((field) => `${field}\0`).join(''))
  const head = Buffer.from('E\0\0\0\0')
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
})()

function expectNoSecret(...outputs: readonly CommandOutput[]): void {
  for (const { stdout, stderr } of outputs) {
    for (const text of [SECRET, encodeURIComponent(SECRET), JSON.stringify(SECRET).slice(1, -1)]) {
      expect(stdout + stderr).not.to.include(text)
    }
    expect(stdout + stderr).not.to.include('s3cret')
  }
}

async function listen(server: Server, port = 0): Promise<number> {
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as { port: number }).port
}

async function freePort(): Promise<number> {
  const server = createServer()
  const port = await listen(server)
  server.close()
  await once(server, 'close')
  return port
}

/** A StartupMessage of PostgreSQL's protocol: length, version, then names and values, each ended by a zero. */
function startupParameters(message: Buffer): Record<string, string> {
  const words = message.subarray(8).toString().split('\0')
  const parameters: Record<string, string> = {}
  for (let at = 0; words[at]; at += 2) parameters[words[at]!] = words[at + 1] ?? ''
  return parameters
}

function forward(socket: Socket, port: number): void {
  const onward = connect(port, '127.0.0.1')
  socket.pipe(onward).pipe(socket)
  for (const end of [socket, onward]) end.on('error', () => undefined)
}
