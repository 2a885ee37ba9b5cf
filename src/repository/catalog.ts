import { LifeboatError } from '../error.ts'
import { marked } from '../marks.ts'
import { DamagedObject, isThere, NotFound, type Store, type StoredObject } from '../stores/store.ts'
import { giveBackLarge } from '../process/buffers.ts'
import type { Keys } from './keys.ts'
import { LIMITS } from './limits.ts'
import { checkListing } from './listing.ts'
import { isOfKeys, proofKeys } from './proofs.ts'
import { isSafetySet } from './safety-set.ts'
import { type AuthenticSnapshot, DamagedSnapshot, decodeSnapshot, idTime, OtherKey, snapshotKey, timeOfId, timeText } from './snapshot.ts'
import { requireNewest } from './withheld.ts'

/** Which snapshot: the newest, the one whose id is this or begins with it, or the newest not after a time. */
export type SnapshotChoice = { kind: 'latest' } | { kind: 'id'; id: string } | { kind: 'time'; time: Date }

/** Keys of the snapshots of a set, or of all sets, newest first. `onObject` gets each object as the store lists it. */
export async function snapshotKeys(store: Store, set?: string, onObject?: (object: StoredObject) => void): Promise<string[]> {
  const keys: string[] = []
  for await (const object of store.list(set === undefined ? 'snapshots/' : `snapshots/${set}/`)) {
    if (!/^snapshots\/[^/]+\/\d{8}T\d{6}Z-[0-9a-f]{8}\.json\.zst$/.test(object.key)) continue
    keys.push(object.key)
    onObject?.(object)
  }
  return newestFirst(keys)
}

/**
 * Gets a snapshot's object, and gives the result of `decode`. Frees the memory of the object at once: forged objects of the largest size,
 * one after the other, would fill the memory before they are collected.
 */
export async function readSnapshot<T>(store: Store, key: string, decode: (object: Buffer) => T | Promise<T>): Promise<T> {
  const object = await store.get(key, LIMITS.snapshot)
  try {
    return await decode(object)
  } finally {
    giveBackLarge(object)
  }
}

/** The snapshot under this key, its MAC verified. Throws as `decodeSnapshot` and the store do. */
export function readAuthentic(store: Store, key: string, keys: Keys): Promise<AuthenticSnapshot> {
  return readSnapshot(store, key, (object) => decodeSnapshot(key, object, keys))
}

/** Most bytes of snapshot objects that are read at the same time. A decoded snapshot takes twenty times the bytes of its object. */
const BYTES_AT_ONCE = 8 * 1024 * 1024

/** How many snapshots to read at the same time, if the largest object has so many bytes. */
export function atOnce(most: number, largest: number): number {
  return Math.max(1, Math.min(most, Math.floor(BYTES_AT_ONCE / Math.max(1, largest))))
}

export function newestFirst(keys: readonly string[]): string[] {
  return keys.toSorted((a, b) => (idOf(a) < idOf(b) ? 1 : -1))
}

export function idOf(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1, -'.json.zst'.length)
}

/** The error for a command about one set of which the store has no snapshot. `given`: how a hint names the input of the store. */
export async function noSuchSet(store: Store, set: string, given = marked`‹destination›`): Promise<LifeboatError> {
  const sets = withoutSafety(await setsOf(store))
  if (sets.length === 0)
    return new LifeboatError(`${store.name} has no set ${set}; it has no snapshot at all`, {
      hint: `Check ${given}. The first backup makes the set.`,
    })
  return new LifeboatError(`${store.name} has no set ${set}; it has ${sets.join(', ')}`, {
    hint: marked`Give ‹set›, ${sets[0]} for instance. ‹lifeboat list› shows the snapshots of each.`,
  })
}

/** The error for a set without a snapshot, where the choice was not an id. */
export async function noSnapshotIn(store: Store, set: string): Promise<LifeboatError> {
  const sets = withoutSafety(await setsOf(store))
  const there = sets.length === 0
    ? marked`If no backup has finished here yet, run ‹lifeboat backup›.`
    : marked`There are snapshots in ${namedSets(sets)}: give ‹set›.`
  return new LifeboatError(`${store.name} has no snapshot in the set ${set}`, {
    hint: marked`‹lifeboat list› shows the sets and snapshots there are. ${there}`,
  })
}

/** Sets that a hint names at most. */
const MOST_NAMED = 10

/** `app, shop`, in a sentence. */
export function namedSets(sets: readonly string[]): string {
  return `${sets.slice(0, MOST_NAMED).join(', ')}${sets.length > MOST_NAMED ? ' and more' : ''}`
}

/** Sets of safety backups are named only if there are no others: restores made them, nobody chose them. */
export function withoutSafety(sets: readonly string[]): string[] {
  const others = sets.filter((set) => !isSafetySet(set))
  return others.length > 0 ? others : [...sets]
}

/** The sets that have snapshots, of those that the store was opened for. */
export async function setsOf(store: Store): Promise<string[]> {
  return [...new Set((await snapshotKeys(store)).map(setOf))].toSorted()
}

