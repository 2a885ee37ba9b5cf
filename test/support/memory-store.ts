import { checkSize, NotFound, type Store, type StoredObject } from '../../src/stores/store.ts'

/** A store in memory, whose clock is the caller's. */
export class MemoryStore implements Store {
  readonly name = 'memory:'
  readonly objects = new Map<string, { bytes: Buffer; modified: Date }>()
  readonly #now: () => Date

  constructor(now: () => Date = () => new Date()) {
    this.#now = now
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    this.objects.set(key, { bytes: Buffer.from(bytes), modified: this.#now() })
  }

  async get(key: string, most = Infinity): Promise<Buffer> {
    const { bytes } = this.#find(key)
    checkSize(bytes.length, most, key, this.name)
    return Buffer.from(bytes)
  }

  async head(key: string): Promise<StoredObject> {
    const { bytes, modified } = this.#find(key)
    return { key, size: bytes.length, modified }
  }

  async *list(prefix: string): AsyncGenerator<StoredObject, void, void> {
    for (const [key, { bytes, modified }] of this.objects) if (key.startsWith(prefix)) yield { key, size: bytes.length, modified }
  }

  async delete(key: string): Promise<void> {
    this.objects.delete(key)
  }

  async close(): Promise<void> {}

  #find(key: string): { bytes: Buffer; modified: Date } {
    const found = this.objects.get(key)
    if (!found) throw new NotFound(key, this.name)
    return found
  }
}
