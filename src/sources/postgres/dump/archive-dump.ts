import { LifeboatError } from '../../../error.ts'
import { marked } from '../../../marks.ts'
import { startChild } from '../../../process/child.ts'
import { type ArchiveListing, startListing } from '../archive.ts'
import { type Client, programOf } from '../clients.ts'
import { clientEnvironment, type Connection } from '../connection.ts'
import { clientError } from '../errors.ts'
import { PartHead } from '../archive-parts/part-head.ts'
import type { Route } from '../route.ts'
import { RowCounter } from '../row-counter.ts'
import { warningsOf } from '../warnings.ts'
import type { Variables } from '../../../environment.ts'

export interface DumpContext {
  client: Client
  connection: Connection
  variables: Variables
  signal: AbortSignal
  route: Route
  /** Milliseconds for each lock. */
  lockTimeout: number
  /** Gets the end of each program, which may come after an error. */
  running: (exit: Promise<unknown>) => void
}

/** An archive that pg_dump wrote to its end. */
export interface DumpedArchive {
  listing: ArchiveListing
  rows: RowCounter
  /** The table of contents, of a part. */
  head: PartHead | undefined
  warnings: string[]
}

/** All of a database; all but what parts have; or a part, which has rows of large tables or the large objects. */
export type ArchiveOf = 'whole' | 'main' | 'part'

/**
 * The bytes of an archive; pg_dump starts when they are asked for. Throws as soon as the table of contents of one of several archives has
 * another form than those that can be put together.
 */
export async function* dumpArchive(
  parameters: readonly string[],
  { client, connection, variables, signal, route, lockTimeout, running }: DumpContext,
  { of, onEnded }: { of: ArchiveOf; onEnded: (archive: DumpedArchive) => void },
): AsyncGenerator<Buffer> {
  const rows = new RowCounter()
  const head = of === 'part' ? new PartHead() : undefined
  const listing = startListing({ client, variables, signal })
  const child = startChild(
    programOf(client, 'pg_dump'),
    [
      '--format=custom', '--compress=0', '--no-password', `--lock-wait-timeout=${lockTimeout}`, `--dbname=${connection.parameters}`,
      ...parameters,
    ],
    { environment: clientEnvironment(connection, variables), signal },
  )
  running(listing.exit)
  running(child.exit)
  child.end()
  try {
    // pg_restore lists the archive's head while it passes; once it has the table of contents, it costs nothing.
    let [listed, headed] = [true, head !== undefined]
    for await (const bytes of child.stdout) {
      if (listed) listed = await listing.push(bytes)
      if (headed) headed = head!.push(bytes)
      rows.push(bytes)
      if (rows.unreadable && of === 'main') throw unknownForm(client)
      yield bytes
    }
    const warnings = warningsOf((await child.exit).stderr, 'pg_dump', connection.secrets)
    onEnded({ listing: await listing.finish(), rows, head, warnings: head ? warnings.filter(notOfOrder) : warnings })
  } catch (error) {
    throw await route.causeOf(clientError(error, 'dump', connection))
  } finally {
    await listing.stop()
  }
}

function unknownForm({ major }: Client): LifeboatError {
  return new LifeboatError(`pg_dump ${major} wrote another form of archive than is known: several cannot be put together`, {
    hint: marked`Back up with ‹dump-jobs: 1›, and report it.` })
}

/** Rows alone cannot be put in an order that suits every foreign key, of which pg_dump warns; here the keys come after all rows. */
function notOfOrder(warning: string): boolean {
  return !warning.startsWith('there are circular foreign-key constraints')
}
