import { z } from 'zod'
import { LifeboatError } from '../error.ts'
import { inEach, storesOf } from '../stores/several.ts'
import { DamagedObject, NotFound, type Store, type StoredObject } from '../stores/store.ts'
import { FORMAT } from './format.ts'
import { parsedJson } from './json.ts'
import type { Keys } from './keys.ts'
import { isSealedToAll } from './known.ts'
import { LIMITS } from './limits.ts'
import { DamagedChunk, openChunk } from './reader.ts'
import { sign, signerOf, splitSigned } from './signed.ts'
import { chunkKey, idTime, markOf, setName, snapshotId } from './snapshot.ts'
import { inTrash } from './trash.ts'

/** The latest runs of a set, newest first. A run whose snapshot does not exist was interrupted, or is still running. */
const schema = z.strictObject({
  format: z.literal(FORMAT),
  set: setName,
  runs: z.array(z.strictObject({ id: snapshotId, recipients: z.array(z.string().regex(/^[0-9a-f]{16}$/)) })),
})
type Begun = z.infer<typeof schema>['runs'][number]

/** Of more interrupted runs, the oldest are forgotten: each takes a request for every chunk. */
const MOST_RUNS = 8
/** An object from further in the future than this has no age that can be told. */
const TOLERATED_SKEW = 3600 * 1000

export function runsKey(set: string): string {
  return `runs/${set}.json`
}

export interface RunOptions {
  set: string
  /** Of the snapshot that this run will put. */
  id: string
  /** Ids of the snapshots of the set. */
  snapshots: ReadonlySet<string>
  /** Milliseconds. */
  grace: number
  now: () => Date
  onDamaged: (error: LifeboatError) => void
  /** Later runs can use the chunks that this one puts from now on. */
  onNoted?: () => void
}

/** A chunk object that an interrupted run of the set put. */
export interface FoundChunk {
  mark: string
  storedSize: number
  modified: Date
  recipients: readonly string[]
}

/** Chunks that earlier runs of the set put, and that no snapshot lists. */
export async function beginRun(store: Store, keys: Keys, options: RunOptions): Promise<Unfinished> {
  const { set, id, snapshots, grace, now, onDamaged } = options
  const since = new Date(now().getTime() - grace / 2)
  for (const one of storesOf(store)) await one.groups?.findUnfinished(since)
  const oldest = idTime(since)
  const earlier = (await readRuns(store, keys, set)).filter((run) => run.id >= oldest && !snapshots.has(run.id)).slice(0, MOST_RUNS - 1)
  const marks = new Set(earlier.map((run) => markOf(run.id)))
  const trash = earlier.length > 0 ? await inTrash(store, keys, (chunk) => marks.has(chunk.slice(-8)), onDamaged) : new Set<string>()
  const runs = [{ id, recipients: [...keys.recipientTags] }, ...earlier]
  const note = sign(JSON.stringify(schema.parse({ format: FORMAT, set, runs })), keys, 'runs')
  return new Unfinished(store, keys, options, { note, trash, runs: earlier.filter(({ recipients }) => isSealedToAll(recipients, keys)) })
}

/** Empty if there is none, or an invalid one: it is written again, and nothing else depends on it. */
async function readRuns(store: Store, keys: Keys, set: string): Promise<Begun[]> {
  let object: Buffer
  try {
    object = await store.get(runsKey(set), LIMITS.runs)
  } catch (error) {
    if (error instanceof NotFound || error instanceof DamagedObject) return []
    throw error
  }
  const signed = splitSigned(object)
  if (!signed || signerOf(signed, keys, 'runs')?.fingerprint !== keys.fingerprint) return []
  const parsed = schema.safeParse(parsedJson(signed.body))
  return parsed.success && parsed.data.set === set ? parsed.data.runs : []
}

/**
 * Chunks that interrupted runs of the set left. A chunk is used only if it is whole (no difference), not in the trash, and was put less
 * than half the grace ago by the store's time; and only after its bytes were read and found right, so with a write key none is.
 */
export class Unfinished {
  readonly #store: Store
  readonly #keys: Keys
  readonly #runs: readonly Begun[]
  readonly #trash: ReadonlySet<string>
  readonly #options: Omit<RunOptions, 'id' | 'snapshots'>
  readonly #note: Buffer | undefined
  #noted: Promise<void> | undefined

  /** Without `left`, nothing is used, and nothing noted. */
  constructor(
    store: Store,
    keys: Keys,
    options: Omit<RunOptions, 'id' | 'snapshots'>,
    left?: { note: Buffer; runs: readonly Begun[]; trash: ReadonlySet<string> },
  ) {
    this.#store = store
    this.#keys = keys
    this.#options = options
    this.#note = left?.note
    this.#runs = keys.identity === undefined ? [] : (left?.runs ?? [])
    this.#trash = left?.trash ?? new Set()
  }

  /** To be awaited before the run puts anything: notes for later runs that it has begun, once. */
  begin(): Promise<void> {
    this.#noted ??= this.#note ? this.#keep(this.#note) : Promise.resolve()
    return this.#noted
  }

  /** Only later runs need the note: a store in which nothing may be replaced (an immutability policy) does not stop the backup. */
  async #keep(note: Buffer): Promise<void> {
    const key = runsKey(this.#options.set)
    const put = async (store: Store): Promise<boolean> => {
      try {
        await store.put(key, note)
        return true
      } catch (error) {
        if (!(error instanceof LifeboatError)) throw error
        this.#options.onDamaged(
          new LifeboatError(`${key} could not be written: ${error.message}`, {
            cause: error, hint: 'If this backup is interrupted, the next one stores everything again.',
          }),
        )
        return false
      }
    }
    const noted = await inEach(this.#store, put)
    if (noted.every(Boolean) && this.#keys.identity !== undefined) this.#options.onNoted?.()
  }

  /** The object of a chunk of this id and plaintext size, if there is one that can be listed. */
  async find(id: string, size: number): Promise<FoundChunk | undefined> {
    for (const { id: run, recipients } of this.#runs) {
      const mark = markOf(run)
      if (this.#trash.has(chunkKey(id, mark))) continue
      const found = await this.#check(id, size, mark)
      if (found) return { mark, storedSize: found.size, modified: found.modified, recipients }
    }
    return undefined
  }

  /** In each of the stores that the backup goes to. */
  async #check(id: string, size: number, mark: string): Promise<StoredObject | undefined> {
    const look = (store: Store): Promise<StoredObject | undefined> => this.#checkIn(store, id, size, mark)
    const found = await inEach(this.#store, look)
    const [oldest] = found.flatMap((object) => object ?? []).toSorted((a, b) => a.modified.getTime() - b.modified.getTime())
    return found.every((object) => object?.size === oldest?.size) ? oldest : undefined
  }

  async #checkIn(store: Store, id: string, size: number, mark: string): Promise<StoredObject | undefined> {
    const { grace, now } = this.#options
    try {
      const object = await store.head(chunkKey(id, mark))
      const age = now().getTime() - object.modified.getTime()
      if (age < -TOLERATED_SKEW || age >= grace / 2) return undefined
      await openChunk(store, this.#keys, [id, size, object.size, null, mark])
      return object
    } catch (error) {
      // Damaged, gone meanwhile, or a difference: the chunk is stored again.
      if (error instanceof NotFound || error instanceof DamagedChunk) return undefined
      throw error
    }
  }
}
