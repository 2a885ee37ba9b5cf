import type { Environment } from '../../environment.ts'
import { keepRestoreTime, readRestoreTime, type RestoreTime } from '../../repository/restore-time.ts'
import { type AuthenticSnapshot, type SourceRecord, sourceSize } from '../../repository/snapshot.ts'
import { warningOf } from '../../report/warnings.ts'
import { openStore } from '../../stores/destination.ts'
import type { Store } from '../../stores/store.ts'
import { machine as thisMachine } from '../machine.ts'
import { within } from '../within.ts'
import { partsIn, type RestoreInputs } from './inputs.ts'
import { isComplete } from './report.ts'
import type { Expected, RestoredPart } from './result.ts'

/** Milliseconds by which keeping the time may delay the end of a restore. */
const MOST_MS = 3000

interface Restored {
  snapshot: AuthenticSnapshot
  sources: readonly SourceRecord[]
  results: readonly RestoredPart[]
  /** Seconds from the start of the command, of all together. */
  seconds: number
}

/**
 * Keeps how long a restore took, for the plan of the next one, unless something was left out, failed, or was there already. Never throws,
 * and tells nobody if it cannot be kept: the store may be full, far away, or only readable, and the data is restored all the same.
 */
export async function keepTime(
  { snapshot, sources, results, seconds }: Restored, inputs: RestoreInputs, { groups }: Pick<Store, 'groups'>, environment: Environment,
): Promise<void> {
  // Of artifacts, each object would be one more.
  if (groups || !isOfWholeSources(inputs) || !results.every(isWhole)) return
  const { destination, access, mode } = inputs
  const { keys, header: { id, set } } = snapshot
  const time: RestoreTime = {
    time: environment.now().toISOString(), snapshot: id, mode, machine: thisMachine(), seconds,
    sources: sources.map((source, index) => ({ name: source.name, bytes: sourceSize(source), seconds: results[index]!.seconds })),
  }
  const { report, signal } = environment
  const silent = { ...report, info: () => undefined, warning: () => undefined, progress: () => undefined }
  try {
    await within(MOST_MS, async (late) => {
      const quiet = { ...environment, report: silent, signal: AbortSignal.any([signal, late]) }
      const store = await openStore(destination, { ...access, set }, quiet)
      try {
        await keepRestoreTime(store, keys, set, time)
      } finally {
        await store.close()
      }
    })
  } catch {
    // The next plan tells of an earlier restore, or of a drill.
  }
}

function isOfWholeSources({ verifyOnly, skipDamaged, objects, files }: RestoreInputs): boolean {
  return !verifyOnly && skipDamaged === undefined && partsIn(objects).length === 0 && files.paths.length === 0
}

function isWhole(part: RestoredPart): boolean {
  return !('problem' in part) && isComplete(part) && (part.unchanged ?? 0) === 0
}

/**
 * The time that the last restore of these sources took, for as many bytes as they have now; undefined if it was not of all of them: their
 * own seconds and those that were of no source (opening the store, checks before the first change), but not more than all of it, for
 * several may have been restored at the same time.
 */
export async function timeOfRestore(
  { keys, header: { set } }: AuthenticSnapshot, sources: readonly SourceRecord[], store: Store,
  { now, report, signal }: Pick<Environment, 'now' | 'report' | 'signal'>,
): Promise<Expected | undefined> {
  if (store.groups) return undefined
  const last = await readRestoreTime(store, keys, set, { now: now(), onDamaged: warningOf(report) })
  signal.throwIfAborted()
  const same = last?.sources.filter(({ name }) => sources.some((source) => source.name === name)) ?? []
  if (!last || same.length < sources.length) return undefined
  const { time, snapshot, mode, machine } = last
  const size = sources.reduce((sum, source) => sum + sourceSize(source), 0)
  const before = sumOf(same)
  const ofNoSource = Math.max(0, last.seconds - sumOf(last.sources).seconds)
  const seconds = Math.min(last.seconds, before.seconds + ofNoSource)
  return { of: 'restore', seconds: seconds * (size / Math.max(1, before.bytes)), time, snapshot, machine, mode }
}

function sumOf(sources: RestoreTime['sources']): { bytes: number; seconds: number } {
  return sources.reduce((sum, one) => ({ bytes: sum.bytes + one.bytes, seconds: sum.seconds + one.seconds }), { bytes: 0, seconds: 0 })
}
