import { ApolloGateway, IntrospectAndCompose } from '@apollo/gateway'
import process from 'node:process'
import { type RunningServer, startServer } from './server.ts'
import { startSubgraph, type Subgraph, type SubgraphOptions } from './subgraph.ts'
import { institutions } from './subgraphs/institutions.ts'
import { patients } from './subgraphs/patients.ts'
import { providers } from './subgraphs/providers.ts'
import { recommendationItems } from './subgraphs/recommendation-items.ts'
import { recommendations } from './subgraphs/recommendations.ts'

/** Where the federation's data are, and where its gateway listens. */
export interface FederationOptions extends SubgraphOptions {
  /** Of the gateway; any that is free where none is given. */
  readonly port?: number
}

/**
 * Starts the five subgraphs, composes a supergraph from what they say of themselves, and serves it.
 * Of the result, `url` is the gateway's, and `stop` stops all of it.
 */
export async function startFederation(options: FederationOptions): Promise<RunningServer> {
  const servers: RunningServer[] = []
  const stop = async (): Promise<void> => {
    for (const server of servers.splice(0).reverse()) await server.stop()
  }
  const start = async <Tables, Loaders>(subgraph: Subgraph<Tables, Loaders>) => {
    const server = await startSubgraph(subgraph, options)
    servers.push(server)
    return { name: subgraph.name, url: server.url }
  }
  try {
    const subgraphs = [
      await start(patients),
      await start(providers),
      await start(institutions),
      await start(recommendations),
      await start(recommendationItems),
    ]
    const gateway = await startGateway(subgraphs, options)
    servers.push(gateway)
    return { url: gateway.url, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function startGateway(
  subgraphs: { readonly name: string; readonly url: string }[],
  { port = 0, log }: FederationOptions,
): Promise<RunningServer> {
  // The gateway reports its surroundings to its maker; health data and their servers are nobody's business.
  process.env.APOLLO_TELEMETRY_DISABLED = 'true'
  const gateway = new ApolloGateway({ supergraphSdl: new IntrospectAndCompose({ subgraphs }) })
  return startServer({ service: { gateway }, createContext: () => ({}), port, log })
}
