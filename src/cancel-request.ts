import pg from 'pg'

/** What pg's client keeps of its connection, and its types leave out. */
type ConnectedClient = pg.Client & {
  readonly processID: number
  readonly secretKey: number
}

/** pg's connection, as far as its types leave it out. */
type CancellingConnection = pg.Connection & {
  connect: (port: number | string, host?: string) => void
  requestSsl: () => void
  cancel: (processId: number, secretKey: number) => void
}

/**
 * Asks the server to cancel what the client's session runs, by the protocol's CancelRequest on a
 * connection of its own (PostgreSQL documentation, Frontend/Backend Protocol). It needs no privilege, and
 * a connection pooler passes it on. Nobody answers it: the statement fails, or it does not.
 */
export function requestCancel(client: pg.Client): void {
  const { host, port, ssl, processID, secretKey } = client as ConnectedClient
  const connection = new pg.Connection({ ssl }) as CancellingConnection
  const send = (): void => {
    connection.cancel(processID, secretKey)
  }
  // A server that can't be reached can't be asked.
  connection.on('error', () => connection.stream.destroy())
  connection.once('sslconnect', send)
  connection.once('connect', () => {
    if (ssl) connection.requestSsl()
    else send()
  })
  if (host.startsWith('/')) connection.connect(`${host}/.s.PGSQL.${port}`)
  else connection.connect(port, host)
}
