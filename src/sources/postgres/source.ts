import { anyClient, dumpClient } from './client-download/choose.ts'
import type { ClientPrograms } from './client-programs.ts'
import type { Client } from './clients.ts'
import { argumentsOfParts, excludedSchemas, excludedTables, omissionsOf } from './dump-arguments.ts'
import { tellsOfLoss } from './warnings.ts'
import type { Connection } from './connection.ts'
import { beginAlone, type Rewritten } from './dump/alone.ts'
import { type ArchiveOf, type DumpedArchive, dumpArchive } from './dump/archive-dump.ts'
import { archiveFactsOf, argumentsOfMain, argumentsOfPart, type DumpedPart } from './dump/parts.ts'
import { matchesNoSchema, matchesNoTable } from './dump/exclusions.ts'
import { tellingLocks } from './dump/locked-tables.ts'
import type { PartPlan } from './dump/plan.ts'
import { beginShared } from './dump/shared-dump.ts'
import { beginTogether, type Dump, reasonForOne } from './dump/together.ts'
import type { QueryContext } from './query.ts'
import { requireSession } from './pooler.ts'
import { direct, type Route } from './route.ts'
import { readGlobals } from './globals.ts'
import { type PostgresFacts, readDatabaseSize, readServerFacts, readTables, type ServerFacts } from './facts.ts'
import type { Report, Variables } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import { formatSome, oneLine } from '../../report/format.ts'
import { warningOf } from '../../report/warnings.ts'
import type { AddedByTable, TableExtent } from '../added.ts'
import type { Json, Source, SourceStream } from '../source.ts'
import type { SourceRecord } from '../../repository/snapshot.ts'
import { contentOf, contentsIn } from './block-sums.ts'

export interface PostgresSourceOptions {
  name: string
  connection: Connection
  /** How it is reached; closed with the source. Default: directly. */
  route?: Route
  /** The client programs to choose from. */
  programs: () => ClientPrograms | Promise<ClientPrograms>
  /** More arguments for pg_dump, as `parseDumpArguments` gives them. */
  dumpArguments: readonly string[]
  /** How many pg_dump may run at a time. Default: by the size of the database, and the processors of this machine. */
  jobs?: number | undefined
  /** Whether a pooler in transaction mode is accepted. Default: false. */
  allowPooler?: boolean
  /** How long pg_dump waits for a table that another session has locked, in milliseconds. */
  lockTimeout: number
  signal: AbortSignal
  report: Report
  variables: Variables
}

/**
 * Milliseconds that pg_dump waits for a lock, where several begin: a session that wants a table alone may wait for the shared session, and
 * pg_dump behind both. One archive is made then.
 */
const LONGEST_WAIT_TOGETHER = 10_000

const QUOTED = 'pg_dump lower-cases names: one with capitals, spaces or other signs needs double quotes that reach pg_dump, in the ' +
  `quotes of the shell, like '-T "\\"Audit Log\\""' or -T '"Audit Log"'.`

/**
 * A database: `<name>.dump` from pg_dump, `<name>.1.dump` and so on with rows of large tables or large objects, if any, and `globals.sql`,
 * its server's roles and tablespaces, if they may be read.
 */
export class PostgresSource implements Source {
  readonly name: string
  readonly kind = 'postgres'
  readonly #options: PostgresSourceOptions
  readonly #closing = new AbortController()
  readonly #signal: AbortSignal
  readonly #route: Route
  readonly #running: Promise<unknown>[] = []
  #closed = false
  #opened: { server: ServerFacts; client: Client; connection: Connection } | undefined
  /** How many archives are read side by side. */
  #together = 1
  #main: DumpedArchive | undefined
  #parts: DumpedPart[] = []
  #content: Content | undefined
  #globals: PostgresFacts['globals'] | undefined
  readonly #warnings: string[] = []
  /** Those among them that tell of something that is, or may be, missing in the archive. */
  readonly #omitted: string[] = []
  /** Arguments of pg_dump that would leave something out, and left nothing out. */
  #unmatched: ReadonlySet<string> = new Set()
  /** The facts of the backup before, and what `contentsIn` finds in them once it is asked for. */
  #before: unknown
  #contentsBefore: ReadonlySet<string> | undefined

  constructor(options: PostgresSourceOptions) {
    this.name = options.name
    this.#options = options
    this.#route = options.route ?? direct
    this.#signal = AbortSignal.any([options.signal, this.#closing.signal])
  }

  get parallel(): number {
    return this.#together
  }

