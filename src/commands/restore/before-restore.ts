import { LifeboatError } from '../../error.ts'
import type { Report } from '../../environment.ts'
import { marked } from '../../marks.ts'
import { warningOf } from '../../report/warnings.ts'
import { idOf, snapshotKeys } from '../../repository/catalog.ts'
import { SetProofs } from '../../repository/set-proofs.ts'
import type { AuthenticSnapshot, SourceRecord } from '../../repository/snapshot.ts'
import { damageIn, newestGood } from '../../repository/wholeness.ts'
import { type Remarks, remarksOf } from '../../sources/remarks.ts'
import type { SourceContext } from '../../sources/source-kind.ts'
import type { Store } from '../../stores/store.ts'
import type { ReadLevel } from '../../repository/levels.ts'
import { verifySnapshot } from '../verify/verify-snapshot.ts'

/**
 * Verifies what a snapshot has of one source, and reads what earlier verifications found damaged of it. Throws, naming the newest snapshot
 * to restore instead, unless that went well: nothing is restored from what could not be read back. Damage to other sources is a warning.
 */
export async function requireWhole(
  snapshot: AuthenticSnapshot,
  source: string,
  level: ReadLevel,
  store: Store,
  context: SourceContext,
): Promise<void> {
  const { id, set, time } = snapshot.header
  const { report } = context
  const proofs = await SetProofs.list(store, snapshot.keys, set, warningOf(report))
  const suspects = await proofs.damagedSince(new Date(time))
  const { result, problems, damaged, good } = await verifySnapshot(snapshot, level, store, context, { only: source, suspects })
  const elsewhere = async (): Promise<string> => {
    const others = (await snapshotKeys(store, set)).filter((key) => idOf(key) !== id)
    const found = await newestGood(store, snapshot.keys, others, {
      proofs, verified: false, wanted: (sources) => sources.includes(source), damaged: new Set(damaged),
    })
    return found.good
      ? marked`Snapshot ${found.good.snapshot.header.id} is the newest other one that is whole and has ${source}: give it as ‹snapshot›.`
      : marked`No other snapshot of set ${set} is whole and has ${source}; ‹lifeboat list› shows them.`
  }
  if (result !== 'verified') {
    throw new LifeboatError(
      `snapshot ${id} ${result === 'failed' ? 'does not verify' : 'could not be verified'}, so nothing was restored: ` +
        problems.join('; '),
      { hint: await elsewhere(), status: result === 'failed' ? 1 : 3 },
    )
  }
  const rest = damageIn(snapshot, new Set([...suspects].filter((key) => !good.includes(key))))
  const verdict = rest === undefined ? await proofs.verdict(id) : undefined
  if (rest !== undefined) report.warning(`snapshot ${id} is damaged, though not in ${source}: ${rest}`, await elsewhere())
  else if (verdict?.result === 'failed') report.warning(
    `snapshot ${id} failed its last verification, at level ${verdict.level}; nothing wrong with ${source} was found now`,
    await elsewhere(),
  )
}

/** Of a source that is restored, for the result; with a warning where the backup lacks something. */
export function backupRemarks(source: SourceRecord, report: Report): { backup?: Remarks } {
  const remarks = remarksOf(source)
  for (const text of remarks.partial ?? []) report.warning(`the backup of ${source.name} is partial: ${text}`)
  return Object.keys(remarks).length > 0 ? { backup: remarks } : {}
}
