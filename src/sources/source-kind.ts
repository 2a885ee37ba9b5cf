import type { FilesBefore } from './files/files-before.ts'
import type { Environment, Variables } from '../environment.ts'
import type { Finding } from '../report/finding.ts'
import type { ReadLevel } from '../repository/levels.ts'
import type { Extent } from '../repository/extent.ts'
import type { SourceRecord, StreamRecord } from '../repository/snapshot.ts'
import type { Patterns } from './files/selection.ts'
import type { FilesDiff, ShownFile } from './files/shown-file.ts'
import type { Forgotten, PlannedRestore, Restored, Undone } from './restored.ts'
import type { BackupSettings, DrillSettings, RestoreSettings, SourceAccess } from './settings.ts'
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
  /** The same, complete with the password, for a machine without these variables; undefined if they do not hold all of it. */
  completeFromVariables?(variables: Variables): string | undefined
  /** Patterns by which databases are found in files of other programs: names and values of variables, images of servers. */
  readonly traces?: { readonly variable: RegExp; readonly image: RegExp; readonly url: RegExp }
  /** The sources of a backup. Throws if the settings are wrong; nothing is reached before `Source.open`. */
  sources(given: readonly GivenSource<L>[], settings: BackupSettings, context: SourceContext): Source[]
  /** A target to restore into. Throws if the settings are wrong; nothing is reached before `RestoreTarget.restore`. */
  target(location: L, settings: RestoreSettings, context: SourceContext): RestoreTarget
  /** Tries sources for real: whatever could keep a backup from being made, or from being whole. */
  diagnose?(given: readonly GivenSource<L>[], settings: SourceAccess, context: SourceContext): Promise<Diagnosed>
  /** Of kinds of databases whose servers can be asked which databases they have. */
  readonly server?: ServerOfKind<L>

  /** The data that a restore reads. Throws a LifeboatError if the record contradicts itself, or is not of this kind. */
  contents(source: SourceRecord): ArchiveContents
  /**
   * The part of a source that a restore with these settings selects; undefined if that is all of it. Throws (status 2) for settings that
   * no restore takes, and if there is no such part.
   */
  selected?(source: StoredSource, settings: RestoreSettings, context: SourceContext): Promise<SelectedPart | undefined>
  /** Compares the streams of a source with its record. Damage and failures are in `problems`, or thrown. */
  verify(source: StoredSource, level: ReadLevel, context: SourceContext): Promise<SourceVerified>
  /**
   * Restores a source where nothing of value is, and compares it with its record. Differences, damage and reasons that prevent a drill are
   * in `problems`, or thrown. Absent: sources of this kind cannot be drilled.
   */
  drill?(source: StoredSource, settings: DrillSettings, context: SourceContext): Promise<SourceVerified>
  /** Members for the JSON result of `show`; none if the facts are not those of this kind. */
  describe(source: SourceRecord): D
  /** The same as lines of text. */
  describeText(details: D): string[]
  /** The content of a source, for those who rely on it: gaps and warnings. `facts` may be of any shape. */
  remarks(facts: unknown): Remarks
  /** The name that confirms a restore over what was backed up (`RestoreTarget.name`), as far as its facts tell. */
  confirm?(facts: unknown): string | undefined
  /** The number of tables or files in a source, as far as its facts tell. `facts` may be of any shape. */
  amount?(facts: unknown): Amount | undefined
  /** The files of a source, if it has a list of them. */
  files?(source: StoredSource): AsyncIterable<ShownFile>
  /**
   * Bytes of a source for other programs: all of it in the form that they know, or the part that `path` names. Iterating throws at damage,
   * and if there is no such part (status 2).
   */
  extract?(source: ReadAround, path: string | undefined, context: SourceContext): AsyncIterable<Buffer>
  /** The rows of one table, as CSV with a header, or as SQL that makes the table in the schema `into`. Throws as `extract` does. */
  extractTable?(
    source: PartlyRead, table: string | readonly [schema: string, name: string], format: 'csv' | 'sql', into?: string,
  ): AsyncIterable<Buffer>
  /** Members for the JSON result of `diff`; none if `before` cannot be compared with `after`, which is of this kind. */
  compare(before: StoredSource, after: StoredSource): Promise<C>
  /** The same as lines of text. */
  compareText(differences: C): string[]
  /** Everything that lost more than half (loss.ts). Both sources are of this kind. */
  losses(before: SourceRecord, now: SourceRecord): Loss[]
  /** The sizes of what a source holds, as far as its facts tell: of each table of a database, or of a volume as a whole. */
  sizes(source: SizedSource): Sized[]
}

