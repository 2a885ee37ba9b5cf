import { performance } from 'node:perf_hooks'
import type { Environment, Report } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'
import { encryptionKey } from '../../inputs/key.ts'
import { missingInput } from '../../inputs/parse.ts'
import { secondsSince } from '../../process/elapsed.ts'
import { inParallel } from '../../process/parallel.ts'
import { together } from '../../report/together.ts'
import type { Reader } from '../../repository/reader.ts'
import { type AuthenticSnapshot, openManifest, type SourceRecord, sourceSize } from '../../repository/snapshot.ts'
import { NothingWhole } from '../../sources/nothing-whole.ts'
import { formatSources, isDatabase, namesByNoun } from '../../sources/nouns.ts'
import type { RestoreMode } from '../../sources/settings.ts'
import type { Location, RestoreTarget, SourceContext } from '../../sources/source-kind.ts'
import { databasesAtOnce } from '../at-once.ts'
import { whileQuiet } from '../quiesce.ts'
import { recordingDamage } from '../recording-damage.ts'
import { requireRequests } from '../verify/chunks.ts'
import { setFor, withStore } from '../with-store.ts'
import { beforeChange, type Placed, type Ready, requireGiven } from './before-change.ts'
import { choose, type Noun, wantedSnapshot } from './chosen.ts'
import { alone, failedPart, leftOf, withLeft } from './failed.ts'
import type { RestoreInputs } from './inputs.ts'
import { keepTime } from './last-time.ts'
import { finished, type PartToRestore, prepared, targetAt } from './part.ts'
import { earlierRuns } from './plan.ts'
import { isComplete } from './report.ts'
import type { Expected, LastRead, RestoreAllResult, RestoredPart, RestoreResult } from './result.ts'
import { SafetyBackups, warnOfOtherTarget } from './safety.ts'
import { eachState, State } from './state.ts'
import { locationsFor } from './targets.ts'

/** Until something is. */
const UNCHANGED = 'nothing was restored, and nothing was changed'
/** For a pre-command that fails. */
const NOT_RESTORED = 'Fix the command or what it reports, and restore again. Nothing was restored.'

/**
 * Verifies a snapshot, then restores one of its databases or volumes. Throws if nothing could be restored, or the restore was interrupted;
 * the errors of single entries are in the result, and with any of them the restore has failed.
 */
export async function restore(inputs: RestoreInputs, environment: Environment): Promise<RestoreResult> {
  const started = performance.now()
  const { volume, verifyOnly, mode } = inputs
  if (inputs.key === undefined) throw missingInput('encryption-key', encryptionKey)
  const noun = volume.name !== undefined || volume.target !== undefined ? 'volume' : 'database'
  const context = contextOf(inputs, environment)
  const state = new State(environment.leaves)
  const target = verifyOnly ? undefined : targetOf(noun, inputs, { ...context, leaves: state.leaves })
  try {
    let others: SourceRecord[] = []
    const { sources: [part], snapshot: _, ...more } = await restoreParts(inputs, { all: false }, (sources, id) => {
      const source = choose(noun, noun === 'database' ? inputs.database : volume.name, sources, id)
      others = sources.filter((other) => other !== source)
      return [{ source, mode, state, ...(target && { into: { target, location: locationFor(noun, inputs)! } }) }]
    }, context)
    // The failure of the only part was thrown.
    if (part === undefined || 'problem' in part) throw new LifeboatError('nothing was restored')
    return { ...part, ...more, ...(others.length > 0 && { others: namesByNoun(others) }), seconds: secondsSince(started) }
  } finally {
    await target?.close()
  }
}

/**
 * Verifies every source of a snapshot, then restores all of them. Throws before anything is changed if one of them is damaged or has no
 * target; from then on, the failure of one does not keep the others from being restored, and is in the result.
 */
