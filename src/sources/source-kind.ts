import type { Environment } from '../environment.ts'
import type { VerifyLevel } from '../repository/levels.ts'
import type { SourceRecord, StreamRecord } from '../repository/snapshot.ts'

/**
 * A kind of source: how its sources are verified, described, compared and listed. Everything known of a kind is in its folder, and one line in all.ts
 * adds it; no other code tests for a kind by name.
 */
export interface SourceKind<D extends Details = Details, C extends Differences = Differences> {
  /** The name that snapshots record (docs/format.md). Kinds that record the same name keep their data in the same way. */
  readonly recorded: string
  /** Databases are named by the inputs for databases, volumes by those for volumes. */
  readonly noun: 'database' | 'volume'
  /** Singular and plural of what `entries` counts. */
  readonly entryNoun: readonly [one: string, many: string]

  /** The data that a restore reads. Throws a LifeboatError if the record contradicts itself, or is not of this kind. */
  contents(source: SourceRecord): Contents
  /** Compares the streams of a source with what was recorded of it. Throws what stands in the way; damage is in `problems`. */
  verify(source: StoredSource, level: VerifyLevel, context: SourceContext): Promise<SourceVerified>
  /** Members for the JSON result of `show`; none if the facts are not those of this kind. */
  describe(source: SourceRecord): D
  /** The same as lines of text. */
  describeText(details: D): string[]
  /** The content of a source, for those who rely on it: gaps and warnings. `facts` may be of any shape. */
  remarks(facts: unknown): Remarks
  /** The files of a source, if it has a list of them. */
  files?(source: StoredSource): AsyncIterable<ShownFile>
  /** Members for the JSON result of `diff`; none if `before` cannot be compared with `after`, which is of this kind. */
  compare(before: StoredSource, after: StoredSource): Promise<C>
  /** The same as lines of text. */
  compareText(differences: C): string[]
  /** Everything that lost more than half (loss.ts). Both sources are of this kind. */
  losses(before: SourceRecord, now: SourceRecord): Loss[]
}

/** The environment of one run and the inputs that all kinds share. One object for each run: a kind may keep with it what it finds out. */
export interface SourceContext extends Environment {
  /** Whether client programs of a database may be fetched if they are not installed. */
  readonly clientInstall: 'auto' | 'never'
}

/** A source in a snapshot, with access to its streams. */
export interface StoredSource {
  readonly source: SourceRecord
  /** The bytes of one of its streams. Each is checked; iterating throws at damage. */
  readonly read: (stream: StreamRecord) => AsyncIterable<Buffer>
}

export interface Contents {
  /** Members of the archive. */
  entries: number
  /** Raw bytes of the archive. */
  size: number
}

export interface SourceVerified {
  entries: number
  /** Errors: a `BadSource`, damage that `read` threw, or what prevented a verification. */
  problems: unknown[]
  /** Programs that took part, with their versions. */
  versions?: Record<string, string>
}

/** Facts that rely on a kind: `database`, `volume`. */
export interface Details {
  readonly [member: string]: unknown
}

export interface Differences {
  /** Of kinds that have lists of files. */
  readonly files?: FilesDiff
  readonly [member: string]: unknown
}

/** Remarks for whoever relies on a backup; members are absent if there is nothing to say. */
export interface Remarks {
  /** Parts of the source that are missing, or may be missing. */
  partial?: string[]
  /** Warnings of the programs that read the source. */
  warnings?: string[]
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

/** A property of a file that can differ, in the order in which they are reported. `content`: an object in a bucket with another ETag. */
export type FileProperty = 'kind' | 'size' | 'content' | 'target' | 'mode' | 'owner' | 'time'

export interface FilesDiff {
  added: ShownFile[]
  removed: ShownFile[]
  /** Files with a recorded property that differs. `from` and `to` are sizes. With the same size and another time, the content may differ. */
  changed: { path: string; type: string; from: number; to: number; what: FileProperty[] }[]
  /** In parts of the archive that both snapshots have, byte for byte. */
  identical: number
  /** Recorded with the same kind, size, target, mode, owner and time; their content and extended attributes were not compared. */
  alike: number
}

/** Something that has less than half of what it had in the snapshot before. */
export interface Loss {
  /** `schema.table`, for a table of a database. */
  table?: string
  measure: 'rows' | 'bytes' | 'files'
  before: number
  /** Null: it is gone. */
  now: number | null
}
