import type { Level } from '../../repository/levels.ts'
import type { Drilled } from '../../sources/source-kind.ts'
import type { Confirmed } from '../../sources/nouns.ts'
import type { Remarks } from '../../sources/remarks.ts'

export type Outcome = 'verified' | 'failed' | 'could not verify'

/** Whether everything was read, restored and found equal, apart from the conditions. */
export type Unmet = 'all else verified' | 'not all else verified'

export interface SourceOutcome extends Confirmed, Remarks {
  name: string
  kind: string
  size: number
  entries: number
  result: Outcome
  /** It failed by conditions of its owner alone. */
  unmet?: Unmet
  /** It failed the drill alone: all that is stored of it was read, and is good. */
  failedDrill?: true
  problems: string[]
  /** Of a drill that came to its end: what was compared, and how long it took. */
  drill?: Drilled
}

/** The result of verifying one snapshot. */
export interface SnapshotVerified {
  snapshot: string
  set: string
  time: string
  level: Level
  /** `could not verify`: something outside the snapshot stood in the way (no client program, store out of reach). */
  result: Outcome
  /** It failed by conditions of its owner alone: nothing is damaged. */
  unmet?: Unmet
  /** It failed the drill alone: it is whole, and cannot be restored to what was backed up. */
  failedDrill?: true
  problems: string[]
  /** Keys of the chunk objects found missing or damaged: the next backup stores what they hold again. */
  damaged: string[]
  /** Keys of those that an earlier verification found damaged, and this one good. */
  good: string[]
  chunks: number
  /** Plaintext bytes read and checked. */
  bytes: number
  seconds: number
  /** Each for itself: some of them alone may need a damaged object. */
  sources: SourceOutcome[]
  /** Of the programs that took part: lifeboat, pg_restore. */
  versions: Record<string, string>
}

/** Of several snapshots (`snapshot: all`) the worst result, all problems and all damage; `snapshot` and `time` are those of the newest. */
export interface VerifyResult extends SnapshotVerified {
  /** Sentences that say what to do; empty if all is well. */
  advice: string[]
  /** Whether every result was attested; absent unless that was asked for. */
  attested?: boolean
  /** Each of several, newest first. */
  snapshots?: SnapshotVerified[]
}
