import type { Level } from '../../repository/levels.ts'
import type { DrillFigures } from '../../repository/drills.ts'
import type { Proof } from '../../repository/proofs.ts'
import type { Unsound } from '../../repository/wholeness.ts'
import type { Confirmed } from '../../sources/nouns.ts'
import type { TableLoss } from '../../report/page/facts.ts'
import type { Remarks } from '../../sources/remarks.ts'
import type { InArtifacts } from '../artifacts.ts'
import type { WholeSources } from '../whole-sources.ts'

export interface ListResult extends InArtifacts {
  store: string
  /** When this was, from which ages count. */
  listed: string
  /** Newest first. */
  snapshots: ListedSnapshot[]
  /** Of these the newest that is whole and, unless all of those are partial, complete: the one to restore. Absent where none is whole. */
  restorable?: string
  /** If none is whole and they are of one set: for each source of the newest the newest snapshot that has all of it. */
  parts?: WholeSources[]
  /** Newer ones that are damaged. */
  unsound: Unsound[]
  /** A key was given, and none of these snapshots was made with it: its fingerprint, and those that the snapshots name. */
  otherKey?: { given: string; fingerprints: string[] }
  /** The store has no snapshot at all. */
  empty?: true
  /** The set that was asked for has no snapshot; `sets` are those that the store has. */
  missing?: { set: string; sets: string[] }
  /** The number of snapshots in the store, if only the newest were read, for a report. */
  of?: number
  /** Each set's newest snapshot, compared with one some 30 days older. Only for a report, and with a key that can decrypt. */
  changes?: ListedChanges[]
  /**
   * Tables that have less than half of the rows that they had, where the policy keeps no backup that has them. Only for a report with
   * `retention`, of a store that can be pruned.
   */
  leaving?: TableLoss[]
}

/** The largest changes of tables, and of sources without tables, largest first. */
export interface ListedChanges {
  set: string
  /** When the two snapshots were made. */
  from: string
  to: string
  /**
   * Bytes; null where it was not there. Of a table those in the backup, or on the server, about, if one of the two backups did not count
   * them. `rows`: of a table whose rows both backups counted.
   */
  items: { source: string; table?: string; before: number | null; now: number | null; rows?: { before: number; now: number } }[]
  /** How many tables and sources were compared. */
  compared: number
}

export interface ListedSnapshot {
  id: string
  set: string
  time: string
  size: number
  stored: number
  added: number
  chunks: number
  /** As they are by now. */
  tags: string[]
  pinned: boolean
  /** Fingerprint of the key it was made with. */
  key: string
  /** Its signature was checked with the key given; of all others this is what the store claims. */
  authentic: boolean
  /** The newest verification that came to a result found it good, and no other found what it needs damaged. */
  verified: boolean
  /** Why it is not to be relied on: it failed verification, or needs what is known to be damaged. */
  damage?: string
  /** It is whole, and failed a drill: `damage` says that it cannot be restored to what was backed up. */
  failedDrill?: true
  /** Newest first: of each level the newest, and, if that could not verify, the newest that did come to a result. */
  proofs: { level: Level; result: Proof['result']; time: string }[]
  /**
   * The figures of the newest drill of the set, if it was of this snapshot; for a report also of earlier ones. Known only with a key that
   * can decrypt.
   */
  drill?: DrillFigures
  /** Known only with a key that can decrypt. */
  description?: string
  sources?: ({ name: string; kind: string; size: number } & Confirmed & Remarks)[]
  /** A source could not give all it has, or was told not to; `sources` says what. */
  partial?: true
  /** Of a safety backup: until then no retention policy deletes it. */
  until?: string
  /** URL of the workflow run that made it, if one did. */
  run?: string | null
  /** The decision of the retention policy, if one was given. */
  retention?: { keep: boolean; reasons: string[] }
  /** When the store drops something it needs, or the policy no longer keeps it; only where that can be known. */
  expires?: string
}
