/** Programs of one major that are fetched together. */
export interface ProgramSet {
  /** The name of their Debian package, before the major. */
  readonly package: string
  /** Those that are run. */
  readonly programs: readonly string[]
  /** For messages. */
  readonly noun: string
  /**
   * Their folder in the tool cache. Another name than that of installed programs: these fit one distribution, and a container may share the
   * runner's cache.
   */
  readonly kept: string
}

export const CLIENT: ProgramSet = {
  package: 'postgresql-client-', programs: ['pg_dump', 'pg_dumpall', 'pg_restore', 'psql'], noun: 'client programs',
  kept: 'lifeboat-postgresql-client',
}

/** With the extensions that the server comes with: amcheck, hstore, … */
export const SERVER: ProgramSet = {
  package: 'postgresql-', programs: ['initdb', 'postgres'], noun: 'server programs', kept: 'lifeboat-postgresql-server',
}

/** Programs of one major, together in one folder. */
export interface Programs {
  readonly major: number
  readonly directory: string
}
