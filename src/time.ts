/** `2026-11-22 08:15:30 UTC`: the same for everyone who reads it. */
export function formatTime(time: Date): string {
  return `${time.toISOString().slice(0, 19).replace('T', ' ')} UTC`
}