  async open(): Promise<void> {
    const { programs, variables, report, allowPooler = false } = this.#options
    const { clients, provide } = await this.#track(Promise.resolve(programs()))
    const connection = await this.#track(this.#route.to(this.#options.connection))
    const any = await this.#track(anyClient(clients, provide))
    const context = { connection, client: any, variables, signal: this.#signal }
    if (!allowPooler) await this.#track(this.#withCause(requireSession(context, (reason) => this.#warnOfPartialCheck(reason))))
    const server = await this.#track(this.#withCause(readServerFacts(context)))
    const { client, warning } = await this.#track(dumpClient(clients, server.server.major, provide))
    if (warning) report.warning(`${this.name}: ${warning}`)
    this.#opened = { server, client, connection }
  }

  /** After pg_dump, so that a table that it saw is seen. */
  async #warnOfUnmatched(context: QueryContext): Promise<void> {
    const words = this.#options.dumpArguments
    const tables = await this.#track(this.#withCause(matchesNoTable(excludedTables(words), context)))
    const schemas = await this.#track(this.#withCause(matchesNoSchema(excludedSchemas(words), context)))
    this.#unmatched = new Set([...tables, ...schemas].map(({ text }) => text))
    const warnings = [...tables.map(({ text }) => `${text} matches no table`), ...schemas.map(({ text }) => `${text} matches no schema`)]
    this.#warn(warnings.map((warning) => `${warning}: nothing was left out by it`), QUOTED)
  }

