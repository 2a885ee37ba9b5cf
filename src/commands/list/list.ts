import type { Environment } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import { momentOf } from '../../inputs/written-time.ts'
import { warningOf } from '../../report/warnings.ts'
import { idOf, setOf, setsOf, snapshotKeys, withoutSafety } from '../../repository/catalog.ts'
import type { Keys } from '../../repository/keys.ts'
import { noneOfKey } from '../../repository/other-key.ts'
import { type DrillFigures, drillFigures, isDrilled, lastDrill } from '../../repository/drills.ts'
import { retain, type RetentionPolicy } from '../../repository/retention.ts'
import { idTime } from '../../repository/snapshot.ts'
import type { Store } from '../../stores/store.ts'
import { dependedOn } from '../artifacts.ts'
import { withStore } from '../with-store.ts'
import { SetChanges } from './changes.ts'
import { type KnownFacts, warnOfLabels, whatIsKnown } from './facts.ts'
import type { ListInputs } from './inputs.ts'
import { listedSnapshots } from './listed-snapshots.ts'
import { RowCounts } from './lost-rows.ts'
import { restorableOf } from './restorable.ts'
import type { ListedSnapshot, ListResult } from './result.ts'

/** The snapshots that are wanted. `newest`: only this number of the newest, and the newest of each set. */
export type Listing = ListInputs & { newest?: number }

/** The snapshots of a store, newest first. A damaged one is reported and left out; of one under another key the public part is shown. */
export async function list(inputs: Listing, environment: Environment): Promise<ListResult> {
  const { set, retention, filters } = inputs
  const { report } = environment
  const now = environment.now()
  const [since, until] = [filters.since, filters.until].map((moment) => moment && momentOf(moment, now))
  if (since && until && since > until) {
    throw new LifeboatError(marked`‹since› is later than ‹until›, so no snapshot is between them`, {
      hint: marked`Exchange them: ‹since› is the earlier time. An age like 30d is earlier than 7d.`, status: 2,
    })
  }
  const between = idsBetween(since, until)
  return withStore(inputs, environment, async (store, keys) => {
    if (filters.source !== undefined && keys?.identity === undefined) throw hiddenSources()
    const inArtifacts = await dependedOn(store)
    const few = inputs.newest === undefined ? undefined : await newestOf(store, set, inputs.newest)
    const wanted = (id: string): boolean => between(id) && (few === undefined || few.ids.has(id))
    const changes = inputs.report.file === undefined ? undefined : new SetChanges(now)
    // Artifacts expire, and are not pruned.
    const counts = changes && retention && few === undefined && !store.groups ? new RowCounts() : undefined
    const known = { ...(await whatIsKnown(store, keys, { set, wanted, since }, report)), lost: new Set(inArtifacts.lost) }
    // A policy counts from the newest on, so with one all are read.
    const read = retention && few === undefined ? () => true : wanted
    const unreadable = new Map<string, string>()
    const onDamaged = (error: LifeboatError, key: string): void => {
      warningOf(report)(error)
      unreadable.set(key, error.message)
    }
    const { signal } = environment
    const snapshots = await listedSnapshots(store, keys, { set, wanted: read, signal, onDamaged }, known, (header, sources) => {
      changes?.note(header, sources)
      counts?.note(header, sources)
    })
    const decided = retention ? withReasons(snapshots, retention, inputs.timeZone, { now, keys }) : snapshots
    const chosen = decided.filter((one) => wanted(one.id) && passes(one, filters))
    for (const one of chosen) warnOfLabels(one, known.labels, keys, report)
    const drills = { earlier: changes !== undefined, onDamaged: warningOf(report) }
    const shown = keys ? await withDrills(chosen, known, store, keys, drills) : chosen
    const otherKey = keys && ofOtherKeys(shown, keys)
    if (otherKey) {
      const { message, hint } = noneOfKey(store, shown.length, keys, otherKey.fingerprints)
      report.warning(message, `${hint} Until then, the list shows what the store claims.`)
    }
    return {
      ...(shown.length === 0 && (await whyEmpty(store, set))),
      ...(otherKey && { otherKey }),
      store: store.name,
      listed: now.toISOString(),
      snapshots: shown,
      ...(await restorableOf(shown, store, keys, { now, known, unreadable })),
      ...inArtifacts,
      ...(few && few.of > shown.length && { of: few.of }),
      ...(changes && { changes: changes.found() }),
      ...(counts && { leaving: counts.leaving(staysOf(decided)) }),
    }
  })
}

/** Whether the policy keeps a snapshot; undefined for one that is damaged. */
function staysOf(decided: readonly ListedSnapshot[]): (id: string) => boolean | undefined {
  const sound = new Map(decided.flatMap(({ id, damage, retention }) => (damage === undefined && retention ? [[id, retention.keep]] : [])))
  return (id) => sound.get(id)
}

