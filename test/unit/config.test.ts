import { expect } from 'chai'
import {
  composeTarget,
  type ConfigFlags,
  type Configuration,
  configure,
  describeTarget,
  serverAddress,
  type ServerTarget,
} from '../../src/config.ts'
import { thrownBy, wholeText } from '../support/errors.ts'

type Environment = Readonly<Record<string, string>>

function configured(env: Environment = {}, flags: ConfigFlags = {}): Configuration {
  return configure({ root: '/app', cwd: '/app/src' }, flags, env)
}

function target(env: Environment, flags: ConfigFlags = {}): ServerTarget {
  const found = configured(env, flags).config.target
  expect(found.kind).to.equal('server')
  return found as ServerTarget
}

/** Message and hint of every problem. */
function problems(env: Environment, flags: ConfigFlags = {}): readonly string[] {
  const error = thrownBy(() => configured(env, flags))
  expect(error.code).to.equal('usage')
  const all = error.problems.length > 0 ? error.problems : [error]
  return all.map(({ message, hint }) => `${message} | ${hint}`)
}

const DEFAULTS: ServerTarget = {
  kind: 'server',
  host: 'db',
  port: 5432,
  database: 'healthcare_federation',
  user: 'postgres',
  password: 'postgres',
  tls: 'disable',
  tlsCaFile: undefined,
  options: undefined,
  applicationName: undefined,
}

