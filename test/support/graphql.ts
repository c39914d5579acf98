/** What a GraphQL server answers. */
export interface Answer {
  readonly data: any
  readonly errors?: readonly any[]
}

/** Sends a GraphQL request as clients do. */
export async function ask(
  url: string,
  query: string,
  variables: Readonly<Record<string, unknown>> = {},
): Promise<Answer> {
  return postJson(url, JSON.stringify({ query, variables }))
}

/** Sends a body that is JSON already. */
export async function postJson(url: string, body: string): Promise<Answer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  })
  return (await response.json()) as Answer
}
