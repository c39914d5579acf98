import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import type { Running } from '../../support/program.ts'

/** A connection that goes through the proxy, from the runner to the server. */
export interface Link {
  /** What was sent on it and has come to the proxy, in order. */
  readonly statements: readonly string[]
  /** Resets it on both sides: no answer that is on its way arrives any more. */
  reset(): void
  /** Ends it in good order on both sides, as a server or a load balancer that goes down does. */
  end(): void
}

/** A statement that the proxy holds: the server has not seen it. */
export interface Held {
  readonly statement: string
  readonly link: Link
  /** Sends it on. */
  pass(): void
  /** Sends it on and keeps the answer; resolves when that is whole, and the server ready for the next one. */
  passWithoutAnswer(): Promise<void>
}

/** A TCP proxy before a PostgreSQL server that can hold, cut and reset what goes through it. */
export interface Proxy {
  /** The URL that leads to the same database through the proxy. */
  url(databaseUrl: string): string
  /** Holds the next statement that matches; `number` counts all statements of all connections, from 1 on. */
  hold(matches: (statement: string, number: number) => boolean): Promise<Held>
  /** Lets nothing through any more, on no connection and in neither direction, not even its end. */
  stall(): void
  close(): Promise<void>
}

/** Starts a proxy before the server of this URL, on a free port where none is named. */
export async function startProxy(serverUrl: string, port = 0): Promise<Proxy> {
  const target = new URL(serverUrl)
  const sockets = new Set<Socket>()
  let count = 0
  let trap: Trap = NO_TRAP
  const traffic: Traffic = { isStalled: false }

  const server = createServer(HALF_OPEN, (client) => {
    const upstream = connect({ ...HALF_OPEN, port: Number(target.port), host: target.hostname })
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => sockets.delete(socket))
    }
    runLink(client, upstream, traffic, (statement, caught) => {
      count += 1
      if (!trap.matches(statement, count)) return false
      const { spring } = trap
      trap = NO_TRAP
      spring(caught)
      return true
    })
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port')

  return {
    url: (databaseUrl) => {
      const url = new URL(databaseUrl)
      url.hostname = '127.0.0.1'
      url.port = String(address.port)
      return url.href
    },
    hold: (matches) =>
      new Promise((resolve) => {
        trap = { matches, spring: resolve }
      }),
    stall: () => {
      traffic.isStalled = true
    },
    close: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** What the proxy holds; fails where the runner ends and nothing was held. */
export function caughtFrom(runner: Running, held: Promise<Held>): Promise<Held> {
  return Promise.race([
    held,
    runner.ended.then(({ stderr }) => {
      throw new Error(`the run ended, and nothing was held: ${stderr}`)
    }),
  ])
}

/** True for the message that ends a migration in a transaction: its history row, and COMMIT. */
export function isCommit(statement: string): boolean {
  return statement.endsWith('; commit')
}

interface Trap {
  readonly matches: (statement: string, number: number) => boolean
  readonly spring: (held: Held) => void
}

interface Traffic {
  isStalled: boolean
}

/** One side's end is passed on, where it is, by hand. */
const HALF_OPEN = { allowHalfOpen: true } as const

const NO_TRAP: Trap = { matches: () => false, spring: () => undefined }

/** Joins two sockets; `isHeld` is asked about each statement before it is sent on. */
function runLink(
  client: Socket,
  upstream: Socket,
  traffic: Traffic,
  isHeld: (statement: string, held: Held) => boolean,
): void {
  const statements: string[] = []
  const link: Link = {
    statements,
    reset: () => {
      client.resetAndDestroy()
      upstream.resetAndDestroy()
    },
    end: () => {
      client.end()
      upstream.end()
    },
  }

  // Frontend to backend, message by message: what comes after a held one waits behind it.
  const waiting: Buffer[] = []
  let isHolding = false
  const sendOn = (): void => {
    while (!isHolding && !traffic.isStalled) {
      const message = waiting.shift()
      if (message === undefined) return
      const statement = statementOf(message)
      if (statement !== undefined) {
        statements.push(statement)
        isHolding = isHeld(statement, heldStatement(statement, message))
      }
      if (!isHolding) upstream.write(message)
    }
  }

  // Backend to frontend: only the end of an answer matters.
  let isAnswerKept = false
  let onReady = (): void => undefined
  const heldStatement = (statement: string, message: Buffer): Held => {
    const pass = (): void => {
      upstream.write(message)
      isHolding = false
      sendOn()
    }
    return {
      statement,
      link,
      pass,
      passWithoutAnswer: () =>
        new Promise((resolve) => {
          isAnswerKept = true
          onReady = resolve
          pass()
        }),
    }
  }

  client.on(
    'data',
    splitMessages(STARTUP, (message) => {
      waiting.push(message)
      sendOn()
    }),
  )
  const watchAnswers = splitMessages(TYPED, (message) => {
    if (message[0] === READY_FOR_QUERY) onReady()
  })
  upstream.on('data', (chunk: Buffer) => {
    if (!isAnswerKept && !traffic.isStalled) client.write(chunk)
    watchAnswers(chunk)
  })
  // What one side lost, the other loses too; the last words of a server that shuts down still arrive.
  client.on('close', () => upstream.destroy())
  upstream.on('close', () => client.end())
  client.on('end', () => {
    if (!traffic.isStalled) upstream.end()
  })
  upstream.on('end', () => {
    if (!traffic.isStalled) client.end()
  })
}

/** Message types (PostgreSQL documentation, Message Formats). */
const QUERY = 'Q'.charCodeAt(0)
const PARSE = 'P'.charCodeAt(0)
const READY_FOR_QUERY = 'Z'.charCodeAt(0)

/** The bytes before a message's length: the first message of a connection has no type. */
const STARTUP = 0
const TYPED = 1

/** Calls back with each whole message of a stream that begins with such a message. */
function splitMessages(
  first: typeof STARTUP | typeof TYPED,
  onMessage: (message: Buffer) => void,
): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0)
  let typeLength = first
  return (chunk) => {
    rest = Buffer.concat([rest, chunk])
    for (;;) {
      if (rest.length < typeLength + 4) return
      const length = typeLength + rest.readInt32BE(typeLength)
      if (rest.length < length) return
      const message = rest.subarray(0, length)
      rest = rest.subarray(length)
      typeLength = TYPED
      onMessage(message)
    }
  }
}

/** The SQL of a simple query or of a Parse message. */
function statementOf(message: Buffer): string | undefined {
  if (message[0] !== QUERY && message[0] !== PARSE) return undefined
  // Type and length stand before it; Parse has the name of the prepared statement first, ended by a zero.
  const start = message[0] === QUERY ? 5 : message.indexOf(0, 5) + 1
  return message.toString('utf8', start, message.indexOf(0, start))
}
