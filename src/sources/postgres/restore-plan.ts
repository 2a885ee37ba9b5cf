import { LifeboatError } from '../../error.ts'
import type { Environment, Report, Variables } from '../../environment.ts'
import { marked } from '../../marks.ts'
import type { SelectedBefore, SourceToRestore } from '../source-kind.ts'
import type { ArchiveBlocks } from './archive-blocks.ts'
import { type ArchiveContext, readContents } from './archive.ts'
import { type Provide, restoreClient } from './client-download/choose.ts'
import { type Client, installHint } from './clients.ts'
import { keyOf, type Others, othersAmong } from './clean/others.ts'
import type { ReplacedRelations } from './clean/locks.ts'
import type { Connection } from './connection.ts'
import { type Entry, ofDatabase, type PassingEntry } from './contents.ts'
import { rolesOf } from './named-roles.ts'
import { databaseSettings } from './database-settings.ts'
import { addNeeded, type Needed, nothingNeeded } from './preflight/needed.ts'
import { NewerConstructs, type OlderServer } from './preflight/newer-constructs.ts'
import { identifier, type QueryContext } from './query.ts'
import type { SelectionReport } from './restore-outcome.ts'
import { withoutLost } from './lost-data.ts'
import type { MadeGlobals } from './restore-globals.ts'
import { type LeftOutObject, nameOf, requireRoots, select, type Selection } from './selection.ts'
import type { ObjectSettings } from './settings.ts'
import { ArchivedObjects, requireReplaceable, TargetObjects } from './target-objects.ts'
import { lackingRoles, withoutRoles } from './without-roles.ts'

export interface RestoreOptions extends Omit<ObjectSettings, 'only' | 'globals'> {
  /** For progress: the source's name. */
  name: string
  /** Reads the archive from its beginning, again at each call. Its bytes are checked; iterating throws on damage. */
  archive: () => AsyncIterable<Buffer>
  /** Bytes of the archive. */
  size: number
  /** Reads a part of it. Absent if the places of its data are not known. */
  blocks?: ArchiveBlocks
  /** Bytes of the database when it was backed up, if they are known. */
  databaseSize?: number
  /** Major version of the pg_dump that made it. */
  dumpMajor: number
  /** Major version of the server that was backed up. Default: that of the pg_dump. */
  sourceMajor?: number
  target: Connection
  /**
   * `empty`: refuses a database that has user objects; every error is collected while the rest is restored. `create`: makes the database,
   * and drops it again if anything fails. `clean`: replaces the objects that the archive has, in one transaction. `swap`: restores all
   * into a new database, which then gets the name of the target.
   */
  mode: 'empty' | 'create' | 'clean' | 'swap'
  only?: 'schema' | 'data'
  /** Ids of entries whose data is lost: they are left out, with everything that needs their rows. */
  lost?: ReadonlySet<number>
  /** With mode clean: how long to wait for the locks of the tables, in milliseconds. */
  lockTimeout: number
  /** Whether everything is checked, and nothing changed: the outcome has `planned`. */
  dryRun?: boolean
  /** Whether known damage may be in what is restored: the checks read all of it. */
  suspect?: boolean
  /** Roles and tablespaces that the server lacks, and that the restore makes. */
  coming?: MadeGlobals
  /** Makes them, after `backUpTarget` and before anything else is changed. */
  makeComing?: () => Promise<void>
  /** Backs up the target, before data of it is replaced that nothing else keeps. */
  backUpTarget?: SourceToRestore['backUpTarget']
  /** How to create the roles of the backup, for hints. */
  roles: string
  /** The archive is staged here for several jobs. */
  temporary: string
  clients: readonly Client[]
  /** Gets client programs that are not installed. */
  provide?: Provide
  signal: AbortSignal
  leaves?: Environment['leaves']
  report: Report
  variables: Variables
}

/** The entries to restore, and the programs and arguments for it. */
export interface RestorePlan {
  archive: ArchiveContext
  /** Arguments that select entries and say how they are restored. */
  parameters: string[]
  /** The entries of the archive that a restore has to know; for a selection, all entries. */
  contents: readonly Entry[]
  /** The entries among these that pg_restore will restore. */
  entries: readonly Entry[]
  /** The number of entries that it will restore. */
  count: number
  /** Roles and extensions that they need. */
  needed: Needed
  /** Of mode clean: the tables and views of the target that are replaced. */
  replaced?: ReplacedRelations
  /** Of a restore of everything with mode clean: tables and views of the target that the archive does not have. */
  others?: Others
  selection?: Selection
  /** Of a selection with mode clean: the part of it that the target has. */
  before?: SelectedBefore
  /** If something beside these is set again at the end: the id of an entry for that, which no other has or needs. */
  last?: number
  /** The same part, as entries. */
  there?: ReadonlySet<Entry>
  /** Set if data is lost: what is left out for that. */
  missing?: string[]
  /** Set if the server is of an older major version than the one that was backed up. */
  older?: OlderServer
  /** Set if the server does not have roles, and owners are left out: these roles, and everything left out for them. */
  roleless?: { roles: ReadonlySet<string>; leftOut: LeftOutObject[] }
}