export async function restoreAll(given: RestoreInputs, environment: Environment): Promise<RestoreAllResult> {
  const started = performance.now()
  const { objects } = given
  const inputs = { ...given, objects: { ...objects, globals: objects.globals ?? (objects.noOwner ? 'none' as const : 'roles' as const) } }
  const context = contextOf(inputs, environment)
  const { snapshot, sources, ...more } = await restoreParts(inputs, { all: true }, (found) => partsOf(found, inputs, context), context)
  const { id, set, time } = snapshot.header
  return {
    ...(inputs.dryRun && { dryRun: true }), ...more,
    mode: inputs.verifyOnly ? 'verify-only' : inputs.mode, snapshot: id, set, time, sources, seconds: secondsSince(started),
  }
}

interface PartsRestored {
  snapshot: AuthenticSnapshot
  sources: RestoredPart[]
  lastRead?: LastRead
  expected?: Expected
  passedOver?: string[]
  notResumed?: string
}

/** Keeps the time that a restore took, when the store and the targets are closed. */
interface Keeping {
  keep?: () => Promise<void>
}

/** `all`: the failure of a part is in its result; otherwise it is thrown. */
async function restoreParts(
  inputs: RestoreInputs, { all }: { all: boolean }, choice: (sources: readonly SourceRecord[], id: string) => PartToRestore[],
  context: SourceContext,
): Promise<PartsRestored> {
  const started = performance.now()
  const { key, hooks, verifyOnly, dryRun } = inputs
  if (key === undefined) throw missingInput('encryption-key', encryptionKey)
  context.leaves?.(UNCHANGED)
  const given = { ...inputs, key, set: setFor(inputs.set, inputs.snapshot) }
  const { keep, ...restored } = await withStore(given, context, async (store, keys) => {
    const { snapshot, passedOver } = await wantedSnapshot(inputs, store, keys, context)
    const restoring = async (newReader: () => Reader): Promise<PartsRestored & Keeping> => {
      const { sources, description } = await openManifest(snapshot)
      const parts = choice(sources, snapshot.header.id)
      const chosen = parts.map(({ source }) => source)
      const backups = new SafetyBackups({ ...inputs, key }, context)
      try {
        await requireGiven(parts, inputs, context)
        warnOfOtherTarget(snapshot.header, description, parts.flatMap(({ into }) => (into ? [into.target] : [])), context)
        await requireRequests(store, snapshot, chosen)
        const ready: (PartToRestore & Ready)[] = []
        for (const part of parts)
          ready.push({ ...part, ...(await prepared(part, { snapshot, store, reader: newReader() }, inputs, backups, context)) })
        const plans = await beforeChange(ready, inputs, atOnce(parts), context)
        if (dryRun) {
          const earlier = await earlierRuns(snapshot, chosen, store, context)
          const sources = plans.map((plan, index) =>
            ({ ...(plan instanceof NothingWhole ? failedPart(ready[index]!, plan, backups) : plan), seconds: 0 }))
          return { snapshot, sources, ...earlier, ...passedOver }
        }
        const work = (): Promise<RestoredPart[]> => restoreEach(ready, snapshot.header.id, all, inputs, backups, context)
        const { result, notResumed } = verifyOnly ? { result: await work() } : await whileQuiet(hooks, context, work, NOT_RESTORED)
        const seconds = secondsSince(started)
        return {
          snapshot, sources: result, ...passedOver, ...(notResumed !== undefined && { notResumed }),
          keep: () => keepTime({ snapshot, sources: chosen, results: result, seconds }, inputs, store, context),
        }
      } catch (error) {
        throw withLeft(error, parts.flatMap((part) => leftOf(part, backups)))
      } finally {
        for (const { into } of parts) await into?.target.close()
      }
    }
    return recordingDamage(snapshot, store, context, restoring)
  })
  await keep?.()
  return restored
}

function contextOf(inputs: RestoreInputs, environment: Environment): SourceContext {
  return { ...environment, report: withoutRepeats(environment.report), clientInstall: inputs.clientInstall }
}

