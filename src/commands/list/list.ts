import type { Environment } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import { momentOf } from '../../inputs/moment.ts'
import { warningOf } from '../../report/warnings.ts'
import { isAhead, readSnapshot, setOf, snapshotKeys } from '../../repository/catalog.ts'
import { type Card, readCards } from '../../repository/card.ts'
import type { Keys } from '../../repository/keys.ts'
import { tagsOf } from '../../repository/labels.ts'
import { type DrillFigures, drillFigures, isDrilled } from '../../repository/drills.ts'
import { isCarried, type Verdict } from '../../repository/proofs.ts'
import { retain, type RetentionPolicy } from '../../repository/retention.ts'
import { idTime, openDescription, type Snapshot, snapshotKey, sourceSize } from '../../repository/snapshot.ts'
import { decodeVisible, survey, type Surveyed } from '../../repository/survey.ts'
import { firstGood, type Unsound, whyNotWhole } from '../../repository/wholeness.ts'
import { remarksOf } from '../../sources/remarks.ts'
import { NotFound, type Store } from '../../stores/store.ts'
import { dependedOn } from '../artifacts.ts'
import { withStore } from '../with-store.ts'
import { expiries, type KnownFacts, standing, sumsOf, visiblePart, whatIsKnown } from './facts.ts'
import type { ListInputs } from './inputs.ts'
import type { ListedSnapshot, ListResult } from './result.ts'

/** The snapshots of a store, newest first. A damaged one is reported and left out; of one under another key the public part is shown. */
export async function list(inputs: ListInputs, environment: Environment): Promise<ListResult> {
  const { set, retention, filters } = inputs
  const now = environment.now()
  const [since, until] = [filters.since, filters.until].map((moment) => moment && momentOf(moment, now))
  // Ids count whole seconds.
  const wanted = (id: string): boolean => (!since || id.slice(0, 16) >= idTime(
    new Date(Math.ceil(since.getTime() / 1000) * 1000),
  )) && (!until || id.slice(0, 16) <= idTime(until))
  return withStore(inputs, environment, async (store, keys) => {
    if (filters.source !== undefined && keys?.identity === undefined) {
      throw new LifeboatError(
        'which sources a snapshot has is known only with a key that can decrypt',
        { hint: marked`Give the age identity or the passphrase as ‹encryption-key›, or leave out ‹source›.`, status: 2 },
      )
    }
    const { signal, report } = environment
    const expires = await expiries(store)
    const known = await whatIsKnown(store, keys, { set, wanted, since }, report)
    const cards = await cardsIn(store, keys, set, known)
    // A policy counts from the newest on, so with one all are read.
    const counts = retention ? () => true : wanted
    const read = await survey(
      store,
      keys,
      { set, wanted: (id, key) => counts(id) && !cards.has(key), signal, onDamaged: warningOf(report) },
      async (surveyed) => listed(await describe(surveyed, expires), surveyed.snapshot, known),
    )
    const described = [...cards.values()]
      .filter(({ header }) => counts(header.id))
      .map((card) => listed(withDescription(card, true, expires), undefined, known))
    const snapshots = [...read, ...described].toSorted((a, b) => (a.id < b.id ? 1 : -1))
    const decided = retention ? withReasons(snapshots, retention, inputs.timeZone, now) : snapshots
    const conditions = [
      ({ id }: ListedSnapshot) => wanted(id),
      ({ tags }: ListedSnapshot) => filters.tag === undefined || tags.includes(filters.tag),
      ({ sources }: ListedSnapshot) => filters.source === undefined || sources?.some(({ name }) => name === filters.source) === true,
    ]
    const chosen = decided.filter((snapshot) => conditions.every((holds) => holds(snapshot)))
    const shown = keys ? await withDrills(chosen, known, store, keys, warningOf(report)) : chosen
    const sets = shown.length > 0 ? [] : [...new Set((await snapshotKeys(store)).map(setOf))].toSorted()
    return {
      ...(shown.length === 0 && sets.length === 0 && { empty: true }),
      ...(set !== undefined && sets.length > 0 && !sets.includes(set) && { missing: { set, sets } }),
      ...(keys && shown.length > 0 && shown.every(({ authentic }) => !authentic) && { otherKey: true }),
      store: store.name,
      listed: now.toISOString(),
      snapshots: shown,
      ...(await restorableOf(shown, store, keys, now)),
      ...(await dependedOn(store)),
    }
  })
}

/** The cards of snapshots, which need not be read then; none if objects are damaged, so that all have to be read. */
async function cardsIn(
  store: Store,
  keys: Keys | undefined,
  set: string | undefined,
  { damaged }: KnownFacts,
): Promise<ReadonlyMap<string, Card>> {
  if (damaged.size > 0) return new Map()
  return new Map([...(await readCards(store, keys))].filter(([, { header }]) => set === undefined || header.set === set))
}

/** As many of the newest are looked at, whether all they need is in the store. */
const LOOKED_AT = 5

/**
 * The newest of these that is whole; those of another key cannot be restored with this one, and those dated in the future are of a clock
 * that is wrong.
 */
