import type { LifeboatError } from '../../error.ts'
import { verifiedTag } from '../../inputs/plan.ts'
import { idOf, isAhead, readAuthentic } from '../../repository/catalog.ts'
import { isAtLeast, type Level, LEVELS } from '../../repository/levels.ts'
import type { Keys } from '../../repository/keys.ts'
import type { Verdict } from '../../repository/proofs.ts'
import { SetProofs } from '../../repository/set-proofs.ts'
import { type AuthenticSnapshot, DamagedSnapshot, idTime, OtherKey, timeOfId } from '../../repository/snapshot.ts'
import { damageIn, failedVerification } from '../../repository/wholeness.ts'
import { DamagedObject, NotFound, type Store } from '../../stores/store.ts'
import type { SetVerdict } from './result.ts'

/** The run that is judged. */
export interface RunOfPlan {
  /** Of the snapshots that it made. */
  tag: string
  planned: Date
  now: Date
  /** Keys of snapshots that have lost a part. */
  lost: ReadonlySet<string>
}

export type JudgedSet = Omit<SetVerdict, 'set' | 'job'> & { size: number; added: number }

/** Milliseconds that the clocks of machines differ by at most: a backup may be dated before its plan. */
const SKEW = 24 * 3600 * 1000

/**
 * The newest snapshot of a set that this run made, by its signed tag, with what its proofs say of it. `snapshots`: keys of the set's
 * snapshots, newest first. The chunks of a snapshot are not looked for again: the backup did that, and its proof says so.
 */
export async function judgeSet(
  store: Store,
  keys: Keys,
  set: string,
  snapshots: readonly string[],
  { tag, planned, now, lost }: RunOfPlan,
  onDamaged: (error: LifeboatError) => void,
): Promise<JudgedSet> {
  const since = idTime(new Date(planned.getTime() - SKEW))
  const candidates = snapshots.filter((key) => idOf(key) >= since)
  let damaged: string | undefined
  for (const key of candidates) {
    const read = await authentic(store, key, keys)
    if (typeof read === 'string') damaged ??= read
    else if (read?.header.tags.includes(tag)) return judged(read, await SetProofs.list(store, keys, set, onDamaged), lost)
  }
  const none = { size: 0, added: 0 }
  // It may be that of this run.
  if (damaged !== undefined) return { state: 'failed', why: damaged, ...none }
  const newest = snapshots.find((key) => !isAhead(idOf(key), now))
  return { state: 'missing', ...(newest !== undefined && { snapshot: idOf(newest), made: timeOfId(idOf(newest)) }), ...none }
}

async function judged({ key, header }: AuthenticSnapshot, proofs: SetProofs, lost: ReadonlySet<string>): Promise<JudgedSet> {
  const { id, time, size, added, partial } = header
  const verdict = await proofs.verdict(id)
  const damage = lost.has(key) ? 'a part of it has expired or was deleted'
    : damageIn({ key, header }, await proofs.damagedSince(new Date(time)))
  const failure = damage === undefined ? failedVerification(verdict) : undefined
  const why = damage ?? failure?.why
  const about = { snapshot: id, made: time, ...(partial && { partial }) }
  const wanted = LEVELS.find((level) => header.tags.includes(verifiedTag(level)))
  const failedDrill = failure?.failedDrill && { failedDrill: true as const }
  if (why !== undefined) return { state: 'failed', ...about, ...failedDrill, why, size: 0, added: 0 }
  if (wanted !== undefined && !(await proofs.of([id])).some(({ result, level }) => result === 'verified' && isAtLeast(level, wanted))) {
    return { state: 'unverified', ...about, why: unverified(wanted, verdict), size: 0, added: 0 }
  }
  return { state: 'done', ...about, ...(verdict?.result === 'verified' && { verified: verdict.level }), size, added }
}

function unverified(wanted: Level, verdict: Verdict | undefined): string {
  return verdict?.result === 'conditions not met' && isAtLeast(verdict.level, wanted)
    ? 'it is whole, but conditions that were given do not hold in what was restored'
    : `it was to be verified at level ${wanted}, and was not`
}

/** Undefined for a snapshot of another key or one that is gone, and the reason for one that cannot be read. */
async function authentic(store: Store, key: string, keys: Keys): Promise<AuthenticSnapshot | string | undefined> {
  try {
    return await readAuthentic(store, key, keys)
  } catch (error) {
    if (error instanceof NotFound || error instanceof OtherKey) return undefined
    if (error instanceof DamagedSnapshot || error instanceof DamagedObject) return error.message
    throw error
  }
}
