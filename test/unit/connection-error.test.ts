import { expect } from 'chai'
import type { ServerTarget } from '../../src/config.ts'
import { classifyConnectionError } from '../../src/connection-error.ts'
import type { MigrationError } from '../../src/errors.ts'
import { wholeText } from '../support/errors.ts'

const TARGET: ServerTarget = {
  kind: 'server',
  host: 'db',
  port: 5432,
  database: 'app',
  user: 'ada',
  password: 's3cret',
  tls: 'disable',
  tlsCaFile: undefined,
  options: undefined,
  applicationName: undefined,
}

const failure = (code: string, message: string): Error =>
  Object.assign(new Error(message), { code })

function finalError(error: unknown, target: Partial<ServerTarget> = {}): MigrationError {
  const result = classifyConnectionError(error, { ...TARGET, ...target })
  if (result.kind !== 'final') throw new Error(`it is ${result.kind}`)
  expect(result.error.code).to.equal('connection_failed')
  expect(result.error.cause).to.equal(error)
  return result.error
}

describe('classifyConnectionError', () => {
  for (const [code, message, reason] of [
    ['ECONNREFUSED', 'connect ECONNREFUSED 127.0.0.1:5432', 'connection refused'],
    ['ECONNRESET', 'read ECONNRESET', 'connection reset'],
    ['EPIPE', 'write EPIPE', 'connection closed'],
    ['ETIMEDOUT', 'connect ETIMEDOUT', 'no answer'],
    ['EHOSTUNREACH', 'connect EHOSTUNREACH', 'host unreachable'],
    ['ENETUNREACH', 'connect ENETUNREACH', 'network unreachable'],
    ['EAI_AGAIN', 'getaddrinfo EAI_AGAIN db', 'name server not ready'],
    ['57P03', 'the database system is shutting down', 'the database system is shutting down'],
    ['53300', 'sorry, too many clients already', 'too many connections'],
    ['', 'timeout expired', 'no answer'],
    ['', 'Connection terminated unexpectedly', 'connection closed'],
    ['', 'Connection terminated due to connection timeout', 'no answer'],
  ] as const) {
    it(`tries again after ${code || message}`, () => {
      expect(classifyConnectionError(failure(code, message), TARGET)).to.deep.equal({
        kind: 'retry',
        reason,
      })
    })
  }

  it('tries again where every address of a name refuses', () => {
    const refused = failure('ECONNREFUSED', 'connect ECONNREFUSED ::1:5432')
    const error = Object.assign(new AggregateError([refused, refused]), { code: 'ECONNREFUSED' })
    expect(classifyConnectionError(error, TARGET).kind).to.equal('retry')
  })

  it('knows a missing database', () => {
    const error = failure('3D000', 'database "app" does not exist')
    expect(classifyConnectionError(error, TARGET)).to.deep.equal({ kind: 'missing-database' })
  })

  for (const [code, message, target, fact, hint] of [
    ['ENOTFOUND', 'getaddrinfo ENOTFOUND db', {}, 'unknown host db', /^Check DB_HOST/],
    [
      '28P01',
      'password authentication failed for user "ada"',
      {},
      'db:5432 refuses the password of user "ada"',
      /^Check DB_USER and DB_PASSWORD/,
    ],
    [
      '',
      'SASL: SCRAM-SERVER-FINAL-MESSAGE: server signature is wrong',
      {},
      'db:5432 refuses the password of user "ada"',
      /^Check DB_USER and DB_PASSWORD/,
    ],
    [
      '28000',
      'no pg_hba.conf entry for host "10.0.0.1", user "ada", database "app", no encryption',
      {},
      'db:5432 does not let user "ada" in',
      /set DB_SSL=require/,
    ],
    [
      '28000',
      'no pg_hba.conf entry for host "10.0.0.1", user "ada", database "app", SSL encryption',
      { tls: 'require' },
      'db:5432 does not let user "ada" in',
      /pg_hba\.conf/,
    ],
    [
      '28000',
      'role "ada" does not exist',
      {},
      'db:5432 does not let user "ada" in',
      /^Check DB_USER/,
    ],
    [
      '42501',
      'permission denied for database "app"',
      {},
      'user "ada" may not connect to database "app"',
      /grant connect on database "app" to "ada"/,
    ],
    [
      '42501',
      'permission denied for database "a""p"',
      { database: 'a"p', user: 'd"ba' },
      'user "d"ba" may not connect to database "a"p"',
      /grant connect on database "a""p" to "d""ba"/,
    ],
    [
      '',
      'The server does not support SSL connections',
      { tls: 'verify-full' },
      'db:5432 does not offer TLS, which DB_SSL=verify-full demands',
      /DB_SSL=disable/,
    ],
    [
      'ERR_TLS_CERT_ALTNAME_INVALID',
      "Hostname/IP does not match certificate's altnames",
      { tls: 'verify-full' },
      'the certificate of db:5432 is for another host',
      /host name/,
    ],
    [
      'DEPTH_ZERO_SELF_SIGNED_CERT',
      'self-signed certificate',
      { tls: 'verify-full' },
      'the certificate of db:5432 is not trusted (DEPTH_ZERO_SELF_SIGNED_CERT)',
      /DB_SSL_CA/,
    ],
    [
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      'unable to verify the first certificate',
      { tls: 'verify-full', host: '::1' },
      'the certificate of [::1]:5432 is not trusted (UNABLE_TO_VERIFY_LEAF_SIGNATURE)',
      /DB_SSL_CA/,
    ],
    ['EACCES', 'connect EACCES', {}, "can't connect to db:5432: connect EACCES", /^Check DB_HOST/],
  ] as const) {
    it(`gives up on ${code || 'no code'}: ${message}`, () => {
      const error = finalError(failure(code, message), target)
      expect(error.message).to.equal(fact)
      expect(error.hint).to.match(hint)
      expect(wholeText(error)).to.not.include('s3cret')
    })
  }

  it('does not offer TLS where it is on', () => {
    const error = failure('28000', 'no pg_hba.conf entry for host "10.0.0.1", no encryption')
    expect(finalError(error, { tls: 'require' }).hint).to.not.include('DB_SSL')
  })

  it('takes what is no Error as it is', () => {
    expect(finalError('odd').message).to.equal("can't connect to db:5432: odd")
  })
})