  #warnOfPartialCheck(reason: string): void {
    warningOf(this.#options.report)({
      message: `${this.name}: the check for a pooler is partial, because a second session failed: ${reason}`,
      hint: 'The backup goes on. If the URL is that of a pooler in transaction mode, use that of the server itself.',
    })
  }

  async *streams(before?: SourceRecord): AsyncGenerator<SourceStream> {
    this.#before = before?.facts
    this.#contentsBefore = undefined
    const { report, variables } = this.#options
    if (!this.#opened) throw new Error(`${this.name}: streams are asked for before open()`)
    const { server, client, connection } = this.#opened
    const context = { client, connection, variables, signal: this.#signal }
    const begin = this.#archives(server, context)
    const archives = await this.#track(tellingLocks(begin, this.name, this.#options, context))
    // Read one after the other while pg_dump works, so that two connections are enough for one archive.
    const reading = this.#track(this.#withCause(readGlobals({ ...context, passwords: server.rolePasswords })))
    const content = this.#track(this.#withCause(reading.then(() => readContent(context))))
    yield* archives
    const globals = await reading
    this.#content = await content
    await this.#warnOfUnmatched(context)
    if ('reason' in globals) {
      this.#globals = { reason: globals.reason }
      report.warning(
        `${this.name}: roles and tablespaces are not in this backup: ${globals.reason}`,
        globals.hint ??
          marked`Before a restore into another server create the roles by hand, or restore with ‹no-owner: true› and ` +
          marked`‹no-privileges: true›.`,
      )
    } else {
      this.#globals = { stream: true, passwords: globals.passwords }
      this.#warn(globals.warnings)
      yield { name: 'globals.sql', format: 'sql', bytes: one(globals.bytes) }
    }
  }

  facts(addedByTable?: AddedByTable): Json {
    if (!this.#opened || !this.#main || !this.#content || !this.#globals)
      throw new Error(`${this.name}: facts are asked for before all streams have ended`)
    const { rolePasswords: _, rowBytes: __, ...server } = this.#opened.server
    const warnings = this.#warnings
    const omissions = omissionsOf(this.#options.dumpArguments).filter((text) => !this.#unmatched.has(text))
    const omitted = [...omissions, ...this.#omitted]
    return {
      ...server,
      where: this.#opened.connection.where,
      ...this.#content,
      ...archiveFactsOf(this.#main, this.#parts, this.#content.tables),
      globals: this.#globals,
      arguments: [...this.#options.dumpArguments],
      ...(warnings.length > 0 && { warnings }),
      ...(omitted.length > 0 && { omitted }),
      ...(addedByTable && { addedByTable }),
    } satisfies PostgresFacts
  }

  tablesIn(stream: string): TableExtent[] | undefined {
    if (stream === 'globals.sql') return []
    const part = this.#parts.find((part) => part.stream === stream)
    const archive = part ? part.archive : this.#main
    const before = (this.#contentsBefore ??= contentsIn(this.#before))
    return archive?.rows.tables()?.map(({ schema, name, ...block }) =>
      ({ table: `${schema}.${name}`, start: block.start, end: block.end, isSame: before.has(contentOf(block)) }))
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await Promise.allSettled(this.#running)
    const first = !this.#closed
    this.#closed = true
    if (first) await this.#route.close()
  }

  /** The main archive, and then its parts; several have begun. */
  async #archives(server: ServerFacts, context: QueryContext): Promise<SourceStream[]> {
    const { jobs, dumpArguments, allowPooler = false, lockTimeout, report } = this.#options
    const say = (why: string): void => report.info(`${this.name}: all rows are in one archive: ${why}`)
    const shared = await this.#withCause(beginShared({ jobs, dumpArguments, allowPooler, server, lockTimeout }, context, say))
    if (shared) {
      const dumps = this.#dumps(shared.parts, [`--snapshot=${shared.snapshot.id}`])
      try {
        const begun = await beginTogether(dumps.map(({ dump }) => dump), shared.snapshot, this.#signal)
        this.#together = begun.length
        return dumps.map(({ stream }, index) => this.#archive(stream, begun[index]!))
      } catch (error) {
        const why = reasonForOne(error)
        if (why === undefined) throw error
        say(why)
      }
    }
    const { stream, dump } = this.#dumps([], [])[0]!
    const again = (table: string): void =>
      report.info(`${this.name}: ${oneLine(table)} was rewritten by another session before pg_dump had locked it: pg_dump begins again`)
    const alone = { ...context, signal: this.#signal, plain: dumpArguments.length === 0 }
    const { archive, rewritten } = await this.#withCause(beginAlone(dump, alone, again))
    return [this.#archive(stream, this.#warningOfRewritten(archive, rewritten))]
  }

  /** Of tables that were rewritten before they were locked, those without rows in the archive, and those that were not counted. */
  async *#warningOfRewritten(archive: AsyncIterable<Buffer>, rewritten: readonly Rewritten[]): AsyncGenerator<Buffer> {
    yield* archive
    const { rows, listing } = this.#main!
    const dumped = new Set(listing.entries.map((entry) => /^\d+; 0 (\d+) TABLE DATA /.exec(entry)?.[1]))
    const filled = new Set(rows.finish().filter((table) => table.rows > 0).map(({ schema, name }) => `${schema}.${name}`))
    const lost = rewritten.filter(({ oid, table }) => dumped.has(oid) && !filled.has(table))
    if (lost.length === 0) return
    const tables = formatSome(lost.map(({ table }) => oneLine(table)), 5)
    const missing = `some rows of ${tables} may be missing: another session rewrote such a table (TRUNCATE, ALTER TABLE) before ` +
      'pg_dump had locked it'
    const hint = 'Back up when no other session loads or alters these tables, or empty them with DELETE, which rewrites nothing.'
    this.#warn([missing], hint, () => true)
  }

  #dumps(parts: readonly PartPlan[], together: readonly string[]): { stream: string; dump: Dump }[] {
    const { dumpArguments } = this.#options
    const main = [...dumpArguments, ...together, ...argumentsOfMain(parts)]
    const several = together.length > 0
    this.#parts = parts.map((part, index) => ({ ...part, stream: `${this.name}.${index + 1}.dump` }))
    return [
      { stream: `${this.name}.dump`, dump: this.#dump(main, several ? 'main' : 'whole', (archive) => void (this.#main = archive)) },
      ...this.#parts.map((part) => {
        const own = [...argumentsOfPart(part), ...together, ...(argumentsOfParts(dumpArguments) ?? [])]
        return { stream: part.stream, dump: this.#dump(own, 'part', (archive) => void (part.archive = archive)) }
      }),
    ]
  }

  #dump(parameters: readonly string[], of: ArchiveOf, onEnded: (archive: DumpedArchive) => void): Dump {
    const { client, connection } = this.#opened!
    const { variables, lockTimeout: given } = this.#options
    const running = (exit: Promise<unknown>): void => void this.#running.push(exit)
    const ended = (archive: DumpedArchive): void => {
      this.#warn(archive.warnings)
      onEnded(archive)
    }
    const lockTimeout = of === 'whole' ? given : Math.min(given, LONGEST_WAIT_TOGETHER)
    const context = { client, connection, variables, route: this.#route, lockTimeout, running }
    return (signal) => dumpArchive(parameters, { ...context, signal }, { of, onEnded: ended })
  }

  #archive(name: string, bytes: AsyncIterable<Buffer>): SourceStream {
    return { name, format: 'pg_dump-custom', bytes: this.#alone(bytes) }
  }

  /** One archive is of no use without the others: if it fails, or nobody reads on, these end as well. */
  async *#alone(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let whole = false
    try {
      yield* bytes
      whole = true
    } catch (error) {
      this.#fail(error)
      throw error
    } finally {
      if (!whole) this.#fail(new LifeboatError(`${this.name}: an archive was not read to its end`))
    }
  }

  #fail(error: unknown): void {
    if (!this.#signal.aborted) this.#closing.abort(error)
  }

  /** Several pg_dump warn of the same. `omits`: whether a warning tells of something that is, or may be, missing. */
  #warn(all: readonly string[], hint?: string, omits = tellsOfLoss): void {
    const warnings = all.filter((warning) => !this.#warnings.includes(warning))
    for (const warning of warnings) this.#options.report.warning(`${this.name}: ${warning}`, hint)
    this.#warnings.push(...warnings)
    this.#omitted.push(...warnings.filter(omits))
  }

  async #withCause<T>(promise: Promise<T>): Promise<T> {
    try {
      return await promise
    } catch (error) {
      throw await this.#route.causeOf(error)
    }
  }

  /** `close` awaits running work and ignores its failure, which the caller that awaits the promise reports. */
  #track<T>(promise: Promise<T>): Promise<T> {
    this.#running.push(promise.then(() => undefined, () => undefined))
    return promise
  }
}

async function* one(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes
}

type Content = Pick<PostgresFacts, 'tables' | 'databaseSize'>

async function readContent(context: QueryContext): Promise<Content> {
  return { tables: await readTables(context), databaseSize: await readDatabaseSize(context) }
}
