import { DamagedObject, type GetOptions, NotFound, type Store, type StoredObject } from './store.ts'

/** A store that did not do what was asked of it, and why. */
export interface Failed {
  store: Store
  error: unknown
}

/**
 * The stores that a backup writes to, as one: every object is put into all of them, and only objects that all of them have are listed. A
 * store that fails is not used again and is handed to `onFailed`; so a store that is still `live` has everything that was put.
 * An error of the last one is thrown.
 */
export class SeveralStores implements Store {
  readonly name: string
  readonly #all: readonly Store[]
  readonly #signal: AbortSignal
  readonly #onFailed: (failed: Failed) => void
  #live: readonly Store[]

  constructor(stores: readonly Store[], signal: AbortSignal, onFailed: (failed: Failed) => void) {
    this.name = stores.map(({ name }) => name).join(' and ')
    this.#all = stores
    this.#live = stores
    this.#signal = signal
    this.#onFailed = onFailed
  }

  get live(): readonly Store[] {
    return this.#live
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    await this.each((store) => store.put(key, bytes))
  }

  /** Out of the first one: where another lacks the object, `head` tells. */
  async get(key: string, most: number, options?: GetOptions): Promise<Buffer> {
    for (;;) {
      const [first] = this.#live
      try {
        return await first!.get(key, most, options)
      } catch (error) {
        if (error instanceof NotFound || error instanceof DamagedObject) throw error
        this.#drop(first!, error)
      }
    }
  }

  /** Throws `NotFound` unless all of them have the object, of one size. */
  async head(key: string): Promise<StoredObject> {
    const [first, ...others] = await this.each(async (store) => {
      try {
        return await store.head(key)
      } catch (error) {
        if (error instanceof NotFound) return undefined
        throw error
      }
    })
    if (first && others.every((other) => other?.size === first.size)) {
      return soonest([first, ...others.filter((other) => other !== undefined)])
    }
    throw new NotFound(key, this.name)
  }

  async *list(prefix: string): AsyncGenerator<StoredObject, void, void> {
    const [first, ...others] = await this.each(async (store) => {
      const objects = new Map<string, StoredObject>()
      for await (const object of store.list(prefix)) objects.set(object.key, object)
      return objects
    })
    for (const [key, object] of first!) {
      const same = others.map((other) => other.get(key)).filter((other) => other?.size === object.size)
      if (same.length === others.length) yield soonest([object, ...same.filter((other) => other !== undefined)])
    }
  }

  async delete(key: string): Promise<void> {
    await this.each((store) => store.delete(key))
  }

  async sweep(): Promise<void> {
    await this.each(async (store) => store.sweep?.())
  }

  /** Ends the use of all, also of those that failed before; what one of these says now is of no interest any more. */
  async close(): Promise<void> {
    const closing = await Promise.allSettled(this.#all.map((store) => store.close()))
    const failure = closing.find((ended, index) => ended.status === 'rejected' && this.#live.includes(this.#all[index]!))
    if (failure?.status === 'rejected') throw failure.reason
  }

  /** Does the same in each of those that are live, at the same time. The results, in their order, of those that still are. */
  async each<T>(work: (store: Store) => Promise<T>): Promise<T[]> {
    const stores = this.#live
    const ended = await Promise.allSettled(stores.map((store) => work(store)))
    for (const [index, one] of ended.entries()) if (one.status === 'rejected') this.#drop(stores[index]!, one.reason)
    return ended.flatMap((one, index) => (one.status === 'fulfilled' && this.#live.includes(stores[index]!) ? [one.value] : []))
  }

  /** An interruption is no store's failure, and the failure of the last one is the failure of all. */
  #drop(store: Store, error: unknown): void {
    this.#signal.throwIfAborted()
    if (!this.#live.includes(store)) return
    const left = this.#live.filter((other) => other !== store)
    if (left.length === 0) throw error
    this.#onFailed({ store, error })
    this.#live = left
  }
}

function soonest(objects: readonly [StoredObject, ...StoredObject[]]): StoredObject {
  const times = objects.flatMap(({ expires }) => (expires ? [expires.getTime()] : []))
  return times.length > 0 ? { ...objects[0], expires: new Date(Math.min(...times)) } : objects[0]
}

/** The stores that a store stands for: those of several that are still written to, or itself. */
export function storesOf(store: Store): readonly Store[] {
  return store instanceof SeveralStores ? store.live : [store]
}

/** Does the same in each store that this one stands for, at the same time. One of several that fails is given up. */
export function inEach<T>(store: Store, work: (store: Store) => Promise<T>): Promise<T[]> {
  return store instanceof SeveralStores ? store.each(work) : work(store).then((result) => [result])
}
