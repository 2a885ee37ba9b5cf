import { LifeboatError } from '../../../error.ts'
import { startChild } from '../../../process/child.ts'
import { readContents } from '../archive.ts'
import { dumpClient } from '../client-download/choose.ts'
import { programOf } from '../clients.ts'
import { clientEnvironment } from '../connection.ts'
import type { Entry } from '../contents.ts'
import { clientError } from '../errors.ts'
import type { RestoreOptions } from '../restore-plan.ts'

/** The entries about the target itself, its settings, as pg_dump writes them into an archive. */
export async function targetEntries(options: RestoreOptions, serverMajor: number): Promise<Entry[]> {
  const { target, clients, provide, variables, signal } = options
  const { client } = await dumpClient(clients, serverMajor, provide)
  const child = startChild(
    programOf(client, 'pg_dump'),
    ['--format=custom', '--compress=0', '--schema-only', '--exclude-schema=*', '--no-password', `--dbname=${target.parameters}`],
    { environment: clientEnvironment(target, variables), signal },
  )
  child.end()
  try {
    return (await readContents(child.stdout, { client, variables, signal }, [], () => false)).entries
  } catch (error) {
    signal.throwIfAborted()
    throw error instanceof LifeboatError ? error : clientError(error, 'dump', target)
  } finally {
    await child.stop()
  }
}
