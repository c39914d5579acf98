import {
  type ApolloServer,
  type BaseContext,
  HeaderMap,
  type HTTPGraphQLRequest,
} from '@apollo/server'
import type { IncomingMessage, ServerResponse } from 'node:http'

const MOST_BYTES = 1_000_000

/**
 * Answers a request. Apollo's standalone server would answer a body that can't be read with a page that quotes it
 * and the files of the server, log the same, and let the pages of every web site read its answers.
 */
export async function answer<Context extends BaseContext>(
  server: ApolloServer<Context>,
  createContext: () => Promise<Context>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { status, headers, body } = await server.executeHTTPGraphQLRequest({
    httpGraphQLRequest: await readRequest(request),
    context: createContext,
  })
  response.writeHead(status ?? 200, Object.fromEntries(headers))
  if (body.kind === 'complete') response.end(body.string)
  else throw new Error('answers in parts are not foreseen')
}

async function readRequest(request: IncomingMessage): Promise<HTTPGraphQLRequest> {
  const { method = 'GET', url = '/' } = request
  const headers = new HeaderMap()
  for (const [name, value] of Object.entries(request.headers)) headers.set(name, String(value))
  return {
    method,
    headers,
    search: new URL(url, 'http://localhost').search,
    body: parseBody(headers, await readBody(request)),
  }
}

/** Nothing where there is too much. */
async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size <= MOST_BYTES) chunks.push(chunk)
  }
  return size <= MOST_BYTES ? Buffer.concat(chunks).toString() : ''
}

/** What is no JSON counts as no body, which Apollo has an answer to. */
function parseBody(headers: HeaderMap, text: string): unknown {
  if (headers.get('content-type')?.startsWith('application/json') !== true) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
