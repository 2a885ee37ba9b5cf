import type { Environment } from '../environment.ts'
import type { Inputs } from '../inputs.ts'
import { snapshotKeys } from '../repository/catalog.ts'
import { openKeys } from '../repository/keys.ts'
import { openRepository } from '../repository/repository.ts'
import { decodeSnapshot, openManifest, sourceSize, storedBytes } from '../repository/snapshot.ts'
import { openStore } from '../stores/open.ts'
import { NotFound } from '../stores/store.ts'
import { LifeboatError } from '../error.ts'
import type { ListResult } from './results.ts'

/** The snapshots of a store, newest first. A damaged one is reported and left out; of one under another key the public part is shown. */
export async function list(inputs: Inputs['list'], environment: Environment): Promise<ListResult> {
  const store = await openStore(inputs, environment)
  try {
    await openRepository(store)
    const keys = inputs['encryption-key'] === undefined ? undefined : await openKeys(inputs['encryption-key'], { store, create: false })
    const snapshots: ListResult['snapshots'] = []
    for (const key of await snapshotKeys(store, inputs.set)) {
      environment.signal.throwIfAborted()
      try {
        const object = await store.get(key)
        const visible = await decodeSnapshot(key, object, undefined)
        const own = keys && [keys, ...keys.others].some((one) => one.fingerprint === visible.header.key)
        const authentic = own ? await decodeSnapshot(key, object, keys) : undefined
        const { id, set, time, size, added, chunks, tags, key: fingerprint } = (authentic ?? visible).header
        const manifest = authentic?.keys.identity === undefined ? undefined : await openManifest(authentic)
        snapshots.push({
          id, set, time, size, added, tags,
          stored: storedBytes(chunks),
          chunks: chunks.length,
          key: fingerprint,
          ...(manifest && {
            description: manifest.description,
            sources: manifest.sources.map((source) => ({ name: source.name, kind: source.kind, size: sourceSize(source) })),
          }),
        })
      } catch (error) {
        if (error instanceof LifeboatError) environment.report.warning(error.message, error.hint)
        // A prune may delete a snapshot at any moment.
        else if (!(error instanceof NotFound)) throw error
      }
    }
    return { store: store.name, snapshots }
  } finally {
    await store.close()
  }
}
