import { storeUntilSound } from '../../src/commands/backup/store-sources.ts'
import { OpenedSources } from '../../src/commands/backup/opened-sources.ts'
import { KnownChunks } from '../../src/repository/known.ts'
import { newSnapshotId } from '../../src/repository/snapshot.ts'
import { Writer } from '../../src/repository/writer.ts'
import type { Source } from '../../src/sources/source.ts'
import { noise } from '../support/bytes.ts'
import { keys, through } from '../support/engine.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { quiet } from '../support/quiet.ts'
import { until } from '../support/until.ts'

test('when a source fails after a stream that ended well, nothing is being stored any more', async () => {
  let storing = 0
  const store = through(new MemoryStore(), async (operation, _key, perform) => {
    if (operation !== 'put') return perform()
    storing++
    await new Promise((resolve) => setTimeout(resolve, 200))
    storing--
    return perform()
  })
  const failing: Source = {
    name: 'shop', kind: 'postgres', open: async () => undefined, facts: () => ({}), close: async () => undefined,
    async *streams() {
      yield { name: 'shop.dump', format: 'pg_dump-custom', bytes: (async function* () { yield noise('shop', 10_000) })() }
      // The stream has ended; its last chunk is on its way.
      await until(async () => storing > 0)
      throw new Error('interrupted')
    },
  }
  const time = new Date()
  const id = newSnapshotId(time, Buffer.alloc(4))
  const writer = new Writer({ store, keys, known: new KnownChunks(store), level: 1, jobs: 1, mark: id.slice(-8), signal: new AbortController().signal, onDamaged: () => undefined })
  const sources = new OpenedSources(() => [failing])
  await sources.open()
  const environment = { variables: {}, signal: new AbortController().signal, report: quiet, temporary: '/nowhere', now: () => time }
  await expect(storeUntilSound(sources, { id, time, writer }, [], environment)).rejects.toThrow('interrupted')
  expect(storing).toBe(0)
})
