import { performance } from 'node:perf_hooks'
import type { Environment } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'
import { slicesIn } from '../../inputs/group.ts'
import { restoreOptions } from '../../inputs/kind-options.ts'
import { marked } from '../../marks.ts'
import { secondsSince } from '../../process/elapsed.ts'
import { holesOf, readAround } from '../../repository/holes.ts'
import type { Reader } from '../../repository/reader.ts'
import { kindAt, kindOf } from '../../sources/known-kinds.ts'
import { isDatabase } from '../../sources/nouns.ts'
import { NothingWhole } from '../../sources/nothing-whole.ts'
import type { Restored } from '../../sources/restored.ts'
import type { RestoreMode, RestoreSettings } from '../../sources/settings.ts'
import type { DamagedSource, Location, RestoreTarget, Salvage, SourceContext } from '../../sources/source-kind.ts'
import { afterwards, type WayBack } from './afterwards.ts'
import type { Placed, Ready } from './before-change.ts'
import { backupRemarks, type Chosen, lostChunks, requireWhole, skipHint } from './before-restore.ts'
import { partsIn, type RestoreInputs } from './inputs.ts'
import { partText } from './part-text.ts'
import type { RestoreResult } from './result.ts'
import type { SafetyBackups } from './safety.ts'
import type { State } from './state.ts'
import { tookUntilNow, Waiting } from './took.ts'

/** A source of a snapshot, where it is restored, and the state that this leaves. */
export interface PartToRestore extends Placed {
  mode: RestoreMode
  state: State
}

export function targetAt(location: Location, mode: RestoreMode, inputs: RestoreInputs, context: SourceContext): RestoreTarget {
  return kindAt(location).target(location, settingsFrom(inputs, mode), context)
}

function settingsFrom(inputs: RestoreInputs, mode: RestoreMode): RestoreSettings {
  const { server, destination, access, all } = inputs
  const { ssh, timeout } = access
  return { tunnel: server.tunnel, ssh, timeout, destination, mode, all: all.wanted, ...slicesIn(restoreOptions, inputs) }
}

/** Verifies the data of one source, whatever the state of the others. */
export async function prepared(
  { source, into, mode }: PartToRestore, { snapshot, store, reader }: Pick<Chosen, 'snapshot' | 'store'> & { reader: Reader },
  inputs: RestoreInputs, backups: SafetyBackups, context: SourceContext,
): Promise<Ready> {
  const { skipDamaged } = inputs
  const kind = kindOf(source)
  const { entries, size } = kind.contents(source)
  into?.target.require(source)
  const { id, set, time, chunks } = snapshot.header
  const noun = isDatabase(source) ? 'database' : 'volume'
  const part = partText(inputs, noun)
  const about = {
    snapshot: id, set, time, [noun]: source.name, ...(part !== undefined && { part }), size, ...backupRemarks(source, context.report),
  }
  const selects = isDatabase(source) && partsIn(inputs.objects).length > 0
  const chosen: Chosen = {
    snapshot, source: source.name, database: isDatabase(source), skip: skipHint(noun, mode), selects, all: inputs.all.wanted, store,
  }
  const started = performance.now()
  if (!into) {
    const selected = await kind.selected?.({ source, read: (stream) => reader.stream(stream) }, settingsFrom(inputs, mode), context)
    await requireWhole(chosen, 'read', context)
    const checked = { ...about, target: 'none', mode: 'verify-only' as const, entries, restored: 0, errors: [] }
    return { restore: async () => ({ ...checked, ...(selected && { selected }) }) }
  }
  const { target } = into
  const suspect = !skipDamaged && (await requireWhole(chosen, 'list', context))
  const { lost, elsewhere } = skipDamaged ? await lostChunks(chosen, context) : NOTHING_LOST
  const verified = secondsSince(started)
  const waiting = new Waiting()
  const stored: DamagedSource = {
    source, snapshot: id, read: (stream) => waiting.of(readAround(stream, chunks, lost, reader)),
    readParts: (stream, parts) => waiting.of(reader.parts(stream, parts)),
    holes: (stream) => holesOf(stream, chunks, lost), keepDamaged: skipDamaged?.keep ?? false,
  }
  const work = lost.size > 0 ? salvaging(target, source.name, elsewhere) : target
  const { planned } = backups
  const complete = <R extends Restored>(restored: R): typeof about & R & { elsewhere?: string } =>
    ({ ...about, ...restored, ...((restored.missing ?? []).length > 0 && { elsewhere }) })
  return {
    ...(work.plan && { plan: async () => complete(await work.plan!({ ...stored, suspect, ...(planned && { backUpTarget: planned }) })) }),
    restore: () => backups.around(source, snapshot.header, into, async (backUpTarget) => {
      const began = performance.now()
      const { phases, ...restored } = await work.restore({ ...stored, backUpTarget })
      return { ...complete(restored), took: tookUntilNow(verified, waiting, began, phases) }
    }),
  }
}

const NOTHING_LOST = { lost: new Set<number>(), elsewhere: '' }

/** The restore of what is whole of a damaged source. `elsewhere`: the snapshot that has all of it. */
function salvaging({ salvage }: RestoreTarget, source: string, elsewhere: string): Salvage {
  if (!salvage) {
    const refuse = (): Promise<never> => Promise.reject(new LifeboatError(
      `${source} is damaged, and a target of this kind takes only what is whole`, {
        hint: marked`Restore a bucket into a folder with ‹skip-damaged: true›, or from another snapshot.`, status: 2 }))
    return { plan: refuse, restore: refuse }
  }
  const explained = async <R>(work: Promise<R>): Promise<R> => {
    try {
      return await work
    } catch (error) {
      throw error instanceof NothingWhole ? new NothingWhole(error.message, { cause: error, hint: elsewhere }) : error
    }
  }
  return { plan: (damaged) => explained(salvage.plan(damaged)), restore: (damaged) => explained(salvage.restore(damaged)) }
}

/** The result with the state that the target is in, which a later interruption tells, too. */
export function finished(
  result: Omit<RestoreResult, 'seconds'>,
  given: Pick<RestoreInputs, 'all' | 'objects' | 'files' | 'swap' | 'timeZone'>,
  { leaves }: Pick<Environment, 'leaves'>,
  back?: WayBack,
): Omit<RestoreResult, 'seconds'> {
  const after = afterwards(result, given, back)
  if (!after) return result
  leaves?.(after.now.replace(/\.$/, ''))
  return { ...result, after }
}
