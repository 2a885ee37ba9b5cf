import { LifeboatError } from '../error.ts'
import { marked } from '../marks.ts'
import type { Store } from '../stores/store.ts'
import type { Keys } from './keys.ts'
import { Presence } from './presence.ts'
import { chunkKeyOf, readTrash } from './trash.ts'

export interface LastLook {
  /**
   * Keys and stored sizes of all chunks the snapshot will list, also of those that this backup put: a prune may have taken them for
   * leftovers of a killed run.
   */
  chunks: ReadonlyMap<string, number>
  /** Milliseconds since it began, by the clock that shows the most. */
  elapsed: number
  grace: number
  now: Date
}

/**
 * Before a snapshot is put: a prune deletes chunks that were unreferenced for a whole grace, so a backup that has been running for more
 * than half of that checks that every chunk it lists is there, and will be until the snapshot is put. Throws otherwise.
 */
export async function lastLook(store: Store, keys: Keys, { chunks, elapsed, grace, now }: LastLook): Promise<void> {
  if (elapsed < grace / 2) return
  // The trash first: it is deleted after the chunks it names, so what a prune deletes meanwhile is missed in one of the two places.
  const old = (await readTrash(store, keys, (chunk) => chunks.has(chunkKeyOf(chunk)), ignoreDamaged)).filter(({ times }) =>
    times.some((made) => now.getTime() - made.getTime() >= grace / 2),
  )
  const doomed = old.flatMap((trash) => trash.chunks.map(chunkKeyOf)).filter((key) => chunks.has(key))
  const gone = new Set([...doomed, ...(await new Presence(store, chunks).wrong()).keys()])
  if (gone.size === 0) return
  const [one, others] = gone
  const what = others === undefined
    ? `chunk ${one} that this backup needs was`
    : `${gone.size} chunks that this backup needs, ${one} among them, were`
  throw new LifeboatError(
    `${what} deleted while it ran, or ${others === undefined ? 'is' : 'are'} about to be`,
    {
      hint:
        'Run the backup again: it will store them again. Nothing was lost. ' +
        marked`For a backup that takes ${Math.round(elapsed / 3_600_000)} hours, raise ‹grace›, which has to be the same for every ` +
        'backup and prune of the store.',
    },
  )
}

/** Ignores malformed trash objects; the next prune reports them. */
function ignoreDamaged(): void {}