/** How the databases of a server are found. */
export interface ServerOfKind<L extends Location = Location> {
  /** Whether the location names a server and no database of it. */
  is(location: L): boolean
  /** On the server that a location names, the database to restore a source into: of the name that it was backed up from. */
  target(location: L, source: SourceRecord): L
  /** All databases of the server. Throws if it cannot be asked. Without `sizes`, which take time, each is 0. */
  databases(location: L, settings: SourceAccess & { sizes: boolean }, context: SourceContext): Promise<ServerDatabases<L>>
}

export interface ServerDatabases<L extends Location = Location> {
  databases: FoundDatabase<L>[]
  /** Those that cannot be backed up, or are templates. */
  leftOut: LeftOutDatabase[]
}

export interface FoundDatabase<L extends Location = Location> {
  name: string
  /** Bytes on the server's disk. */
  size: number
  location: L
  /** Why patterns do not choose it, only its full name; read after its name: `was put aside by …`. */
  aside?: string
}

export interface LeftOutDatabase {
  name: string
  /** Read after its name: `is a template`. */
  why: string
  /** Nobody would expect it in a backup. */
  expected: boolean
}

/** The number of things in a source, and their noun in the singular. */
export interface Amount {
  count: number
  noun: 'table' | 'file'
}

/** A source in a snapshot, as far as its sizes need it. `facts` may be of any shape. */
export interface SizedSource {
  name: string
  kind: string
  streams: readonly { size: number }[]
  facts?: unknown
}

