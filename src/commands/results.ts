import type { Command } from '../inputs.ts'
import type { Check } from './doctor/report.ts'
import type { Freshness } from '../repository/freshness.ts'
import type { Garbage } from '../repository/garbage.ts'
import type { Released } from '../stores/store.ts'
import type { Remarks } from '../sources/remarks.ts'
import type { PostgresFacts } from '../sources/postgres/facts.ts'
import type { RestoreOutcome } from '../sources/postgres/restore.ts'
import type { SelectionReport } from '../sources/postgres/restore-plan.ts'
import type { ProofDetails } from '../repository/proofs.ts'
import type { Shrunk } from '../sources/shrink.ts'
import type { Unsound } from '../repository/wholeness.ts'
import type { Statistics } from '../repository/statistics.ts'
import type { Difference } from '../sources/files/compare.ts'
import type { VolumeFacts } from '../sources/files/facts.ts'

/** What each command returns: printed by `--json`, put into the outputs and the summary. Sizes are bytes, times ISO 8601. */

export interface Results extends Record<Command, object> {
  backup: BackupResult
  restore: RestoreResult
  verify: VerifyResult
  check: CheckResult
  list: ListResult
  doctor: DoctorResult
  copy: CopyResult
  prune: PruneResult
  show: ShowResult
  diff: DiffResult
  pin: LabelResult
  unpin: LabelResult
  tag: LabelResult
  forget: ForgetResult
  stats: StatsResult
  'key list': KeyListResult
  'key add': KeyAddResult
  'key remove': KeyRemoveResult
}

export interface BackupResult {
  snapshot: string
  set: string
  time: string
  /** Raw bytes of all streams. */
  size: number
  /** Everything the snapshot needs, as stored. */
  stored: number
  /** What this run put. */
  added: number
  chunks: number
  newChunks: number
  deltaChunks: number
  seconds: number
  /** Chunks that were stored already, and were stored once more for recipients that could not open them; `bytes` as stored. Absent where there are none. */
  forRecipients?: { chunks: number; bytes: number }
  /** Of what it reuses of earlier backups, a part was read back (the destinations together, bytes as stored), and so much found damaged; absent with a write key, which reads nothing. */
  checked?: { chunks: number; bytes: number; damaged: number }
  /** Sources, tables and sets that have less than half of their content in the snapshot before. */
  shrunk: Shrunk[]
  /** Whether that fails the step. */
  onShrink: 'warn' | 'fail'
  /** Of the destinations that have it, the least that each was read back at. */
  verified: VerifyLevel | 'none'
  sources: ({ name: string; kind: string; size: number; added: number; seconds: number } & Remarks)[]
  /** The newest snapshots of the set, this one first. */
  recent: { snapshot: string; time: string; size: number; stored: number; added: number }[]
  /** What these take together. */
  recentTotal: Statistics
  destinations: DestinationResult[]
  /** Whether every destination that must have the snapshot has it. */
  complete: boolean
}

/** What became of a backup in one of its destinations. */
export interface DestinationResult {
  /** `file:/mnt/backups`. */
  name: string
  verified: VerifyLevel | 'none'
  /** Why it is not to be counted on there. */
  problem?: string
  /** Bytes that still fitted when the backup began; only where the store tells. */
  free?: number
  /** What the retention policy deleted, or why it did nothing; only with a policy. `snapshots` are those that went. */
  prune?: PruneResult | { skipped: string }
}

export type VerifyLevel = 'list' | 'read'

/** The result of verifying one snapshot. */
export interface SnapshotVerified {
  snapshot: string
  set: string
  time: string
  level: VerifyLevel
  /** `could not verify`: something outside the snapshot stood in the way (no client program, store out of reach). */
  result: 'verified' | 'failed' | 'could not verify'
  problems: string[]
  /** Keys of the chunk objects found missing or damaged: the next backup stores what they hold anew. */
  damaged: string[]
  /** Keys of those that an earlier verification found damaged, and this one good. */
  good: string[]
  chunks: number
  /** Plaintext bytes read and checked. */
  bytes: number
  seconds: number
  /** Each for itself: what is damaged may be needed by some of them alone. */
  sources: ({ name: string; kind: string; size: number; entries: number; result: 'verified' | 'failed' | 'could not verify'; problems: string[] } & Remarks)[]
  /** Of the programs that took part: lifeboat, pg_restore. */
  versions: Record<string, string>
}

