import { LifeboatError } from '../../error.ts'
import type { Report } from '../../environment.ts'
import { marked } from '../../marks.ts'
import { warningOf } from '../../report/warnings.ts'
import { drillFigures } from '../../repository/drills.ts'
import { SetProofs } from '../../repository/set-proofs.ts'
import type { AuthenticSnapshot } from '../../repository/snapshot.ts'
import type { RestoreTarget } from '../../sources/source-kind.ts'
import type { Store } from '../../stores/store.ts'

/** The target of a dry run: a restore into it changes nothing. */
export function dryTarget(target: RestoreTarget): RestoreTarget {
  if (!target.plan)
    throw new LifeboatError('dry-run is for databases of PostgreSQL', {
      hint: marked`‹verify-only: true› reads and checks what would be restored.`, status: 2 })
  return {
    require: (source) => target.require(source),
    restore: (stored) => target.plan!(stored),
    close: () => target.close(),
  }
}

/** How long a recovery took when it was drilled. */
export interface Expected {
  seconds: number
  /** The snapshot that was drilled, and where. */
  snapshot: string
  machine: string
}

/** The time that the last drill of this snapshot, or else of the set, took to read the store and to restore; all sources together. */
export async function expectedTime(snapshot: AuthenticSnapshot, store: Store, report: Report): Promise<Expected | undefined> {
  const { keys, header: { id, set } } = snapshot
  const proofs = await SetProofs.list(store, keys, set, warningOf(report))
  const verdict = (await proofs.of([id])).find(isVerified) ?? (await proofs.newest(isVerified))
  const figures = verdict && (await drillFigures(store, verdict, keys, warningOf(report)))
  if (!verdict || !figures) return undefined
  return { seconds: figures.seconds.download + figures.seconds.restore, snapshot: verdict.snapshot, machine: figures.machine }
}

function isVerified({ level, result }: { level: string; result: string }): boolean {
  return level === 'drill' && result === 'verified'
}
