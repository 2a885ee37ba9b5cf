import type { Environment, Variables } from '../environment.ts'
import type { SshAccess, SshTarget } from '../net/ssh/connection.ts'
import type { Finding } from '../report/finding.ts'
import type { VerifyLevel } from '../repository/levels.ts'
import type { SourceRecord, StreamRecord } from '../repository/snapshot.ts'
import type { Destination } from '../stores/kind.ts'
import type { Patterns } from './files/selection.ts'
import type { Source } from './source.ts'

/**
 * A kind of source: how its sources are found, read, verified, described, compared and restored. Everything known of a kind is in its
 * folder, and one line in all.ts adds it; no other code tests for a kind by name.
 */
export interface SourceKind<L extends Location = Location, D extends Details = Details, C extends Differences = Differences> {
  /** The `kind` of its locations; unique. */
  readonly name: string
  /** The name that snapshots record (docs/format.md). Kinds that record the same name keep their data in the same way. */
  readonly recorded: string
  /** Databases are named by the inputs for databases, volumes by those for volumes. */
  readonly noun: 'database' | 'volume'
  /** Singular and plural of what `entries` counts. */
  readonly entryNoun: readonly [one: string, many: string]
  /** The text that `parse` reads, in words, after "expected" and "is neither": `docker: and the name of a volume`. */
  readonly form: string
  /** A pattern of that text with an explanation, for help and hints: `docker:NAME (a Docker volume)`. */
  readonly pattern: string

  /** Reads where a source is, or is restored to. Null: the text is of another kind. Throws InvalidValue, which shows no secret. */
  parse(text: string): L | null
  /** Every part of such a text that must be masked. The text may be malformed. */
  secrets(text: string): string[]
  /** The name of a database that is given without one; undefined if its location has none. Volumes are always given a name. */
  defaultName?(location: L): string | undefined
  /** The text of the database that the variables of its own client programs name; undefined if they are not set. */
  fromVariables?(variables: Variables): string | undefined
  /** The sources of a backup. Throws if the settings are wrong; nothing is reached before `Source.open`. */
  sources(given: readonly GivenSource<L>[], settings: BackupSettings, context: SourceContext): Source[]
  /** A target to restore into. Throws if the settings are wrong; nothing is reached before `RestoreTarget.restore`. */
  target(location: L, settings: RestoreSettings, context: SourceContext): RestoreTarget
  /** Tries sources for real: whatever could keep a backup from being made, or from being whole. */
  diagnose?(given: readonly GivenSource<L>[], settings: AccessSettings, context: SourceContext): Promise<Diagnosed>

  /** The data that a restore reads. Throws a LifeboatError if the record contradicts itself, or is not of this kind. */
  contents(source: SourceRecord): Contents
  /** Compares the streams of a source with its record. Damage and failures are in `problems`, or thrown. */
  verify(source: StoredSource, level: VerifyLevel, context: SourceContext): Promise<SourceVerified>
  /** Members for the JSON result of `show`; none if the facts are not those of this kind. */
  describe(source: SourceRecord): D
  /** The same as lines of text. */
  describeText(details: D): string[]
  /** The content of a source, for those who rely on it: gaps and warnings. `facts` may be of any shape. */
  remarks(facts: unknown): Remarks
  /** The number of tables or files in a source, as far as its facts tell. `facts` may be of any shape. */
  amount?(facts: unknown): Amount | undefined
  /** The files of a source, if it has a list of them. */
  files?(source: StoredSource): AsyncIterable<ShownFile>
  /** Members for the JSON result of `diff`; none if `before` cannot be compared with `after`, which is of this kind. */
  compare(before: StoredSource, after: StoredSource): Promise<C>
  /** The same as lines of text. */
  compareText(differences: C): string[]
  /** Everything that lost more than half (loss.ts). Both sources are of this kind. */
  losses(before: SourceRecord, now: SourceRecord): Loss[]
  /** The sizes of what a source holds, as far as its facts tell: of each table of a database, or of a volume as a whole. */
  sizes(source: SourceRecord): Sized[]
}

/** The number of things in a source, and their noun in the singular. */
export interface Amount {
  count: number
  noun: 'table' | 'file'
}

/** The size of a source, or of a table in it. */
export interface Sized {
  /** `schema.table`, for a table of a database. */
  table?: string
  bytes: number
}

/** The environment of one run and the inputs that all kinds share. One object for each run: a kind may keep with it what it finds out. */
export interface SourceContext extends Environment {
  /** Whether client programs of a database may be fetched if they are not installed. */
  readonly clientInstall: 'auto' | 'never'
}

