import { LifeboatError } from '../../error.ts'
import type { Report } from '../../environment.ts'
import { marked, markedCommand } from '../../marks.ts'
import { warningOf } from '../../report/warnings.ts'
import { idOf, snapshotKeys } from '../../repository/catalog.ts'
import { safetyBackupHint } from '../../repository/safety-backups.ts'
import { SetProofs } from '../../repository/set-proofs.ts'
import type { AuthenticSnapshot, SourceRecord } from '../../repository/snapshot.ts'
import { CANNOT_BE_RESTORED, damageIn, failedVerification, newestGood } from '../../repository/wholeness.ts'
import { type Remarks, remarksOf } from '../../sources/remarks.ts'
import type { RestoreMode } from '../../sources/settings.ts'
import type { SourceContext, SourceKind } from '../../sources/source-kind.ts'
import type { Store } from '../../stores/store.ts'
import type { ReadLevel } from '../../repository/levels.ts'
import { rowsOf } from '../back-up-again.ts'
import { keepDamage } from '../recording-damage.ts'
import { keyAt } from '../verify/chunks.ts'
import type { SnapshotVerified } from '../verify/result.ts'
import { verifySnapshot } from '../verify/verify-snapshot.ts'
import { wholeSources, wholeSourcesText } from '../whole-sources.ts'

/** A source to restore, and where from. */
export interface Chosen {
  snapshot: AuthenticSnapshot
  /** The name of the source. */
  source: string
  database: boolean
  /** How a restore takes what is whole of it, if it is damaged. */
  skip: string
  /**
   * Whether only objects of a database are restored, which may not need the chunks that are known to be damaged: these are a warning, and
   * the plan of the restore reads what it needs.
   */
  selects: boolean
  /** Whether the other sources are restored, too: where these are whole is told as well. */
  all: boolean
  store: Store
}

/**
 * Verifies what a snapshot has of one source, and reads what earlier verifications found damaged of it. Throws, naming what is whole of the
 * snapshot and the newest snapshots that have the rest, unless that went well: nothing is restored from what could not be read back.
 * Damage to other sources is a warning. Tells whether known damage may be in the selected objects.
 */
export async function requireWhole(chosen: Chosen, level: ReadLevel, context: SourceContext): Promise<boolean> {
  const { snapshot, source, database, skip, selects } = chosen
  const { id } = snapshot.header
  const { report } = context
  const { proofs, suspects, verified } = await looked(chosen, level, context)
  const { result, problems, damaged, good } = verified
  const known = new Set([...suspects, ...damaged].filter((key) => !good.includes(key)))
  if (result !== 'verified') {
    const hints = result === 'failed'
      ? [...(await whereWhole(chosen, known, proofs, context)), ...(damaged.length > 0 ? [skip] : [])]
      : [await elsewhere(chosen, source, known, proofs, report)]
    throw new LifeboatError(
      `snapshot ${id} ${result === 'failed' ? 'does not verify' : 'could not be verified'}, so nothing was restored: ` +
        problems.join('; '),
      { hint: hints.join(' '), status: result === 'failed' ? 1 : 3 },
    )
  }
  const rest = damageIn(snapshot, known)
  const verdict = rest === undefined ? await proofs.verdict(id) : undefined
  if (rest !== undefined)
    report.warning(
      `snapshot ${id} is damaged, ${selects ? 'perhaps not in the selected objects' : `though not in ${source}`}: ${rest}`,
      selects ? await elsewhere(chosen, source, known, proofs, report)
        : `To find out which sources of it are hit: ${markedCommand('verify', { snapshot: id, level: 'read' })}.`,
    )
  else if (failedVerification(verdict)?.failedDrill) report.warning(
    `snapshot ${id} failed its drill: ${CANNOT_BE_RESTORED}`,
    [...(database ? [rowsOf({ snapshot: id, database: source })] : []), await elsewhere(chosen, source, known, proofs, report)].join(' '),
  )
  else if (verdict?.result === 'failed') report.warning(
    `snapshot ${id} failed its last verification, at level ${verdict.level}; nothing wrong with ${source} was found now`,
    await elsewhere(chosen, source, known, proofs, report),
  )
  return selects && rest !== undefined
}

/** A damaged source never replaces data that is there. */
export function skipHint(noun: SourceKind['noun'], mode: RestoreMode): string {
  const rest = marked`and have the rest listed, set ‹skip-damaged: true›`
  if (noun === 'database' && (mode === 'clean' || mode === 'swap'))
    return marked`To restore what is whole of it into a new database, ${rest} with ‹mode: create› and another name in ‹database-url›.`
  if (mode === 'clean') return marked`To restore what is whole of it into another, empty target, ${rest} with ‹mode: empty›.`
  return `To restore what is whole of it, ${rest}.`
}

