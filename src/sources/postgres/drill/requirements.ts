import { z } from 'zod'
import { LifeboatError } from '../../../error.ts'
import { marked } from '../../../marks.ts'
import type { Entry } from '../contents.ts'
import { queryJson, type QueryContext } from '../query.ts'

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