/**
 * Reads the archive's table of contents: a bad archive or filter is noticed before the target is changed. `target` is asked only if a
 * selection replaces objects.
 */
export async function planRestore(
  options: RestoreOptions, serverMajor: number, target: QueryContext, without: ReadonlySet<string> = new Set(),
): Promise<RestorePlan> {
  const archive = await archiveContext(options, serverMajor)
  const parameters = [
    ...(options.only ? [`--${options.only}-only`] : []),
    ...(options.noOwner ? ['--no-owner'] : []),
    ...(options.noPrivileges ? ['--no-privileges'] : []),
    ...(options.noTablespaces ? ['--no-tablespaces'] : []),
  ]
  const { schemas, tables, mode, only } = options
  const filtered = schemas.length + tables.length > 0
  const { lost } = options
  const needed = nothingNeeded()
  const relations = (mode === 'clean' || mode === 'swap') && !filtered ? new Set<string>() : undefined
  const newer = new NewerConstructs(options.sourceMajor ?? options.dumpMajor, serverMajor)
  const objectsOfArchive = options.dropOthers ? new ArchivedObjects() : undefined
  const head = options.blocks?.read(() => false) ?? options.archive()
  const read = await readContents(head, archive, parameters, (entry) => {
    if (!filtered && only !== 'data' && !ofDatabase(entry) && !isRoleless(entry, without)) addNeeded(entry, options, needed)
    if (only !== 'data') newer.look(entry)
    if (RELATIONS.has(entry.kind)) relations?.add(keyOf(entry))
    objectsOfArchive?.add(entry)
    return filtered || without.size > 0 || lost !== undefined || matters(entry, options)
  })
  const { restorable, unknown } = read
  if (options.noOwner && without.size === 0 && !unknown && only !== 'data') {
    const ofEntries = filtered
      ? read.entries.flatMap(({ kind, definition = '' }) => (kind === 'ACL' ? [] : rolesOf({ kind, sql: () => definition }))) : needed.named
    const ofSettings = databaseSettings(read.entries, options.target.database ?? '', { ...options, noPrivileges: true })?.roles ?? []
    const lacking = await lackingRoles([...ofEntries, ...ofSettings].filter((role) => !options.coming?.roles.includes(role)), target)
    // Of an archive that is restored whole, all entries are needed to leave some out.
    if (lacking.size > 0) return planRestore(options, serverMajor, target, lacking)
  }
  const { rest: contents, leftOut } = without.size > 0 ? withoutRoles(read.entries, without) : { rest: read.entries, leftOut: [] }
  const roleless = without.size > 0 && { roleless: { roles: without, leftOut } }
  if (unknown) {
    if (filtered || lost || mode !== 'empty' || only === 'data') throw unknown
    options.report.warning(
      unknown.message,
      'Everything is restored by pg_restore; tablespaces and the settings of the database were not checked before.',
    )
  }
  if (!filtered && !unknown && restorable.count === 0) {
    options.report.warning(
      `the archive of ${options.name} has ${only ? `nothing to restore with only: ${only}` : 'no objects'}: nothing is restored from it`,
      marked`The database was empty when it was backed up. Check ‹snapshot›, and the URL that the backup was made with.`,
    )
  }
  const older = newer.among(restorable.has)
  const whole = (entries: readonly Entry[]): ReturnType<typeof withoutLost> | { rest: readonly Entry[] } =>
    lost ? withoutLost(entries, lost) : { rest: entries }
  if (!filtered) {
    const { rest: entries, ...gone } = whole(contents.filter(restorable.has))
    const compared = objectsOfArchive
      ? { replaced: { but: [] }, others: { stay: [], go: await objectsOfArchive.beside(target) } }
      : relations && (await othersAmong(relations, { ...target, connection: options.target }))
    const clean = mode === 'swap' ? compared && { others: compared.others } : compared
    const count = roleless || lost ? entries.length : restorable.count
    // Without the privileges of the backup, new objects get the default ones of the target.
    const last = mode === 'clean' && !options.dropOthers && !options.noPrivileges && { last: read.highest + 1 }
    return { archive, parameters, contents, entries, count, needed, ...gone, ...roleless, ...clean, ...last, ...older }
  }

  const objects = mode === 'clean' ? await TargetObjects.read(target) : undefined
  const selection = select(contents, { schemas, tables }, present(only, objects))
  const entries = selection.entries.filter(restorable.has)
  const named = [...schemas, ...tables.map((table) => (typeof table === 'string' ? table : table.join('.')))].join(', ')
  if (entries.length === 0)
    throw new LifeboatError(`the archive has nothing to restore of ${named}${only ? ` with only: ${only}` : ''}`, { status: 2 })
  if (only !== 'data') requireRoots(entries, contents)
  if (objects) await requireReplaceable(entries, objects, options.target.where)
  if (only !== 'data') for (const entry of entries) addNeeded({ ...entry, sql: () => entry.definition ?? '' }, options, needed)
  const ids = new Set(entries.map(({ id }) => id))
  const selected = { selection, ...roleless, ...newer.among(({ id }) => ids.has(id)) }
  const clean = objects && {
    replaced: { only: objects.oids(relationsOf(entries)) }, before: await selectedBefore(entries, schemas, objects),
    there: new Set(entries.filter((entry) => objects.has(entry))),
    last: read.highest + 1,
  }
  const { rest, ...gone } = whole(entries)
  return { archive, parameters, contents, entries: rest, count: rest.length, needed, ...gone, ...selected, ...clean }
}

