import { randomBytes } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import path from 'node:path'
import { LifeboatError } from '../../../error.ts'
import { ChildError, collect, feed, startChild } from '../../../process/child.ts'
import type { SourceContext } from '../../source-kind.ts'
import { type ArchiveContext, type ArchiveReading, listIds } from '../archive.ts'
import { programOf } from '../clients.ts'
import { clientEnvironment, type Connection } from '../connection.ts'
import { clientError } from '../errors.ts'
import { parseRestoreOutput } from '../restore-output.ts'
import type { Alike, Head } from './head.ts'
import type { RestoreError } from './requirements.ts'
import { createMakers, grantSchemas, grantServers, type Makers, revokeMaking } from './roles.ts'

/** Connections that make indexes and constraints at the same time. */
const MOST_JOBS = 4

export interface DrillRestore {
  /** Its definitions. */
  head: Head
  /** The whole archive. */
  archive: AsyncIterable<Buffer>
  reading: ArchiveContext
  /** To the new database: as the superuser of the scratch server, and as the role that only loads rows. */
  superuser: Connection
  loader: Connection
  /** As the role that makes what belonged to ordinary roles; `makers` does not exist yet. */
  maker: Connection
  makers: Makers
  /** Of the server of the backup. */
  superusers: ReadonlySet<string>
  /** Of the scratch server. */
  major: number
  /** Entries that are restored with the definitions, although they come with the rows: large objects, which get their owners at once. */
  owned: readonly number[]
  /** Gets the whole archive while its rows are loaded. */
  sql: ArchiveReading<unknown>
  context: SourceContext
}

/**
 * Restores an archive in steps: definitions, rows as a role that may do nothing else, then constraints, indexes and privileges. What
 * belonged to an ordinary role is made by one, too, because making it can run functions of its owner: also a definition alone, by a
 * literal of a type with a CHECK. Gives the errors of the first step that had any; the steps after it are left out.
 */
export async function restoreInSteps(restore: DrillRestore): Promise<RestoreError[]> {
  const { head, archive, superuser, loader, makers, sql } = restore
  const { definitions, rows, main, privileges, last } = await stepsOf(restore)
  const database = { connection: superuser, ...restore.reading }
  const acted = await createMakers(makers, restore.major, database)
  const made = (ids: readonly number[], input: RestoreInput): Promise<RestoreError[]> => inRuns(ids, acted, restore, input)
  const before = await made(definitions, { input: head.bytes })
  if (before.length > 0) return before
  const loading = await pgRestore(rows, loader, restore, { input: () => tapped(archive, sql), whole: true })
  if (loading.length > 0) return loading
  // Several connections need a file. They read no more than the table of contents, because the rows are loaded.
  const jobs = Math.min(availableParallelism(), MOST_JOBS)
  const input = { input: () => [], parameters: [`--jobs=${jobs}`, head.file] }
  const after = await made(main, input)
  if (after.length > 0) return after
  await revokeMaking(makers, database)
  const granting = await pgRestore(privileges, superuser, restore, input)
  return granting.length > 0 ? granting : made(last, input)
}

interface Steps {
  definitions: number[]
  rows: number[]
  main: number[]
  privileges: number[]
  last: number[]
}

/** The ids of the entries of each step, in the order of the archive. The last three are the passes of pg_restore. */
async function stepsOf({ head, reading, owned }: DrillRestore): Promise<Steps> {
  const first = new Set([...(await listIds(head.bytes(), reading, ['--section=pre-data', '--no-privileges'])), ...owned])
  const second = new Set(await listIds(head.bytes(), reading, ['--section=data', '--no-privileges']))
  const steps: Steps = { definitions: [], rows: [], main: [], privileges: [], last: [] }
  for (const id of await listIds(head.bytes(), reading, [])) {
    const pass = head.alike.get(id)?.pass ?? 'main'
    steps[pass === 'last' ? pass : first.has(id) ? 'definitions' : second.has(id) ? 'rows' : pass].push(id)
  }
  return steps
}

