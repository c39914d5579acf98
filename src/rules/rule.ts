import type { Danger, DangerLevel } from '../measurement.ts'
import type { Scene } from './scene.ts'

/** A rule of what hurts a database in use, and of what to write instead. */
export interface Rule {
  /** A stable name: what a waiver names. */
  readonly id: string
  readonly level: DangerLevel
  /** What it finds. */
  readonly what: string
  /** Why that hurts, and why it has its level. */
  readonly why: string
  /** The safe way in words. */
  readonly hint: string
  /** A migration that it finds: its statements. Tests run it; the documentation shows it. */
  readonly example: readonly string[]
  /** The matches in one statement. */
  readonly find: (scene: Scene) => readonly Match[]
}

/** One thing that a rule found; what is left out is the rule’s own. */
export interface Match extends Pick<Danger, 'table' | 'message' | 'instead'> {
  readonly hint?: string
}
