import { ApolloServer, type BaseContext } from '@apollo/server'
import {
  ApolloServerPluginInlineTraceDisabled,
  ApolloServerPluginLandingPageDisabled,
} from '@apollo/server/plugin/disabled'
import { startStandaloneServer } from '@apollo/server/standalone'
import { GraphQLError, type GraphQLSchema } from 'graphql'
import type { ApolloGateway } from '@apollo/gateway'
import { createFormatError, type Log } from './errors.ts'

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
  const server = new ApolloServer<Context>({
    ...service,
    formatError: createFormatError(log),
    includeStacktraceInErrorResponses: false,
    // Whoever started it stops it, subgraphs after the gateway.
    stopOnTerminationSignals: false,
    plugins: [ApolloServerPluginInlineTraceDisabled(), ApolloServerPluginLandingPageDisabled()],
  })
  const { url } = await startStandaloneServer<Context>(server, {
    listen: { host: LOOPBACK, port },
    context: async ({ req }) => {
      if (req.headers.origin !== undefined) throw foreignPage()
      return createContext()
    },
  })
  return { url, stop: () => server.stop() }
}

/** Apollo's standalone server lets the pages of every web site read its answers (CORS). */
function foreignPage(): GraphQLError {
  return new GraphQLError('web pages may not ask', {
    extensions: { code: 'FORBIDDEN', http: { status: 403 } },
  })
}
