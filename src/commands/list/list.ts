import type { Environment } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import { momentOf } from '../../inputs/written-time.ts'
import { warningOf } from '../../report/warnings.ts'
import { setOf, snapshotKeys } from '../../repository/catalog.ts'
import type { Keys } from '../../repository/keys.ts'
import { type DrillFigures, drillFigures, isDrilled, lastDrill } from '../../repository/drills.ts'
import type { Verdict } from '../../repository/proofs.ts'
import { retain, type RetentionPolicy } from '../../repository/retention.ts'
import { idTime } from '../../repository/snapshot.ts'
import type { Store } from '../../stores/store.ts'
import { dependedOn } from '../artifacts.ts'
import { withStore } from '../with-store.ts'
import { type KnownFacts, whatIsKnown } from './facts.ts'
import type { ListInputs } from './inputs.ts'
import { listedSnapshots } from './listed-snapshots.ts'
import { restorableOf } from './restorable.ts'
import type { ListedSnapshot, ListResult } from './result.ts'

/** The snapshots of a store, newest first. A damaged one is reported and left out; of one under another key the public part is shown. */
export async function list(inputs: ListInputs, environment: Environment): Promise<ListResult> {
  const { set, retention, filters } = inputs
  const { report } = environment
  const now = environment.now()
  const [since, until] = [filters.since, filters.until].map((moment) => moment && momentOf(moment, now))
  if (since && until && since > until) {
    throw new LifeboatError(marked`‹since› is later than ‹until›, so no snapshot is between them`, {
      hint: marked`Exchange them: ‹since› is the earlier time. An age like 30d is earlier than 7d.`, status: 2,
    })
  }
  const wanted = idsBetween(since, until)
  return withStore(inputs, environment, async (store, keys) => {
    if (filters.source !== undefined && keys?.identity === undefined) throw hiddenSources()
    const inArtifacts = await dependedOn(store)
    const known = { ...(await whatIsKnown(store, keys, { set, wanted, since }, report)), lost: new Set(inArtifacts.lost) }
    // A policy counts from the newest on, so with one all are read.
    const counts = retention ? () => true : wanted
    const snapshots = await listedSnapshots(store, keys, { set, wanted: counts }, known, environment)
    const decided = retention ? withReasons(snapshots, retention, inputs.timeZone, now) : snapshots
    const chosen = decided.filter((one) => wanted(one.id) && passes(one, filters))
    const shown = keys ? await withDrills(chosen, known, store, keys, warningOf(report)) : chosen
    return {
      ...(shown.length === 0 && (await whyEmpty(store, set))),
      ...(keys && shown.length > 0 && shown.every(({ authentic }) => !authentic) && { otherKey: true }),
      store: store.name,
      listed: now.toISOString(),
      snapshots: shown,
      ...(await restorableOf(shown, store, keys, now)),
      ...inArtifacts,
    }
  })
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
  const sets = [...new Set((await snapshotKeys(store)).map(setOf))].toSorted()
  if (sets.length === 0) return { empty: true }
  return set === undefined || sets.includes(set) ? {} : { missing: { set, sets } }
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
    const drill = damage === undefined ? lastDrill(proofs.get(id) ?? []) : undefined
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
    ...(listed.until !== undefined && { until: new Date(listed.until) }),
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