async function restorableOf(
  snapshots: readonly ListedSnapshot[],
  store: Store,
  keys: Keys | undefined,
  now: Date,
): Promise<Pick<ListResult, 'restorable' | 'unsound'>> {
  const own = snapshots
    .filter(({ id, authentic }) => (authentic || !keys) && !isAhead(id, now))
    .toSorted((a, b) => b.time.localeCompare(a.time))
  const { good, unsound } = await firstGood(own, LOOKED_AT, (one) => lookAt(one, store, keys))
  return { ...(good !== undefined && { restorable: good }), unsound }
}

/** The id of a snapshot that is whole, or why it is not; undefined if it was deleted meanwhile. */
async function lookAt(
  { id, set, damage }: ListedSnapshot,
  store: Store,
  keys: Keys | undefined,
): Promise<{ good: string } | Unsound | undefined> {
  if (damage !== undefined) return { snapshot: id, why: damage }
  const key = snapshotKey(set, id)
  try {
    const { snapshot } = await readSnapshot(store, key, (object) => decodeVisible(key, object, keys))
    const why = await whyNotWhole(store, snapshot, new Set())
    return why === undefined ? { good: id } : { snapshot: id, why }
  } catch (error) {
    if (error instanceof NotFound) return undefined
    throw error
  }
}

/** A snapshot without what other objects tell of it. */
type Described = Omit<ListedSnapshot, 'pinned' | 'proofs' | 'verified' | 'damage'>

async function describe({ snapshot, authentic }: Surveyed, expires: ReadonlyMap<string, Date>): Promise<Described> {
  const description = authentic?.keys.identity === undefined ? undefined : await openDescription(authentic)
  return withDescription({ ...sumsOf(snapshot), description }, authentic !== undefined, expires)
}

function withDescription(card: Card, authentic: boolean, expires: ReadonlyMap<string, Date>): Described {
  const { description } = card
  return {
    ...visiblePart(card, expires),
    authentic,
    ...(description && {
      description: description.description,
      run: description.run?.url ?? null,
      sources: description.sources.map((source) => ({
        name: source.name,
        kind: source.kind,
        size: sourceSize(source),
        ...remarksOf(source),
      })),
    }),
  }
}

function listed(described: Described, snapshot: Snapshot | undefined, { labels, proofs, damaged }: KnownFacts): ListedSnapshot {
  const [own, found] = [labels.get(described.id), proofs.get(described.id) ?? []]
  const newest = [...Map.groupBy(found.filter((proof) => !isCarried(proof)), ({ level }) => level).values()].map(([proof]) => proof!)
  return {
    ...described,
    tags: tagsOf(described, own),
    pinned: own?.pinned ?? false,
    ...standing(snapshot, found, damaged),
    proofs: newest.map(({ level, result, time }) => ({ level, result, time })).toSorted((a, b) => b.time.localeCompare(a.time)),
  }
}

/** As many sets are told about the figures of their last drill, each of which takes a request. */
const MOST_DRILLS = 16

/** The figures of the newest drill of each set, if the key can decrypt them. */
async function withDrills(
  snapshots: readonly ListedSnapshot[],
  { proofs }: KnownFacts,
  store: Store,
  keys: Keys,
  onDamaged: (error: LifeboatError) => void,
): Promise<ListedSnapshot[]> {
  const newest = new Map<string, Verdict>()
  for (const { id, set, damage } of snapshots) {
    const drill = damage === undefined ? proofs.get(id)?.find(({ level }) => level === 'drill') : undefined
    if (drill?.result === 'verified' && drill.time > (newest.get(set)?.time ?? '')) newest.set(set, drill)
  }
  const figures = new Map<string, DrillFigures>()
  for (const drill of [...newest.values()].slice(0, MOST_DRILLS)) {
    const found = await drillFigures(store, drill, keys, onDamaged)
    if (found) figures.set(drill.snapshot, found)
  }
  return snapshots.map((snapshot) => {
    const drill = figures.get(snapshot.id)
    return drill ? { ...snapshot, drill } : snapshot
  })
}

function withReasons(snapshots: readonly ListedSnapshot[], policy: RetentionPolicy, timeZone: string, now: Date): ListedSnapshot[] {
  const candidates = snapshots.map((listed) => ({
    id: listed.id,
    set: listed.set,
    time: new Date(listed.time),
    pinned: listed.pinned,
    verified: listed.verified,
    drilled: listed.verified && isDrilled(listed.proofs),
    listed,
  }))
  const decisions = new Map(
    retain(candidates, policy, timeZone, now).map(({ snapshot, keep, reasons }) => [snapshot.listed, { keep, reasons }]),
  )
  return snapshots.map((listed) => {
    const decision = decisions.get(listed)!
    // Only an age says when it will have passed; what other rules keep depends on backups to come.
    const alone = decision.keep && decision.reasons.length === 1 && decision.reasons[0]!.startsWith('within ')
    const expires = alone && policy.within !== undefined && listed.expires === undefined
      ? { expires: new Date(Date.parse(listed.time) + policy.within).toISOString() }
      : {}
    return { ...listed, ...expires, retention: decision }
  })
}
