import { ApolloServer, type BaseContext } from '@apollo/server'
import {
  ApolloServerPluginInlineTraceDisabled,
  ApolloServerPluginLandingPageDisabled,
} from '@apollo/server/plugin/disabled'
import { ApolloServerPluginDrainHttpServer } from '@apollo/server/plugin/drainHttpServer'
import { GraphQLError, type GraphQLSchema } from 'graphql'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ApolloGateway } from '@apollo/gateway'
import { createFormatError, type Log } from './errors.ts'
import { answer } from './http.ts'
import { limitDepth, MOST_TOKENS } from './limits.ts'

/** A server that listens. */
export interface RunningServer {
  readonly url: string
  /** Answers what has been asked, then closes the port. */
  readonly stop: () => Promise<void>
}

/** What a server needs to know. */
export interface ServerOptions<Context extends BaseContext> {
  /** What it serves. */
  readonly service: { readonly schema: GraphQLSchema } | { readonly gateway: ApolloGateway }
  /** Made anew for each request. */
  readonly createContext: () => Context
  /** 0 for any that is free. */
  readonly port: number
  readonly log: Log
}

/** This example knows no users, so that nobody but this machine may ask it. */
const LOOPBACK = '127.0.0.1'

/** Starts a GraphQL server on loopback. */
export async function startServer<Context extends BaseContext>(
  options: ServerOptions<Context>,
): Promise<RunningServer> {
  const { service, createContext, port, log } = options
  const httpServer = createServer((request, response) => {
    const contextOf = async (): Promise<Context> => {
      requireNoPage(request)
      return createContext()
    }
    answer(server, contextOf, request, response).catch(() => response.destroy())
  })
  const server = new ApolloServer<Context>({
    ...service,
    ...('gateway' in service
      ? { parseOptions: { maxLexicalTokens: MOST_TOKENS }, validationRules: [limitDepth] }
      : {}),
    formatError: createFormatError(log),
    includeStacktraceInErrorResponses: false,
    // Whoever started it stops it, subgraphs after the gateway.
    stopOnTerminationSignals: false,
    plugins: [
      ApolloServerPluginInlineTraceDisabled(),
      ApolloServerPluginLandingPageDisabled(),
      ApolloServerPluginDrainHttpServer({ httpServer }),
    ],
  })
  await server.start()
  try {
    await once(httpServer.listen(port, LOOPBACK), 'listening')
  } catch (error) {
    await server.stop()
    throw error
  }
  const { port: actualPort } = httpServer.address() as AddressInfo
  return { url: `http://${LOOPBACK}:${actualPort}/`, stop: () => server.stop() }
}

/** Browsers name the page that asks; other clients have none. */
function requireNoPage({ headers }: IncomingMessage): void {
  if (headers.origin === undefined) return
  throw new GraphQLError('web pages may not ask', {
    extensions: { code: 'FORBIDDEN', http: { status: 403 } },
  })
}
