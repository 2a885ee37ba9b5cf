import { randomBytes } from 'node:crypto'
import { LifeboatError, messageOf } from '../../../error.ts'
import { marked } from '../../../marks.ts'
import { factsOf } from '../../../repository/snapshot.ts'
import { formatSome } from '../../../report/format.ts'
import type { Drilled, SourceContext, SourceVerified, StoredSource } from '../../source-kind.ts'
import { type ArchiveContext, startSql } from '../archive.ts'
import { restoreClient } from '../client-download/choose.ts'
import { clientPrograms } from '../client-programs.ts'
import { type Connection, onDatabase, withOptions } from '../connection.ts'
import { createStatement, type DatabaseSettings } from '../database-settings.ts'
import { drillFacts, type SessionSettings } from '../facts.ts'
import { change, type QueryContext, withoutTransaction } from '../query.ts'
import { allAssertions, type Assertion, type ScratchSettings } from '../settings.ts'
import { RecordedEntries } from '../archive-parts/recorded-entries.ts'
import { archiveOf, grantsInGroups, isArchive, readArchive } from '../archive-parts/stored-archive.ts'
import { checkAssertions, checkIndexes } from './checks.ts'
import { requireCollations } from './collations.ts'
import { comparison, type RestoredCopy, settingsIn } from './comparison.ts'
import { type Digests, digestsOf } from './digests.ts'
import { refuseForeignRows } from './foreign.ts'
import { hasInSchema, type Head, stageHead } from './head.ts'
import { requireExtensions } from './requirements.ts'
import { missingIn, restoreProblem } from './restore-problem.ts'
import { type DrillRestore, ordinaryOwners, restoreInSteps } from './restoring.ts'
import { announce, dropRoles, namesOf, removeDrill } from './leftovers.ts'
import { admit, createLoader, createRoles, rolesIn, type ServerRoles, steadySettings } from './roles.ts'
import { sameServer } from './same-server.ts'
import { openScratch, type Scratch } from './scratch.ts'
import { encodedAs, likeBackup } from './session.ts'
import { Watch } from './watch.ts'

/** The entries that make large objects, of pg_dump 17 and newer. */
const LARGE_OBJECTS = 'BLOB METADATA'
/** Entries of `pg_restore --list` that are of no use without tables, and those of large objects. */
const OF_TABLES = /^\d+; \d+ \d+ (?:TABLE DATA|SEQUENCE SET|STATISTICS DATA) /
const OF_OBJECTS = /^\d+; \d+ \d+ (?:BLOBS?|BLOB METADATA|[A-Z ]+ - LARGE OBJECTS?) /
/** Bytes of an empty cluster, and of the log that a server writes ahead of its tables. */
const CLUSTER = 100_000_000
const MOST_LOG = 1_000_000_000
/** Bytes of a `globals.sql`: a source gives no more. */
const MOST_GLOBALS = 64 * 1024 * 1024

/**
 * Restores a database into a scratch server, dumps it again and compares the two archives entry by entry. Differences are in `problems`;
 * throws what prevents a drill, and damage.
 */