/**
 * Places of chunks of a source that are damaged or missing: every chunk of it is read. `elsewhere` says which other snapshot has all of
 * it. Throws if that cannot be said, or if the snapshot contradicts itself.
 */
export async function lostChunks(chosen: Chosen, context: SourceContext): Promise<{ lost: Set<number>; elsewhere: string }> {
  const { snapshot, source } = chosen
  const { proofs, verified: { result, problems, damaged } } = await looked(chosen, 'read', context)
  if (result === 'verified') return { lost: new Set(), elsewhere: '' }
  if (result === 'could not verify' || damaged.length === 0) {
    throw new LifeboatError(`nothing was restored of ${source} in snapshot ${snapshot.header.id}: ${problems.join('; ')}`, {
      hint: await elsewhere(chosen, source, new Set(damaged), proofs, context.report), status: result === 'failed' ? 1 : 3,
    })
  }
  const known = new Set(damaged)
  const { chunks } = snapshot.header
  const isLost = (place: number): boolean => {
    const base = chunks[place]![3]
    return known.has(keyAt(snapshot, place)) || (base !== null && known.has(keyAt(snapshot, base)))
  }
  return { lost: new Set([...chunks.keys()].filter(isLost)), elsewhere: await elsewhere(chosen, source, known, proofs, context.report) }
}

interface Looked {
  proofs: SetProofs
  /** Keys of chunks that earlier verifications found damaged. */
  suspects: ReadonlySet<string>
  verified: SnapshotVerified
}

async function looked({ snapshot, source, store, selects }: Chosen, level: ReadLevel, context: SourceContext): Promise<Looked> {
  const { set, time } = snapshot.header
  const proofs = await SetProofs.list(store, snapshot.keys, set, warningOf(context.report))
  const suspects = await proofs.damagedSince(new Date(time))
  const verified = await verifySnapshot(snapshot, level, store, context, { only: source, ...(!selects && { suspects }) })
  // The suspects are recorded already.
  if (verified.damaged.some((key) => !suspects.has(key))) await keepDamage(verified, store, snapshot.keys, context)
  return { proofs, suspects, verified }
}

/** For a damaged snapshot: its sources that are whole, and for each of the others that is wanted the newest snapshot that has it whole. */
async function whereWhole(chosen: Chosen, known: ReadonlySet<string>, proofs: SetProofs, context: SourceContext): Promise<string[]> {
  const { snapshot, source, all, store } = chosen
  const { sources } = await verifySnapshot(snapshot, 'list', store, context, { suspects: known })
  const whole = sources.filter(({ result }) => result === 'verified').map(({ name }) => name)
  const damaged = sources.filter(({ result }) => result !== 'verified').map(({ name }) => name)
  const rest = all ? damaged : damaged.filter((name) => name === source)
  return [
    ...(whole.length > 0 ? [`Of snapshot ${snapshot.header.id}, ${whole.join(', ')} ${whole.length === 1 ? 'is' : 'are'} whole.`] : []),
    ...(await Promise.all(rest.slice(0, MOST_NAMED).map((name) => elsewhere(chosen, name, known, proofs, context.report)))),
  ]
}

const MOST_NAMED = 10

/** A sentence that says which other snapshot has all of a source, whatever is damaged of its others. `damaged`: keys of chunks. */
export async function elsewhere(
  { snapshot, store }: Pick<Chosen, 'snapshot' | 'store'>, source: string, damaged: ReadonlySet<string>, proofs: SetProofs, report: Report,
): Promise<string> {
  const { id, set } = snapshot.header
  const others = (await snapshotKeys(store, set)).filter((key) => idOf(key) !== id)
  const wanted = (sources: readonly string[]): boolean => sources.includes(source)
  const { good } = await newestGood(store, snapshot.keys, others, { proofs, verified: false, wanted, bySource: true, damaged })
  if (good && good.parts.damaged.length > 0)
    return wholeSourcesText(wholeSources(good.snapshot.header.id, good.parts, (name) => name === source), { set })
  if (good)
    return marked`Snapshot ${good.snapshot.header.id} is the newest other one that is whole and has ${source}: give it as ‹snapshot›.`
  const none = `No other snapshot of set ${set} is whole and has ${source}` +
    `${others.length === 0 ? '' : marked`; ‹lifeboat list› shows them`}.`
  const safety = await safetyBackupHint(store, snapshot.keys, set, { wanted, damaged, has: source }, warningOf(report))
  return [none, ...(safety === undefined ? [] : [safety])].join(' ')
}

/** Of a source that is restored, for the result; with a warning where the backup lacks something. */
export function backupRemarks(source: SourceRecord, report: Report): { backup?: Remarks } {
  const remarks = remarksOf(source)
  for (const text of remarks.partial ?? []) report.warning(`the backup of ${source.name} is partial: ${text}`)
  return Object.keys(remarks).length > 0 ? { backup: remarks } : {}
}
