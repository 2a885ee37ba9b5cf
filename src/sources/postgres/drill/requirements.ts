import { z } from 'zod'
import { LifeboatError } from '../../../error.ts'
import { marked } from '../../../marks.ts'
import { BadSource } from '../../source.ts'
import type { Entry } from '../contents.ts'
import { queryJson, type QueryContext } from '../query.ts'

/** Errors of the server that restores: it lacks something that the backup cannot bring. */
const OF_THE_SERVER = new RegExp(
  [
    'extension ".*" is not available', 'could not open extension control file', 'could not access file', 'could not load library',
    'ICU is not supported', 'could not open collator', 'could not create locale', 'invalid locale', 'collation ".*" for encoding',
    'role ".*" does not exist', 'unrecognized configuration parameter', 'security label provider', 'time zone .* not recognized',
    'No space left on device',
    'permission denied', 'must be superuser', 'must be owner', 'out of memory', 'out of shared memory', 'could not extend file',
    'must be loaded via', 'table access method ".*" does not exist',
  ].join('|'),
)

/** Well-known images with extensions that a server does not come with. */
const IMAGES: readonly [extension: RegExp, image: (major: number) => string][] = [
  [/^(?:postgis|address_standardizer|pgrouting)/, (major) => `postgis/postgis:${major}-${major >= 18 ? '3.6' : '3.5'}`],
  [/^vector$/, (major) => `pgvector/pgvector:pg${major}`],
  [/^timescaledb/, (major) => `timescale/timescaledb:latest-pg${major}`],
]

/** Throws if the scratch server lacks an extension. `major`: the wanted one. */
export async function requireExtensions(entries: readonly Entry[], major: number, context: QueryContext): Promise<void> {
  const wanted = entries.filter(({ kind }) => kind === 'EXTENSION').map(({ name }) => name)
  const available = new Set(
    await queryJson('SELECT pg_catalog.json_agg(name) FROM pg_catalog.pg_available_extensions', z.array(z.string()), context),
  )
  const missing = wanted.filter((name) => !available.has(name))
  if (missing.length === 0) return
  throw new LifeboatError(`the scratch server does not have the extension ${missing.join(', ')}`, {
    hint: hintFor(missing, major) })
}

function hintFor(missing: readonly string[], major: number): string {
  const image = IMAGES.find(([extension]) => missing.some((name) => extension.test(name)))?.[1](major)
  if (image === undefined) return marked`Give an image of a server that has it in ‹scratch-image›, or its URL in ‹scratch-url›.`
  return marked`Give ‹scratch-image: ${image}›, or, as a service container of the job with that image, ‹scratch-url›.`
}

/** The verdict on a restore with errors: the backup is bad, unless it is the server that lacks something. */
export function restoreProblem(errors: readonly string[]): LifeboatError {
  const own = errors.find((error) => OF_THE_SERVER.test(error))
  if (own === undefined) {
    const more = errors.length > 1 ? `, and ${(errors.length - 1).toLocaleString('en-US')} more errors` : ''
    return new BadSource(`it cannot be restored: ${errors[0]!}${more}`)
  }
  return new LifeboatError(`the scratch server cannot take this database: ${own}`, {
    hint: marked`Give a server that is like the one of the backup (image, locales, extensions, room), in ‹scratch-url›.` })
}
