import { startChild } from '../../process/child.ts'
import { type ArchiveListing, startListing } from './archive.ts'
import { anyClient, dumpClient } from './client-download/choose.ts'
import type { ClientPrograms } from './client-programs.ts'
import { type Client, programOf } from './clients.ts'
import { omissionsOf } from './dump-arguments.ts'
import { tellsOfLoss, warningsOf } from './warnings.ts'
import { clientEnvironment, type Connection } from './connection.ts'
import { clientError } from './errors.ts'
import type { QueryContext } from './query.ts'
import { requireSession } from './pooler.ts'
import { direct, type Route } from './route.ts'
import { readGlobals } from './globals.ts'
import { type PostgresFacts, readDatabaseSize, readServerFacts, readTables, type ServerFacts, type Table } from './facts.ts'
import { RowCounter } from './row-counter.ts'
import type { Report, Variables } from '../../environment.ts'
import { marked } from '../../marks.ts'
import { warningOf } from '../../report/warnings.ts'
import type { Json, Source, SourceStream } from '../source.ts'

export interface PostgresSourceOptions {
  name: string
  connection: Connection
  /** How it is reached; closed with the source. Default: directly. */
  route?: Route
  /** The client programs to choose from. */
  programs: () => ClientPrograms | Promise<ClientPrograms>
  /** More arguments for pg_dump, as `parseDumpArguments` gives them. */
  dumpArguments: readonly string[]
  /** Whether a pooler in transaction mode is accepted. Default: false. */
  allowPooler?: boolean
  /** How long pg_dump waits for a table that another session has locked, in milliseconds. */
  lockTimeout: number
  signal: AbortSignal
  report: Report
  variables: Variables
}

/** A database: `<name>.dump` from pg_dump, then `globals.sql`, its server's roles and tablespaces, if they may be read. */
export class PostgresSource implements Source {
  readonly name: string
  readonly kind = 'postgres'
  readonly #options: PostgresSourceOptions
  readonly #closing = new AbortController()
  readonly #signal: AbortSignal
  readonly #route: Route
  readonly #running: Promise<unknown>[] = []
  #opened: { server: ServerFacts; client: Client; connection: Connection } | undefined
  #listing: ArchiveListing | undefined
  #rows: ReturnType<RowCounter['finish']> = []
  #places: ReturnType<RowCounter['places']>
  #content: Content | undefined
  #globals: PostgresFacts['globals'] | undefined
  readonly #warnings: string[] = []

  constructor(options: PostgresSourceOptions) {
    this.name = options.name
    this.#options = options
    this.#route = options.route ?? direct
    this.#signal = AbortSignal.any([options.signal, this.#closing.signal])
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

  #warnOfPartialCheck(reason: string): void {
    warningOf(this.#options.report)({
      message: `${this.name}: the check for a pooler is partial, because a second session failed: ${reason}`,
      hint: 'The backup goes on. If the URL is that of a pooler in transaction mode, use that of the server itself.',
    })
  }

  async *streams(): AsyncGenerator<SourceStream> {
    const { report, variables } = this.#options
    if (!this.#opened) throw new Error(`${this.name}: streams are asked for before open()`)
    const { server, client, connection } = this.#opened
    // Read one after the other while pg_dump works, so that two connections are enough.
    const context = { client, connection, variables, signal: this.#signal }
    const reading = this.#track(this.#withCause(readGlobals({ ...context, passwords: server.rolePasswords })))
    const content = this.#track(this.#withCause(reading.then(() => readContent(context))))
    yield { name: `${this.name}.dump`, format: 'pg_dump-custom', bytes: this.#dump(client, connection) }
    const globals = await reading
    this.#content = await content
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

  facts(): Json {
    if (!this.#opened || !this.#listing || !this.#content || !this.#globals)
      throw new Error(`${this.name}: facts are asked for before all streams have ended`)
    const { rolePasswords: _, ...server } = this.#opened.server
    const { dumpVersion, entries } = this.#listing
    const warnings = this.#warnings
    const omitted = [...omissionsOf(this.#options.dumpArguments), ...warnings.filter(tellsOfLoss)]
    return {
      ...server,
      ...this.#content,
      tables: withArchived(this.#content.tables, this.#rows),
      dumpVersion,
      entries,
      ...(this.#places && { data: this.#places.map(({ id, start, end }): [number, number, number] => [id, start, end]) }),
      globals: this.#globals,
      arguments: [...this.#options.dumpArguments],
      ...(warnings.length > 0 && { warnings }),
      ...(omitted.length > 0 && { omitted }),
    } satisfies PostgresFacts
  }

  async close(): Promise<void> {
    const first = !this.#closing.signal.aborted
    this.#closing.abort()
    await Promise.allSettled(this.#running)
    if (first) await this.#route.close()
  }

  async *#dump(client: Client, connection: Connection): AsyncGenerator<Buffer> {
    const { variables, dumpArguments, lockTimeout } = this.#options
    const rows = new RowCounter()
    const listing = startListing({ client, variables, signal: this.#signal })
    const parameters = [
      '--format=custom',
      '--compress=0',
      '--no-password',
      `--lock-wait-timeout=${lockTimeout}`,
      `--dbname=${connection.parameters}`,
      ...dumpArguments,
    ]
    const child = startChild(programOf(client, 'pg_dump'), parameters, {
      environment: clientEnvironment(connection, variables),
      signal: this.#signal,
    })
    this.#running.push(listing.exit, child.exit)
    child.end()
    try {
      // pg_restore lists the archive's head while it passes; once it has the table of contents, it costs nothing.
      let wanted = true
      for await (const bytes of child.stdout) {
        if (wanted) wanted = await listing.push(bytes)
        rows.push(bytes)
        yield bytes
      }
      this.#listing = await listing.finish()
      this.#rows = rows.finish()
      this.#places = rows.places()
      this.#warn(warningsOf((await child.exit).stderr, 'pg_dump', connection.secrets))
    } catch (error) {
      throw await this.#route.causeOf(clientError(error, 'dump', connection))
    } finally {
      await listing.stop()
    }
  }

  #warn(warnings: readonly string[]): void {
    for (const warning of warnings) this.#options.report.warning(`${this.name}: ${warning}`)
    this.#warnings.push(...warnings)
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

function withArchived(tables: readonly Table[], counted: ReturnType<RowCounter['finish']>): Table[] {
  const archived = new Map(counted.map(({ schema, name, rows, bytes }) => [JSON.stringify([schema, name]), { rows, bytes }]))
  return tables.map((table) => {
    const own = archived.get(JSON.stringify([table.schema, table.name]))
    return own ? { ...table, archived: own } : table
  })
}

async function* one(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes
}

type Content = Pick<PostgresFacts, 'tables' | 'databaseSize'>

async function readContent(context: QueryContext): Promise<Content> {
  return { tables: await readTables(context), databaseSize: await readDatabaseSize(context) }
}
