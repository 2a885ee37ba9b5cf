import { LifeboatError } from '../error.ts'
import { marked } from '../marks.ts'
import { DamagedObject, type HiddenSnapshots, NotFound, type Store } from '../stores/store.ts'
import { idOf, isAhead, readAuthentic, setOf, snapshotIfAuthentic, snapshotKeys } from './catalog.ts'
import { type DrillFigures, drillFigures } from './drills.ts'
import type { Keys } from './keys.ts'
import { isAtLeast } from './levels.ts'
import { checkListing } from './listing.ts'
import { allHidden, keysText } from './other-key.ts'
import { isGood, type Verdict } from './proofs.ts'
import { missingSnapshots } from './references.ts'
import { isSafetySet } from './safety-set.ts'
import { SetProofs } from './set-proofs.ts'
import { DamagedSnapshot, OtherKey, snapshotKey } from './snapshot.ts'
import { damageIn, type Found, newestGood, type Unsound } from './wholeness.ts'
import { requireNewest } from './withheld.ts'

/** How old the newest snapshots and proofs of a set are. Times are ISO 8601. */
export interface Freshness {
  set: string
  /** The newest snapshot there is, verified or not. */
  newest: string | undefined
  /** The newest good snapshot: its signature is valid, its last proof says verified, and it is whole. */
  verified: { snapshot: string; time: string; level: Verdict['level']; verifiedAt: string; partial?: true } | undefined
  /** Newer snapshots that are damaged, or failed a drill, newest first. */
  unsound: Unsound[]
  /** Ids of snapshots that proofs name and that the store does not have. */
  missing: string[]
  /** Why the newest snapshot cannot be read, if it is not damaged: it is of another key. */
  unreadable?: string
  /** The number of the newest snapshots that were looked at, if every one of them is of another key: it may be the wrong one. */
  otherKey?: number
  /** The newest proof of this level, or a higher one, that says verified, of whichever snapshot that is not known to be damaged. */
  proof: { snapshot: string; time: string; level: Verdict['level'] } | undefined
  /** A newer proof like it that does not count: its snapshot is damaged, or missing. */
  uncounted?: { snapshot: string; time: string }
  /** A later verification of at least that level without that result. */
  attempt?: { snapshot: string; time: string; result: Exclude<Verdict['result'], 'verified'> }
  /** The newest drill that says verified, of a snapshot that is not known to be damaged; with its figures if the key can decrypt them. */
  drilled?: { snapshot: string; time: string; figures?: DrillFigures }
}

export interface FreshnessOptions {
  /** The lowest level that counts. */
  level: Verdict['level']
  now: Date
  /** Called for proofs that are ignored, and for snapshots dated in the future, which do not count. */
  onDamaged: (error: LifeboatError) => void
}

/**
 * For each set, or for the given one. Reads objects from the newest on, and no more than it takes to find both. Checks that every chunk
 * object of the snapshot found, and of the newest, is in the store.
 */
export async function freshnessOf(store: Store, keys: Keys, set: string | undefined, options: FreshnessOptions): Promise<Freshness[]> {
  const listed = await snapshotKeys(store, set)
  if (listed.length === 0) await checkListing(store, set)
  const bySet = Map.groupBy(listed, setOf)
  const found: Freshness[] = []
  const missing = Map.groupBy(await missingSnapshots(store, keys, set, options.onDamaged), setOf)
  // Nobody expects safety backups to be fresh.
  const expected = (name: string): boolean => set !== undefined || !isSafetySet(name)
  for (const name of new Set([...bySet.keys(), ...missing.keys()].filter(expected))) {
    found.push({ ...(await ofSet(store, keys, name, bySet.get(name) ?? [], options)), missing: (missing.get(name) ?? []).map(idOf) })
  }
  for (const hidden of await allHidden(store)) if (expected(hidden.set)) found.push(ofHidden(hidden, keys))
  // At the end: by now everything was read that the answers depend on.
  for (const [newest] of bySet.values()) await requireNewest(store, newest!)
  return found.toSorted((a, b) => (a.set < b.set ? -1 : 1))
}

/** A set whose snapshots lie in groups of other keys alone. */
function ofHidden({ set, snapshots, fingerprints }: HiddenSnapshots, keys: Keys): Freshness {
  const unreadable = `${snapshots === 1 ? 'it names' : 'they name'} ${keysText(fingerprints)}; the key given is ${keys.fingerprint}`
  return { set, newest: undefined, verified: undefined, unsound: [], missing: [], unreadable, otherKey: snapshots, proof: undefined }
}