/** The size of a source, or of a table in it. */
export interface Sized {
  /** `schema.table`, for a table of a database. */
  table?: string
  /** Of a table, about, at the source. */
  bytes: number
  /** Of a table that the backup counted: its rows there, and their bytes. */
  archived?: { rows: number; bytes: number }
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

export interface RestoreTarget {
  /** The text that confirms that its data is replaced: the name of a database; a folder, Docker volume or bucket as it was given. */
  readonly name: string
  /** The same with its server, or as an absolute path: it is told apart from others of that name. */
  readonly where: string
  /** Whether a restore with these settings replaces data that is there. */
  readonly replaces: boolean
  /** Throws (status 2) if a source cannot be restored into this target. Nothing is read or reached. */
  require(source: SourceRecord): void
  /** Writes a source into the target. Throws if nothing could be restored, or the restore was interrupted. */
  restore(stored: SourceToRestore): Promise<Restored>
  /** Absent: nothing is restored from a source of which chunks are lost. */
  readonly salvage?: Salvage
  /**
   * Makes every check of a restore, and changes nothing: `steps` of the result tell what a restore would do. Throws one error for all that
   * prevents it. Absent: this kind cannot tell.
   */
  plan?(stored: SourceToRestore): Promise<PlannedRestore>
  /**
   * Takes the last restore back that kept the content from before (mode swap), or goes back to the kept content that is named. Absent: no
   * restore of this kind keeps it.
   */
  undo?(how: AfterRestore): Promise<Undone>
  /** Drops the content that was kept, or that is named, as far as its time is over. */
  forgetOld?(how: AfterRestore): Promise<Forgotten>
  /** Safe to call at any time and more than once. */
  close(): Promise<void>
}

/** Settings of the work on content that a restore kept. */
export interface AfterRestore {
  /** Makes the checks, and changes nothing. */
  dryRun: boolean
  /** The name of the kept content that is meant. */
  old: string | undefined
}

/**
 * A restore of what is whole of a source, with everything else in `missing`. Throws (status 2) for settings by which it would replace data
 * that is there, and NothingWhole.
 */
export interface Salvage {
  restore(damaged: DamagedSource): Promise<Restored>
  /** As `RestoreTarget.plan`. */
  plan(damaged: DamagedSource): Promise<PlannedRestore>
}

export interface DamagedSource extends SourceToRestore {
  /** The parts of a stream that are lost, in order. `read` gives zeros for them, and checks every other byte. */
  readonly holes: (stream: StreamRecord) => readonly Extent[]
  /** Whether a damaged file is restored, with zeros for what is lost of it. */
  readonly keepDamaged: boolean
}

export interface SourceToRestore extends PartlyRead {
  /** The id of its snapshot. */
  readonly snapshot: string
  /**
   * Backs up what the target has. To be called when every check has passed, before data that is there is replaced and not kept. Throws if
   * that failed: then nothing may be changed. Absent: nobody wants it. `before`: of a restore of selected objects or files.
   */
  readonly backUpTarget?: (before?: SelectedBefore | FilesBefore) => Promise<void>
  /** For a plan: known damage may be in what is selected, which is read to find out. Default: false. */
  readonly suspect?: boolean
}

/**
 * The selected objects that a target had before a restore: schemas that had no others, the others by schema and name, without those that
 * come with another.
 */
export interface SelectedBefore {
  schemas: readonly string[]
  tables: readonly (readonly [schema: string, name: string])[]
  /** Statements that remove the schemas, tables, views and sequences that it did not have, with all that depends on them, in order. */
  removal: readonly string[]
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

export interface PartlyRead extends StoredSource {
  /**
   * Parts of a stream, in its order, one after the other. Only the chunks that hold them are read, each once; every one is checked, and the
   * sum of the whole stream is not.
   */
  readonly readParts: (stream: StreamRecord, parts: readonly Extent[]) => AsyncIterable<Buffer>
}

export interface ReadAround extends PartlyRead {
  /** The bytes of a stream, with zeros for chunks that are damaged or missing: these extents are in `holes` before their zeros come. */
  readonly readAround: (stream: StreamRecord, holes: Extent[]) => AsyncIterable<Buffer>
}

export interface ArchiveContents {
  /** Members of the archive. */
  entries: number
  /** Raw bytes of the archive. */
  size: number
}

export interface SelectedPart {
  /** Members of the archive. */
  entries: number
  /** Tables and views, or paths. */
  names: string[]
}

export interface SourceVerified {
  entries: number
  /** Errors: a `BadSource`, damage that `read` threw, or what prevented a verification. */
  problems: unknown[]
  /** Programs that took part, with their versions. */
  versions?: Record<string, string>
  /** Of a drill that came to its end: all that is stored of the source was read, and is as recorded; `problems` are of the drill alone. */
  drill?: Drilled
}

/** The amount that a drill compared, and the duration of its parts. */
export interface Drilled {
  entries: number
  /** Of the tables of a database. */
  rows: number
  bytes: number
  /** Whether definitions were compared word for word: else only names, data and numbers, because the server has another version. */
  wording: boolean
  /** Conditions of the user that were checked. */
  assertions: number
  /** `download`: waiting for the store. With `restore` it is the time that a recovery takes. */
  seconds: { download: number; restore: number; compare: number; checks: number }
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
  /** Files that patterns of the backup, or of the volume itself, left out. */
  leftOut?: string[]
  /** Warnings of the programs that read the source. */
  warnings?: string[]
}

/** Something that has less than half of what it had in the snapshot before. */
export interface Loss {
  /** `schema.table`, for a table of a database. */
  table?: string
  measure: 'rows' | 'bytes' | 'files'
  before: number
  /** Null: it is gone. */
  now: number | null
  /** Of a table: its rows were counted; otherwise they are estimates. */
  exact?: true
}
