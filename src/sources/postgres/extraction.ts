import { LifeboatError } from '../../error.ts'
import type { StoredSource } from '../source-kind.ts'
import { archiveOf, readArchive } from './archive-parts/stored-archive.ts'

/**
 * The archive of pg_dump, assembled if it is stored in parts; by the name of its stream, the archive of one part, or the SQL of the
 * server's roles and tablespaces.
 */
export function extractFromDatabase(stored: StoredSource, name: string | undefined): AsyncIterable<Buffer> {
  const { source, read } = stored
  if (name === undefined || archiveOf(source).main.name === name) return readArchive(stored)
  const stream = source.streams.find((one) => one.name === name)
  if (stream) return read(stream)
  throw new LifeboatError(`the database ${source.name} has no ${name} in this snapshot`, {
    hint: `There are ${source.streams.map((one) => one.name).join(', ')}.`, status: 2,
  })
}