/** The set that a snapshot lies in, by its key. */
export function setOf(key: string): string {
  return key.split('/')[1]!
}

export interface Looking {
  now: Date
  /** Called with the snapshot that is taken for a time. */
  onTaken?: (id: string, time: Date) => void
  /**
   * Called for each snapshot that is passed over: forged, damaged, of another key, or dated in the future. The message names the snapshot
   * that is taken in its place. `found`: the key, and the reason unless it is the date.
   */
  onPassedOver: (error: LifeboatError, found: { key: string; reason?: LifeboatError }) => void
}

/**
 * The snapshot chosen, its MAC verified. `latest` is the newest that is authentic and not dated in the future; an id is looked for in every
 * set. Throws if there is none, with the reason why the first candidate was passed over, if there was a candidate.
 */
export async function findSnapshot(
  store: Store, keys: Keys, set: string, choice: SnapshotChoice, looking?: Looking,
): Promise<AuthenticSnapshot> {
  const found = await withChosen(store, set, choice, (key, object) => decodeSnapshot(key, object, keys), looking)
  if (looking) await passOverMissing(store, keys, choice, found.key, looking)
  return found
}

/**
 * Passes over each snapshot that would have been taken in place of `taken` (key): an authentic proof names it, and the store does not have
 * it. In artifacts, snapshots and their proofs expire apart.
 */
export async function passOverMissing(
  store: Store, keys: Keys, choice: SnapshotChoice, taken: string, { onPassedOver }: Looking,
): Promise<void> {
  if (choice.kind === 'id' || store.groups) return
  const set = setOf(taken)
  for (const [id, proofs] of await proofKeys(store, { set, wanted: (id) => id > idOf(taken) && matches(id, choice) })) {
    const key = snapshotKey(set, id)
    if (!proofs.some((proof) => isOfKeys(proof, keys)) || (await isThere(store, key))) continue
    const hint = 'It was moved, or deleted by something other than Lifeboat. Put it back; if it is lost, ' +
      marked`‹lifeboat check› says how to go on.`
    const reason = new DamagedObject(`${key} is missing: ${store.name} has a proof of it, but not the snapshot`, { hint })
    onPassedOver(new LifeboatError(`${reason.message}; snapshot ${idOf(taken)} is taken in its place`, { hint }), { key, reason })
  }
}

/** Like `findSnapshot`, with another way to decode the object. */
export async function withChosen<T>(
  store: Store, set: string, choice: SnapshotChoice, decode: (key: string, object: Buffer) => Promise<T>, looking?: Looking,
): Promise<T> {
  const listed = await snapshotKeys(store, choice.kind === 'id' ? undefined : set)
  const matching = listed.filter((key) => matches(idOf(key), choice))
  if (listed.length === 0) await checkListing(store, choice.kind === 'id' ? undefined : set)
  if (listed.length === 0 && choice.kind !== 'id' && set === DEFAULT_SET) {
    const only = await onlySet(store)
    if (only !== undefined) return withChosen(store, only, choice, decode, looking)
  }
  if (choice.kind === 'time' && looking) requirePast(choice.time, looking.now)
  if (choice.kind === 'id' && new Set(matching.map(idOf)).size > 1) return oneOf(store, matching, choice.id, decode)
  const ahead = choice.kind === 'id' || !looking ? [] : matching.filter((key) => isAhead(idOf(key), looking.now))
  const damaged: { key: string; reason: LifeboatError }[] = []
  for (const key of matching.slice(ahead.length)) {
    const reasons: LifeboatError[] = []
    const found = await decodedOr(reasons, () => readSnapshot(store, key, (object) => decode(key, object)))
    damaged.push(...reasons.map((reason) => ({ key, reason })))
    if (found === undefined) continue
    if (choice.kind !== 'id') await requireNewest(store, key)
    if (choice.kind === 'time') looking?.onTaken?.(idOf(key), choice.time)
    // An id names one snapshot: the others under it are in other sets, where nothing is taken in their place.
    const instead = choice.kind === 'id' ? '' : `; snapshot ${idOf(key)} is taken in its place`
    for (const one of ahead)
      looking?.onPassedOver(
        new LifeboatError(`${one} is passed over: it is dated in the future${instead}`, {
          hint: 'Someone without the key put it there, or the clock of a machine is wrong. It can be chosen by its id.',
        }),
        { key: one },
      )
    for (const { key: passed, reason } of damaged) {
      const { message, hint, cause } = reason
      const error = new LifeboatError(`${message}${instead}`, { ...(hint !== undefined && { hint }), cause })
      looking?.onPassedOver(error, { key: passed, reason })
    }
    return found
  }
  if (damaged[0]) throw damaged[0].reason
  throw listed.length === 0 && choice.kind !== 'id' ? await noSnapshotIn(store, set) : notFound(store, set, choice, listed)
}

/** The set that is looked into if none is named: the only one of a store need not be. */
const DEFAULT_SET = 'default'

/** The set that a command reads all of: the one given, or the only one of the store if `default` has no snapshot. */
export async function setMeant(store: Store, set: string): Promise<string> {
  if (set !== DEFAULT_SET || (await snapshotKeys(store, set)).length > 0) return set
  return (await onlySet(store)) ?? set
}