/** Tells a warning once, though the checks before a restore are made again when it begins. */
function withoutRepeats(report: Report): Report {
  const told = new Set<string>()
  return {
    ...report,
    warning: (message, hint) => {
      if (!told.has(message)) report.warning(message, hint)
      told.add(message)
    },
  }
}

/** Undefined if none is given: then the source is only read. */
export function targetOf(noun: Noun, inputs: RestoreInputs, context: SourceContext): RestoreTarget | undefined {
  const location = locationFor(noun, inputs)
  return location && targetAt(location, inputs.mode, inputs, context)
}

function locationFor(noun: Noun, { volume, server }: Pick<RestoreInputs, 'volume' | 'server'>): Location | undefined {
  return noun === 'volume' ? volume.target : server.database
}

function partsOf(sources: readonly SourceRecord[], inputs: RestoreInputs, context: SourceContext): PartToRestore[] {
  const mode = (source: SourceRecord): RestoreMode => modeFor(source, inputs.mode)
  if (inputs.verifyOnly) return sources.map((source) => ({ source, mode: mode(source), state: new State(undefined) }))
  const locations = locationsFor(sources, inputs)
  const total = sources.reduce((sum, source) => sum + sourceSize(source), 0)
  const report = together(context.report, `restoring ${formatSources(sources)}`, total)
  const stateOf = eachState(sources.map(({ name }) => name), context)
  return sources.map((source) => {
    const state = stateOf(source.name)
    const location = locations.get(source)!
    const target = targetAt(location, mode(source), inputs, { ...context, report, leaves: state.leaves })
    return { source, mode: mode(source), state, into: { target, location } }
  })
}

/** A folder is made in every mode, and there is nothing to exchange it with. */
function modeFor(source: SourceRecord, mode: RestoreMode): RestoreMode {
  return !isDatabase(source) && (mode === 'create' || mode === 'swap') ? 'empty' : mode
}

/** A core is left to volumes. */
function atOnce(parts: readonly Placed[]): number {
  return databasesAtOnce(parts.every(({ source }) => isDatabase(source)) ? 0 : 1)
}

/** Results in the order of the sources. Throws if it is interrupted, and the first failure unless all are restored. */
async function restoreEach(
  parts: readonly (PartToRestore & Ready)[], snapshot: string, all: boolean, inputs: RestoreInputs, backups: SafetyBackups,
  { signal }: Environment,
): Promise<RestoredPart[]> {
  const results = new Map<PartToRestore, RestoredPart>()
  const attempt = async (part: PartToRestore, work: (started: number) => Promise<void>): Promise<void> => {
    const started = performance.now()
    try {
      await work(started)
    } catch (error) {
      if (!all) throw error
      signal.throwIfAborted()
      results.set(part, { ...failedPart(part, error, backups), seconds: secondsSince(started) })
    }
  }
  const restoreOne = (part: PartToRestore & Ready): Promise<void> =>
    attempt(part, async (started) => {
      const restored = await part.restore()
      const target = part.into?.target
      const back = target && { name: target.name, safety: backups.wayBack(part.source, target) }
      results.set(part, { ...finished(restored, inputs, part.state, back), seconds: secondsSince(started) })
    })
  const databases = parts.filter(({ source }) => isDatabase(source))
  const volumes = parts.filter(({ source }) => !isDatabase(source))
  const ended = await Promise.allSettled([inParallel(databases, atOnce(parts), restoreOne), inParallel(volumes, 1, restoreOne)])
  for (const lane of ended) if (lane.status === 'rejected') throw lane.reason
  const restored = parts.flatMap((part) => {
    const result = results.get(part)!
    return !('problem' in result) && isComplete(result) ? [part.source.name] : []
  })
  return parts.map((part) => {
    const result = results.get(part)!
    if (!('problem' in result)) return result
    const hints = [...(result.hint === undefined ? [] : [result.hint]), ...alone(part, restored, snapshot, inputs)]
    return { ...result, ...(hints.length > 0 && { hint: hints.join(' ') }) }
  })
}
