import type { CatalogChange } from '../../src/catalog-diff.ts'

/**
 * A change in one line: `+ schema wards`, `- index public.a_id`, `~ table column public.a.id: integer →
 * bigint`; of long values only the lines or items that differ.
 */
export function describeChange({ object, property, before, after }: CatalogChange): string {
  const name = property === '' ? object : `${property} of ${object}`
  if (after === undefined) return `- ${name}`
  if (before === undefined) return after === '' ? `+ ${name}` : `+ ${name}: ${oneLine(after)}`
  const [was, is] = [partsOf(before), partsOf(after)]
  const gone = was.filter((part) => !is.includes(part))
  const added = is.filter((part) => !was.includes(part))
  return gone.length + added.length === 0 || was.length === 1
    ? `~ ${name}: ${oneLine(before)} → ${oneLine(after)}`
    : `~ ${name}: ${[...gone.map((part) => `-${part}`), ...added.map((part) => `+${part}`)].join(' ')}`
}

const LONG = 100

function partsOf(value: string): readonly string[] {
  const parts = value.includes('\n')
    ? value.split('\n')
    : value.length > LONG
      ? value.split(', ')
      : [value]
  return parts.map(oneLine)
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}
