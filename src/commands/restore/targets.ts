import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import type { SourceRecord } from '../../repository/snapshot.ts'
import { kindAt } from '../../sources/known-kinds.ts'
import { isDatabase } from '../../sources/nouns.ts'
import type { Location } from '../../sources/source-kind.ts'
import type { RestoreInputs } from './inputs.ts'

type Given = Pick<RestoreInputs, 'server' | 'volume' | 'all'>

/**
 * Where each source of a snapshot is restored. Throws (status 2) with all sources that have no target, and all targets without a source.
 */
export function locationsFor(sources: readonly SourceRecord[], given: Given): Map<SourceRecord, Location> {
  const { map } = given.all
  const names = sources.map(({ name }) => name)
  const unknown = map.filter(({ source }) => !names.includes(source)).map(({ source }) => source)
  if (unknown.length > 0)
    throw new LifeboatError(`map names ${unknown.join(', ')}, and the snapshot has ${names.join(', ')}`, {
      hint: marked`Name the sources in ‹map› as the snapshot has them: ‹lifeboat show› lists them.`, status: 2,
    })
  const wrong = map.filter(({ source, noun }) => sources.some((one) => one.name === source && isDatabase(one) !== (noun === 'database')))
  if (wrong.length > 0) {
    const told = wrong.map(({ source, noun }) =>
      `${source} ${noun === 'database' ? 'a database, and it is a volume' : 'a volume, and it is a database'}`)
    throw new LifeboatError(`map has as the target of ${told.join('; as that of ')}`, {
      hint: 'Give a database as the target of a database, and a folder, Docker volume or bucket as that of a volume.', status: 2,
    })
  }
  const found = sources.map((source) => [source, locationOf(source, sources, given)] as const)
  const without = found.flatMap(([{ name }, location]) => (location ? [] : [name]))
  if (without.length === 0) return new Map(found.flatMap(([source, location]) => (location ? [[source, location] as const] : [])))
  throw new LifeboatError(`there is no target for ${without.join(', ')}: nothing was restored`, {
    hint:
      marked`Give ‹map› with a line name=TARGET for each. For databases, ‹database-url› without the name of a database is enough: ` +
      'each is restored under its own name.',
    status: 2,
  })
}

function locationOf(source: SourceRecord, sources: readonly SourceRecord[], { server, volume, all }: Given): Location | undefined {
  const mapped = all.map.find((one) => one.source === source.name)
  if (mapped) return mapped.location
  const database = isDatabase(source)
  const only = sources.filter((one) => isDatabase(one) === database).length === 1
  if (!database) return only ? volume.target : undefined
  const location = server.database
  if (!location) return undefined
  const kind = kindAt(location)
  if (kind.server?.is(location)) return kind.server.target(location, source)
  return only ? location : undefined
}
