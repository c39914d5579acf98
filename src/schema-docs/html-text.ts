/** Text as HTML and SVG write it, in content and in quoted attributes. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
}

/**
 * A table's or a column's anchor: names as they are, but for what an address can't hold; another one for
 * each name.
 */
export function anchorOf(table: string, column?: string): string {
  return ['table', table, ...(column === undefined ? [] : [column])]
    .map((part) =>
      part.replace(/[^A-Za-z0-9_-]/g, (sign) => `:${(sign.codePointAt(0) ?? 0).toString(16)}:`),
    )
    .join('.')
}
