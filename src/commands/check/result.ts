import type { InArtifacts } from '../artifacts.ts'
import type { Freshness } from '../../repository/freshness.ts'

export interface CheckResult extends InArtifacts {
  /** The store; of several destinations all of them. */
  store: string
  /** Present if there are several destinations: each, the number of its problems, and why it could not be looked at. */
  stores?: { name: string; problems: number; problem?: string }[]
  /** When it was looked. */
  time: string
  sets: (Freshness & {
    /** Of several destinations, the one that this is about: each has its own answer. */
    store?: string
    problems: string[]
    /** The snapshots are as new as they must be, and only a proof is missing, too old, or not the last word. */
    unproven?: true
  })[]
  /** Those of all sets; none: all is fresh. */
  problems: string[]
  /** Sentences: how to fix them. */
  advice: string[]
  /** Workflows whose schedule GitHub has switched off. */
  inactive: { name: string; path: string }[]
  /** The change of the issue; absent if there was none. */
  issue?: { number: number; url: string; state: 'opened' | 'updated' | 'closed' } | undefined
}
