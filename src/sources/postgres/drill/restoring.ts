import { randomBytes } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import path from 'node:path'
import { LifeboatError } from '../../../error.ts'
import { ChildError, collect, feed, startChild } from '../../../process/child.ts'
import type { SourceContext } from '../../source-kind.ts'
import { type ArchiveContext, type ArchiveReading, listIds } from '../archive.ts'
import type { RecordedEntries } from '../archive-parts/recorded-entries.ts'
import { programOf } from '../clients.ts'
import { clientEnvironment, type Connection } from '../connection.ts'
import { clientError } from '../errors.ts'
import { parseRestoreOutput, withoutRows } from '../restore-output.ts'
import { dropGuard } from './guard.ts'
import type { Alike, Head } from './head.ts'
import { Lending } from './lending.ts'
import type { RestoreError, RestoreStep } from './restore-problem.ts'
import { createMakers, grantSchemas, grantServers, type Makers, revokeMaking } from './roles.ts'

/** Connections that make indexes and constraints at the same time. */
const MOST_JOBS = 4

export interface DrillRestore {
  /** Its definitions. */
  head: Head
  recorded: RecordedEntries
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
  const { definitions, rows, main, privileges, views, last } = await stepsOf(restore)
  const database = { connection: superuser, ...restore.reading }
  const acted = await createMakers(makers, restore.major, database)
  const lending = new Lending(makers.maker, makers.parents, database)
  const made = (ids: readonly number[], input: RestoreInput): Promise<RestoreError[]> => inRuns(ids, { acted, lending }, restore, input)
  const before = await made(definitions, { step: 'definitions', input: head.bytes })
  if (before.length > 0) return before
  const loading = await pgRestore(rows, loader, restore, { step: 'rows', input: () => tapped(archive, sql) })
  if (loading.length > 0) return loading
  // Several connections need a file. They read no more than the table of contents, because the rows are loaded.
  const jobs = Math.min(availableParallelism(), MOST_JOBS)
  const input = { input: () => [], parameters: [`--jobs=${jobs}`, head.file] }
  const after = await made(main, { step: 'constraints', ...input })
  if (after.length > 0) return after
  await lending.giveBack()
  await revokeMaking(makers, database)
  const granting = await pgRestore(privileges, superuser, restore, { step: 'privileges', ...input })
  if (granting.length > 0) return granting
  // Where superusers own everything, nobody else's code can run.
  if (acted.size > 0) await lending.lendViews()
  // The owners of materialized views fill them with the rows that policies let them see.
  const filling = await made(views, { step: 'views', ...input, parameters: [...input.parameters, '--enable-row-security'] })
  if (filling.length > 0) return filling
  await lending.giveBack()
  await dropGuard(makers.group, database)
  return made(last, { step: 'last', ...input })
}

interface Steps {
  definitions: number[]
  rows: number[]
  main: number[]
  privileges: number[]
  /** Those that fill materialized views: before event triggers are made, which would run then. */
  views: number[]
  last: number[]
}

/**
 * The ids of the entries of each step, in the order of the archive. `views` and `last` are one pass of pg_restore. Throws BadSource if the
 * archive has other entries than at backup time.
 */
async function stepsOf({ head, recorded, reading, owned }: DrillRestore): Promise<Steps> {
  const first = new Set([...(await listIds(head.bytes(), reading, ['--section=pre-data', '--no-privileges'])), ...owned])
  const second = new Set(await listIds(head.bytes(), reading, ['--section=data', '--no-privileges']))
  const steps: Steps = { definitions: [], rows: [], main: [], privileges: [], views: [], last: [] }
  const all = await listIds(head.bytes(), reading, [], (line) => recorded.passes(line))
  recorded.require()
  for (const id of all) {
    const { pass, kind } = head.alike.get(id) ?? { pass: 'main' }
    steps[kind === VIEW_DATA ? 'views' : pass === 'last' ? pass : first.has(id) ? 'definitions' : second.has(id) ? 'rows' : pass].push(id)
  }
  return steps
}

