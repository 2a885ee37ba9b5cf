import { LifeboatError } from '../error.ts'
import { marked } from '../marks.ts'
import { storesOf } from '../stores/several.ts'
import type { Store } from '../stores/store.ts'

/** Throws if what is newer than this snapshot (key), another one or a proof, may lie in groups that a store lists and does not give. */
export async function requireNewest(store: Store, key: string): Promise<void> {
  const withheld = await Promise.all(storesOf(store).map(async ({ groups }) => groups?.withheldSince(key) ?? []))
  // One of several stores that gives all it has is enough.
  if (!withheld.every((names) => names.length > 0)) return
  throw new LifeboatError(`what is newest cannot be told: ${store.name} lists ${withheld.flat().join(', ')}, and does not give it`, {
    hint:
      marked`Run it again in some minutes, or name a snapshot by its id with ‹snapshot›; ‹lifeboat list› shows those that can be read. ` +
      'If it stays, GitHub has lost its content: the next backup is newer, and you can delete it on the page of the run that made it.',
  })
}
