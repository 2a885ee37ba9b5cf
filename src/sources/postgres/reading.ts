import type { RestoreOptions, RestorePlan } from './restore-plan.ts'

/** The bytes that a restore reads, and their number. `wanted`: the ids of their data, if that is a part. */
export type Reading = Pick<RestoreOptions, 'archive' | 'size'> & { wanted?: (id: number) => boolean }

/**
 * Of a part of the entries, the table of contents and their data; pg_restore looks for nothing else. The whole archive if all data is
 * wanted, or its places are not known.
 */
export function readingOf({ archive, size, blocks, only }: RestoreOptions, { selection, entries }: RestorePlan): Reading {
  const wanted = only === 'schema' ? [] : selection && entries.filter(({ kind }) => kind === 'TABLE DATA' || kind === 'BLOBS')
  if (!blocks || !wanted?.every(({ id }) => blocks.sizes.has(id)) || wanted.length === blocks.sizes.size) return { archive, size }
  const ids = new Set(wanted.map(({ id }) => id))
  const isWanted = (id: number): boolean => ids.has(id)
  return {
    archive: () => blocks.read(isWanted),
    wanted: isWanted,
    size: wanted.reduce((sum, { id }) => sum + blocks.sizes.get(id)!, blocks.head),
  }
}

export async function* followed(
  { archive, size }: Reading, { name, report, signal }: RestoreOptions, activity: string,
): AsyncGenerator<Buffer> {
  let done = 0
  for await (const bytes of archive()) {
    signal.throwIfAborted()
    done += bytes.length
    yield bytes
    report.progress({ activity: `${activity} ${name}`, done, total: size })
  }
}
