import type { SshAccess, SshTarget } from '../net/ssh/connection.ts'
import type { Destination } from '../stores/kind.ts'
import type { BucketSettings } from './buckets/settings.ts'
import type { FileBackupSettings, FileRestoreSettings } from './files/settings.ts'
import type { DumpSettings, ObjectSettings, ScratchSettings } from './postgres/settings.ts'
import type { DockerSettings, FolderSettings } from './volumes/settings.ts'

/** How sources and targets are reached. */
export interface SourceAccess {
  /** An SSH server that databases are reached through. */
  readonly tunnel: SshTarget | undefined
  readonly ssh: SshAccess
  /** Of a request to a service, in milliseconds. */
  readonly timeout: number
}

/** The inputs of a backup that sources take: those of all kinds, and a group for each folder of kinds, which declares it. */
export interface BackupSettings extends SourceAccess {
  /** The stores of the backup, which no source may contain. */
  readonly destinations: readonly Destination[]
  readonly dump: DumpSettings
  readonly files: FileBackupSettings
  readonly docker: DockerSettings
}

/** The same of a restore. */
export interface RestoreSettings extends SourceAccess {
  /** The store that is restored from, which no target may overlap. */
  readonly destination: Destination
  readonly mode: RestoreMode
  readonly objects: ObjectSettings
  readonly files: FileRestoreSettings
  readonly folders: FolderSettings
  readonly docker: DockerSettings
  readonly bucket: BucketSettings
}

export type RestoreMode = 'empty' | 'create' | 'clean' | 'overwrite'

/** The inputs of a drill that sources take: a group for each folder of kinds, which declares it. */
export interface DrillSettings {
  readonly scratch: ScratchSettings
}
