import { LifeboatError } from '../../src/error.ts'
import { snapshotIfAuthentic } from '../../src/repository/catalog.ts'
import { freshnessOf } from '../../src/repository/freshness.ts'
import { writeProof } from '../../src/repository/proofs.ts'
import { snapshotKey } from '../../src/repository/snapshot.ts'
import { survey } from '../../src/repository/survey.ts'
import { noise } from '../support/bytes.ts'
import { backUp, keys, nextTime, through } from '../support/engine.ts'
import { MemoryStore } from '../support/memory-store.ts'

const onDamaged = (error: LifeboatError): void => expect(error).toBeUndefined()

/** A store with two verified snapshots, of which it does not give the newer one. */
async function silent() {
  const inner = new MemoryStore()
  const ids: string[] = []
  for (const name of ['older', 'newer']) {
    const { id } = await backUp({ store: inner }, { app: noise(name, 1000) })
    await writeProof(inner, keys, { snapshot: id, set: 'app', time: nextTime(), level: 'read', result: 'verified', seconds: 1, bytes: 1000, damaged: [], problems: [], versions: {}, run: null })
    ids.push(id)
  }
  const lost = snapshotKey('app', ids[1]!)
  const store = through(inner, (operation, key, perform) => {
    if (operation === 'get' && key === lost) throw new LifeboatError(`cannot read ${key}: the connection was lost`)
    return perform()
  })
  return { store, lost }
}

test('a newest snapshot that the store does not give is not passed over for an older one', async () => {
  const { store } = await silent()
  await expect(freshnessOf(store, keys, undefined, { level: 'read', now: nextTime(), onDamaged })).rejects.toThrow('the connection was lost')
})

test('a list does not leave out what the store does not give', async () => {
  const { store } = await silent()
  const listing = survey(store, keys, { set: 'app', signal: new AbortController().signal, onDamaged: () => undefined }, ({ snapshot }) => snapshot.header.id)
  await expect(listing).rejects.toThrow('the connection was lost')
})

test('whether a snapshot is authentic is not answered by a store that does not answer', async () => {
  const { store, lost } = await silent()
  await expect(snapshotIfAuthentic(store, lost, keys)).rejects.toThrow('the connection was lost')
})
