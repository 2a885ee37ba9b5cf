import { LifeboatError } from '../error.ts'
import { inParallel } from '../stores/retry.ts'
import { isThere, type Store } from '../stores/store.ts'
import type { Keys } from './keys.ts'
import type { References } from './references.ts'
import { snapshotKey } from './snapshot.ts'
import { readTrash, type Trash, TrashWriter } from './trash.ts'

export interface Tally {
  objects: number
  /** As stored. */
  bytes: number
}

/** What became of the chunks that no snapshot lists; with `dryRun`, what would have. */
export interface Garbage {
  /** Needed by no snapshot that stays: written down now, to be deleted by a later prune. */
  trashed: Tally
  /** Written down before, or too young to be told from what a running backup puts: left for a later prune. */
  waiting: Tally
  deleted: Tally
  /** Why nothing was done about chunks: snapshots that cannot be read. */
  obstacles: string[]
}

export interface GarbageOptions {
  /** Milliseconds. */
  grace: number
  /** When trash is written down. */
  now: () => Date
  dryRun: boolean
  signal: AbortSignal
  /** Requests at the same time. */
  parallel: number
  onDamaged: (error: LifeboatError) => void
}

/** Fewer chunks than this are listed with one request by most stores; more are listed by their first two digits, side by side. */
const PAGE = 1000

/** Of a trash object from further in the future than this, no age can be told. */
const TOLERATED_SKEW = 3600 * 1000

/**
 * Deletes the snapshots `going` (by key), and what is then in the store for nothing (DESIGN section 6), in an order that leaves every other
 * snapshot whole wherever it ends, so that it can be run again:
 *
 * 1. What is referenced was read before (`references`, those that are going included), and the trash after that.
 * 2. Chunks that no snapshot which stays lists are written down as trash.
 * 3. Chunks that are in trash older than the grace, and that no snapshot lists, not even one that is going now, are deleted; then the trash.
 * 4. The snapshots that are going are deleted. So no trash that names a chunk of theirs is older than this prune.
 *
 * That no running backup needs what is deleted follows from two rules of writers: what is in the trash is not built on (known.ts), and who has
 * been running for long looks again before the snapshot is put (last-look.ts). Throws what the store throws; what stays then is only garbage.
 */
export async function collectGarbage(store: Store, keys: Keys, references: References, going: ReadonlySet<string>, options: GarbageOptions): Promise<Garbage> {
  const { dryRun, parallel, signal } = options
  const deleteAll = (keys: readonly string[]) =>
    inParallel(keys, parallel, (key) => {
      signal.throwIfAborted()
      return store.delete(key)
    })
  const garbage: Garbage = { trashed: tally(), waiting: tally(), deleted: tally(), obstacles: references.unreadable.map(({ key, why }) => `${key} cannot be read: ${why}`) }
  const readable = garbage.obstacles.length === 0
  const trash = readable ? sorted(await readTrash(store, keys, options.onDamaged), references, options) : undefined
  if (trash) await sweep(store, keys, references, going, trash.states, garbage, options)
  if (dryRun) return garbage
  if (trash) await deleteAll(trash.done)
  // The oldest first: wherever this ends, the newest are there.
  for (const key of [...going].toSorted()) {
    refuseLate(references.asOf, options)
    await deleteAll([key])
  }
  await deleteAll(await leftovers(store, references, options))
  return garbage
}

/** The trash was put before: what a snapshot lists is to stay for half of the grace at least after it has gone, for a restore that is reading it, or who wants it back. */
function refuseLate(began: Date, { grace, now }: GarbageOptions): void {
  if (now().getTime() - began.getTime() < grace / 2) return
  throw new LifeboatError('this prune has been running for more than half of the grace, so it deletes no snapshots any more', { hint: 'Run it again, with a longer grace if it takes that long.' })
}

type State = 'expired' | 'dropped' | 'pending'

interface SortedTrash {
  /** By chunk. */
  states: Map<string, State>
  /** Keys of trash objects that this prune deals with. */
  done: string[]
}

