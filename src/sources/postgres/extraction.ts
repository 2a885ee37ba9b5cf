import { LifeboatError } from '../../error.ts'
import type { StoredSource } from '../source-kind.ts'
import { archiveOf } from './verify.ts'

/** The archive of pg_dump, or the SQL of the server's roles and tablespaces by the name of its stream. */
export function extractFromDatabase({ source, read }: StoredSource, name: string | undefined): AsyncIterable<Buffer> {
  if (name === undefined) return read(archiveOf(source).archive)
  const stream = source.streams.find((one) => one.name === name)
  if (stream) return read(stream)
  throw new LifeboatError(`the database ${source.name} has no ${name} in this snapshot`, {
    hint: `There are ${source.streams.map((one) => one.name).join(', ')}.`, status: 2,
  })
}