describe('configure', () => {
  it('has a default for everything', () => {
    expect(configured()).to.deep.equal({
      config: {
        root: '/app',
        migrationsDir: '/app/migrations',
        generatedDir: '/app/generated',
        services: { file: '/app/src/services.ts', isNamed: false },
        target: { kind: 'embedded', database: 'healthcare_federation' },
        scratch: undefined,
        connectTimeoutMs: 30_000,
        lockWaitMs: 60_000,
        lockTimeoutMs: 2000,
        lockRetries: 11,
        confirmedDatabase: undefined,
        isCleanAllowed: false,
        isProduction: false,
        gitCommit: undefined,
      },
      warnings: [],
    })
  })

  it('takes an empty variable for unset', () => {
    const names =
      'DATABASE_URL DB_HOST DB_PORT DB_NAME DB_USER DB_PASSWORD DB_SSL DB_SSL_CA DB_CONNECT_TIMEOUT MIGRATIONS_DIR GENERATED_DIR CONFIRM MIGRATE_ALLOW_CLEAN GIT_COMMIT'
    const empty = Object.fromEntries(names.split(' ').map((name) => [name, '']))
    expect(configured(empty)).to.deep.equal(configured())
    expect(target({ ...empty, DB_HOST: 'db' })).to.deep.equal(DEFAULTS)
  })

  describe('which database', () => {
    const url = (host: string): string => `postgres://${host}`

    it('is the flag’s before DATABASE_URL’s before DB_HOST’s', () => {
      const env = { DATABASE_URL: url('variable'), DB_HOST: 'host' }
      expect(target(env, { databaseUrl: url('flag') }).host).to.equal('flag')
      expect(target(env).host).to.equal('variable')
      expect(target({ DB_HOST: 'host' }).host).to.equal('host')
    })

    it('takes nothing of DB_* but TLS where there is a URL', () => {
      const env = {
        DB_PORT: '1',
        DB_NAME: 'no',
        DB_USER: 'no',
        DB_PASSWORD: 'no',
        DB_SSL: 'require',
      }
      expect(target({ ...env, DATABASE_URL: url('db') })).to.deep.equal({
        ...DEFAULTS,
        tls: 'require',
      })
    })

    it('does not look at a bad DATABASE_URL where the flag names another', () => {
      const flags = { databaseUrl: url('flag') }
      expect(target({ DATABASE_URL: 'nonsense' }, flags).host).to.equal('flag')
    })

    it('is the embedded one, by the name in DB_NAME, where nothing names a server', () => {
      expect(configured({ DB_NAME: 'app' }).config.target).to.deep.equal({
        kind: 'embedded',
        database: 'app',
      })
    })
  })

  describe('DB_*', () => {
    it('make a server with defaults', () => {
      expect(target({ DB_HOST: 'db' })).to.deep.equal(DEFAULTS)
    })

    it('are taken as they are: nothing is decoded', () => {
      const env = {
        DB_HOST: 'db.example.org',
        DB_PORT: '6543',
        DB_NAME: 'a b',
        DB_USER: 'ada%40x',
        DB_PASSWORD: 'p%20 @:/?#',
        DB_SSL: 'verify-full',
        DB_SSL_CA: '/etc/ca.pem',
      }
      expect(target(env)).to.deep.equal({
        ...DEFAULTS,
        host: 'db.example.org',
        port: 6543,
        database: 'a b',
        user: 'ada%40x',
        password: 'p%20 @:/?#',
        tls: 'verify-full',
        tlsCaFile: '/etc/ca.pem',
      })
    })

    for (const [text, host] of [
      ['::1', '::1'],
      ['[::1]', '::1'],
      ['fe80::1%eth0', 'fe80::1%eth0'],
      ['127.0.0.1', '127.0.0.1'],
      ['/var/run/postgresql', '/var/run/postgresql'],
    ] as const) {
      it(`takes DB_HOST=${text}`, () => {
        expect(target({ DB_HOST: text }).host).to.equal(host)
      })
    }

    for (const text of [
      'localhost:5433',
      'postgres://ada:s3cret@db/app',
      'ada@db',
      'a b',
      'http://db',
    ]) {
      it(`refuses DB_HOST=${text}`, () => {
        expect(problems({ DB_HOST: text })).to.deep.equal([
          'DB_HOST is not a host name | The port belongs into DB_PORT, a whole address into DATABASE_URL.',
        ])
      })
    }
  })

  describe('a URL', () => {
    for (const [text, parts] of [
      ['postgres://', { host: 'localhost' }],
      ['postgresql://db', {}],
      ['POSTGRES://db', {}],
      [' postgres://db\n', {}],
      ['postgres://db/', {}],
      ['postgres://ada@db:6543/app', { user: 'ada', port: 6543, database: 'app' }],
      ['postgres://ada:@db', { user: 'ada' }],
      [
        'postgres://a%40b:p%40%3A%2F%3F%23%25@db/a%2Fb',
        { user: 'a@b', password: 'p@:/?#%', database: 'a/b' },
      ],
      ['postgres://ada:p@ss@db', { user: 'ada', password: 'p@ss' }],
      ['postgres://ada:p+s@db', { user: 'ada', password: 'p+s' }],
      ['postgres://ada:é€@db', { user: 'ada', password: 'é€' }],
      ['postgres://[::1]:6543/app', { host: '::1', port: 6543, database: 'app' }],
      [
        'postgres:///app?host=/var/run/postgresql',
        { host: '/var/run/postgresql', database: 'app' },
      ],
      ['postgres://%2Fvar%2Frun/app', { host: '/var/run', database: 'app' }],
      ['postgres://db?user=ada&password=s3&port=6543', { user: 'ada', password: 's3', port: 6543 }],
      ['postgres://db?sslmode=require', { tls: 'require' }],
      ['postgres://db?sslmode=', {}],
      ['postgres://db?host=&port=', {}],
      ['postgres://db?options=-c%20search_path%3Dapp', { options: '-c search_path=app' }],
      ['postgres://db?application_name=x', { applicationName: 'x' }],
      [
        'postgres://ada:s3@/app?host=/tmp/dir&port=6543',
        { user: 'ada', password: 's3', host: '/tmp/dir', port: 6543, database: 'app' },
      ],
      ['postgres://ada@:6543/app', { user: 'ada', host: 'localhost', port: 6543, database: 'app' }],
      ['postgres://ada:s3@', { user: 'ada', password: 's3', host: 'localhost' }],
    ] as const) {
      it(`is read: ${JSON.stringify(text)}`, () => {
        expect(target({ DATABASE_URL: text })).to.deep.equal({ ...DEFAULTS, ...parts })
      })
    }

    for (const text of [
      'localhost:5432/app',
      'mysql://db/app',
      'https://db/app',
      'postgres:db/app',
      'postgres:/db/app',
      'host=db password=s3cret',
      'postgres://ada:s3/cret@db/app',
      'postgres://ada:12/s3cret@db/app',
      'postgres://ada:12#s3cret@db/app',
      'postgres://ada:12?s3cret@db/app',
      'postgres://ada:s3@/cret@db/app',
      'postgres://ada:s3cret@db:none/app',
      'postgres://ada:s3cret@db:70000/app',
      'postgres://ada:s3cret@d b/app',
    ]) {
      it(`is refused, and not repeated: ${text}`, () => {
        const hint =
          'It reads postgres://user:password@host:port/database, special characters percent-encoded.'
        expect(problems({ DATABASE_URL: text })).to.deep.equal([
          `DATABASE_URL is not a PostgreSQL URL | ${hint}`,
        ])
        expect(problems({}, { databaseUrl: text })).to.deep.equal([
          `--database-url is not a PostgreSQL URL | ${hint}`,
        ])
      })
    }

    it('with stray percent signs is refused once', () => {
      expect(problems({ DATABASE_URL: 'postgres://a%:s3cret%@db/c%' })).to.deep.equal([
        'DATABASE_URL holds a stray % | Write % as %25.',
      ])
    })

    it('may not ask for port 0', () => {
      expect(problems({ DATABASE_URL: 'postgres://db:0/app' })).to.deep.equal([
        'the port in DATABASE_URL is "0" | A port is a number from 1 to 65535.',
      ])
    })
  })

  describe('TLS', () => {
    for (const mode of ['disable', 'require', 'verify-full'] as const) {
      it(`may be ${mode}, and the URL’s sslmode wins over DB_SSL`, () => {
        expect(target({ DB_HOST: 'db', DB_SSL: mode }).tls).to.equal(mode)
        const env = { DATABASE_URL: `postgres://db?sslmode=${mode}`, DB_SSL: 'nonsense' }
        expect(target(env).tls).to.equal(mode)
      })
    }

    for (const mode of ['on', 'true', 'prefer', 'REQUIRE', 'verify-ca', 'no-verify']) {
      it(`may not be ${mode}: it is never weakened in silence`, () => {
        expect(problems({ DB_HOST: 'db', DB_SSL: mode })).to.deep.equal([
          `DB_SSL is "${mode}" | It takes disable, require, verify-full.`,
        ])
        expect(problems({ DATABASE_URL: `postgres://db?sslmode=${mode}` })).to.deep.equal([
          `sslmode in DATABASE_URL is "${mode}" | It takes disable, require, verify-full.`,
        ])
      })
    }

    it('looks for DB_SSL_CA from the project, wherever one stands', () => {
      const env = { DB_HOST: 'db', DB_SSL: 'verify-full', DB_SSL_CA: 'certs/ca.pem' }
      expect(target(env).tlsCaFile).to.equal('/app/certs/ca.pem')
      const url = 'postgres://db?sslmode=verify-full&sslrootcert=/etc/ca.pem'
      expect(target({ ...env, DATABASE_URL: url }).tlsCaFile).to.equal('/etc/ca.pem')
    })

    it('warns where an authority is named that nothing asks', () => {
      const warned = configured({ DB_HOST: 'db', DB_SSL: 'require', DB_SSL_CA: 'ca.pem' }).warnings
      expect(warned).to.deep.equal([
        {
          message:
            'the certificate authority has no effect: with require no certificate is checked',
          hint: 'Set DB_SSL=verify-full, or sslmode=verify-full in the URL.',
        },
      ])
      const env = { DB_HOST: 'db', DB_SSL: 'verify-full', DB_SSL_CA: 'ca.pem' }
      expect(configured(env).warnings).to.deep.equal([])
    })
  })

  describe('a port', () => {
    for (const port of [
      '0',
      '65536',
      '-1',
      '54.32',
      '5432 ',
      '0x10',
      '1e3',
      'x',
      'tcp://10.0.0.1:5432',
    ]) {
      it(`may not be "${port}"`, () => {
        expect(problems({ DB_HOST: 'db', DB_PORT: port })).to.deep.equal([
          `the port in DB_PORT is "${port}" | A port is a number from 1 to 65535.`,
        ])
      })
    }

    for (const port of ['1', '65535', '05432']) {
      it(`may be "${port}"`, () => {
        expect(target({ DB_HOST: 'db', DB_PORT: port }).port).to.equal(Number(port))
      })
    }
  })

  describe('times', () => {
    it('are in seconds, fractions allowed', () => {
      const flags = { lockWait: '0', lockTimeout: '0.25' }
      const { config } = configured({ DB_CONNECT_TIMEOUT: '1.5' }, flags)
      expect(config.connectTimeoutMs).to.equal(1500)
      expect(config.lockWaitMs).to.equal(0)
      expect(config.lockTimeoutMs).to.equal(250)
    })

    it('are never rounded to 0, which may mean without limit', () => {
      expect(configured({}, { lockTimeout: '0.0001' }).config.lockTimeoutMs).to.equal(1)
      expect(configured({}, { lockTimeout: '0.0' }).config.lockTimeoutMs).to.equal(0)
    })

    it('longer than a timer can be are as long as one can be', () => {
      const { config } = configured({ DB_CONNECT_TIMEOUT: '99999999' })
      expect(config.connectTimeoutMs).to.equal(2 ** 31 - 1)
    })

    for (const text of ['-1', 'x', '30s', 'Infinity', 'NaN', '0x10', '1e3', ' ']) {
      it(`may not be "${text}"`, () => {
        const flags = { lockWait: text, lockTimeout: text }
        expect(problems({ DB_CONNECT_TIMEOUT: text }, flags)).to.deep.equal([
          `DB_CONNECT_TIMEOUT is "${text}" | DB_CONNECT_TIMEOUT takes a number of seconds, 0 or more.`,
          `--lock-wait is "${text}" | --lock-wait takes a number of seconds, 0 or more.`,
          `--lock-timeout is "${text}" | --lock-timeout takes a number of seconds, 0 or more.`,
        ])
      })
    }
  })

  describe('retries', () => {
    it('are a number, 0 for none', () => {
      expect(configured({}, { lockRetries: '0' }).config.lockRetries).to.equal(0)
      expect(configured({}, { lockRetries: '100' }).config.lockRetries).to.equal(100)
    })

    for (const text of ['-1', '1.5', 'x', ' ', '1e3', '9999999999']) {
      it(`may not be "${text}"`, () => {
        expect(problems({}, { lockRetries: text })).to.deep.equal([
          `--lock-retries is "${text}" | --lock-retries takes a whole number, 0 or more.`,
        ])
      })
    }
  })

  describe('folders', () => {
    it('that are typed count from where one stands', () => {
      const { config } = configured({}, { migrationsDir: 'm', out: '../g' })
      expect(config.migrationsDir).to.equal('/app/src/m')
      expect(config.generatedDir).to.equal('/app/g')
    })

    it('that are configured count from the project', () => {
      const { config } = configured({ MIGRATIONS_DIR: 'm', GENERATED_DIR: '/g' })
      expect(config.migrationsDir).to.equal('/app/m')
      expect(config.generatedDir).to.equal('/g')
    })

    it('are the flag’s before the variable’s', () => {
      const { config } = configured(
        { MIGRATIONS_DIR: '/no', GENERATED_DIR: '/no' },
        { migrationsDir: '/m', out: '/g' },
      )
      expect(config.migrationsDir).to.equal('/m')
      expect(config.generatedDir).to.equal('/g')
    })
  })

  describe('the services file', () => {
    it('may be missing in its usual place only', () => {
      const place = (env: Record<string, string>, services?: string) =>
        configured(env, { services }).config.services
      expect(place({})).to.deep.equal({ file: '/app/src/services.ts', isNamed: false })
      expect(place({ SERVICES_FILE: 'who.ts' })).to.deep.equal({
        file: '/app/who.ts',
        isNamed: true,
      })
      expect(place({ SERVICES_FILE: 'who.ts' }, 'owns.ts')).to.deep.equal({
        file: '/app/src/owns.ts',
        isNamed: true,
      })
    })
  })

  describe('leave to clean', () => {
    it('is MIGRATE_ALLOW_CLEAN=1 and nothing else', () => {
      expect(configured({ MIGRATE_ALLOW_CLEAN: '1' }).config.isCleanAllowed).to.be.true
      for (const text of ['0', 'true', 'yes', ' 1', '']) {
        expect(configured({ MIGRATE_ALLOW_CLEAN: text }).config.isCleanAllowed, text).to.be.false
      }
    })

    it('is CONFIRM with the name as it was typed', () => {
      expect(configured({ CONFIRM: 'app ' }).config.confirmedDatabase).to.equal('app ')
    })
  })

  it('tells everything that is wrong at once', () => {
    const env = { DB_HOST: 'a b', DB_PORT: 'x', DB_SSL: 'on', DB_CONNECT_TIMEOUT: 'soon' }
    const error = thrownBy(() => configured(env, { lockWait: 'never' }))
    expect(error.message).to.equal('the configuration is not usable')
    expect(error.problems.map(({ message }) => message)).to.deep.equal([
      'DB_HOST is not a host name',
      'the port in DB_PORT is "x"',
      'DB_SSL is "on"',
      'DB_CONNECT_TIMEOUT is "soon"',
      '--lock-wait is "never"',
    ])
  })

  describe('warnings', () => {
    it('name what has no effect on the embedded server', () => {
      expect(
        configured({ DB_USER: 'ada', DB_PASSWORD: 's3cret', DB_NAME: 'app' }).warnings,
      ).to.deep.equal([
        {
          message:
            'DB_USER, DB_PASSWORD have no effect: without DB_HOST or DATABASE_URL the embedded server is used',
          hint: 'Set DB_HOST to use a server of your own.',
        },
      ])
      expect(configured({ DB_PORT: '1' }).warnings[0]?.message).to.match(/^DB_PORT has no effect/)
    })

    it('are none where a server is named', () => {
      expect(configured({ DB_HOST: 'db', DB_USER: 'ada' }).warnings).to.deep.equal([])
      expect(configured({ DATABASE_URL: 'postgres://db', DB_USER: 'ada' }).warnings).to.deep.equal(
        [],
      )
    })
  })

  for (const [name, env] of [
    ['DB_NAME', { DB_HOST: 'db' }],
    ['DB_NAME', {}],
    ['DB_USER', { DB_HOST: 'db' }],
  ] as const) {
    it(`refuses a whole address in ${name}${'DB_HOST' in env ? '' : ' of the embedded server'}`, () => {
      const address = 'postgres://ada:s3cret@db/app'
      const error = thrownBy(() => configured({ ...env, [name]: address }))
      expect(error).to.include({
        code: 'usage',
        message: `${name} is not a name`,
        hint: 'A whole address belongs into DATABASE_URL.',
      })
    })
  }

  describe('a password', () => {
    const SECRET = 's3cret'
    const URLS = [
      `postgres://ada:${SECRET}@db/app`,
      `postgres://db/app?user=ada&password=${SECRET}`,
      `postgres://ada:${SECRET}@db:0/app?sslmode=on`,
      `postgres://ada:${SECRET}%@db/app`,
      `postgres://ada:1#${SECRET}@db/app`,
      `postgres://db?sslmode=require?password=${SECRET}`,
      `postgres://db?port=5432?password=${SECRET}`,
      `host=db password=${SECRET}`,
    ]
    const NAMES = [
      'DATABASE_URL',
      'DB_HOST',
      'DB_PORT',
      'DB_NAME',
      'DB_USER',
      'DB_SSL',
      'DB_CONNECT_TIMEOUT',
      'DB_PASSWORD',
      '--lock-wait',
      '--lock-timeout',
      '--lock-retries',
      '--database-url',
    ]

    for (const name of NAMES) {
      for (const url of URLS) {
        it(`is in no message where ${name} is ${url}`, () => {
          const env = { DB_HOST: 'db', DB_PASSWORD: SECRET, DB_CONNECT_TIMEOUT: 'x', [name]: url }
          const flags = {
            lockWait: env['--lock-wait' as keyof typeof env],
            lockTimeout: env['--lock-timeout' as keyof typeof env],
            lockRetries: env['--lock-retries' as keyof typeof env],
            databaseUrl: env['--database-url' as keyof typeof env],
          }
          const error = thrownBy(() => configured(env, flags))
          expect(wholeText(error)).to.not.include(SECRET)
        })
      }
    }
  })
})

describe('composeTarget', () => {
  it('is reached by loopback, whatever DB_HOST says', () => {
    expect(composeTarget({ DB_HOST: 'postgres', DB_PORT: '6543', DB_PASSWORD: '' })).to.deep.equal({
      ...DEFAULTS,
      host: '127.0.0.1',
      port: 6543,
    })
  })

  it('tells what is wrong', () => {
    expect(thrownBy(() => composeTarget({ DB_PORT: 'x' }))).to.include({
      code: 'usage',
      message: 'the port in DB_PORT is "x"',
    })
  })
})

describe('describeTarget', () => {
  it('names database and address, and nobody’s name or password', () => {
    expect(describeTarget({ ...DEFAULTS, user: 'ada', password: 's3cret' })).to.equal(
      'healthcare_federation on db:5432',
    )
  })

  it('names the embedded server', () => {
    expect(describeTarget({ kind: 'embedded', database: 'app' })).to.equal(
      'app on the embedded server',
    )
  })
})

describe('serverAddress', () => {
  it('puts an IPv6 address in brackets', () => {
    expect(serverAddress({ ...DEFAULTS, host: '::1' })).to.equal('[::1]:5432')
    expect(serverAddress(DEFAULTS)).to.equal('db:5432')
  })
})
