import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createPeakMeter } from './memory.ts'

/** A Node process to measure. */
export interface Command {
  /** What follows `node`. */
  readonly args: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  /** Done before each run, and not measured. */
  readonly prepare?: () => Promise<void>
}

/** What a command took: the median of its runs, and the most memory that any of them had. */
export interface Measurement {
  readonly medianMs: number
  /** Undefined where the operating system does not tell: anywhere but on Linux. */
  readonly peakBytes: number | undefined
}

/**
 * Runs the two in turn (A B A B …), so that whatever else the machine does meets both alike. The
 * first run of each is not counted: it warms the caches.
 */
export async function measurePair(
  a: Command,
  b: Command,
  runs: number,
): Promise<readonly [Measurement, Measurement]> {
  const runsOfA: Run[] = []
  const runsOfB: Run[] = []
  for (let i = 0; i <= runs; i++) {
    runsOfA.push(await runOnce(a))
    runsOfB.push(await runOnce(b))
  }
  return [summarise(runsOfA.slice(1)), summarise(runsOfB.slice(1))]
}

/** Runs it alone; the first run is not counted. */
export async function measureAlone(command: Command, count: number): Promise<Measurement> {
  const runs: Run[] = []
  for (let i = 0; i <= count; i++) runs.push(await runOnce(command))
  return summarise(runs.slice(1))
}

interface Run {
  readonly durationMs: number
  readonly peakBytes: number | undefined
}

/** Runs the command once. Throws with what it wrote to stderr where it does not exit with 0. */
export async function runOnce(command: Command): Promise<Run> {
  await command.prepare?.()
  const startedAt = performance.now()
  const child = spawn(process.execPath, command.args, {
    cwd: command.cwd,
    env: command.env,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const meter = createPeakMeter(child.pid)
  const errors: Buffer[] = []
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk))
  const [exitCode] = (await once(child, 'close')) as [number | null]
  const durationMs = performance.now() - startedAt
  const peakBytes = meter.stop()
  if (exitCode === 0) return { durationMs, peakBytes }
  throw new Error(
    `node ${command.args.join(' ')} failed (${exitCode ?? 'killed'}):\n${Buffer.concat(errors).toString()}`,
  )
}

function summarise(runs: readonly Run[]): Measurement {
  const durations = runs.map(({ durationMs }) => durationMs).sort((a, b) => a - b)
  const peaks = runs.flatMap(({ peakBytes }) => peakBytes ?? [])
  const middle = (durations.length - 1) / 2
  const [low = 0, high = 0] = [durations[Math.floor(middle)], durations[Math.ceil(middle)]]
  return {
    medianMs: (low + high) / 2,
    peakBytes: peaks.length === 0 ? undefined : Math.max(...peaks),
  }
}