async function selectedBefore(
  entries: readonly Entry[], schemas: readonly string[], objects: TargetObjects,
): Promise<SelectedBefore> {
  const there = entries.filter((entry) => objects.has(entry))
  const tables = selectable(entries).filter((entry) => objects.has(entry))
  const withParent = await objects.children(tables)
  // A schema stands for its tables only if a restore of it touches no others.
  const whole = schemas.filter((schema) => there.some((entry) => entry.schema === schema) && !objects.hasOthers(schema, entries))
  return {
    schemas: whole,
    tables: tables.filter((entry) => !whole.includes(entry.schema) && !withParent.has(entry)).map(({ schema, name }) => [schema, name]),
    removal: removalOf(entries, objects),
  }
}

/** Tables and views, and sequences that come with no table. */
function selectable(entries: readonly Entry[]): readonly Entry[] {
  const relations = relationsOf(entries)
  const ids = new Set(relations.map(({ id }) => id))
  const owned = new Set(entries.filter(({ kind }) => kind === 'SEQUENCE OWNED BY').map(named))
  const alone = entries.filter((entry) => entry.kind === 'SEQUENCE' && !owned.has(named(entry)) && !entry.needs.some((id) => ids.has(id)))
  return [...relations, ...alone]
}

/** In an order in which none needs another: what is gone already is passed over. Partitions go with their table. */
function removalOf(entries: readonly Entry[], objects: TargetObjects): string[] {
  const schemas = entries.filter((entry) => entry.kind === 'SCHEMA' && !objects.has(entry)).map(({ name }) => name)
  const relations = selectable(entries).filter((entry) => !objects.has(entry) && !schemas.includes(entry.schema))
  const ids = new Set(relations.map(({ id }) => id))
  const partitions = new Set(entries
    .filter(({ kind, needs }) => kind === 'TABLE ATTACH' && needs.filter((id) => ids.has(id)).length > 1).map(named))
  return [
    ...schemas.map((schema) => `DROP SCHEMA IF EXISTS ${printed(schema)} CASCADE;`),
    ...[...RELATIONS, 'SEQUENCE'].flatMap((kind) => {
      const names = relations.filter((entry) => entry.kind === kind).map(named).filter((name) => !partitions.has(name))
      return names.length === 0 ? [] : [`DROP ${kind} IF EXISTS ${names.join(', ')} CASCADE;`]
    }),
  ]
}

const named = ({ schema, name }: Entry): string => `${printed(schema)}.${printed(name)}`

