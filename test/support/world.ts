import type { Store, StoredObject } from '../../src/stores/store.ts'
import { all } from './bytes.ts'

type Operation = 'put' | 'get' | 'head' | 'list' | 'delete'

/** The fate of one operation. `answer lost`: performed, but it seems to fail. `twice`: repeated later, as a retry whose first try had got through. */
type Fate = 'performed' | 'answer lost' | 'refused' | 'twice' | 'killed before' | 'killed after'

interface Waiting {
  operation: Operation
  perform(): Promise<void>
  fail(error: Error): void
}

/** Listings show what happened in the last ten minutes or not. */
export const STALE = 10 * 60_000
const MINUTE = 60_000
/** Of the log, which is to tell how a state that must never occur came about. */
const MOST_LINES = 5000

/** Numbers from 0 to 1 that follow from a seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** One run on one machine. Each of its operations waits for its turn. */
export class Runner {
  readonly name: string
  /** Minutes by which its clock is wrong. */
  readonly skew: number
  readonly waiting: Waiting[] = []
  readonly #world: World
  ended = false
  /** Between its last look and its snapshot: a machine that stops there for hours is more than any grace can bear. */
  hurried = false

  constructor(world: World, name: string) {
    this.name = name
    this.#world = world
    this.skew = Math.round((world.random() - 0.5) * 20) * MINUTE
  }

  readonly now = (): Date => new Date(this.#world.time + this.skew)

  /** Its view of a store. */
  view(place: Place): Store {
    const turn = <T>(operation: Operation, key: string, perform: () => Promise<T>): Promise<T> => this.turn(operation, key, perform)
    const { store } = place
    return {
      name: store.name,
      put: (key, bytes) => turn('put', key, () => place.put(key, bytes)),
      get: (key, most) => turn('get', key, () => store.get(key, most)),
      head: (key) => turn('head', key, () => store.head(key)),
      delete: (key) => turn('delete', key, () => place.delete(key)),
      close: async () => undefined,
      async *list(prefix) {
        yield* await turn('list', prefix, () => place.listing(prefix))
      },
    }
  }

  /** A slow source: up to so many milliseconds may pass. */
  async pause(most: number): Promise<void> {
    await this.turn('get', 'a slow source', async () => this.#world.pass(most))
  }

  /** Performs an operation when its turn has come, unless something happens to it. */
  turn<T>(operation: Operation, key: string, perform: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const say = (what: string): void => this.#world.tell(`${this.name}: ${operation} ${key}${what}`)
      const act = async (): Promise<void> => {
        const fate = this.#world.fate(operation)
        say(fate === 'performed' ? '' : ` (${fate})`)
        if (fate === 'killed before') return this.#end()
        if (fate === 'refused') return reject(new Error(`refused: ${operation} ${key}`))
        const result = await perform().then((value) => () => resolve(value), (error: unknown) => () => {
          // The run may catch it and go on.
          if (error instanceof Violation) this.#world.failure ??= error
          reject(error)
        })
        if (fate === 'killed after') return this.#end()
        if (fate === 'answer lost') return reject(new Error(`answer lost: ${operation} ${key}`))
        if (fate === 'twice') this.waiting.push({ operation, perform: act, fail: reject })
        else result()
      }
      this.waiting.push({ operation, perform: act, fail: reject })
      this.#world.wake()
    })
  }

  /** From now on nothing of it is ever performed. */
  #end(): void {
    this.ended = true
    this.waiting.length = 0
  }
}

export interface PlaceOptions {
  store: Store
  onPut: (key: string, bytes: Uint8Array) => void
  onDelete: (key: string) => void
}

/** A store that several machines use at the same time, whose listings lag behind. */
export class Place {
  readonly store: Store
  /** Keys there are, and what happened to which when. */
  readonly keys = new Set<string>()
  readonly #events: { time: number; key: string; before: StoredObject | undefined }[] = []
  readonly #world: World
  readonly #options: PlaceOptions

  constructor(world: World, options: PlaceOptions) {
    this.#world = world
    this.#options = options
    this.store = options.store
  }