/** Runs of entries that the superuser makes, and of those that the maker makes. */
async function inRuns(
  ids: readonly number[],
  acted: ReadonlySet<string>,
  restore: DrillRestore,
  { parameters = [], ...input }: RestoreInput,
): Promise<RestoreError[]> {
  const { head, superusers, makers, superuser, reading } = restore
  const makes = new Map([...new Set(head.alike.values())].map((one) => [one, isMade(one, superusers, acted)]))
  const runOf = (id: number): { made: boolean; kind: string } => {
    const one = head.alike.get(id)
    return { made: one !== undefined && makes.get(one)!, kind: one?.kind ?? '' }
  }
  for (let at = 0; at < ids.length; ) {
    const { made, kind } = runOf(ids[at]!)
    let end = at + 1
    for (; end < ids.length; end++) {
      const next = runOf(ids[end]!)
      if (next.made !== made || (next.kind === 'INDEX ATTACH') !== (kind === 'INDEX ATTACH')) break
    }
    const run = ids.slice(at, end)
    // Two that are attached at the same time below the same index of several levels could leave it invalid.
    const jobs = kind === 'INDEX ATTACH' ? parameters.filter((parameter) => !parameter.startsWith('--jobs=')) : parameters
    const errors = await pgRestore(run, made ? restore.maker : superuser, restore, { ...input, parameters: jobs })
    if (errors.length > 0) return errors
    if (run.some((id) => /^(?:SCHEMA|EXTENSION)$/.test(runOf(id).kind))) await grantSchemas(makers, { connection: superuser, ...reading })
    if (run.some((id) => runOf(id).kind === 'SERVER')) await grantServers(makers, { connection: superuser, ...reading })
    at = end
  }
  return []
}

/** Entries that only a superuser may make, or that have no owner, and whose making runs no function of a user. */
const PLAIN = new Set([
  'ACCESS METHOD', 'BLOB', 'BLOB METADATA', 'BLOBS', 'CAST', 'DATABASE', 'DATABASE PROPERTIES', 'ENCODING', 'EVENT TRIGGER', 'EXTENSION',
  'FOREIGN DATA WRAPPER', 'MATERIALIZED VIEW DATA', 'OPERATOR CLASS', 'OPERATOR FAMILY', 'PROCEDURAL LANGUAGE',
  'PUBLICATION', 'PUBLICATION TABLES IN SCHEMA', 'SCHEMA', 'SEARCHPATH', 'SERVER', 'SHELL TYPE', 'STDSTRINGS', 'SUBSCRIPTION',
  'SUBSCRIPTION TABLE', 'TEXT SEARCH PARSER', 'TEXT SEARCH TEMPLATE', 'TRANSFORM',
])

function isMade({ kind, owner }: Alike, superusers: ReadonlySet<string>, acted: ReadonlySet<string>): boolean {
  if (PLAIN.has(kind)) return false
  if (/^(?:COMMENT|SECURITY LABEL|INDEX ATTACH)$/.test(kind)) return acted.has(owner)
  return !superusers.has(owner)
}

/** The owners for whom the maker acts, also by schema. */
export function ordinaryOwners({ alike, owners: inSchemas }: Head, superusers: ReadonlySet<string>): Pick<Makers, 'owners' | 'schemas'> {
  const ordinary = (owners: Iterable<string>): string[] => [...owners].filter((owner) => owner !== '' && !superusers.has(owner))
  const owners = ordinary(new Set([...new Set(alike.values())].map(({ owner }) => owner)))
  return { owners, schemas: new Map([...inSchemas].map(([schema, some]) => [schema, new Set(ordinary(some))])) }
}

/** Each piece is given to two programs at the same time. */
async function* tapped(archive: AsyncIterable<Buffer>, sql: ArchiveReading<unknown>): AsyncGenerator<Buffer> {
  for await (const piece of archive) {
    const pushed = sql.push(piece)
    yield piece
    await pushed
  }
}

interface RestoreInput {
  input: () => AsyncIterable<Buffer> | Iterable<Buffer>
  /** It is read to its end. */
  whole?: boolean
  parameters?: readonly string[]
}

async function pgRestore(
  ids: readonly number[],
  connection: Connection,
  { reading: { client, variables }, context: { signal, temporary } }: DrillRestore,
  { input, whole = false, parameters = [] }: RestoreInput,
): Promise<RestoreError[]> {
  if (ids.length === 0 && !whole) return []
  const list = path.join(temporary, `list-${randomBytes(4).toString('hex')}`)
  await writeFile(list, ids.map((id) => `${id};\n`).join(''), { mode: 0o600, flag: 'wx' })
  const child = startChild(
    programOf(client, 'pg_restore'),
    ['--no-password', '--no-tablespaces', `--use-list=${list}`, `--dbname=${connection.parameters}`, ...parameters],
    { environment: clientEnvironment(connection, variables), signal, stderrLimit: 1024 * 1024 },
  )
  const ended = collect(child).then(() => undefined, (error: unknown) => error)
  await feed(child, input(), { toTheEnd: whole })
  const error = await ended
  await rm(list)
  const { errors, finished } = parseRestoreOutput((await child.exit).stderr)
  if (error === undefined || (error instanceof ChildError && finished)) return errors.map((told) => ({ told, rows: whole }))
  if (error instanceof ChildError && errors.length > 0) return errors.map((told) => ({ told, rows: whole }))
  throw error instanceof LifeboatError ? error : clientError(error, 'restore', connection)
}
