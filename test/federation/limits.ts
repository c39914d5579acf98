import { GraphQLError, type SelectionNode, type ValidationRule } from 'graphql'

const MOST_LEVELS = 6

/** Of a query's text; it bounds how often one asks for the same under other names. */
export const MOST_TOKENS = 1000

/** Entities lead to each other without end, and each level may multiply what is read. */
export const limitDepth: ValidationRule = (context) => {
  const fragments = new Map<string, number>()
  const depthOf = (selections: readonly SelectionNode[]): number =>
    Math.max(0, ...selections.map(depthOfOne))
  const depthOfOne = (node: SelectionNode): number => {
    if (node.kind === 'FragmentSpread') return depthOfFragment(node.name.value)
    const below = node.selectionSet?.selections ?? []
    if (node.kind === 'InlineFragment') return depthOf(below)
    return node.name.value.startsWith('__') ? 0 : 1 + depthOf(below)
  }
  const depthOfFragment = (name: string): number => {
    const known = fragments.get(name)
    if (known !== undefined) return known
    // Should it lead back to itself, another rule says so.
    fragments.set(name, 0)
    const depth = depthOf(context.getFragment(name)?.selectionSet.selections ?? [])
    fragments.set(name, depth)
    return depth
  }
  return {
    OperationDefinition: (node) => {
      if (depthOf(node.selectionSet.selections) <= MOST_LEVELS) return
      context.reportError(
        new GraphQLError(`more than ${MOST_LEVELS} levels of fields`, { nodes: [node] }),
      )
    },
  }
}