  readonly put = async (key: string, bytes: Uint8Array): Promise<void> => {
    await this.#note(key)
    await this.store.put(key, bytes)
    this.keys.add(key)
    this.#options.onPut(key, bytes)
  }

  readonly delete = async (key: string): Promise<void> => {
    await this.#note(key)
    await this.store.delete(key)
    this.keys.delete(key)
    this.#options.onDelete(key)
  }

  async #note(key: string): Promise<void> {
    this.#events.push({ time: this.#world.time, key, before: this.keys.has(key) ? await this.store.head(key) : undefined })
  }

  /** As it is, or as it was up to ten minutes ago, for each key by itself. */
  readonly listing = async (prefix: string): Promise<StoredObject[]> => {
    const objects = new Map((await all(this.store.list(prefix))).map((object) => [object.key, object]))
    while (this.#events[0] && this.#events[0].time < this.#world.time - STALE) this.#events.shift()
    for (const { key, before } of this.#events.toReversed()) {
      if (!key.startsWith(prefix) || this.#world.random() < 0.5) continue
      if (before) objects.set(key, before)
      else objects.delete(key)
    }
    return [...objects.values()]
  }
}

/** Machines that work at the same time, one operation after the other, as a seed has it. */
export class World {
  readonly random: () => number
  readonly log: string[] = []
  time: number
  readonly #runners: Runner[] = []
  readonly #faults: number
  #woken = Promise.withResolvers<void>()
  steps = 0

  constructor(options: { seed: number; start: number; faults: number }) {
    this.time = options.start
    this.random = seeded(options.seed)
    this.#faults = options.faults
  }

  fate(operation: Operation): Fate {
    const random = this.random() / this.#faults
    if (random > 1) return 'performed'
    if (operation === 'put' || operation === 'delete') return (['answer lost', 'twice', 'refused', 'killed before', 'killed after'] as const)[Math.floor(random * 5)]!
    return random > 0.2 ? 'performed' : random < 0.1 ? 'refused' : 'killed before'
  }

  /** Up to so long, most often much shorter; not while someone is in a hurry. */
  pass(most: number): void {
    const longest = this.#runners.some(({ hurried, ended }) => hurried && !ended) ? Math.min(most, 10 * MINUTE) : most
    this.time += Math.round(longest * this.random() ** 4)
  }

  tell(what: string): void {
    this.log.push(`${new Date(this.time).toISOString().slice(5, 19)} ${what}`)
    if (this.log.length > 2 * MOST_LINES) this.log.splice(0, MOST_LINES)
  }

  wake(): void {
    this.#woken.resolve()
  }

  /** Starts a run; what it throws is told, and is its end. */
  start(name: string, work: (runner: Runner) => Promise<void>): void {
    const runner = new Runner(this, name)
    this.#runners.push(runner)
    this.tell(`${name} starts`)
    work(runner)
      .then(() => this.tell(`${name} is done`), (error: unknown) => this.#failed(name, error))
      .finally(() => {
        runner.ended = true
        this.wake()
      })
  }

  failure: Error | undefined

  #failed(name: string, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error)
    this.tell(`${name} failed: ${message}`)
    if (error instanceof Violation) this.failure ??= error
  }

  get running(): number {
    return this.#runners.filter(({ ended }) => !ended).length
  }

  /** One operation of one of those that run, once all of them wait for their turn. */
  async step(): Promise<void> {
    for (;;) {
      // Every other task that can continue does so before this returns, unless it compresses or encrypts.
      await new Promise((resolve) => setImmediate(resolve))
      this.#runners.splice(0, this.#runners.length, ...this.#runners.filter(({ ended }) => !ended))
      if (this.#runners.every(({ waiting }) => waiting.length > 0)) break
      this.#woken = Promise.withResolvers()
      await this.#woken.promise
    }
    const runner = this.#runners[Math.floor(this.random() * this.#runners.length)]
    const [next] = runner?.waiting.splice(Math.floor(this.random() * runner.waiting.length), 1) ?? []
    if (!next) return
    this.steps++
    this.pass(2 * MINUTE)
    await next.perform()
    if (this.failure) throw this.failure
  }
}

/** A state that must never occur. */
export class Violation extends Error {}
