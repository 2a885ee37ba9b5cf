import { LifeboatError } from '../../error.ts'
import type { Environment, Report } from '../../environment.ts'
import { marked } from '../../marks.ts'
import { formatBytes, formatCount } from '../../report/format.ts'
import { warningOf } from '../../report/warnings.ts'
import { drillFigures } from '../../repository/drills.ts'
import { isGood } from '../../repository/proofs.ts'
import { SetProofs } from '../../repository/set-proofs.ts'
import type { AuthenticSnapshot, SourceRecord } from '../../repository/snapshot.ts'
import { NothingWhole } from '../../sources/nothing-whole.ts'
import { allOf, problemsOf, throwAll } from '../../sources/checks.ts'
import type { PlannedRestore } from '../../sources/restored.ts'
import type { Share } from '../../sources/share.ts'
import type { Store } from '../../stores/store.ts'
import { timeOfRestore } from './last-time.ts'
import type { Expected, LastRead, RestoreResult } from './result.ts'

/** The result of a plan: nothing is restored. */
export type Planned = Omit<RestoreResult, 'seconds'> & { steps: string[] }

/** The plan of one of several restores, with what they have in common. */
export type PlannedPart = Planned & Pick<PlannedRestore, 'place' | 'shares'>

interface ToPlan {
  source: Pick<SourceRecord, 'name'>
  /** Absent: its target cannot tell before. */
  plan?: () => Promise<PlannedPart>
}

/**
 * Makes all checks of all restores, and changes nothing; the plans are in the order of `parts`. A damaged source without anything whole
 * does not prevent the others: it has the error in place of a plan. Throws one error for everything that is missing for one of them, or
 * for all together. `atOnce`: how many are restored at the same time.
 */
export async function planAll(parts: readonly ToPlan[], atOnce: number): Promise<(Planned | NothingWhole | undefined)[]> {
  const problems: LifeboatError[] = []
  const shares: Share[] = []
  const places: { name: string; place: string }[] = []
  const plans: (Planned | NothingWhole | undefined)[] = []
  for (const { source, plan } of parts) {
    if (plan === undefined) {
      plans.push(undefined)
      continue
    }
    await allOf([async () => {
      const { shares: own, place, ...planned } = await plan()
      shares.push(...own)
      places.push({ name: source.name, place })
      plans.push(planned)
    }], (error) => {
      if (error instanceof NothingWhole && parts.length > 1) plans.push(error)
      else problems.push(...problemsOf(error).map((problem) => (parts.length > 1 ? about(source.name, problem) : problem)))
    })
  }
  throwAll([...problems, ...overEachOther(places), ...tooLittle(shares, atOnce)])
  return plans
}

function about(name: string, { message, hint, status, cause }: LifeboatError): LifeboatError {
  return new LifeboatError(`${name}: ${message}`, { ...(hint !== undefined && { hint }), status, cause })
}

/** Sources whose targets are one, or one in the other: the last one restored would replace the others, or be mixed with them. */
function overEachOther(places: readonly { name: string; place: string }[]): LifeboatError[] {
  const pairs = places.flatMap((one, index) => places.slice(index + 1).map((other) => [one, other] as const))
  return pairs.filter(([one, other]) => one.place.startsWith(other.place) || other.place.startsWith(one.place)).map(([one, other]) =>
    new LifeboatError(`the targets of ${one.name} and ${other.name} are the same, or one is in the other: they would replace each other`, {
      hint: marked`Give each a target of its own in ‹map›.`, status: 2 }))
}

/** Places that are enough for each of several targets, and not for all together. */
function tooLittle(shares: readonly Share[], atOnce: number): LifeboatError[] {
  return [...Map.groupBy(shares, ({ at, measure }) => `${measure} ${at}`).values()].flatMap((all) => {
    const { what, measure } = all[0]!
    const largest = all.map(({ needed }) => needed).toSorted((a, b) => b - a)
    const needed = (measure === 'connections' ? largest.slice(0, atOnce) : largest).reduce((sum, one) => sum + one, 0)
    const free = Math.min(...all.map((one) => one.free))
    if (all.length === 1 || free >= needed || all.some((one) => one.free < one.needed)) return []
    return [measure === 'bytes'
      ? new LifeboatError(`${what} has ${formatBytes(free)} free, and all that is restored there needs about ${formatBytes(needed)}`, {
        hint: marked`Make room there, or restore the sources one after the other, without ‹all›.` })
      : new LifeboatError(`${what} has ${formatCount(free, 'free connection')}, and the restores at the same time need ${needed}`, {
        hint: marked`Raise max_connections, stop clients, lower ‹jobs›, or restore the databases without ‹all›.` })]
  })
}

/** When the data was last read, and the time that the last drill took, or the last restore of these sources, whichever is newer. */
export async function earlierRuns(
  snapshot: AuthenticSnapshot, sources: readonly SourceRecord[], store: Store, environment: Environment,
): Promise<Pick<RestoreResult, 'lastRead' | 'expected'>> {
  const { keys, header: { id, set } } = snapshot
  const proofs = await SetProofs.list(store, keys, set, warningOf(environment.report))
  const lastRead = await newestReading(id, proofs)
  const drill = await timeOfDrill(snapshot, proofs, store, environment.report)
  const restore = await timeOfRestore(snapshot, sources, store, environment)
  const expected = drill && restore ? (drill.time > restore.time ? drill : restore) : (drill ?? restore)
  return { ...(lastRead && { lastRead }), ...(expected && { expected }) }
}

/** Undefined if nothing read all of a snapshot, or a later verification failed. */
async function newestReading(id: string, proofs: SetProofs): Promise<LastRead | undefined> {
  const verdict = await proofs.verdict(id)
  if (!verdict || !isGood(verdict)) return undefined
  for (const proof of await proofs.of([id]))
    if (proof.level !== 'list' && isGood(proof)) return { level: proof.level, time: proof.time }
  return undefined
}

/** The time that the last drill of this snapshot, or else of the set, took to read the store and to restore; all sources together. */
async function timeOfDrill(
  { keys, header: { id } }: AuthenticSnapshot, proofs: SetProofs, store: Store, report: Report,
): Promise<Expected | undefined> {
  const verdict = (await proofs.of([id])).find(isVerified) ?? (await proofs.newest(isVerified))
  const figures = verdict && (await drillFigures(store, verdict, keys, warningOf(report)))
  if (!verdict || !figures) return undefined
  const { seconds: { download, restore }, machine } = figures
  return { of: 'drill', seconds: download + restore, time: verdict.time, snapshot: verdict.snapshot, machine }
}

function isVerified({ level, result }: { level: string; result: string }): boolean {
  return level === 'drill' && result === 'verified'
}
