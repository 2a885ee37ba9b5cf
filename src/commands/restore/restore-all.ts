import { performance } from 'node:perf_hooks'
import type { Environment, Leaves } from '../../environment.ts'
import { LifeboatError, messageOf } from '../../error.ts'
import { encryptionKey } from '../../inputs/key.ts'
import { missingInput } from '../../inputs/parse.ts'
import { inParallel } from '../../process/parallel.ts'
import { openManifest, type SourceRecord, sourceSize } from '../../repository/snapshot.ts'
import { oneLine } from '../../report/format.ts'
import { together } from '../../report/together.ts'
import { formatSources, isDatabase } from '../../sources/nouns.ts'
import type { RestoreMode } from '../../sources/settings.ts'
import type { SourceContext } from '../../sources/source-kind.ts'
import { databasesAtOnce } from '../at-once.ts'
import { whileQuiet } from '../quiesce.ts'
import { secondsSince } from '../../process/elapsed.ts'
import { requireRequests } from '../verify/chunks.ts'
import { setFor, withStore } from '../with-store.ts'
import { beforeChange, type Placed, type Ready, requireGiven } from './before-change.ts'
import type { RestoreInputs } from './inputs.ts'
import { expectedTime } from './plan.ts'
import { finished, NOT_RESTORED, prepared, targetAt, UNCHANGED, wantedSnapshot, withoutRepeats } from './restore.ts'
import type { RestoreAllResult, RestoredPart } from './result.ts'
import { SafetyBackups } from './safety.ts'
import { locationsFor } from './targets.ts'

type ReadyPart = Placed & Ready & { leaves?: Leaves }

/**
 * Verifies every source of a snapshot, then restores all of them. Throws before anything is changed if one of them is damaged or has no
 * target; from then on, the failure of one does not keep the others from being restored, and is in the result.
 */
export async function restoreAll(given: RestoreInputs, environment: Environment): Promise<RestoreAllResult> {
  const { objects } = given
  const inputs = { ...given, objects: { ...objects, globals: objects.globals ?? (objects.noOwner ? 'none' as const : 'roles' as const) } }
  const started = performance.now()
  environment.leaves?.(UNCHANGED)
  const context: SourceContext = { ...environment, report: withoutRepeats(environment.report), clientInstall: inputs.clientInstall }
  const { key, hooks, mode, verifyOnly, dryRun, skipDamaged } = inputs
  if (key === undefined) throw missingInput('encryption-key', encryptionKey)
  return withStore({ ...inputs, key, set: setFor(inputs.set, inputs.snapshot) }, environment, async (store, keys) => {
    const { snapshot, passedOver } = await wantedSnapshot(inputs, store, keys, environment)
    const { sources } = await openManifest(snapshot)
    const parts = partsOf(sources, inputs, context)
    try {
      await requireGiven(parts, inputs, environment)
      await requireRequests(store, snapshot, sources)
      const backups = new SafetyBackups({ ...inputs, key }, environment)
      const ready: ReadyPart[] = []
      for (const part of parts)
        ready.push({ ...part, ...(await prepared(part.source, { snapshot, store }, part.into, { skipDamaged, backups }, context)) })
      const plans = await beforeChange(ready, inputs, atOnce(parts), environment)
      const expected = dryRun ? await expectedTime(snapshot, store, environment.report) : undefined
      const work = (): Promise<RestoredPart[]> => restoreParts(ready, inputs, environment)
      const { result, notResumed } = dryRun
        ? { result: plans.map((plan) => ({ ...plan, seconds: 0 })) }
        : verifyOnly ? { result: await work() } : await whileQuiet(hooks, environment, work, NOT_RESTORED)
      const { id, set, time } = snapshot.header
      return {
        ...(dryRun && { dryRun }), ...(expected && { expected }),
        mode: verifyOnly ? 'verify-only' : mode, snapshot: id, set, time, sources: result, ...passedOver,
        ...(notResumed !== undefined && { notResumed }), seconds: secondsSince(started),
      }
    } finally {
      for (const { into } of parts) await into?.target.close()
    }
  })
}

function partsOf(sources: readonly SourceRecord[], inputs: RestoreInputs, context: SourceContext): (Placed & { leaves?: Leaves })[] {
  if (inputs.verifyOnly) return sources.map((source) => ({ source }))
  const locations = locationsFor(sources, inputs)
  const total = sources.reduce((sum, source) => sum + sourceSize(source), 0)
  const report = together(context.report, `restoring ${formatSources(sources)}`, total)
  const leavesOf = eachLeaving(sources.map(({ name }) => name), context)
  return sources.map((source) => {
    const own = { ...context, report, leaves: leavesOf(source.name) }
    const location = locations.get(source)!
    const target = targetAt(location, modeFor(source, inputs.mode), inputs, own)
    return { source, leaves: own.leaves, into: { target, location } }
  })
}

/** Tells the state that each of several sources is left in, in their order. */
function eachLeaving(names: readonly string[], { leaves }: Pick<Environment, 'leaves'>): (name: string) => Leaves {
  const states = new Map(names.map((name) => [name, { state: 'not restored', hint: undefined as string | undefined }]))
  return (name) => (state, hint) => {
    states.set(name, { state, hint })
    const told = [...states].map(([name, one]) => `\n- ${oneLine(name)}: ${one.state}`).join('')
    const hints = [...new Set([...states.values()].flatMap((one) => one.hint ?? []))]
    leaves?.(`of the sources of the snapshot:${told}`, hints.length > 0 ? hints.join('\n') : undefined)
  }
}

/** A folder is made in every mode, and there is nothing to exchange it with. */
function modeFor(source: SourceRecord, mode: RestoreMode): RestoreMode {
  return !isDatabase(source) && (mode === 'create' || mode === 'swap') ? 'empty' : mode
}

/** A core is left to volumes. */
function atOnce(parts: readonly Placed[]): number {
  return databasesAtOnce(parts.every(({ source }) => isDatabase(source)) ? 0 : 1)
}

/** Results in the order of the sources. Throws only if it is interrupted. */
async function restoreParts(parts: readonly ReadyPart[], inputs: RestoreInputs, { signal }: Environment): Promise<RestoredPart[]> {
  const results = new Map<ReadyPart, RestoredPart>()
  const attempt = async (part: ReadyPart, work: (started: number) => Promise<void>): Promise<void> => {
    const started = performance.now()
    try {
      await work(started)
    } catch (error) {
      signal.throwIfAborted()
      const hint = error instanceof LifeboatError ? error.hint : undefined
      results.set(part, {
        [isDatabase(part.source) ? 'database' : 'volume']: part.source.name, problem: messageOf(error), ...(hint !== undefined && { hint }),
        seconds: secondsSince(started),
      })
    }
  }
  for (const part of parts) await attempt(part, () => part.prepare())
  const restore = (part: ReadyPart): Promise<void> =>
    attempt(part, async (started) => {
      results.set(part, { ...finished(await part.restore(), inputs, part), seconds: secondsSince(started) })
    })
  const unfailed = parts.filter((part) => !results.has(part))
  const databases = unfailed.filter(({ source }) => isDatabase(source))
  const volumes = unfailed.filter(({ source }) => !isDatabase(source))
  const lanes = [
    inParallel(databases, atOnce(unfailed), restore),
    inParallel(volumes, 1, restore),
  ]
  const ended = await Promise.allSettled(lanes)
  for (const lane of ended) if (lane.status === 'rejected') throw lane.reason
  return parts.map((part) => results.get(part)!)
}
