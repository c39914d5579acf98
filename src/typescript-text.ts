/** A text that does not end the comment that it is written into. */
export function commentText(text: string): string {
  return text.replaceAll('*/', '*\\/')
}

/** Not by locale: the order of letters differs from one machine's language to another's. */
export function byCodePoint(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