/** An identifier in a statement that people copy: white space that one line of text would not keep, and control characters, as escapes. */
function printed(name: string): string {
  if (!/\s\s|[^\S ]|\p{C}/u.test(name)) return identifier(name)
  const escaped = name.replaceAll(/["\\]/g, '$&$&')
    .replaceAll(/\s|\p{C}/gu, (one) => `\\+${one.codePointAt(0)!.toString(16).padStart(6, '0')}`)
  return `U&"${escaped}"`
}

/** Whether an entry is left out because the server does not have these roles. */
function isRoleless({ kind, sql }: Pick<PassingEntry, 'kind' | 'sql'>, roles: ReadonlySet<string>): boolean {
  return roles.size > 0 && kind !== 'ACL' && rolesOf({ kind, sql }).some((role) => roles.has(role))
}

const RELATIONS = new Set(['TABLE', 'FOREIGN TABLE', 'VIEW', 'MATERIALIZED VIEW'])
const relationsOf = (entries: readonly Entry[]): readonly Entry[] => entries.filter(({ kind }) => RELATIONS.has(kind))

/** If everything is restored, the entries of which more than their number is needed. */
function matters({ kind }: Pick<Entry, 'kind'>, { only, mode, noTablespaces }: RestoreOptions): boolean {
  if (kind === 'SUBSCRIPTION') return true
  if (only === 'data') return kind === 'TABLE DATA' || kind === 'MATERIALIZED VIEW DATA'
  if (mode === 'clean' && (kind === 'TABLE ATTACH' || kind === 'CONSTRAINT' || kind === 'INDEX')) return true
  return !noTablespaces && WITH_TABLESPACE.has(kind)
}

const WITH_TABLESPACE = new Set(['TABLE', 'INDEX', 'CONSTRAINT', 'MATERIALIZED VIEW'])

/** For rows, the tables and their dependencies must be in the target; sequences are set. */
function present(only: RestoreOptions['only'], objects: TargetObjects | undefined): (entry: Entry) => boolean {
  if (only === 'data') return ({ kind }) => kind !== 'SEQUENCE'
  return (entry) => objects?.has(entry) ?? false
}

export function selectionReport({ selection, entries }: RestorePlan, only: RestoreOptions['only']): SelectionReport | undefined {
  if (!selection) return undefined
  if (only === 'data') return { added: [], kept: [], leftOut: [] }
  const restored = new Set(entries)
  return {
    added: selection.added.filter((entry) => restored.has(entry)).map(nameOf),
    kept: selection.kept.map(nameOf),
    leftOut: selection.leftOut,
  }
}

async function archiveContext(options: RestoreOptions, serverMajor: number): Promise<ArchiveContext> {
  const { clients, provide, dumpMajor, variables, signal, report } = options
  const { client, warning } = await restoreClient(clients, dumpMajor, serverMajor, provide)
  if (oneTransaction(options) && client.major >= 17 && serverMajor < 17) {
    const problem = `pg_restore ${client.major} sets transaction_timeout, which a PostgreSQL ${serverMajor} server does not know`
    const ownVersion = `Install the target's own version. ${installHint(serverMajor)}`
    throw new LifeboatError(`${problem}; in one transaction that ends the restore`, {
      hint: dumpMajor <= serverMajor ? ownVersion : marked`Restore with ‹mode: create› or ‹mode: empty›, or into PostgreSQL 17 or newer.`,
    })
  }
  if (warning) report.warning(warning)
  return { client, variables, signal }
}

/** Whether the restore is all or nothing. Otherwise every error is collected and the rest is restored. */
export function oneTransaction({ mode, only }: Pick<RestoreOptions, 'mode'> & { only?: ObjectSettings['only'] }): boolean {
  return mode === 'clean' || only === 'data'
}

/** Whether a database is restored whole, so that the restored one could take its place. */
export function isWhole(
  { schemas, tables, only, databaseSettings }:
    Pick<ObjectSettings, 'schemas' | 'tables' | 'databaseSettings'> & { only?: ObjectSettings['only'] },
): boolean {
  return schemas.length + tables.length === 0 && only === undefined && databaseSettings !== false
}

/** Throws if options contradict each other. */
export function checkOptions(
  options: Pick<RestoreOptions, 'mode'> & Omit<ObjectSettings, 'only' | 'globals'> & { only?: ObjectSettings['only'] },
): void {
  const { mode, only, jobs, disableTriggers, schemas, tables } = options
  if (mode === 'swap' && !isWhole(options)) {
    throw new LifeboatError('mode swap exchanges whole databases: a part of the backup would be all that is left in the target', {
      hint: marked`Leave out ‹schemas›, ‹tables›, ‹only› and ‹database-settings: false›, or restore the part with ‹mode: clean›.`,
      status: 2,
    })
  }
  if (options.dropOthers && (mode !== 'clean' || schemas.length + tables.length > 0 || only !== undefined)) {
    throw new LifeboatError('drop-others removes everything that the backup does not have, which is for a whole database', {
      hint: marked`Set ‹mode: clean› without ‹schemas›, ‹tables› and ‹only›, or leave it out.`, status: 2 })
  }
  if (disableTriggers && only !== 'data') {
    throw new LifeboatError('disable-triggers is for only: data', {
      hint: 'Elsewhere triggers and foreign keys are made after the rows are loaded: leave it out.',
      status: 2,
    })
  }
  if (only === 'data' && mode !== 'empty') {
    throw new LifeboatError(`only: data needs tables that are there already, which mode ${mode} does not leave`, {
      hint: marked`Use ‹mode: empty›: it restores into tables without rows.`, status: 2 })
  }
  if (oneTransaction(options) && jobs > 1) {
    const what = mode === 'clean' ? 'mode clean' : 'only: data'
    throw new LifeboatError(`${what} restores in one transaction, which jobs: ${jobs} cannot`, {
      hint: marked`Set ‹jobs: 1›, or restore into a new database with ‹mode: create›.`, status: 2 })
  }
}
