import { LifeboatError } from '../error.ts'
import type { Report } from '../report/report.ts'
import { type ArchiveContext, listArchive } from './archive.ts'
import { type Provide, restoreClient } from './client-download/choose.ts'
import { type Client, installHint } from './clients.ts'
import type { Connection } from './connection.ts'

export interface RestoreOptions {
  /** For progress: the source's name. */
  name: string
  /** Reads the archive from its beginning, anew at each call. Its bytes are checked; iterating throws on damage. */
  archive: () => AsyncIterable<Buffer>
  /** Bytes of the archive. */
  size: number
  /** Major version of the pg_dump that made it. */
  dumpMajor: number
  target: Connection
  /**
   * `empty`: refuses a database that has user objects; every error is collected while the rest is restored.
   * `create`: makes the database, and drops it again if anything fails. `clean`: replaces what the archive has, in one transaction.
   */
  mode: 'empty' | 'create' | 'clean'
  /**
   * Only what is in one of these schemas, and these tables; all when both are empty. A table is `name` or `schema.name`: it and its rows,
   * not its indexes and constraints.
   */
  schemas: readonly string[]
  tables: readonly string[]
  only?: 'schema' | 'data'
  noOwner: boolean
  noPrivileges: boolean
  /** Above 1 the archive is staged in `temporary` and restored over so many connections. */
  jobs: number
  temporary: string
  clients: readonly Client[]
  /** Gets client programs that are not installed. */
  provide?: Provide
  signal: AbortSignal
  report: Report
  variables: Readonly<Record<string, string | undefined>>
}

/** What is restored, and with what. */
export interface Plan {
  archive: ArchiveContext
  /** Arguments that say what of the entries is restored, and how. */
  parameters: string[]
  /** The selected lines of `--list`, where not all are. */
  list?: string[]
  entries: number
}

/** Reads the archive's list with the restore's own filters: a bad archive or filter is known before the target is touched. */
export async function planRestore(options: RestoreOptions, serverMajor: number): Promise<Plan> {
  const { clients, provide, dumpMajor, variables, signal, schemas, tables, report } = options
  const { client, warning } = await restoreClient(clients, dumpMajor, serverMajor, provide)
  if (oneTransaction(options) && client.major >= 17 && serverMajor < 17) {
    const problem = `pg_restore ${client.major} sets transaction_timeout, which a PostgreSQL ${serverMajor} server does not know`
    const ownVersion = `install the target's own version: ${installHint(serverMajor)}`
    throw new LifeboatError(`${problem}; in one transaction that ends the restore`, {
      hint: dumpMajor <= serverMajor ? ownVersion : 'restore with mode create or empty, or into PostgreSQL 17 or newer',
    })
  }
  if (warning) report.warning(warning)
  const archive: ArchiveContext = { client, variables, signal }
  const parameters = [
    ...(options.only ? [`--${options.only}-only`] : []),
    ...(options.noOwner ? ['--no-owner'] : []),
    ...(options.noPrivileges ? ['--no-privileges'] : []),
  ]
  const listed = async (...filter: string[]) => (await listArchive(options.archive(), archive, [...parameters, ...filter])).entries
  const all = await listed()
  if (schemas.length + tables.length === 0) return { archive, parameters, entries: all.length }

  const chosen = new Set<string>()
  const choose = async (what: string, ...filter: string[]) => {
    const entries = await listed(...filter)
    if (entries.length === 0) throw new LifeboatError(`the archive has no ${what}`, { hint: 'write a table as schema.table or table; names are case-sensitive' })
    for (const entry of entries) chosen.add(entry)
  }
  for (const schema of schemas) await choose(`entries in schema ${schema}`, `--schema=${schema}`)
  for (const table of tables) {
    const dot = table.indexOf('.')
    await choose(`table ${table}`, ...(dot < 0 ? [] : [`--schema=${table.slice(0, dot)}`]), `--table=${table.slice(dot + 1)}`)
  }
  // pg_restore leaves out the schemas themselves; where there are none yet, they are needed.
  const makes = options.mode === 'clean' ? [] : [...schemas, ...tables.filter((table) => table.includes('.')).map((table) => table.split('.')[0]!)]
  const list = all.filter((entry) => chosen.has(entry) || makes.some((schema) => makesSchema(entry, schema)))
  return { archive, parameters, list, entries: list.length }
}

/** `7; 2615 16490 SCHEMA - audit postgres`, `3626; 0 0 ACL - SCHEMA audit postgres` */
function makesSchema(entry: string, schema: string): boolean {
  const what = entry.replace(/^\d+; \d+ \d+ /, '')
  return [`SCHEMA - ${schema} `, `ACL - SCHEMA ${schema} `, `COMMENT - SCHEMA ${schema} `].some((beginning) => what.startsWith(beginning))
}

/** Whether the restore is all or nothing; elsewhere every error is collected and the rest restored. */
export function oneTransaction({ mode, only }: RestoreOptions): boolean {
  return mode === 'clean' || only === 'data'
}

/** Throws for what cannot go together. */
export function checkOptions(options: RestoreOptions): void {
  const { mode, only, jobs } = options
  if (only === 'data' && mode !== 'empty') {
    throw new LifeboatError(`only: data needs tables that are there already, which mode ${mode} does not leave`, {
      hint: 'use mode empty: it restores into tables without rows', status: 2 })
  }
  if (oneTransaction(options) && jobs > 1) {
    const what = mode === 'clean' ? 'mode clean' : 'only: data'
    throw new LifeboatError(`${what} restores in one transaction, which jobs: ${jobs} cannot`, {
      hint: 'set jobs to 1, or restore into a new database with mode create', status: 2 })
  }
}