/**
 * What is old enough is expired. What lists a chunk that is in use again, or will be for one prune more, is dropped, and the rest of it written
 * down anew, so that chunks stay for the whole grace after the last snapshot that listed them has gone.
 */
function sorted(trash: readonly Trash[], references: References, { grace }: GarbageOptions): SortedTrash {
  const time = references.asOf.getTime()
  const stateOf = ({ times, chunks }: Trash): State => {
    const [oldest, youngest] = times.map((made) => time - made.getTime()).toSorted((a, b) => b - a)
    if (youngest! >= grace) return 'expired'
    return oldest! < -TOLERATED_SKEW || chunks.some((chunk) => references.has(chunk)) ? 'dropped' : 'pending'
  }
  const bySafety: Record<State, Trash[]> = { expired: [], dropped: [], pending: [], ...Object.groupBy(trash, stateOf) }
  const states = new Map<string, State>()
  // What is in several of them is in the one that has to wait longest.
  for (const state of ['expired', 'dropped', 'pending'] as const) for (const { chunks } of bySafety[state]) for (const chunk of chunks) states.set(chunk, state)
  return { states, done: [...bySafety.expired, ...bySafety.dropped].map(({ key }) => key) }
}

/** Lists all chunks; of those that no snapshot which stays lists, writes down the ones that are new, and deletes the ones that have been trash for long. */
async function sweep(store: Store, keys: Keys, references: References, going: ReadonlySet<string>, states: ReadonlyMap<string, State>, garbage: Garbage, options: GarbageOptions): Promise<void> {
  const { parallel, signal, grace, dryRun } = options
  const needed = references.without(going)
  const writer = new TrashWriter(store, keys, options.now)
  const prefixes = references.size < PAGE ? ['chunks/'] : Array.from({ length: 256 }, (_, byte) => `chunks/${byte.toString(16).padStart(2, '0')}/`)
  await inParallel(prefixes, parallel, async (prefix) => {
    signal.throwIfAborted()
    const expired: string[] = []
    for await (const { key, size, modified } of store.list(prefix)) {
      const chunk = key.slice('chunks/aa/'.length)
      if (needed(chunk) || !/^[0-9a-f]{64}-[0-9a-f]{8}$/.test(chunk)) continue
      const state = references.has(chunk) ? undefined : states.get(chunk)
      // Of a running backup, or of a copy that has put it once more.
      const young = !references.has(chunk) && references.asOf.getTime() - modified.getTime() < grace
      if (state === 'pending' || young) {
        count(garbage.waiting, size)
      } else if (state === 'expired') {
        count(garbage.deleted, size)
        expired.push(key)
      } else {
        count(garbage.trashed, size)
        if (!dryRun) await writer.add(chunk)
      }
    }
    if (!dryRun) await inParallel(expired, parallel / Math.min(parallel, prefixes.length), (key) => store.delete(key))
  })
  await writer.end()
}

function tally(): Tally {
  return { objects: 0, bytes: 0 }
}

function count(tally: Tally, size: number): void {
  tally.objects++
  tally.bytes += size
}

/** Proofs and labels whose snapshot is gone. Young ones stay, for a listing may not show their snapshot yet. */
async function leftovers(store: Store, references: References, { grace, parallel }: GarbageOptions): Promise<string[]> {
  const present = new Set([...references.snapshots, ...references.unreadable].map(({ key }) => key))
  const candidates: { key: string; snapshot: string }[] = []
  for (const folder of ['proofs/', 'labels/']) {
    for await (const { key, modified } of store.list(folder)) {
      const [, set, id] = /^[a-z]+\/([^/]+)\/(\d{8}T\d{6}Z-[0-9a-f]{8})[./]/.exec(key) ?? []
      if (set === undefined || id === undefined || references.asOf.getTime() - modified.getTime() < grace) continue
      const snapshot = snapshotKey(set, id)
      if (!present.has(snapshot)) candidates.push({ key, snapshot })
    }
  }
  const there = await inParallel(candidates, parallel, ({ snapshot }) => isThere(store, snapshot))
  return candidates.filter((_, index) => !there[index]).map(({ key }) => key)
}
