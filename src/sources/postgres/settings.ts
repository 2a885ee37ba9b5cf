import { readFileSync } from 'node:fs'
import { InvalidValue, LifeboatError, messageOf } from '../../error.ts'

declare module '../settings.ts' {
  interface BackupSettings {
    readonly dump: DumpSettings
  }
  interface RestoreSettings {
    readonly objects: ObjectSettings
    readonly swap: SwapSettings
  }
  interface DrillSettings {
    readonly scratch: ScratchSettings
  }
}

/** The settings of pg_dump. */
export interface DumpSettings {
  readonly arguments: string
  /** How many pg_dump may read a database at the same time. Default: by its size, and the processors of this machine. */
  readonly jobs: number | undefined
  /** How long it waits for a lock, in milliseconds. */
  readonly lockTimeout: number
  /** Whether a pooler in transaction mode is accepted. */
  readonly allowPooler: boolean
}

/** The objects of a database that are restored, and how. */
export interface ObjectSettings {
  /** Only the objects in these schemas, and these tables with everything that belongs to them; all if both are empty. */
  readonly schemas: readonly string[]
  readonly tables: readonly TableName[]
  readonly only: 'schema' | 'data' | undefined
  readonly noOwner: boolean
  /** Whether roles that the server lacks are made, and with `all` tablespaces. Default: none. */
  readonly globals: 'none' | 'roles' | 'all' | undefined
  readonly noPrivileges: boolean
  readonly noTablespaces: boolean
  /** Whether a server is tried that is older than the backup, and does not know some of its definitions. */
  readonly allowOlder: boolean
  /** Load the rows of `only: data` without firing triggers or checking foreign keys; needs a superuser. */
  readonly disableTriggers: boolean
  /** With mode clean: remove everything that the archive does not have. */
  readonly dropOthers: boolean
  /** Whether the settings of the database itself are applied. Default: with mode create, unless only a part is restored. */
  readonly databaseSettings: boolean | undefined
  /** Connections that restore at the same time. Above 1 the archive is staged in a temporary file. */
  readonly jobs: number
}

/** Of a restore that exchanges databases. Times are milliseconds. */
export interface SwapSettings {
  /** Whose settings, owner, privileges, locale and tablespace the new database gets. */
  readonly keepSettings: 'archive' | 'target'
  /** Whether the new database is compared with the backup, entry by entry, before the exchange. */
  readonly drill: boolean
  /** How long to wait until nobody else uses the target, or its tables with mode clean, unless the sessions of others are ended. */
  readonly lockTimeout: number
  readonly terminate: boolean
  /** How long the database from before is kept at least. Default: a week; for one that was kept before: as it was said then. */
  readonly keepOld: number | undefined
}

/** A table as users name it: `orders`, `app.orders`, or schema and name separately, for names with dots. */
export type TableName = string | readonly [schema: string, name: string]

/** Of a drill: the server that databases are restored into, and what must be true there. */
export interface ScratchSettings {
  /** The location of a server without data. Default: one is started for the drill. */
  readonly server: { readonly kind: string } | undefined
  /** An image with the programs of a server. Default: the programs of this machine, or fetched ones, or the official image. */
  readonly image: string | undefined
  readonly assertions: readonly Assertion[]
  /** A file with more of them. */
  readonly assertionsFile: string | undefined
}

/** A query of the user that must give true. */
export interface Assertion {
  /** As it was given: `orders of today`, `orders@shop`. */
  readonly name: string
  /** The source that it is about. Default: each. */
  readonly database?: string
  readonly query: string
}

/** Reads lines of `name: query` and `name@database: query`. Throws InvalidValue. */
export function parseAssertions(text: string): Assertion[] {
  return text.split('\n').map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('--')).map((line) => {
    const [, name, query] = /^([^:]+?)\s*:\s+(.+?);?$/.exec(line) ?? []
    if (name === undefined || query === undefined) throw new InvalidValue(`${JSON.stringify(line)} is not a name, a colon and a query`)
    const database = /@([^@\s]+)$/.exec(name)?.[1]
    return { name, query, ...(database !== undefined && { database }) }
  })
}

/** The given conditions, and those of the file. */
export function allAssertions({ assertions, assertionsFile: file }: ScratchSettings): Assertion[] {
  return file === undefined ? [...assertions] : [...assertions, ...assertionsIn(file)]
}

/** The conditions in a file. Throws `LifeboatError` (status 2) if it cannot be read. */
export function assertionsIn(file: string): Assertion[] {
  try {
    return parseAssertions(readFileSync(file, 'utf8'))
  } catch (cause) {
    throw new LifeboatError(`the file of assert-sql-file cannot be read: ${messageOf(cause)}`, {
      hint: 'Give the path of a file with lines of a name, a colon and a query.', cause, status: 2 })
  }
}
