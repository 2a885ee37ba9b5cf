import { LifeboatError } from '../error.ts'
import { inParallel } from '../process/parallel.ts'
import { isThere, type Store } from '../stores/store.ts'
import { idOf, setOf } from './catalog.ts'
import type { Keys } from './keys.ts'
import { labelsOf } from './labels.ts'
import { proofKeys } from './proofs.ts'
import type { References } from './references.ts'
import { snapshotKey } from './snapshot.ts'
import { readTrash, type Trash, TrashWriter } from './trash.ts'

/** A number of chunk objects, and their bytes as stored. */
export interface ChunkAmount {
  objects: number
  bytes: number
}

/** Unreferenced chunks: how many were found, and what was done with them; with `dryRun`, what would be done. */
export interface Garbage {
  /** Unreferenced from now on: written to trash, to be deleted by a later prune. */
  trashed: ChunkAmount
  /** In trash already, or so young that a running backup may have put them: left for a later prune. */
  waiting: ChunkAmount
  deleted: ChunkAmount
  /** Snapshots that cannot be read, or are lost. If there is one, no chunk is touched. */
  obstacles: string[]
}

export interface GarbageOptions {
  /** Milliseconds. */
  grace: number
  /** The clock for the names of trash. */
  now: () => Date
  dryRun: boolean
  signal: AbortSignal
  /** Called with the keys of snapshots, gone or going, before their proofs are deleted; the trash that is due was deleted by then. */
  beforeGoing?: (snapshots: readonly string[]) => Promise<void>
  /** Requests at the same time. */
  parallel: number
  onDamaged: (error: LifeboatError) => void
  /** Goes on although snapshots are lost, and deletes their proofs and labels. Default: false. */
  force?: boolean
}

/** Fewer chunks than this are listed with one request by most stores; more are listed by their first two digits, side by side. */
const PAGE = 1000

/** Milliseconds. Trash that is dated further in the future has no age that could be trusted. */
const TOLERATED_SKEW = 3600 * 1000

/**
 * Deletes the snapshots `going` (by key), and unreferenced chunks (docs/format.md, section 6), in an order that leaves every other snapshot
 * whole wherever it ends, so that it can be run again. Nothing is written before the end, so that a full disk can be pruned:
 *
 * 1. The references were read before (`references`, those of the snapshots that are going included), and the trash after them.
 * 2. Chunks are deleted that are in trash older than the grace, and that no snapshot lists, not even one that is going now; then that
 *    trash.
 * 3. The snapshots that are going are deleted, their proofs before them, until one is found pinned meanwhile.
 * 4. Chunks that no snapshot lists any more are written to new trash.
 *
 * No running backup needs a chunk that is deleted, because of two rules of writers: they do not build on chunks in the trash (known.ts),
 * and after a long run they look again before the snapshot is put (last-look.ts). Throws what the store throws; what stays then is only
 * garbage.
 */
export async function collectGarbage(
  store: Store, keys: Keys, references: References, going: ReadonlySet<string>, options: GarbageOptions,
): Promise<Garbage> {
  const { dryRun, parallel, signal } = options
  const deleteAll = (keys: readonly string[]) =>
    inParallel(keys, parallel, (key) => {
      signal.throwIfAborted()
      return store.delete(key)
    })
  const garbage: Garbage = {
    trashed: none(),
    waiting: none(),
    deleted: none(),
    obstacles: [
      ...references.unreadable.map(({ key, why }) => `${key} cannot be read: ${why}`),
      ...(options.force ? [] : references.lost.map(({ key, why }) => `${key} is not in the store, but ${why}`)),
    ],
  }
  const readable = garbage.obstacles.length === 0
  const listed = (chunk: string): boolean => references.has(chunk)
  const trash = readable ? sorted(await readTrash(store, keys, listed, options.onDamaged), references, options) : undefined
  const unneeded = new TrashWriter(store, keys, options.now)
  if (trash) await sweep(store, references, going, trash.states, unneeded, garbage, options)
  if (dryRun) return garbage
  if (trash) await deleteAll(trash.done)
  if (going.size + references.missing.length > 0) await options.beforeGoing?.([...going, ...references.missing])
  const proofs = going.size > 0 ? await proofKeys(store) : new Map<string, string[]>()
  // The oldest first: if this is interrupted, the newest are still there. A proof without a snapshot would say that the snapshot was lost.
  for (const key of [...going].toSorted()) {
    refuseLate(references.asOf, options)
    await refusePinned(store, keys, key)
    await deleteAll((proofs.get(idOf(key)) ?? []).filter((proof) => proof.startsWith(`proofs/${setOf(key)}/`)))
    await deleteAll([key])
  }
  await deleteAll(await leftovers(store, references, going, options))
  await unneeded.put()
  return garbage
}

/**
 * Since this prune began, others may have written chunks of these snapshots to trash. They must stay for half of the grace after their
 * snapshot has gone, because a restore may be reading it.
 */
function refuseLate(began: Date, { grace, now }: GarbageOptions): void {
  if (now().getTime() - began.getTime() < grace / 2) return
  throw new LifeboatError('this prune has been running for more than half of the grace, so it deletes no snapshots any more', {
    hint: 'Run it again, with a longer grace if it takes that long.',
  })
}

