import { DamagedObject, NotFound, type Store } from '../stores/store.ts'
import { idOf, readAuthentic } from './catalog.ts'
import type { Keys } from './keys.ts'
import type { Level } from './levels.ts'
import { Presence } from './presence.ts'
import { isGood, type Verdict, verdictOf } from './proofs.ts'
import type { SetProofs } from './set-proofs.ts'
import { type AuthenticSnapshot, chunkKey, DamagedSnapshot, openManifest, OtherKey, type Snapshot, type SourceRecord } from './snapshot.ts'

/** A snapshot that is not whole or failed verification, and why: `3 of its 120 objects are missing, …`. */
export interface Unsound {
  snapshot: string
  why: string
  /** It failed verification, and none of its objects is known to be damaged. */
  intact?: true
  /** It is whole, and failed a drill: it cannot be restored to what was backed up. */
  failedDrill?: true
  /** The level of that verification, if it found objects damaged: all of them have been found good since. */
  repaired?: Level
}

/** Of a snapshot none of whose objects is known to be damaged: why it is not to be relied on, by its verdict. */
export function failedVerification(verdict: Verdict | undefined): Omit<Unsound, 'snapshot'> | undefined {
  if (verdict?.result !== 'failed') return undefined
  const { level, damaged } = verdict
  const why = `it failed verification at level ${level}`
  if (damaged.length > 0) return { why, intact: true, repaired: level }
  return level === 'drill' ? { why: CANNOT_BE_RESTORED, intact: true, failedDrill: true } : { why, intact: true }
}

/** A drill failed, and nothing that is stored is at fault: the content that was backed up is, or the server that restores it. */
export const CANNOT_BE_RESTORED = 'it cannot be restored to what was backed up, and no object of it is known to be damaged'

/** `is damaged`: the words that every text has for it, before the reason. */
export function flawOf({ failedDrill }: Pick<Unsound, 'failedDrill'>): string {
  return failedDrill ? 'failed its drill' : 'is damaged'
}

/** The chunk objects that a snapshot needs: keys and stored sizes. */
export function objectsOf({ header: { chunks } }: Snapshot): Map<string, number> {
  return new Map(chunks.map(([id, , storedSize, , mark]) => [chunkKey(id, mark), storedSize]))
}

/**
 * Why a snapshot is not whole; undefined when all its objects are in the store with their sizes and none is among those known to be damaged
 * (`knownDamage`). Takes a request for each object up to a thousand, beyond that a listing of all chunks of the store. Throws when the
 * store cannot be asked.
 */
export async function whyNotWhole(store: Store, snapshot: Snapshot, damaged: ReadonlySet<string>): Promise<string | undefined> {
  return damageIn(snapshot, damaged) ?? lossOf(snapshot, await new Presence(store, objectsOf(snapshot)).wrong())
}

/** The same for known damage alone, which takes no request. */
export function damageIn(snapshot: Snapshot, damaged: ReadonlySet<string>): string | undefined {
  if (damaged.size === 0) return undefined
  const objects = [...objectsOf(snapshot).keys()]
  const own = objects.filter((key) => damaged.has(key))
  return own.length === 0
    ? undefined
    : `${counted(own.length, objects.length)} known to be damaged: ${own[0]}${own.length > 1 ? ' and others' : ''}`
}

function lossOf({ header: { chunks } }: Snapshot, wrong: ReadonlyMap<string, number | undefined>): string | undefined {
  const [first] = wrong
  if (!first) return undefined
  const [key, size] = first
  const state = `${size === undefined ? 'is missing' : `has ${size} bytes`}${wrong.size > 1 ? ', and others' : ''}`
  return `${counted(wrong.size, chunks.length)} missing or truncated: ${key} ${state}`
}

function counted(bad: number, all: number): string {
  return `${bad.toLocaleString('en-US')} of its ${all.toLocaleString('en-US')} objects ${bad === 1 ? 'is' : 'are'}`
}

export interface Search {
  proofs: SetProofs
  /** Only snapshots whose last proof says verified. */
  verified: boolean
  /** Only snapshots that are not partial. */
  complete?: boolean
  /** The most snapshots that are read. Default: all. */
  most?: number
  /** Only those made earlier. */
  before?: Date
  /** Only those whose sources have names like this, as far as the key can tell: a write key cannot. */
  wanted?: (sources: readonly string[], snapshot: string) => boolean
  /** Also damaged ones, of which `wanted` is asked about the sources that the damage does not touch. */
  bySource?: boolean
  /** Keys of objects found damaged in this run, beside those that proofs name. */
  damaged?: ReadonlySet<string>
}

/** The sources of a snapshot that no damage touches, and the others. */
export interface DividedSources {
  whole: readonly SourceRecord[]
  damaged: readonly SourceRecord[]
}

export interface Found {
  /** `parts`: none if `wanted` was not asked about them. Only a search by source finds one with damaged ones. */
  good: { snapshot: AuthenticSnapshot; verdict: Verdict | undefined; parts: DividedSources } | undefined
  /** Newer ones that are damaged, newest first. */
  unsound: Unsound[]
  /** Why the newest of all cannot be read, if it is not damaged: it is of another key, or of a newer format. */
  other?: string
}

/**
 * The newest of these snapshots (keys, newest first) that is whole: every command that calls a snapshot good means this one. Passes over
 * snapshots of another key, and with `verified` those that were not verified, without a word; but the newest is always looked at.
 */