export async function drillDatabase(stored: StoredSource, settings: ScratchSettings, context: SourceContext): Promise<SourceVerified> {
  const { variables, signal, report } = context
  const stream = archiveOf(stored.source)
  const { dumpMajor, entries } = stream
  const facts = factsOf(stored.source, drillFacts)
  if (facts.arguments === undefined && facts.omitted !== undefined)
    throw new LifeboatError(`the snapshot does not say how pg_dump was called, which left a part of ${stored.source.name} out`, {
      hint: 'Drill a newer snapshot.' })
  refuseForeignRows(entries)
  const ofTables = entries.some((entry) => OF_TABLES.test(entry))
  if (facts.omitted !== undefined && ofTables && entries.every((entry) => OF_TABLES.test(entry) || OF_OBJECTS.test(entry)))
    throw new LifeboatError(`the backup of ${stored.source.name} has data only, without the tables that a drill needs`, {
      hint: 'Back up without --data-only, or restore it into a database with these tables.' })
  const assertions = allAssertions(settings).filter(({ database }) => database === undefined || database === stored.source.name)
  const roles = await rolesOf(stored)
  const { clients, provide } = await clientPrograms(context)
  const { client } = await restoreClient(clients, dumpMajor, dumpMajor, provide)
  const size = Math.max(facts.databaseSize ?? 0, stream.size)
  const needs = {
    major: facts.server.major, superuser: facts.superuser ?? 'postgres', locks: entries.length,
    space: 1.2 * size + Math.min(size, MOST_LOG) + CLUSTER,
  }
  const archive = (): AsyncIterable<Buffer> => readArchive(stored, stream)
  const reading: ArchiveContext = { client, variables, signal }
  const head = await stageHead(archive(), reading, context.temporary)
  report.info(`${stored.source.name}: ${settings.server === undefined ? 'starting a scratch server' : 'using the scratch server given'}`)
  let scratch: Scratch | undefined
  try {
    scratch = await openScratch(needs, settings, client, context)
    if (scratch.major > client.major)
      throw new LifeboatError(`the scratch server has PostgreSQL ${scratch.major}, which pg_dump ${client.major} cannot dump again`, {
        hint: marked`Give a scratch server of PostgreSQL ${facts.server.major}, in ‹scratch-url›.` })
    const drill = new Drill(stored.source.name, scratch, reading, context)
    const { names, memberships, superusers } = roles ?? { names: head.roles, memberships: [], superusers: [] }
    const known = { names, memberships, superusers: new Set([...superusers, ...(facts.superuser === undefined ? [] : [facts.superuser])]) }
    const wording = scratch.major === facts.server.major && client.major === dumpMajor
    const found = await drill.run(archive, head, known, {
      recorded: new RecordedEntries(stream), groups: grantsInGroups(entries),
      again: facts.arguments ?? [], session: facts.session, encoding: facts.encoding, dumpMajor, wording, assertions,
    })
    const { version, image } = scratch
    const versions = { pg_restore: `${client.major}`, 'scratch server': version, ...(image !== undefined && { 'scratch image': image }) }
    return { ...found, entries: entries.length, versions }
  } finally {
    await scratch?.close()
    await head.remove()
  }
}

/** The roles in `globals.sql`; undefined if the snapshot has none. All its bytes are checked. */
async function rolesOf(stored: StoredSource): Promise<ServerRoles | undefined> {
  const others = stored.source.streams.filter((stream) => !isArchive(stream))
  const pieces: Buffer[] = []
  for (const stream of others)
    for await (const piece of stored.read(stream)) if (stream.size <= MOST_GLOBALS) pieces.push(Buffer.from(piece))
  return others.length === 0 ? undefined : rolesIn(Buffer.concat(pieces).toString())
}

interface Choices {
  recorded: RecordedEntries
  /** Whether large objects with privileges are in groups. */
  groups: boolean
  /** The arguments of the dump. */
  again: readonly string[]
  /** Of the session of the dump; undefined in older snapshots. */
  session: SessionSettings | undefined
  /** Of the database, for an archive that does not have its definition. */
  encoding: string
  /** Of pg_dump. */
  dumpMajor: number
  /** Whether definitions are compared word for word. */
  wording: boolean
  assertions: readonly Assertion[]
}

/** One database in a scratch server, under a name that no other has. */
class Drill {
  readonly #name: string
  readonly #major: number
  readonly #given: boolean
  readonly #reading: ArchiveContext
  readonly #context: SourceContext
  readonly #id = randomBytes(4).toString('hex')
  readonly #database = namesOf(this.#id).database
  readonly #maintenance: QueryContext
  /** Aborted when a later drill could take this one for killed, and remove its database. */
  readonly #lost = new AbortController()
  #plain: Connection
  #superuser: Connection

