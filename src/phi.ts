/** What leads the comment of a column that holds protected health information, and the space around it. */
export const PHI_MARK = /^\s*\[PHI\]\s*/

/** Whether a column with that comment holds protected health information. */
export function isPhi(comment: string | null | undefined): boolean {
  return PHI_MARK.test(comment ?? '')
}
