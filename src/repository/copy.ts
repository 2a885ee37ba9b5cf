import { readSnapshot } from './catalog.ts'
import { LifeboatError } from '../error.ts'
import { inParallel } from '../process/parallel.ts'
import { DamagedObject, isThere, NotFound, type Store } from '../stores/store.ts'
import type { AtSource, CopiedDamage } from './copy-damage.ts'
import type { Keys } from './keys.ts'
import { labelsKey } from './labels.ts'
import { lastLook } from './last-look.ts'
import { giveBackLarge } from '../process/buffers.ts'
import { LIMITS } from './limits.ts'
import { Presence } from './presence.ts'
import { DamagedChunk } from './reader.ts'
import { isOfAnotherKey, signerOf, splitSigned } from './signed.ts'
import { type AuthenticSnapshot, decodeSnapshot } from './snapshot.ts'
import { chunkKeyOf, readTrash } from './trash.ts'
import { objectsOf } from './wholeness.ts'

/** Chunks that are copied at the same time: with the buffers of a service's library about 100 MiB at most. */
const AT_ONCE = 8

export interface CopyOptions {
  from: Store
  to: Store
  keys: Keys
  signal: AbortSignal
  now: () => Date
  /** Milliseconds: that of the prunes of `to`. */
  grace: number
  /** Called for trash that cannot be read; the next prune reports it as well. */
  onDamaged: (error: LifeboatError) => void
  /** Known damage of the set, which is copied too. */
  damage: CopiedDamage
  /** Called with the bytes copied so far. */
  onBytes: (bytes: number) => void
}

export interface Copied extends AtSource {
  /** False if the snapshot was in `to` already, even if it was put again. */
  isNew: boolean
  /** Transferred, and chunks among them. */
  bytes: number
  chunks: number
  /** How many objects were known to be damaged in `to`, or missing or damaged under a snapshot there, and are good there now. */
  repaired: number
  /** Why one of them is still damaged there. */
  problem?: string
}

/**
 * Copies a snapshot, its MAC verified, with the chunks that `to` lacks, has in another size, or knows to be damaged, and its labels; it is
 * put last, like that of a backup, and replaces one that is damaged there. The size of a chunk is checked, which is all that can be checked
 * without decrypting; `damage` checks the rest where it matters. Throws if a chunk is missing or damaged, and as the stores do.
 */
export async function copySnapshot(
  key: string, { from, to, keys, signal, now, grace, damage, onBytes, onDamaged }: CopyOptions,
): Promise<Copied> {
  const began = now()
  const object = await from.get(key, LIMITS.snapshot)
  const snapshot = await decodeSnapshot(key, object, keys).catch((error: unknown) => {
    giveBackLarge(object)
    throw error
  })
  const there = await stateIn(to, key, object, keys)
  const expected = objectsOf(snapshot)
  const lacking = await lackingIn(to, keys, expected, { now: began, grace, onDamaged })
  // A snapshot that was there may have been verified: what is put under it now is checked first, or, with a write key, named as unchecked.
  const isNew = there === 'missing'
  const beneath = await damage.beneath(snapshot, lacking, { isThere: !isNew, from, to })
  const checked = snapshot.keys.identity === undefined ? new Set<string>() : beneath
  const unchecked = new Set([...lacking].filter((chunk) => !checked.has(chunk)))
  if (checked.size === 0) await damage.doubt(snapshot, beneath, { isThere: !isNew, from, to, now: now() })
  let bytes = 0
  const putAll = (chunks: Iterable<string>) =>
    inParallel([...chunks], AT_ONCE, async (chunk) => {
      signal.throwIfAborted()
      await to.put(chunk, await chunkOf(from, chunk, expected.get(chunk)!))
      bytes += expected.get(chunk)!
      onBytes(bytes)
    })
  // If one of these is damaged, nothing else is transferred.
  const first = isNew || to.groups ? await damage.putChecked(snapshot, checked, { from, to, signal }) : new Set<string>()
  await putAll(unchecked)
  signal.throwIfAborted()
  if (isNew)
    await lastLook(to, keys, { chunks: expected, elapsed: now().getTime() - began.getTime(), grace, now: now() })
  if (there !== 'same') {
    // Before the snapshot, so that a pinned snapshot never exists without its pin.
    await copyLabels(snapshot, from, to)
    await to.put(key, object)
    bytes += object.length
  }
  if (there === 'damaged' && (await stateIn(to, key, object, keys)) !== 'same')
    throw new LifeboatError(`${key} was damaged in ${to.name}, and still is after it was put again`)
  // Copies keep the names of the objects, so a prune that was about to delete one of these may have deleted the new one. From here on none
  // deletes them.
  if (unchecked.size > 0 && !to.groups)
    await putAll((await new Presence(to, new Map([...unchecked].map((chunk) => [chunk, expected.get(chunk)!]))).wrong()).keys())
  // In groups nothing is put, or replaced, later than this, and nothing is read back: the check before counts.
  const known = to.groups && checked.size > 0 ? { beneath: new Set<string>(), checked: first } : { beneath, checked: new Set<string>() }
  const { put, good, problem } = await damage.repair(snapshot, { lacking, ...known }, { from, to, signal })
  for (const chunk of [...first, ...put]) bytes += expected.get(chunk)!
  const transferred = new Set([...unchecked, ...first, ...put])
  const carried = await damage.carry(snapshot, { transferred, good }, { from, to, now: now() })
  if (bytes > 0 || carried) await to.groups?.commit([...expected.keys()].filter((chunk) => !transferred.has(chunk)))
  return {
    isNew, bytes, chunks: transferred.size, ...(await damage.standing(snapshot)),
    repaired: good.length + (there === 'damaged' ? 1 : 0),
    ...(problem !== undefined && { problem }),
  }
}

