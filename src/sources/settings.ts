import type { SshAccess, SshTarget } from '../net/ssh/connection.ts'
import type { Destination } from '../stores/kind.ts'

/** How sources and targets are reached. */
export interface SourceAccess {
  /** An SSH server that databases are reached through. */
  readonly tunnel: SshTarget | undefined
  readonly ssh: SshAccess
  /** Of a request to a service, in milliseconds. */
  readonly timeout: number
}

/**
 * The inputs of a backup that sources take: those of all kinds. Folders of kinds add their own groups of options, each in its settings.ts;
 * every kind gets all of them, because some refuse an option of others.
 */
export interface BackupSettings extends SourceAccess {
  /** The stores of the backup, which no source may contain. */
  readonly destinations: readonly Destination[]
}

/** The same of a restore. */
export interface RestoreSettings extends SourceAccess {
  /** The store that is restored from, which no target may overlap. */
  readonly destination: Destination
  readonly mode: RestoreMode
  /** Whether every source of the snapshot is restored, each in this mode or, where its kind has none such, the nearest. Default: false. */
  readonly all?: boolean
}

/** The time for which the content from before a restore is kept by default, in milliseconds: a week. */
export const KEEP_OLD = 7 * 86_400_000

export type RestoreMode = 'empty' | 'create' | 'clean' | 'overwrite' | 'swap'

/** The same of a drill. */
// oxlint-disable-next-line typescript/no-empty-object-type -- kinds add to it
export interface DrillSettings {}