async function ofSet(
  store: Store, keys: Keys, set: string, listed: readonly string[], { level, now, onDamaged }: FreshnessOptions,
): Promise<Omit<Freshness, 'missing'>> {
  const snapshots = listed.filter((key) => !isAhead(idOf(key), now))
  for (const key of listed.slice(0, listed.length - snapshots.length))
    onDamaged(
      new LifeboatError(`${key} does not count: it is dated in the future`, {
        hint:
          'Someone without the key put it there, or the clock of a machine is wrong. ' +
          marked`Once that is settled, delete it: ‹lifeboat forget ID›.`,
      }),
    )
  const proofs = await SetProofs.list(store, keys, set, onDamaged)
  const { good, unsound, other } = await newestGood(store, keys, snapshots, { proofs, verified: true })
  const otherKey = good || unsound.length > 0 || other === undefined ? 0 : await allOfOtherKeys(store, keys, snapshots)
  const standing = standingIn(store, keys, set, { proofs, good, unsound })
  const { proof, uncounted } = await newestStanding(proofs, level, standing)
  const tried = await proofs.newest((one) => isAtLeast(one.level, level))
  return {
    set,
    newest: snapshots[0] && idOf(snapshots[0]),
    verified: good && {
      snapshot: good.snapshot.header.id,
      time: good.snapshot.header.time,
      level: good.verdict!.level,
      verifiedAt: good.verdict!.time,
      ...(good.snapshot.header.partial && { partial: true }),
    },
    unsound,
    ...(other !== undefined && { unreadable: other }),
    ...(otherKey > 0 && { otherKey }),
    proof: proof && { snapshot: proof.snapshot, time: proof.time, level: proof.level },
    ...(uncounted && { uncounted: { snapshot: uncounted.snapshot, time: uncounted.time } }),
    ...(tried && tried.result !== 'verified' && tried.time > (proof?.time ?? '') && {
      attempt: { snapshot: tried.snapshot, time: tried.time, result: tried.result },
    }),
    ...(await newestDrill(store, keys, proofs, standing, onDamaged)),
  }
}

/** Tells by its id whether a snapshot that was verified once is in the store, readable, and not known to be damaged since then. */
type Standing = (id: string) => Promise<boolean>

function standingIn(
  store: Store, keys: Keys, set: string, { proofs, good, unsound }: { proofs: SetProofs } & Pick<Found, 'good' | 'unsound'>,
): Standing {
  const known = new Map(unsound.map(({ snapshot }) => [snapshot, Promise.resolve(false)]))
  if (good) known.set(good.snapshot.header.id, Promise.resolve(true))
  const look = async (id: string): Promise<boolean> => {
    const verdict = await proofs.verdict(id)
    if (!verdict || !isGood(verdict)) return false
    const snapshot = await snapshotIfAuthentic(store, snapshotKey(set, id), keys)
    return snapshot !== undefined && damageIn(snapshot, await proofs.damagedSince(new Date(snapshot.header.time))) === undefined
  }
  return (id) => {
    const standing = known.get(id) ?? look(id)
    known.set(id, standing)
    return standing
  }
}

/** The newest proof of this level, or a higher one, whose snapshot stands; `uncounted`: the newest of all, if that is another one. */
async function newestStanding(
  proofs: SetProofs, level: Verdict['level'], standing: Standing,
): Promise<{ proof?: Verdict; uncounted?: Verdict }> {
  let uncounted: Verdict | undefined
  const passed = new Set<string>()
  const wanted = (one: Pick<Verdict, 'snapshot' | 'level' | 'result'>): boolean =>
    one.result === 'verified' && isAtLeast(one.level, level) && !passed.has(one.snapshot)
  for (;;) {
    const proof = await proofs.newest(wanted)
    const others = uncounted && { uncounted }
    if (!proof) return { ...others }
    if (await standing(proof.snapshot)) return { proof, ...others }
    uncounted ??= proof
    passed.add(proof.snapshot)
  }
}

async function newestDrill(
  store: Store, keys: Keys, proofs: SetProofs, standing: Standing, onDamaged: FreshnessOptions['onDamaged'],
): Promise<Pick<Freshness, 'drilled'>> {
  const { proof: drill } = await newestStanding(proofs, 'drill', standing)
  if (!drill) return {}
  const figures = await drillFigures(store, drill, keys, onDamaged)
  return { drilled: { snapshot: drill.snapshot, time: drill.time, ...(figures && { figures }) } }
}

/** Most snapshots that are looked at to tell whether a set is of another key. */
const LOOKED_AT = 20

/** The number of snapshots that are of another key, if all that are looked at are; otherwise 0. */
async function allOfOtherKeys(store: Store, keys: Keys, snapshots: readonly string[]): Promise<number> {
  let others = 0
  for (const key of snapshots.slice(0, LOOKED_AT)) {
    try {
      await readAuthentic(store, key, keys)
      return 0
    } catch (error) {
      if (error instanceof OtherKey) others++
      else if (error instanceof DamagedSnapshot || error instanceof DamagedObject) return 0
      else if (!(error instanceof NotFound)) throw error
    }
  }
  return others
}