/** The chunks that a store lacks, has in another size, or will not have for as long as a new snapshot needs them. */
async function lackingIn(
  store: Store,
  keys: Keys,
  expected: ReadonlyMap<string, number>,
  { now, grace, onDamaged }: { now: Date } & Pick<CopyOptions, 'grace' | 'onDamaged'>,
): Promise<Set<string>> {
  if (!store.groups) {
    // The trash first, as in the last look. Young trash is no danger: the last look finds it if the copy takes long enough for it to be
    // due. Chunks that a prune with another key deletes meanwhile are put again.
    for (const { key, chunks, times } of await readTrash(store, keys, () => false, onDamaged)) {
      const due = times.some((made) => now.getTime() - made.getTime() >= grace / 2)
      const needed = due ? chunks.map(chunkKeyOf).filter((chunk) => expected.has(chunk)) : []
      if (needed.length > 0) throw aboutToGo(needed, key, store)
    }
    return new Set((await new Presence(store, expected).wrong()).keys())
  }
  const reusable = await store.groups.reusable(expected, { few: false })
  return new Set([...expected.keys()].filter((key) => !reusable.has(key)))
}

/**
 * A prune that has begun may delete these at any moment, and also what is put in their place, because a copy has the names of the original.
 */
function aboutToGo(chunks: readonly string[], trash: string, store: Store): LifeboatError {
  const [one, others] = chunks
  const what = others === undefined ? `chunk ${one} that it needs is` : `${chunks.length} chunks that it needs, ${one} among them, are`
  return new LifeboatError(
    `${what} about to be deleted from ${store.name}: ${trash} names ${others === undefined ? 'it' : 'them'}`,
    {
      hint: 'Prune that store first, once the grace is over, and copy again: the chunks are then put again.',
    },
  )
}

async function chunkOf(from: Store, key: string, size: number): Promise<Buffer> {
  let bytes: Buffer
  try {
    bytes = await from.get(key, size)
  } catch (error) {
    if (error instanceof NotFound) throw new DamagedChunk(key, `chunk ${key} is missing from ${from.name}`, error)
    throw error
  }
  if (bytes.length !== size) throw new DamagedChunk(key, `chunk ${key} in ${from.name} has ${bytes.length} bytes instead of ${size}`)
  return bytes
}

/**
 * Whether the store has exactly this snapshot. It is damaged if its MAC does not verify. Throws for one that claims to be of another key,
 * and for one that verifies but differs: neither was damaged by a disk.
 */
async function stateIn(store: Store, key: string, object: Buffer, keys: Keys): Promise<'missing' | 'same' | 'damaged'> {
  if (!(await isThere(store, key))) return 'missing'
  const found = await readSnapshot(store, key, (there) => (object.equals(there) ? 'same' : isDamaged(there, keys) ? 'damaged' : undefined))
    .catch((error: unknown) => {
      if (error instanceof DamagedObject) return 'damaged' as const
      throw error
    })
  if (found === 'same' || (found === 'damaged' && !store.groups)) return found
  throw new LifeboatError(
    `${store.name} has another ${key}: it is ${found ?? 'of another key, or was edited'}, and was not overwritten. Verify both stores, ` +
      'move the snapshot away that does not verify, and copy again',
  )
}

function isDamaged(object: Buffer, keys: Keys): boolean {
  const signed = splitSigned(object)
  return !signed || (!isOfAnotherKey(signed, keys) && !signerOf(signed, keys, 'snapshot'))
}

/** Copies pins and tags; those that the other store has for the snapshot stay. */
async function copyLabels({ header: { set, id } }: AuthenticSnapshot, from: Store, to: Store): Promise<void> {
  const key = labelsKey(set, id)
  if (!(await isThere(to, key)) && (await isThere(from, key))) await to.put(key, await from.get(key, LIMITS.labels))
}
