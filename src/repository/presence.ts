import { inParallel } from '../process/parallel.ts'
import { NotFound, type Store } from '../stores/store.ts'

/** Up to so many objects are asked for one by one; for more, listings by the first digits of the chunks take fewer requests. */
const ASKED_FOR = 1000
const PARALLEL = 32
/** A listing that shows so many objects for each that is looked for is given up: the store has those of many other sets. */
const OTHERS = 32

type Objects = ReadonlyMap<string, number>

/** Whether chunk objects are in a store with the sizes that snapshots list; each is looked for once. */
export class Presence {
  readonly #store: Store
  /** Keys and stored sizes, by the request that finds them: a key, or a prefix to list. */
  readonly #expected: ReadonlyMap<string, Objects>
  readonly #prefixOf: (key: string) => string
  readonly #looks = new Map<string, Promise<ReadonlyMap<string, number | undefined>>>()
  #background: Promise<void> | undefined
  #closed = false

  constructor(store: Store, expected: Objects) {
    this.#store = store
    // The content of artifacts is known: nothing is asked for, whereas a listing would look into all of them.
    const one = expected.size <= ASKED_FOR || store.groups
    this.#prefixOf = one ? (key) => key : (key) => key.slice(0, 'chunks/aaa'.length)
    const groups = new Map<string, Map<string, number>>()
    for (const [key, size] of expected) {
      const prefix = this.#prefixOf(key)
      const group = groups.get(prefix) ?? new Map<string, number>()
      groups.set(prefix, group.set(key, size))
    }
    this.#expected = groups
  }

  /** Whether an expected object is there with its size. The first call starts the look at all others, in the background. */
  async has(key: string): Promise<boolean> {
    this.#background ??= this.#lookAtAll()
    return !(await this.#look(this.#prefixOf(key))).has(key)
  }

  /** The objects that are missing (undefined), or have another size. Throws if the store cannot be asked. */
  async wrong(): Promise<Map<string, number | undefined>> {
    const found = await inParallel([...this.#expected.keys()], PARALLEL, (prefix) => this.#look(prefix))
    return new Map(found.flatMap((wrong) => [...wrong]))
  }

  /** Nothing more is asked of the store afterwards. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#background
  }

  async #lookAtAll(): Promise<void> {
    await inParallel([...this.#expected.keys()], PARALLEL, async (prefix) => {
      // The callers that ask for one of these get the failure.
      if (!this.#closed) await this.#look(prefix).catch(() => undefined)
    })
  }

  #look(prefix: string): Promise<ReadonlyMap<string, number | undefined>> {
    let look = this.#looks.get(prefix)
    if (!look) {
      look = this.#wrongUnder(prefix)
      this.#looks.set(prefix, look)
    }
    return look
  }

  async #wrongUnder(prefix: string): Promise<ReadonlyMap<string, number | undefined>> {
    const expected = this.#expected.get(prefix)
    if (!expected) throw new Error(`${prefix} was not expected`)
    const sizes = expected.has(prefix) ? await this.#ask(prefix) : await this.#list(prefix, expected)
    return new Map([...expected].filter(([key, size]) => sizes.get(key) !== size).map(([key]) => [key, sizes.get(key)]))
  }

  async #ask(key: string): Promise<Objects> {
    try {
      return new Map([[key, (await this.#store.head(key)).size]])
    } catch (error) {
      if (error instanceof NotFound) return new Map()
      throw error
    }
  }

  async #list(prefix: string, expected: Objects): Promise<Objects> {
    const sizes = new Map<string, number>()
    let listed = 0
    for await (const { key, size } of this.#store.list(prefix)) {
      if (expected.has(key)) sizes.set(key, size)
      if (++listed > OTHERS * expected.size) return this.#askForAll(expected)
    }
    return sizes
  }

  async #askForAll(expected: Objects): Promise<Objects> {
    // One after the other: other prefixes are looked at meanwhile.
    const asked = await inParallel([...expected.keys()], 1, (key) => this.#ask(key))
    return new Map(asked.flatMap((found) => [...found]))
  }
}
