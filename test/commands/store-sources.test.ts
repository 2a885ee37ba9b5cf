import { storeUntilSound } from '../../src/commands/backup/store-sources.ts'
import { OpenedSources } from '../../src/commands/backup/opened-sources.ts'
import { KnownChunks } from '../../src/repository/known.ts'
import { newSnapshotId } from '../../src/repository/snapshot.ts'
import { Writer } from '../../src/repository/writer.ts'
import type { Source } from '../../src/sources/source.ts'
import { noise } from '../support/bytes.ts'
import type { Store } from '../../src/stores/store.ts'
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
  await expect(storedFrom(failing, store)).rejects.toThrow('interrupted')
  expect(storing).toBe(0)
})

test('streams are read side by side where their source says so, and recorded in its order; of several failures the first is told', async () => {
  const both = Promise.withResolvers<void>()
  const beside: Source = {
    name: 'shop', kind: 'postgres', parallel: 2, open: async () => undefined, facts: () => ({}), close: async () => undefined,
    async *streams() {
      // The first ends only when the second is read.
      yield { name: 'shop.dump', format: 'pg_dump-custom', bytes: bytesAfter(both.promise) }
      yield { name: 'shop.1.dump', format: 'pg_dump-custom', bytes: bytesAfter(Promise.resolve(), both.resolve) }
      yield { name: 'globals.sql', format: 'sql', bytes: bytesAfter(both.promise) }
    },
  }
  const { stored } = await storedFrom(beside, new MemoryStore())
  expect(stored[0]!.record.streams.map(({ name, size }) => [name, size])).toEqual([['shop.dump', 10_000], ['shop.1.dump', 10_000], ['globals.sql', 10_000]])
  const broken: Source = {
    ...beside,
    async *streams() {
      yield { name: 'shop.dump', format: 'pg_dump-custom', bytes: failing('the first') }
      yield { name: 'shop.1.dump', format: 'pg_dump-custom', bytes: failing('the second') }
    },
  }
  await expect(storedFrom(broken, new MemoryStore())).rejects.toThrow('the first')
})

async function storedFrom(source: Source, store: Store): ReturnType<typeof storeUntilSound> {
  const time = new Date()
  const id = newSnapshotId(time, Buffer.alloc(4))
  const writer = new Writer({ store, keys, known: new KnownChunks(store), compression: 1, jobs: 1, mark: id.slice(-8), signal: new AbortController().signal, onDamaged: () => undefined })
  const sources = new OpenedSources(() => [source])
  await sources.open()
  const environment = { variables: {}, signal: new AbortController().signal, report: quiet, temporary: '/nowhere', now: () => time }
  return storeUntilSound(sources, { id, time, writer }, [], environment)
}

async function* bytesAfter(moment: Promise<void>, begun: () => void = () => undefined): AsyncGenerator<Buffer> {
  begun()
  await moment
  yield noise('bytes', 10_000)
}

async function* failing(error: string): AsyncGenerator<Buffer> {
  yield noise('bytes', 10)
  throw new Error(error)
}