/** Where a source is, or is restored to. Each kind adds what it needs to reach it. */
export interface Location {
  /** The name of the kind. */
  readonly kind: string
}

/** A source to back up, under the name that the snapshot records. */
export interface GivenSource<L extends Location = Location> {
  readonly name: string
  readonly location: L
  /** Of its files, those to back up. */
  readonly patterns: Patterns
}

/** How sources and targets are reached. */
export interface AccessSettings {
  /** An SSH server that databases are reached through. */
  readonly tunnel: SshTarget | undefined
  readonly ssh: SshAccess
  /** Of a request to a service, in milliseconds. */
  readonly timeout: number
}

/** The inputs of a backup that kinds of sources take. */
export interface BackupSettings extends AccessSettings {
  /** Whether files that may not be read are an error, or left out with a warning. */
  readonly onUnreadable: 'fail' | 'warn'
  /** Read every file, also those that look unchanged. */
  readonly rescan: boolean
  /** Of the container through which Docker volumes are reached. */
  readonly dockerImage: string
  /** Of pg_dump: its arguments, how long it waits for a lock in milliseconds, and whether a pooler in transaction mode is accepted. */
  readonly dump: { readonly arguments: string; readonly lockTimeout: number; readonly allowPooler: boolean }
  /** The stores of the backup, which no source may contain. */
  readonly destinations: readonly Destination[]
}

/** The inputs of a restore that kinds of sources take. */
export interface RestoreSettings extends AccessSettings {
  readonly mode: RestoreMode
  readonly dockerImage: string
  /** Of volumes and buckets. */
  readonly files: FileSettings
  /** Of databases. */
  readonly objects: ObjectSettings
}

export type RestoreMode = 'empty' | 'create' | 'clean' | 'overwrite'

export interface FileSettings {
  /** gitignore(5) patterns of the files to restore; all if there are none. */
  readonly paths: readonly string[]
  /** Owners of restored files: the users with the same numbers, with the same names, or the one who restores. */
  readonly owners: 'number' | 'name' | 'none'
  /** Put objects of a bucket also if the target has them with the same size and ETag. */
  readonly rewrite: boolean
  /** Delete objects of the target bucket that are not in the backup. */
  readonly deleteExtra: boolean
}

export interface ObjectSettings {
  /** Only these schemas and tables; all if both are empty. */
  readonly schemas: readonly string[]
  readonly tables: readonly (string | readonly [schema: string, name: string])[]
  readonly only: 'schema' | 'data' | undefined
  readonly noOwner: boolean
  readonly noPrivileges: boolean
  readonly noTablespaces: boolean
  readonly disableTriggers: boolean
  readonly databaseSettings: boolean | undefined
  /** Connections that restore at the same time. */
  readonly jobs: number
}

export interface RestoreTarget {
  /** Throws (status 2) if a source cannot be restored into this target. Nothing is read or reached. */
  require(source: SourceRecord): void
  /** Writes a source into the target. Throws if nothing could be restored, or the restore was interrupted. */
  restore(stored: SourceToRestore): Promise<Restored>
  /** Safe to call at any time and more than once. */
  close(): Promise<void>
}

export interface SourceToRestore extends StoredSource {
  /** The id of its snapshot. */
  readonly snapshot: string
}

/** The result of a restore. The members after `errors` are of some kinds only. */
export interface Restored {
  /** Host, port and database of the target, without secrets; or its folder, Docker volume or bucket. */
  target: string
  mode: RestoreMode
  /** Raw bytes of the archive. */
  size: number
  /** Entries selected, and of these restored without an error. */
  entries: number
  restored: number
  /** Every error that a program which restores printed. */
  errors: string[]
  /** Of a database: the content of the target now. */
  left?: 'everything' | 'part' | 'unchanged' | 'dropped'
  /** Of a part of a database: dependencies that were restored too or left alone, and objects left out. */
  selection?: { added: string[]; kept: string[]; leftOut: { what: string; why: string }[] }
  /**
   * Owner, privileges, comment and settings of the archived database itself; absent if they were not asked for and only a part was
   * restored.
   */
  databaseSettings?: 'applied' | 'left as they are'
  /** Materialized views that were filled after the rows were loaded. */
  refreshed?: string[]
  /** Of a bucket: objects that the target had already, and those deleted from it. */
  unchanged?: number
  deleted?: number
}

export interface Diagnosed {
  findings: Finding[]
  /** Bytes of the sources where they are; 0 if unknown. */
  size: number
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

/** Members that depend on the kind: `database`, `volume`. */
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
  /**
   * Files with a recorded property that differs. `from` and `to` are sizes. With the same size and another time, the content may differ.
   */
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
