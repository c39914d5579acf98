/** Text in which nothing is taken for Markdown, mathematics, HTML or a mention. */
export function prose(text: string): string {
  return text
    .replace(/\s*[\r\n]+\s*/g, ' ')
    .replace(/[\\*~[\]`#]|(?<!\w)_|_(?!\w)/g, '\\$&')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('@', '&#64;')
    .replaceAll('$', '&#36;')
}

/** A piece of code on one line, in more backticks than it holds (CommonMark, section 6.1). */
export function code(text: string): string {
  const line = text.replace(/\s*[\r\n]+\s*/g, ' ')
  const longest = Math.max(0, ...(line.match(/`+/g) ?? []).map((run) => run.length))
  const fence = '`'.repeat(longest + 1)
  return longest === 0 ? `\`${line}\`` : `${fence} ${line} ${fence}`
}

/** Markdown as a cell of a table: a bar ends the cell even in code (GFM, section 4.10). */
export function cell(markdown: string): string {
  return markdown.replaceAll('|', '\\|')
}
