import { LifeboatError } from '../error.ts'
import type { Store } from '../stores/store.ts'

/**
 * To be called if no snapshot is listed, of a set or at all. Throws unless the store looks like one without backups: a server that cannot
 * list answers as if the store were empty, and `snapshots/` may have been moved.
 */
export async function checkListing(store: Store, set?: string): Promise<void> {
  // In artifacts, snapshots expire.
  if (store.groups) return
  const moved = {
    hint:
      'If no backup, and no copy into it, has finished here yet, run that again. Otherwise snapshots were moved or deleted: ' +
      'put them back from where they are, or from a copy of the store. Nothing was changed.',
  }
  if (set !== undefined && (await lists(store, `proofs/${set}/`)))
    throw new LifeboatError(`${store.name} lists proofs of the set ${set}, but none of its snapshots`, moved)
  if (await lists(store, 'snapshots/')) return
  for (const kind of ['proofs', 'chunks'])
    if (await lists(store, `${kind}/`)) throw new LifeboatError(`${store.name} lists ${kind}, but no snapshot`, moved)
  if (!(await lists(store, 'lifeboat.json'))) {
    throw new LifeboatError(`${store.name} has lifeboat.json, but does not list it: it cannot be told which snapshots there are`, {
      hint:
        'Check that the user may list the folder or bucket, and that the server can: a WebDAV server must answer PROPFIND. ' +
        'Nothing was changed.',
    })
  }
}

async function lists(store: Store, prefix: string): Promise<boolean> {
  for await (const _ of store.list(prefix)) return true
  return false
}