/** The name of the only set with backups; undefined if there are several, or none. */
async function onlySet(store: Store): Promise<string | undefined> {
  const sets = (await setsOf(store)).filter((one) => !isSafetySet(one))
  return sets.length === 1 ? sets[0] : undefined
}

/** A time that is later than tomorrow is a slip, of the year for instance. Dates end later in other time zones. */
function requirePast(time: Date, now: Date): void {
  if (time.getTime() - now.getTime() < 2 * 86_400_000) return
  throw new LifeboatError(`${timeText(time)} is in the future: it is ${timeText(now)} by the clock of this machine`, {
    hint: marked`Give an earlier time as ‹snapshot›, or latest for the newest.`, status: 2,
  })
}

/** The one authentic snapshot among several whose ids begin alike: anyone who can write to a store can add others. */
async function oneOf<T>(
  store: Store, keys: readonly string[], beginning: string, decode: (key: string, object: Buffer) => Promise<T>,
): Promise<T> {
  const found: { id: string; decoded: T }[] = []
  const damaged: LifeboatError[] = []
  for (const key of keys.slice(0, MOST_ALIKE)) {
    const decoded = await decodedOr(damaged, () => readSnapshot(store, key, (object) => decode(key, object)))
    if (decoded !== undefined) found.push({ id: idOf(key), decoded })
  }
  const ids = [...new Set(found.map(({ id }) => id))]
  if (ids.length === 1 && keys.length <= MOST_ALIKE) return found[0]!.decoded
  if (ids.length === 0) throw damaged[0] ?? new NotFound(`snapshot ${beginning}`, store.name)
  const count = keys.length > MOST_ALIKE ? keys.length : ids.length
  throw new LifeboatError(`${count} snapshots have an id that begins with ${beginning}: ${ids.slice(0, MOST_NAMED).join(', ')}`, {
    hint: marked`Give more characters of the id as ‹snapshot›, or a time.`, status: 2,
  })
}

/** So many are read to find the one that is meant. */
const MOST_ALIKE = 20

/** Undefined for a snapshot that is missing, or damaged or of another key: then the reason is added to `damaged`. */
export async function decodedOr<T>(damaged: LifeboatError[], decode: () => Promise<T>): Promise<T | undefined> {
  try {
    return await decode()
  } catch (error) {
    if (error instanceof NotFound) return undefined
    if (!(error instanceof DamagedSnapshot || error instanceof DamagedObject || error instanceof OtherKey)) throw error
    damaged.push(error)
    return undefined
  }
}

/** Undefined for a snapshot that is damaged, of another key, or missing. Throws if the store does not answer. */
export function snapshotIfAuthentic(store: Store, key: string, keys: Keys): Promise<AuthenticSnapshot | undefined> {
  return decodedOr([], () => readAuthentic(store, key, keys))
}

/** A clock that differs by more than this is wrong, not just another machine's. */
export const TOLERATED_SKEW = 5 * 60_000

/** Whether a snapshot, by its id, is dated further in the future than clocks differ. */
export function isAhead(id: string, now: Date): boolean {
  return id.slice(0, 16) > idTime(new Date(now.getTime() + TOLERATED_SKEW))
}

/**
 * The time of a backup that starts at `now`: after the newest snapshot, so that ids, which count whole seconds, sort in the order of the
 * backups even if two are made within a second, or by clocks that differ a little. `skewed`: the newest is further ahead.
 */
export function timeAfter(newest: string | undefined, now: Date): { time: Date; skewed: boolean } {
  if (newest === undefined) return { time: now, skewed: false }
  const next = Date.parse(timeOfId(newest)) + 1000
  if (Number.isNaN(next) || next <= now.getTime()) return { time: now, skewed: false }
  return next - now.getTime() > TOLERATED_SKEW ? { time: now, skewed: true } : { time: new Date(next), skewed: false }
}

function matches(id: string, choice: SnapshotChoice): boolean {
  if (choice.kind === 'latest') return true
  if (choice.kind === 'id') return id.startsWith(choice.id)
  return id.slice(0, 16) <= idTime(choice.time)
}

function notFound(store: Store, set: string, choice: SnapshotChoice, candidates: string[]): LifeboatError {
  const what = {
    latest: 'no snapshot',
    id: `no snapshot ${choice.kind === 'id' ? choice.id : ''}`,
    time: `no snapshot as old as ${choice.kind === 'time' ? timeText(choice.time) : ''}`,
  }[choice.kind]
  const planned = candidates.filter((key) => !isSafetySet(setOf(key)))
  const named = planned.length > 0 ? planned : candidates
  const oldest = named.at(-1)
  return new LifeboatError(`${store.name} has ${what}${choice.kind === 'id' ? '' : ` in the set ${set}`}`, {
    hint:
      oldest === undefined
        ? marked`‹lifeboat list› shows the sets and snapshots there are.`
        : marked`The oldest of ${named.length} is ${idOf(oldest)}; ‹lifeboat list› shows them all.`,
  })
}
