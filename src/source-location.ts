import { SourceMap, type SourceMapPayload } from 'node:module'
import { dirname, relative, resolve } from 'node:path'

/** Finds the place in a migration's TypeScript that a stack trace passed through: `file:line:column`, from 1. */
export type Locate = (error: unknown) => string | undefined

/**
 * A locator for one compiled module.
 * `path` is the module, `outputPath` the place that its source map is relative to, `map` the map as JSON.
 */
export function createLocator(path: string, outputPath: string, map: string): Locate {
  return (error) => {
    if (!(error instanceof Error) || error.stack === undefined) return undefined
    const start = error.stack.indexOf(`${path}:`)
    const [, line, column] =
      start === -1 ? [] : (/^:(\d+):(\d+)/.exec(error.stack.slice(start + path.length)) ?? [])
    if (line === undefined || column === undefined) return undefined
    const sourceMap = new SourceMap(JSON.parse(map) as SourceMapPayload)
    const entry = sourceMap.findEntry(Number(line) - 1, Number(column) - 1)
    if (!('originalSource' in entry)) return undefined
    const source = resolve(dirname(outputPath), entry.originalSource)
    return `${relative(dirname(dirname(path)), source)}:${entry.originalLine + 1}:${entry.originalColumn + 1}`
  }
}