/** Of several snapshots (`snapshot: all`) the worst result, all problems and all damage; `snapshot` and `time` are those of the newest. */
export interface VerifyResult extends SnapshotVerified {
  /** Sentences that say what to do; empty if all is well. */
  advice: string[]
  /** Each of several, newest first. */
  snapshots?: SnapshotVerified[]
}

export interface CheckResult {
  store: string
  /** When it was looked. */
  time: string
  sets: (Freshness & { problems: string[] })[]
  /** Those of all sets; none: all is fresh. */
  problems: string[]
  /** Workflows whose schedule GitHub has switched off. */
  inactive: { name: string; path: string }[]
  /** What was done about the issue; absent when there was nothing to do. */
  issue?: { number: number; url: string; state: 'opened' | 'updated' | 'closed' } | undefined
}

export interface RestoreResult {
  snapshot: string
  set: string
  time: string
  /** Its name in the snapshot; a restore is of one or the other. */
  database?: string
  volume?: string
  /** Host, port and database of the target, without secrets; or the folder or Docker volume. */
  target: string
  mode: 'empty' | 'create' | 'clean' | 'overwrite' | 'verify-only'
  /** Raw bytes of the archive. */
  size: number
  /** Archive entries selected, and of these restored without an error; with verify-only, those of the archive. */
  entries: number
  restored: number
  /** Of a database: what the target has now. */
  left?: RestoreOutcome['left']
  /** Of a database of which only schemas or tables were selected: what came with them, and what was left out and why. */
  selection?: SelectionReport
  /** Owner, privileges, comment and settings of the archived database itself; absent where they were not asked for and only a part was restored. */
  databaseSettings?: 'applied' | 'left as they are'
  /** Of what is restored, what the backup lacks and what it warned of. */
  backup?: Remarks
  /** Materialized views that were filled after the rows were loaded. */
  refreshed?: string[]
  /** Of a bucket: objects that the target had already, and those deleted from it. */
  unchanged?: number
  deleted?: number
  /** Every error that pg_restore or tar printed. */
  errors: string[]
  seconds: number
}

export interface ListResult {
  store: string
  /** When this was, from which ages count. */
  listed: string
  /** Newest first. */
  snapshots: ListedSnapshot[]
  /** Of these the newest that is whole and not known to be damaged: the one to restore. Absent where none of the newest is. */
  restorable?: string
  /** Newer ones that are damaged. */
  unsound: Unsound[]
  /** The store has no snapshot at all. */
  empty?: true
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
  /** The newest of each level, newest first. */
  proofs: { level: ProofLevel; result: VerifyResult['result']; time: string }[]
  /** Known only with a key that can decrypt. */
  description?: string
  sources?: ({ name: string; kind: string; size: number } & Remarks)[]
  /** A source could not give all it has, or was told not to; `sources` says what. */
  partial?: true
  /** URL of the workflow run that made it, if one did. */
  run?: string | null
  /** What a retention policy says to it, where one was given. */
  retention?: { keep: boolean; reasons: string[] }
  /** When the store drops something it needs, or the policy no longer keeps it; only where that can be known. */
  expires?: string
}

export type ProofLevel = 'list' | 'read' | 'drill'

export interface ShowResult extends Omit<ListedSnapshot, 'proofs' | 'sources' | 'run' | 'retention'> {
  store: string
  /** When this was, from which ages count. */
  listed: string
  /** Of the chunk objects it needs: those this backup put, and those stored as differences. */
  newChunks: number
  deltaChunks: number
  /** How many age recipients it is sealed to. */
  recipients: number
  /** Newest first. What is sealed in them is there with a key that can decrypt. */
  proofs: ({ level: ProofLevel; result: VerifyResult['result']; time: string; seconds: number; bytes: number; damaged: string[] } & Partial<ProofDetails>)[]
  /** The rest is known only with a key that can decrypt. */
  run?: { repository: string; workflow: string; id: string; attempt: string; url: string } | null
  /** The version of the program that made it. */
  lifeboat?: string
  sources?: ShownSource[]
}

export interface ShownSource extends Remarks {
  name: string
  kind: string
  size: number
  streams: { name: string; format: string; size: number; sha256: string; chunks: number }[]
  /** Of a database; `entries` counts those of the archive. */
  database?: Omit<PostgresFacts, 'entries'> & { entries: number }
  /** Of a volume. */
  volume?: Omit<VolumeFacts, 'segments'>
  /** Of a volume, when they are asked for. */
  files?: ShownFile[]
}