/** It was decided which snapshots go before the chunks were listed, and many may go one after the other. */
async function refusePinned(store: Store, keys: Keys, key: string): Promise<void> {
  const [set, id] = [setOf(key), idOf(key)]
  if (!(await labelsOf(store, keys, set, id)).pinned) return
  throw new LifeboatError(`snapshot ${id} of set ${set} was pinned while this prune ran, so it deletes no snapshots any more`, {
    hint: 'Run it again: it keeps what is pinned.',
  })
}

type State = 'expired' | 'dropped' | 'pending'

interface SortedTrash {
  /** By chunk. */
  states: Map<string, State>
  /** Keys of trash objects that this prune deals with. */
  done: string[]
}

/**
 * Trash that is old enough is expired. Trash that names a referenced chunk is dropped, and its other chunks are written to new trash, so
 * that chunks stay for the whole grace after the last snapshot that listed them has gone. That of another key is dropped as well, since a
 * prune with this one may delete the snapshot before any with that key sees it; it says nothing else here.
 */
function sorted(all: readonly Trash[], references: References, { grace }: GarbageOptions): SortedTrash {
  const time = references.asOf.getTime()
  const [foreign, trash] = [all.filter(({ foreign }) => foreign), all.filter(({ foreign }) => !foreign)]
  const contradicted = foreign.filter(({ chunks }) => chunks.length > 0)
  const stateOf = ({ times, chunks }: Trash): State => {
    const [oldest, youngest] = times.map((made) => time - made.getTime()).toSorted((a, b) => b - a)
    if (youngest! >= grace) return 'expired'
    return oldest! < -TOLERATED_SKEW || chunks.some((chunk) => references.has(chunk)) ? 'dropped' : 'pending'
  }
  const bySafety: Record<State, Trash[]> = { expired: [], dropped: [], pending: [], ...Object.groupBy(trash, stateOf) }
  const states = new Map<string, State>()
  // A chunk in several trash objects has the state that waits longest.
  for (const state of ['expired', 'dropped', 'pending'] as const)
    for (const { chunks } of bySafety[state]) for (const chunk of chunks) states.set(chunk, state)
  return { states, done: [...bySafety.expired, ...bySafety.dropped, ...contradicted].map(({ key }) => key) }
}

/**
 * Lists all chunks. Of the unreferenced ones, deletes those that have been in trash for the whole grace, and notes the others for new
 * trash.
 */
async function sweep(
  store: Store,
  references: References,
  going: ReadonlySet<string>,
  states: ReadonlyMap<string, State>,
  unneeded: TrashWriter,
  garbage: Garbage,
  options: GarbageOptions,
): Promise<void> {
  const { parallel, signal, grace, dryRun } = options
  const needed = references.without(going)
  const prefixes =
    references.size < PAGE ? ['chunks/'] : Array.from({ length: 256 }, (_, byte) => `chunks/${byte.toString(16).padStart(2, '0')}/`)
  await inParallel(prefixes, parallel, async (prefix) => {
    signal.throwIfAborted()
    const expired: string[] = []
    for await (const { key, size, modified } of store.list(prefix)) {
      const chunk = key.slice('chunks/aa/'.length)
      if (needed(chunk) || !/^[0-9a-f]{64}-[0-9a-f]{8}$/.test(chunk)) continue
      const state = references.has(chunk) ? undefined : states.get(chunk)
      // It may be of a running backup, or of a copy that put it again.
      const young = !references.has(chunk) && references.asOf.getTime() - modified.getTime() < grace
      if (state === 'pending' || young) {
        count(garbage.waiting, size)
      } else if (state === 'expired') {
        count(garbage.deleted, size)
        expired.push(key)
      } else {
        count(garbage.trashed, size)
        unneeded.add(chunk)
      }
    }
    if (!dryRun) await inParallel(expired, parallel / Math.min(parallel, prefixes.length), (key) => store.delete(key))
  })
}

function none(): ChunkAmount {
  return { objects: 0, bytes: 0 }
}

function count(amount: ChunkAmount, size: number): void {
  amount.objects++
  amount.bytes += size
}

/**
 * Proofs and labels whose snapshot is gone. Young ones stay, because a listing may not show their snapshot yet, unless their snapshot is
 * deleted now or the user knows that it is missing. The proofs and pins of lost snapshots stay: without them nobody would miss these.
 */
async function leftovers(
  store: Store, references: References, going: ReadonlySet<string>, { grace, parallel, force }: GarbageOptions,
): Promise<string[]> {
  const lost = references.lost.map(({ key }) => key)
  const present = new Set([...[...references.snapshots, ...references.unreadable].map(({ key }) => key), ...(force ? [] : lost)])
  const gone = new Set([...going, ...references.missing, ...(force ? lost : [])])
  const candidates: { key: string; snapshot: string }[] = []
  for (const folder of ['proofs/', 'labels/']) {
    for await (const { key, modified } of store.list(folder)) {
      const [, set, id] = /^[a-z]+\/([^/]+)\/(\d{8}T\d{6}Z-[0-9a-f]{8})[./]/.exec(key) ?? []
      if (set === undefined || id === undefined) continue
      const snapshot = snapshotKey(set, id)
      const old = references.asOf.getTime() - modified.getTime() >= grace
      if (gone.has(snapshot) || (old && !present.has(snapshot))) candidates.push({ key, snapshot })
    }
  }
  const there = await inParallel(candidates, parallel, ({ snapshot }) => isThere(store, snapshot))
  return candidates.filter((_, index) => !there[index]).map(({ key }) => key)
}