export async function newestGood(
  store: Store, keys: Keys, snapshots: readonly string[],
  { proofs, verified, complete = false, most = Infinity, before, wanted, bySource = false, damaged = new Set() }: Search,
): Promise<Found> {
  interface Candidate {
    key: string
    verdict: Verdict | undefined
    counts: boolean
  }
  async function* candidates(): AsyncGenerator<Candidate> {
    for (const key of snapshots) {
      const verdict = await proofs.verdict(idOf(key))
      const counts = !verified || (verdict !== undefined && isGood(verdict))
      if (counts || verdict?.result === 'failed' || key === snapshots[0]) yield { key, verdict, counts }
    }
  }
  let other: string | undefined
  let opened = 0
  const found = await firstGood(candidates(), most, async ({ key, verdict, counts }) => {
    const looked = await look(store, key, keys)
    if (looked === undefined || (before && 'header' in looked && new Date(looked.header.time) >= before)) return undefined
    if ('damage' in looked) return { why: looked.damage, snapshot: idOf(key) }
    if ('other' in looked) {
      if (key === snapshots[0]) other = looked.other
      return undefined
    }
    if (complete && looked.header.partial) return undefined
    const known = new Set([...(await proofs.damagedSince(new Date(looked.header.time))), ...damaged])
    const why = await whyNotWhole(store, looked, known)
    const flaw = why === undefined ? failedVerification(verdict) : { why }
    if (!flaw) {
      const whole = counts ? await sourcesIfWanted(looked, wanted) : undefined
      return whole && { good: { snapshot: looked, verdict, parts: { whole, damaged: [] } } }
    }
    if (bySource && wanted && opened++ < MOST_OPENED) {
      const parts = await partsOf(store, looked, known, await proofs.of([idOf(key)]))
      if (wanted(parts.whole.map(({ name }) => name), idOf(key))) return { good: { snapshot: looked, verdict, parts } }
    }
    return { ...flaw, snapshot: idOf(key) }
  })
  return { ...found, ...(other !== undefined && { other }) }
}

/**
 * The first candidate that is good, and those before it that are damaged. At most `most` are looked at; `look` gives undefined for one to
 * pass over.
 */
export async function firstGood<C, G>(
  candidates: Iterable<C> | AsyncIterable<C>, most: number, look: (candidate: C) => Promise<{ good: G } | Unsound | undefined>,
): Promise<{ good: G | undefined; unsound: Unsound[] }> {
  const unsound: Unsound[] = []
  let looks = 0
  for await (const candidate of candidates) {
    if (looks++ >= most) break
    const found = await look(candidate)
    if (found && 'good' in found) return { good: found.good, unsound }
    if (found) unsound.push(found)
  }
  return { good: undefined, unsound }
}

/** Of so many damaged snapshots the newest are opened, to see which of their sources are whole. */
export const MOST_OPENED = 10

/**
 * The sources of a damaged snapshot: whole are those whose objects, with bases, are in the store and not known to be damaged. A
 * verification that failed and named no object counts against all. None without an identity, or if the manifest cannot be read. `proofs`:
 * its own, newest first.
 */
export async function partsOf(
  store: Store, snapshot: AuthenticSnapshot, damaged: ReadonlySet<string>, proofs: readonly Verdict[],
): Promise<DividedSources> {
  const { header: { chunks }, keys } = snapshot
  if (keys.identity === undefined) return { whole: [], damaged: [] }
  const sources = await sourcesOf(snapshot)
  if (verdictOf(proofs.filter((proof) => proof.result !== 'failed' || proof.damaged.length === 0))?.result === 'failed')
    return { whole: [], damaged: sources }
  const wrong = await new Presence(store, objectsOf(snapshot)).wrong()
  const bad = new Set([...damaged, ...wrong.keys(), ...(verdictOf(proofs)?.damaged ?? [])])
  const isBad = (place: number): boolean => bad.has(chunkKey(chunks[place]![0], chunks[place]![4]))
  const isHit = (place: number): boolean => isBad(place) || (chunks[place]![3] !== null && isBad(chunks[place]![3]))
  const needsBad = ({ streams }: SourceRecord): boolean => streams.some((stream) => stream.chunks.some(isHit))
  return { whole: sources.filter((source) => !needsBad(source)), damaged: sources.filter(needsBad) }
}

/** None if the manifest cannot be read. */
async function sourcesOf(snapshot: AuthenticSnapshot): Promise<SourceRecord[]> {
  try {
    return (await openManifest(snapshot)).sources
  } catch (error) {
    if (error instanceof DamagedSnapshot) return []
    throw error
  }
}

/** Undefined for one that is not wanted, or whose list of sources cannot be read; none if nobody asks, or without an identity. */
async function sourcesIfWanted(snapshot: AuthenticSnapshot, wanted: Search['wanted']): Promise<SourceRecord[] | undefined> {
  if (!wanted || snapshot.keys.identity === undefined) return []
  const sources = await sourcesOf(snapshot)
  return sources.length > 0 && wanted(sources.map(({ name }) => name), snapshot.header.id) ? sources : undefined
}

/** Undefined for one that is gone. Throws when the store does not answer: the snapshot may be the newest that is good. */
async function look(
  store: Store, key: string, keys: Keys,
): Promise<AuthenticSnapshot | { damage: string } | { other: string } | undefined> {
  try {
    return await readAuthentic(store, key, keys)
  } catch (error) {
    if (error instanceof NotFound) return undefined
    if (error instanceof DamagedSnapshot || error instanceof DamagedObject) return { damage: error.message }
    if (error instanceof OtherKey) return { other: error.message }
    throw error
  }
}