/** Runs of entries that the superuser makes, and of those that the maker makes. */
async function inRuns(
  ids: readonly number[],
  { acted, lending }: { acted: ReadonlySet<string>; lending: Lending },
  restore: DrillRestore,
  { parameters = [], ...input }: RestoreInput,
): Promise<RestoreError[]> {
  const { head, superusers, makers, superuser, reading } = restore
  const fills = ({ kind, owner }: Alike): boolean => kind === VIEW_DATA && lending.fills(owner)
  const makes = new Map([...new Set(head.alike.values())].map((one) => [one, isMade(one, superusers, acted) || fills(one)]))
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
    if (made) await lending.lend()
    const errors = await pgRestore(run, made ? restore.maker : superuser, restore, { ...input, parameters: jobs })
    if (errors.length > 0) return errors
    if (run.some((id) => /^(?:SCHEMA|EXTENSION)$/.test(runOf(id).kind))) await grantSchemas(makers, { connection: superuser, ...reading })
    if (run.some((id) => runOf(id).kind === 'SERVER')) await grantServers(makers, { connection: superuser, ...reading })
    at = end
  }
  return []
}

const VIEW_DATA = 'MATERIALIZED VIEW DATA'
/** Entries that only a superuser may make, or that have no owner, and whose making runs no function of a user. */
const PLAIN = new Set([
  'ACCESS METHOD', 'BLOB', 'BLOB METADATA', 'BLOBS', 'CAST', 'DATABASE', 'DATABASE PROPERTIES', 'ENCODING', 'EVENT TRIGGER', 'EXTENSION',
  'FOREIGN DATA WRAPPER', VIEW_DATA, 'OPERATOR CLASS', 'OPERATOR FAMILY', 'PROCEDURAL LANGUAGE',
  'PUBLICATION', 'PUBLICATION TABLE', 'PUBLICATION TABLES IN SCHEMA', 'SCHEMA', 'SEARCHPATH', 'SERVER', 'SHELL TYPE', 'STDSTRINGS',
  'SUBSCRIPTION', 'SUBSCRIPTION TABLE', 'TEXT SEARCH PARSER', 'TEXT SEARCH TEMPLATE', 'TRANSFORM',
])

function isMade({ kind, owner, privileged }: Alike, superusers: ReadonlySet<string>, acted: ReadonlySet<string>): boolean {
  if (PLAIN.has(kind) || privileged) return false
  if (/^(?:COMMENT|SECURITY LABEL|INDEX ATTACH)$/.test(kind)) return acted.has(owner)
  return !superusers.has(owner)
}

/** The owners for whom the maker acts, also by schema, and the tables that those of other owners are below. */
export function ordinaryOwners(
  { alike, owners: inSchemas, parents }: Head, superusers: ReadonlySet<string>,
): Pick<Makers, 'owners' | 'schemas' | 'parents'> {
  const ordinary = (owners: Iterable<string>): string[] => [...owners].filter((owner) => owner !== '' && !superusers.has(owner))
  const owners = ordinary(new Set([...new Set(alike.values())].map(({ owner }) => owner)))
  return {
    owners, schemas: new Map([...inSchemas].map(([schema, some]) => [schema, new Set(ordinary(some))])),
    parents: [...parents].filter(([, some]) => ordinary(some).length > 0).map(([parent]) => parent),
  }
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
  /** That of rows reads the input to its end. */
  step: RestoreStep
  input: () => AsyncIterable<Buffer> | Iterable<Buffer>
  parameters?: readonly string[]
}

async function pgRestore(
  ids: readonly number[],
  connection: Connection,
  { reading: { client, variables }, context: { signal, temporary } }: DrillRestore,
  { step, input, parameters = [] }: RestoreInput,
): Promise<RestoreError[]> {
  const whole = step === 'rows'
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
  const { errors, finished } = parseRestoreOutput((await child.exit).stderr, (told) => told)
  if (error === undefined || (error instanceof ChildError && (finished || errors.length > 0)))
    return errors.map((told) => ({ told, step }))
  throw error instanceof LifeboatError ? error : clientError(withoutRows(error, connection.secrets), 'restore', connection)
}