  constructor(name: string, { connection, major, given }: Scratch, reading: ArchiveContext, context: SourceContext) {
    this.#name = name
    this.#major = major
    this.#given = given
    const signal = AbortSignal.any([context.signal, this.#lost.signal])
    this.#reading = { ...reading, signal }
    this.#context = { ...context, signal }
    this.#maintenance = { ...this.#reading, connection: onDatabase(connection, 'postgres') }
    this.#plain = onDatabase(connection, this.#database)
    this.#superuser = withOptions(this.#plain, steadySettings(major))
  }

  async run(
    archive: () => AsyncIterable<Buffer>,
    head: Head,
    { superusers, ...roles }: Pick<ServerRoles, 'names' | 'memberships'> & { superusers: ReadonlySet<string> },
    { recorded, groups, again, session, encoding, dumpMajor, wording, assertions }: Choices,
  ): Promise<Pick<SourceVerified, 'problems' | 'drill'>> {
    const watch = new Watch()
    const { loader, maker, group } = namesOf(this.#id)
    const password = randomBytes(24).toString('hex')
    const makers = { maker, group, password, ...ordinaryOwners(head, superusers) }
    const release = this.#given ? await this.#announce() : undefined
    try {
      await requireExtensions(head.entries, this.#major, this.#maintenance)
      await createLoader(loader, password, this.#major, this.#maintenance)
      const settings = settingsIn(head.entries, this.#database)
      await this.#create(settings, encoding)
      await requireCollations(head.collations, head.entries, this.#major, this.#query())
      await createRoles(roles, superusers, this.#maintenance)
      await change(['SET LOCAL lock_timeout = 0', ...first(settings)], this.#query())
      const requireSame = await sameServer(this.#query())
      const { taken, unlike } = await likeBackup(session, this.#query())
      const like = (connection: Connection): Connection => encodedAs(head.entries, withOptions(connection, taken))
      ;[this.#plain, this.#superuser] = [like(this.#plain), like(this.#superuser)]
      const owned = [...head.alike.keys()].filter((id) => head.alike.get(id)?.kind === LARGE_OBJECTS)
      const what = { archive, dumpMajor, wording, head, recorded, owned, superusers, makers }
      const restored = await this.#restore(what, this.#as(loader, password), watch)
      if ('problem' in restored) {
        await requireSame()
        return { problems: [restored.problem] }
      }
      await change([...later(settings), ...(settings?.late ?? [])], this.#query())
      watch.next('compare')
      this.#context.report.info(`${this.#name}: comparing the restored database`)
      const of: RestoredCopy = {
        connection: this.#superuser, unlike, reading: this.#reading, archive, groups, again, settings, database: this.#database,
      }
      const problems = await comparison(of, restored.digests, wording)
      watch.next('checks')
      await this.#checkIndexes().catch((error: unknown) => this.#collect(problems, error))
      await admit(loader, this.#database, this.#maintenance)
      problems.push(...(await checkAssertions(assertions, { ...this.#query(), connection: this.#as(loader, password) })))
      if (problems.length > 0) await requireSame()
      const { count, rows, bytes } = restored.digests
      const drill: Drilled = { entries: count, rows, bytes, wording, assertions: assertions.length, seconds: watch.seconds() }
      return { problems, drill }
    } finally {
      if (release) await this.#remove(release)
    }
  }

  async #announce(): Promise<() => Promise<void>> {
    const { removed, lock } = await announce(this.#id, this.#maintenance)
    lock.lost.addEventListener('abort', () => this.#lost.abort(lock.lost.reason))
    lock.lost.throwIfAborted()
    for (const database of removed) this.#context.report.info(`removed ${database}, which an interrupted drill left at the scratch server`)
    return lock.release
  }

  #as(user: string, password: string): Connection {
    return as(this.#plain, user, password)
  }

  #query(): QueryContext {
    return { ...this.#maintenance, connection: this.#superuser }
  }

  async #checkIndexes(): Promise<void> {
    const why = await checkIndexes(this.#query())
    if (why === undefined) return
    this.#context.report.warning(
      `${this.#name}: the indexes are valid, and were not checked with amcheck, which the scratch server cannot install: ${why}`,
      'Give a scratch server that has it: the package postgresql-contrib, or the official image.',
    )
  }

  #collect(problems: unknown[], error: unknown): void {
    this.#context.signal.throwIfAborted()
    problems.push(error)
  }

  async #create(settings: DatabaseSettings | undefined, encoding: string): Promise<void> {
    const options = settings?.options ?? [
      { name: 'template', value: { name: 'template0' } },
      { name: 'encoding', value: { text: encoding } },
      { name: 'locale', value: { text: 'C' } },
    ]
    const statement = createStatement(this.#database, options, this.#major)
    try {
      await withoutTransaction(statement, this.#maintenance)
    } catch (cause) {
      this.#context.signal.throwIfAborted()
      throw new LifeboatError(`the scratch server cannot make a database like the one that was backed up: ${messageOf(cause)}`, {
        hint: marked`Give a scratch server that has its locale, in ‹scratch-url› or ‹scratch-image›, or install it here.`, cause })
    }
  }

  async #restore(
    { archive, dumpMajor, wording, ...what }: Pick<DrillRestore, 'head' | 'recorded' | 'owned' | 'superusers' | 'makers'> &
      { archive: () => AsyncIterable<Buffer>; dumpMajor: number; wording: boolean },
    loader: Connection,
    watch: Watch,
  ): Promise<{ digests: Digests } | { problem: unknown }> {
    const sql = startSql(this.#reading, digestsOf)
    try {
      watch.next('restore')
      const errors = await restoreInSteps({
        ...what, archive: watch.waiting(archive()), reading: this.#reading, superuser: this.#superuser, loader, major: this.#major,
        maker: this.#as(what.makers.maker, what.makers.password), sql, context: this.#context,
      })
      if (errors.length > 0) {
        const missing = wording ? missingIn(errors[0]!) : undefined
        const unqualified = missing !== undefined && (await hasInSchema(what.head, missing, this.#reading))
        return { problem: restoreProblem(errors, { major: this.#major, dumpMajor, unqualified }) }
      }
      return { digests: await sql.finish() }
    } finally {
      await sql.stop()
    }
  }

  /** A server that was started for the drill is removed as a whole. Not interrupted. */
  async #remove(release: () => Promise<void>): Promise<void> {
    const { signal: _, ...steady } = this.#maintenance
    const hint = 'The next drill at this server removes it, or drop it by hand.'
    await removeDrill(this.#id, steady).catch((error: unknown) => {
      this.#context.report.warning(`the scratch server may keep the database ${this.#database} and its roles: ${messageOf(error)}`, hint)
    })
    await release()
    try {
      const roles = await dropRoles(steady)
      if (roles.length > 0) throw new LifeboatError(`databases there name ${formatSome(roles, 5)}`)
    } catch (error) {
      this.#context.report.warning(`the scratch server may keep roles of the drill: ${messageOf(error)}`, hint)
    }
  }
}

/** Statements that are run before anything is restored: the rest of the settings could keep the loader out. */
function first(settings: DatabaseSettings | undefined): string[] {
  return settings?.early.filter(isSetting) ?? []
}

function later(settings: DatabaseSettings | undefined): string[] {
  return settings?.early.filter((statement) => !isSetting(statement)) ?? []
}

function isSetting(statement: string): boolean {
  return /^ALTER (?:DATABASE|ROLE) .* SET /.test(statement)
}

/** The same database as another role. */
function as(connection: Connection, user: string, password: string): Connection {
  return {
    ...connection,
    environment: { ...connection.environment, PGUSER: user, PGPASSWORD: password },
    parameters: `${connection.parameters} user='${user}'`,
    secrets: [...connection.secrets, password],
  }
}
