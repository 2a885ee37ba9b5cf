import { giveBackLarge } from '../../src/process/buffers.ts'
import { DamagedObject, NotFound, type Store, type StoredObject } from '../../src/stores/store.ts'
import { all, ANY_SIZE, noise } from '../support/bytes.ts'

export interface OpenedStore {
  /** Empty. */
  store: Store
  /** The same place through another Store, as another run on another machine has it. */
  reopen(): Promise<Store>
  /** Removes the place and ends what serves it. */
  close(): Promise<void>
}

const MIB = 1024 * 1024

const listed = async (store: Store, prefix: string): Promise<Map<string, StoredObject>> => new Map((await all(store.list(prefix))).map((object) => [object.key, object]))

/** Ways in which a server differs from others. */
export interface Traits {
  /** How many objects are listed, where 3,000 would take too long; more than a page of the service has. */
  many?: number
  /** It takes the old object away before the new one is in its place, so that a reader may see neither for a moment. */
  gap?: boolean
  /** It writes in place: who reads or lists an object while it is replaced may see a part of it. Objects of ours that are ever replaced are checked when they are read. */
  torn?: boolean
  /** It takes a path that leads through a file for that file. No keys of ours are like that. */
  throughFiles?: boolean
}

/** The promises of every store (src/stores/store.ts). */
export function storeContract(name: string, open: () => Promise<OpenedStore>, { many = 3000, gap = false, torn = false, throughFiles = false }: Traits = {}): void {
  describe(`${name} is a store:`, () => {
    let place: OpenedStore
    let store: Store
    beforeEach(async () => {
      place = await open()
      store = place.store
    })
    afterEach(() => place.close())

    test('an object that was put comes back, from nothing to 16 MiB, here and through another store', async () => {
      const other = await place.reopen()
      for (const size of [0, 1, 2, 1000, 65_535, 65_536, 65_537, 5 * MIB + 1, 16 * MIB]) {
        const bytes = noise(`${size}`, size)
        await store.put(`sizes/${size}`, bytes)
        expect(bytes.equals(await store.get(`sizes/${size}`, ANY_SIZE))).toBe(true)
        expect(bytes.equals(await other.get(`sizes/${size}`, ANY_SIZE))).toBe(true)
      }
      await other.close()
    })

    test('the bytes of a get are its caller\'s: the memory of one is given back, and another has them', async () => {
      const bytes = noise('own', 100_000)
      await store.put('own', bytes)
      const [one, two] = [await store.get('own', ANY_SIZE), await store.get('own', ANY_SIZE)]
      giveBackLarge(one)
      expect([bytes.equals(two), bytes.equals(await store.get('own', ANY_SIZE))]).toEqual([true, true])
    })

    test('a view into a larger buffer is put as itself alone, and as it was when put resolved', async () => {
      const buffer = Buffer.from('....the view....')
      await store.put('view', new Uint8Array(buffer.buffer, buffer.byteOffset + 4, 8))
      buffer.fill('x')
      expect((await store.get('view', ANY_SIZE)).toString()).toBe('the view')
    })

    test('keys take every allowed character', async () => {
      const keys = ['abcdefghijklmnopqrstuvwxyz', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', '0123456789', 'a.b_c-d', 'x..y', '-', '_', 'deep/er/and/deep.er', `long/${'k'.repeat(200)}`, 'a/b', 'A/B']
      for (const key of keys) await store.put(key, Buffer.from(key))
      for (const key of keys) expect((await store.get(key, ANY_SIZE)).toString()).toBe(key)
      expect([...(await listed(store, '')).keys()].toSorted()).toEqual(keys.toSorted())
    })

    test('putting again replaces, also with something shorter', async () => {
      await store.put('a/object', Buffer.from('the first version of it'))
      await store.put('a/object', Buffer.from('second'))
      expect((await store.get('a/object', ANY_SIZE)).toString()).toBe('second')
      expect([...(await listed(store, 'a/')).values()].map(({ size }) => size)).toEqual([6])
    })

    test('an object may have as many bytes as the reader allows, and not one more', async () => {
      await store.put('limited', noise('limited', 100_000))
      expect(noise('limited', 100_000).equals(await store.get('limited', 100_000))).toBe(true)
      for (const most of [99_999, 1000, 1]) {
        const error: unknown = await store.get('limited', most).catch((reason: unknown) => reason)
        expect(error).toBeInstanceOf(DamagedObject)
        expect(error).toMatchObject({ message: expect.stringContaining(`limited in ${store.name} has more than the ${most.toLocaleString('en')} bytes`), hint: expect.stringContaining('Put it back from a copy') })
      }
      await store.put('empty', Buffer.alloc(0))
      expect(await store.get('empty', 1)).toHaveLength(0)
    })

    test('a missing object is NotFound, whatever is beside it', async () => {
      await store.put('a/b', Buffer.from('x'))
      for (const key of ['nothing', 'a/c', 'a/bb', 'a', 'b/b', ...(throughFiles ? [] : ['a/b/c'])]) {
        const error: unknown = await store.get(key, ANY_SIZE).catch((reason: unknown) => reason)
        expect(error).toBeInstanceOf(NotFound)
        expect(error).toMatchObject({ key })
        const unseen: unknown = await store.head(key).catch((reason: unknown) => reason)
        expect(unseen).toBeInstanceOf(NotFound)
        expect(unseen).toMatchObject({ key })
      }
    })

    test('one object is described as a listing describes it', async () => {
      await store.put('a/b', Buffer.from('five.'))
      await store.put('a/bb', Buffer.from('not this'))
      const object = (await listed(store, 'a/b')).get('a/b')
      expect(object).toMatchObject({ key: 'a/b', size: 5 })
      const seen = await (await place.reopen()).head('a/b')
      expect(seen).toMatchObject({ key: 'a/b', size: 5 })
      // Some services tell whole seconds in one of the two.
      expect(Math.abs(seen.modified.getTime() - object!.modified.getTime())).toBeLessThan(2000)
    })

    test('deleting takes away that object alone, and a missing one is no error', async () => {
      await store.put('a/b', Buffer.from('x'))
      await store.put('a/c', Buffer.from('y'))
      await store.delete('a/b')
      await store.delete('a/b')
      await store.delete('never/was')
      await store.delete('a/c/d')
      await expect(store.get('a/b', ANY_SIZE)).rejects.toThrow(NotFound)
      expect([...(await listed(store, '')).keys()]).toEqual(['a/c'])
      await store.put('a/b', Buffer.from('again'))
      expect((await store.get('a/b', ANY_SIZE)).toString()).toBe('again')
    })

    test('an empty store lists nothing', async () => {
      for (const prefix of ['', 'chunks/', 'a', 'snapshots/app/']) expect(await all(store.list(prefix))).toEqual([])
    })

    test(`${many} objects are listed, each once, with size and time, and by prefix`, async () => {
      const before = Date.now()
      const keys = Array.from({ length: many }, (_, index) => `chunks/${(index % 256).toString(16).padStart(2, '0')}/${index}`)
      for (let start = 0; start < keys.length; start += 50) await Promise.all(keys.slice(start, start + 50).map((key, place) => store.put(key, Buffer.alloc((start + place) % 7))))
      await store.put('chunks-of-another-kind', Buffer.alloc(1))
      await store.put('snapshots/app/one', Buffer.alloc(1))
      await store.put('snapshots/app2/one', Buffer.alloc(1))

      const found = await all(store.list('chunks/'))
      expect(found.map(({ key }) => key).toSorted()).toEqual(keys.toSorted())
      for (const { key, size } of found) expect(size).toBe(Number(key.slice(10)) % 7)
      // Clocks of stores differ from ours, but not by a day.
      for (const { modified } of found) expect(Math.abs(modified.getTime() - before)).toBeLessThan(86_400_000)

      const some = (prefix: string) => all(store.list(prefix)).then((objects) => objects.map(({ key }) => key).toSorted())
      expect(await some('chunks/a')).toEqual(keys.filter((key) => key.startsWith('chunks/a')).toSorted())
      expect(await some('chunks/a0/')).toEqual(keys.filter((key) => key.startsWith('chunks/a0/')).toSorted())
      expect(await some('snapshots/app/')).toEqual(['snapshots/app/one'])
      expect(await some('snapshots/app')).toEqual(['snapshots/app/one', 'snapshots/app2/one'])
      expect(await some('chunks')).toHaveLength(many + 1)
      expect(await some('')).toHaveLength(many + 3)
      expect(await some('nothing/')).toEqual([])
    })

    test('a listing that is broken off leaves the store usable', async () => {
      for (const key of ['a/1', 'a/2', 'b/3']) await store.put(key, Buffer.from(key))
      for await (const { key } of store.list('')) if (key !== '') break
      expect((await listed(store, '')).size).toBe(3)
    })

    test(`a reader sees the old object or the new one${gap ? ', or none' : ''}${torn ? ', or a part' : ', never a part'}`, async () => {
      const reader = await place.reopen()
      const versions = [Buffer.alloc(300_000, 1), Buffer.alloc(200_000, 2)] as const
      await store.put('a/object', versions[0])
      // A store that has answered is tried more often: here something may be in its way each time.
      await reader.get('a/object', ANY_SIZE)
      const written = new AbortController()
      const write = async (): Promise<void> => {
        try {
          for (let turn = 1; turn <= 30; turn++) await store.put('a/object', versions[turn % 2]!)
        } finally {
          written.abort()
        }
      }
      const read = async (): Promise<void> => {
        do {
          const seen = await reader.get('a/object', ANY_SIZE).catch((error: unknown) => {
            if (gap && error instanceof NotFound) return versions[0]
            throw error
          })
          expect(torn || versions.some((version) => version.equals(seen))).toBe(true)
          const sizes = (await all(reader.list('a/'))).map(({ size }) => size)
          if (!torn) expect([[300_000], [200_000], ...(gap ? [[]] : [])]).toContainEqual(sizes)
        } while (!written.signal.aborted)
      }
      await Promise.all([write(), read(), read()])
      await reader.close()
    })

    test('many writers at the same time lose nothing, and of one key the last stays whole', async () => {
      const stores = [store, await place.reopen(), await place.reopen()]
      const write = async (writer: number): Promise<void> => {
        for (let turn = 0; turn < 8; turn++) {
          await stores[writer % 3]!.put(`own/${writer}-${turn}`, Buffer.from(`${writer} ${turn}`))
          await stores[writer % 3]!.put('shared/key', Buffer.alloc(10_000 + writer, writer))
        }
      }
      await Promise.all(Array.from({ length: 9 }, (_, writer) => write(writer)))
      expect(await all(store.list('own/'))).toHaveLength(72)
      for (let writer = 0; writer < 9; writer++) expect((await store.get(`own/${writer}-7`, ANY_SIZE)).toString()).toBe(`${writer} 7`)
      const shared = await store.get('shared/key', ANY_SIZE)
      expect(shared.equals(Buffer.alloc(10_000 + shared[0]!, shared[0]))).toBe(true)
      for (const other of stores.slice(1)) await other.close()
    })

    test('the same object put by many at the same time is there', async () => {
      await Promise.all(Array.from({ length: 12 }, () => store.put('same/object', noise('same', 50_000))))
      expect(noise('same', 50_000).equals(await store.get('same/object', ANY_SIZE))).toBe(true)
      expect(await all(store.list(''))).toHaveLength(1)
    })

    test('its name tells where it is', () => {
      expect(store.name).toMatch(/^[a-z0-9]+:/)
    })
  })
}