/** The keys that the snapshots name, if there are some and none is of the key given. */
function ofOtherKeys(snapshots: readonly ListedSnapshot[], keys: Keys): ListResult['otherKey'] {
  if (snapshots.length === 0 || snapshots.some(({ authentic }) => authentic)) return undefined
  return { given: keys.fingerprint, fingerprints: [...new Set(snapshots.map(({ key }) => key))] }
}

/** Of a policy, decisions on the newest snapshots of a set do not depend on older ones. */
async function newestOf(store: Store, set: string | undefined, most: number): Promise<{ ids: ReadonlySet<string>; of: number }> {
  const keys = await snapshotKeys(store, set)
  const sorted = keys.toSorted((a, b) => (idOf(a) < idOf(b) ? 1 : -1))
  const firsts = [...Map.groupBy(sorted, setOf).values()].map(([first]) => first!)
  return { ids: new Set([...sorted.slice(0, most), ...firsts.slice(0, most)].map(idOf)), of: keys.length }
}

/** Ids count whole seconds. */
function idsBetween(since: Date | undefined, until: Date | undefined): (id: string) => boolean {
  const first = since ? idTime(new Date(Math.ceil(since.getTime() / 1000) * 1000)) : ''
  const last = until && idTime(until)
  return (id) => id.slice(0, 16) >= first && (last === undefined || id.slice(0, 16) <= last)
}

function passes({ tags, sources }: ListedSnapshot, { tag, source }: ListInputs['filters']): boolean {
  return (tag === undefined || tags.includes(tag)) && (source === undefined || sources?.some(({ name }) => name === source) === true)
}

function hiddenSources(): LifeboatError {
  return new LifeboatError(
    'which sources a snapshot has is known only with a key that can decrypt',
    { hint: marked`Give the age identity or the passphrase as ‹encryption-key›, or leave out ‹source›.`, status: 2 },
  )
}

async function whyEmpty(store: Store, set: string | undefined): Promise<Pick<ListResult, 'empty' | 'missing'>> {
  const sets = await setsOf(store)
  if (sets.length === 0) return { empty: true }
  return set === undefined || sets.includes(set) ? {} : { missing: { set, sets: withoutSafety(sets) } }
}

/** The figures of as many drills are read, each of which takes a request. */
const MOST_DRILLS = 16

/** The figures of the newest drill of each set, if the key can decrypt them; with `earlier`, of earlier ones too, in as many requests. */
async function withDrills(
  snapshots: readonly ListedSnapshot[],
  { proofs }: KnownFacts,
  store: Store,
  keys: Keys,
  { earlier, onDamaged }: { earlier: boolean; onDamaged: (error: LifeboatError) => void },
): Promise<ListedSnapshot[]> {
  const drills = snapshots.flatMap(({ id, damage }) => (damage === undefined ? lastDrill(proofs.get(id) ?? []) ?? [] : []))
    .filter(({ result }) => result === 'verified').toSorted((a, b) => b.time.localeCompare(a.time))
  const newest = [...new Map(drills.toReversed().map((drill) => [drill.set, drill])).values()]
  const others = earlier ? drills.filter((drill) => !newest.includes(drill)) : []
  const figures = new Map<string, DrillFigures>()
  for (const drill of [...newest, ...others].slice(0, MOST_DRILLS)) {
    const found = await drillFigures(store, drill, keys, onDamaged)
    if (found) figures.set(drill.snapshot, found)
  }
  return snapshots.map((snapshot) => {
    const drill = figures.get(snapshot.id)
    return drill ? { ...snapshot, drill } : snapshot
  })
}

/** As a prune with these keys decides: it leaves alone, and does not count, what has another key. */
function withReasons(
  snapshots: readonly ListedSnapshot[], policy: RetentionPolicy, timeZone: string, { now, keys }: { now: Date; keys: Keys | undefined },
): ListedSnapshot[] {
  const candidates = snapshots.filter(({ authentic }) => authentic || !keys).map((listed) => ({
    id: listed.id,
    set: listed.set,
    time: new Date(listed.time),
    pinned: listed.pinned,
    ...(listed.until !== undefined && { until: new Date(listed.until) }),
    verified: listed.verified,
    ...(listed.partial && { partial: true as const }),
    damaged: listed.damage !== undefined,
    ...(listed.failedDrill && { failedDrill: true as const }),
    drilled: listed.verified && isDrilled(listed.proofs),
    listed,
  }))
  const decisions = new Map(
    retain(candidates, policy, timeZone, now).map(({ snapshot, keep, reasons }) => [snapshot.listed, { keep, reasons }]),
  )
  return snapshots.map((listed) => {
    const decision = decisions.get(listed) ?? { keep: true, reasons: ['another key: not counted'] }
    // Only an age says when it will have passed; what other rules keep depends on backups to come.
    const alone = decision.keep && decision.reasons.length === 1 && decision.reasons[0]!.startsWith('within ')
    const expires = alone && policy.within !== undefined && listed.expires === undefined
      ? { expires: new Date(Date.parse(listed.time) + policy.within).toISOString() }
      : {}
    return { ...listed, ...expires, retention: decision }
  })
}
