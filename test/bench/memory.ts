import { readFileSync } from 'node:fs'

/** Watches one process until it is stopped. */
interface PeakMeter {
  /** The most resident memory that the process or any one of its children had; undefined if unknown. */
  readonly stop: () => number | undefined
}

const POLL_MS = 5

/**
 * Asks Linux for the high-water marks (VmHWM) of a process and its children. The kernel keeps them,
 * so that only what is added in the last moment before the end is missed.
 */
export function createPeakMeter(pid: number | undefined): PeakMeter {
  const peaks: number[] = []
  const look = (): void => {
    if (pid === undefined) return
    for (const process of [pid, ...childrenOf(pid)]) peaks.push(highWaterMark(process) ?? 0)
  }
  const timer = setInterval(look, POLL_MS)
  return {
    stop: () => {
      clearInterval(timer)
      const peak = Math.max(0, ...peaks)
      return peak === 0 ? undefined : peak
    },
  }
}

function childrenOf(pid: number): readonly number[] {
  return (readProc(`${pid}/task/${pid}/children`) ?? '').split(' ').filter(Boolean).map(Number)
}

function highWaterMark(pid: number): number | undefined {
  const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(readProc(`${pid}/status`) ?? '')?.[1]
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024
}

/** Undefined where the process is gone, or the system is not Linux. */
function readProc(path: string): string | undefined {
  try {
    return readFileSync(`/proc/${path}`, 'utf8')
  } catch {
    return undefined
  }
}