export interface ShownFile {
  path: string
  /** As in a list of files: `f` file, `d` directory, `l` symbolic link, `p` pipe, `h` hard link. */
  type: string
  size: number
  /** Seconds since 1970, with decimals. */
  mtime: string
  /** Of a link. */
  target?: string
  /** Of an object in a bucket. */
  etag?: string
}

export interface DiffResult {
  from: { snapshot: string; set: string; time: string; size: number }
  to: { snapshot: string; set: string; time: string; size: number }
  /** Of the content of `to`, each chunk counted once: all of it, and what `from` has as well. Raw bytes. */
  content: { chunks: number; bytes: number; sharedChunks: number; sharedBytes: number }
  /** Sources by name; `from` or `to` is null where the snapshot lacks it. Raw bytes. `identical`: all streams of both are the same bytes; without it, two dumps of the same data differ at least in their times. */
  sources: (Changed<number | null> & { name: string; kind: string; identical?: boolean; database?: DatabaseDiff; files?: FilesDiff })[]
}

interface Changed<T> {
  from: T
  to: T
}

export interface DatabaseDiff {
  /** Versions, encoding, extensions: what is different, by name; null where there was or is none. */
  settings: (Changed<string | null> & { name: string })[]
  /** `schema.table`. Rows and bytes are the server's estimates; rows null where it had none. Tables of which both are the same are left out, whether or not their content is the same. */
  tables: Record<'added' | 'removed', { name: string; rows: number | null; bytes: number }[]> & { changed: { name: string; rows: Changed<number | null>; bytes: Changed<number> }[] }
  /** Entries of the archive (`INDEX public orders_pkey app`), those of tables among them. */
  entries: { added: string[]; removed: string[] }
}

export interface FilesDiff {
  added: ShownFile[]
  removed: ShownFile[]
  /** Of which something that is recorded is different. `from` and `to` are sizes. With the same size and another time, the content may be another. */
  changed: (Changed<number> & { path: string; type: string; what: Difference[] })[]
  /** In parts of the archive that both snapshots have, byte for byte. */
  identical: number
  /** All that is recorded of them is the same (kind, size, target, mode, owner, time); their content and extended attributes were not compared. */
  alike: number
}

/** Of pin, unpin and tag. */
export interface LabelResult {
  snapshot: string
  set: string
  time: string
  pinned: boolean
  /** All it has now. */
  tags: string[]
}

export interface ForgetResult {
  store: string
  forgotten: { snapshot: string; set: string }[]
  /** The chunk objects that no snapshot needs any more, and their bytes as stored. */
  freed: { objects: number; bytes: number }
}

export interface StatsResult {
  store: string
  /** Of all sets together. */
  total: Statistics
  sets: (Statistics & {
    set: string
    oldest: string
    newest: string
    /** By day (`2026-11-20`) where all are within a month, else by month (`2026-11`); oldest first. `size` and `stored` are those of the last snapshot of the period. */
    growth: { period: string; snapshots: number; size: number; stored: number; added: number }[]
  })[]
  /** Snapshots of another key, which are not counted. */
  others: number
}

export interface DoctorResult {
  /** In the order in which they were made: the destination, then each database. */
  checks: Check[]
}

export interface CopyResult {
  from: string
  to: string
  /** Oldest first. */
  snapshots: {
    snapshot: string
    set: string
    outcome: 'copied' | 'was there' | 'failed'
    /** Known damage of the snapshot in the store that it comes from. */
    damaged?: string
    /** Transferred, and chunks among them. */
    bytes: number
    chunks: number
    problem?: string
  }[]
  bytes: number
  seconds: number
}

export interface KeyListResult {
  store: string
  /** `opens`: with the passphrase given. */
  keys: { name: string; fingerprint: string; modified: string; opens?: boolean }[]
}

export interface KeyAddResult {
  store: string
  /** Keys of the new objects; none when the passphrase opened the store already. */
  added: string[]
}

export interface KeyRemoveResult {
  store: string
  removed: string[]
  left: string[]
}

export interface PruneResult {
  set: string
  /** Nothing was deleted: this is what would be. */
  dryRun: boolean
  /** Snapshots. */
  kept: number
  deleted: number
  /** All of the set, newest first. */
  snapshots: { id: string; time: string; size: number; keep: boolean; reasons: string[] }[]
  /** What became of chunks that no snapshot needs; in artifacts these go with the artifact. */
  chunks?: Garbage
  artifacts?: Released
  seconds: number
}
