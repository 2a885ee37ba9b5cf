import { performance } from 'node:perf_hooks'
import type { Environment, Report } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import { encryptionKey } from '../../inputs/key.ts'
import { missingInput } from '../../inputs/parse.ts'
import { slicesIn } from '../../inputs/group.ts'
import { restoreOptions } from '../../inputs/kind-options.ts'
import { findSnapshot } from '../../repository/catalog.ts'
import { holesOf, readAround } from '../../repository/holes.ts'
import type { Keys } from '../../repository/keys.ts'
import { Reader } from '../../repository/reader.ts'
import { type AuthenticSnapshot, type Manifest, openManifest, type SourceRecord } from '../../repository/snapshot.ts'
import { kindAt, kindOf } from '../../sources/known-kinds.ts'
import { isDatabase, namesByNoun } from '../../sources/nouns.ts'
import type { Restored } from '../../sources/restored.ts'
import type { RestoreMode, RestoreSettings } from '../../sources/settings.ts'
import { NothingWhole } from '../../sources/nothing-whole.ts'
import type {
  DamagedSource, Location, RestoreTarget, SelectedPart, SourceContext, SourceKind, SourceToRestore,
} from '../../sources/source-kind.ts'
import type { Store } from '../../stores/store.ts'
import { whileQuiet } from '../quiesce.ts'
import { secondsSince } from '../../process/elapsed.ts'
import { requireRequests } from '../verify/chunks.ts'
import { lookingAs, setFor, withStore } from '../with-store.ts'
import { backupRemarks, type Chosen, lostChunks, requireWhole } from './before-restore.ts'
import { afterwards } from './afterwards.ts'
import { beforeChange, type Placed, type Ready, requireGiven } from './before-change.ts'
import type { RestoreInputs } from './inputs.ts'
import { expectedTime } from './plan.ts'
import type { RestoreResult } from './result.ts'
import { SafetyBackups } from './safety.ts'
import { tookUntilNow, Waiting } from './took.ts'

/** Anyone who can write to a store can add snapshots that are passed over. */
const MOST_NAMED = 20

export type Noun = SourceKind['noun']

/**
 * Verifies a snapshot, then restores one of its databases or volumes. Throws if nothing could be restored, or the restore was interrupted;
 * the errors of single entries are in the result, and with any of them the restore has failed.
 */
export async function restore(inputs: RestoreInputs, environment: Environment): Promise<RestoreResult> {
  const started = performance.now()
  const context: SourceContext = { ...environment, report: withoutRepeats(environment.report), clientInstall: inputs.clientInstall }
  const { volume, verifyOnly, dryRun, key } = inputs
  if (key === undefined) throw missingInput('encryption-key', encryptionKey)
  environment.leaves?.(UNCHANGED)
  const noun = volume.name !== undefined || volume.target !== undefined ? 'volume' : 'database'
  const target = verifyOnly ? undefined : targetOf(noun, inputs, context)
  try {
    return await withStore({ ...inputs, key, set: setFor(inputs.set, inputs.snapshot) }, environment, async (store, keys) => {
      const { snapshot, passedOver } = await wantedSnapshot(inputs, store, keys, environment)
      const manifest = await openManifest(snapshot)
      const source = choose(noun, noun === 'database' ? inputs.database : volume.name, manifest, snapshot.header.id)
      const others = manifest.sources.filter((other) => other !== source)
      const part: Placed = { source, ...(target && { into: { target, location: locationFor(noun, inputs)! } }) }
      await requireGiven([part], inputs, environment)
      await requireRequests(store, snapshot, [source])
      const backups = new SafetyBackups({ ...inputs, key }, environment)
      const selected = verifyOnly ? await selectedOf({ snapshot, store }, source, inputs, context) : undefined
      const ready = await prepared(source, { snapshot, store }, part.into, { ...inputs, backups }, context)
      const [plan] = await beforeChange([{ ...part, ...ready }], inputs, 1, environment)
      const expected = dryRun ? await expectedTime(snapshot, store, environment.report) : undefined
      const work = async (): Promise<Omit<RestoreResult, 'seconds'>> => {
        await ready.prepare()
        return finished(await ready.restore(), inputs, environment)
      }
      const { result, notResumed } = verifyOnly || plan
        ? { result: plan ?? await work() }
        : await whileQuiet(inputs.hooks, environment, work, NOT_RESTORED)
      return {
        ...result,
        ...(selected && { selected }),
        ...(expected && { expected }),
        ...(notResumed !== undefined && { notResumed }),
        ...(others.length > 0 && { others: namesByNoun(others) }),
        ...passedOver,
        seconds: secondsSince(started),
      }
    })
  } finally {
    await target?.close()
  }
}

/** The part of the source that these inputs select. Throws (status 2) if it has none. */
function selectedOf(
  { snapshot, store }: Omit<Chosen, 'source'>, source: SourceRecord, inputs: RestoreInputs, context: SourceContext,
): Promise<SelectedPart | undefined> | undefined {
  const reader = new Reader(store, snapshot.keys, snapshot.header.chunks)
  return kindOf(source).selected?.({ source, read: (stream) => reader.stream(stream) }, settingsFrom(inputs, inputs.mode), context)
}

/** Until something is. */
export const UNCHANGED = 'nothing was restored, and nothing was changed'

/** The result with the state that the target is in, which a later interruption tells, too. */
export function finished(
  result: Omit<RestoreResult, 'seconds'>,
  given: Pick<RestoreInputs, 'objects' | 'files' | 'timeZone'>,
  { leaves }: Pick<Environment, 'leaves'>,
): Omit<RestoreResult, 'seconds'> {
  const after = afterwards(result, given)
  if (!after) return result
  leaves?.(after.now.replace(/\.$/, ''))
  return { ...result, after }
}

/** For a pre-command that fails. */
export const NOT_RESTORED = 'Fix the command or what it reports, and restore again. Nothing was restored.'

/** The snapshot, and why newer ones were passed over. */
export async function wantedSnapshot(
  { set, snapshot: choice }: Pick<RestoreInputs, 'set' | 'snapshot'>, store: Store, keys: Keys, environment: Environment,
): Promise<{ snapshot: AuthenticSnapshot; passedOver: { passedOver?: string[] } }> {
  const passedOver: string[] = []
  const looking = lookingAs(environment)
  const onPassedOver: typeof looking.onPassedOver = (error, found) => {
    if (choice.kind !== 'id') passedOver.push(error.message)
    looking.onPassedOver(error, found)
  }
  const snapshot = await findSnapshot(store, keys, set, choice, { ...looking, onPassedOver })
  return { snapshot, passedOver: passedOver.length > 0 ? { passedOver: passedOver.slice(0, MOST_NAMED) } : {} }
}

function locationFor(noun: Noun, { volume, server }: Pick<RestoreInputs, 'volume' | 'server'>): Location | undefined {
  return noun === 'volume' ? volume.target : server.database
}

/** Undefined if none is given: then the source is only read. */
export function targetOf(noun: Noun, inputs: RestoreInputs, context: SourceContext): RestoreTarget | undefined {
  const location = locationFor(noun, inputs)
  return location && targetAt(location, inputs.mode, inputs, context)
}

export function targetAt(location: Location, mode: RestoreMode, inputs: RestoreInputs, context: SourceContext): RestoreTarget {
  return kindAt(location).target(location, settingsFrom(inputs, mode), context)
}

function settingsFrom(inputs: RestoreInputs, mode: RestoreMode): RestoreSettings {
  const { server, destination, access } = inputs
  return { tunnel: server.tunnel, ssh: access.ssh, timeout: access.timeout, destination, mode, ...slicesIn(restoreOptions, inputs) }
}

/** Tells a warning once, though the checks before a restore are made again when it begins. */
export function withoutRepeats(report: Report): Report {
  const told = new Set<string>()
  return {
    ...report,
    warning: (message, hint) => {
      if (!told.has(message)) report.warning(message, hint)
      told.add(message)
    },
  }
}

/** Verifies the data of one source, whatever the state of the others. */
export async function prepared(
  source: SourceRecord,
  { snapshot, store }: Omit<Chosen, 'source'>,
  into: { target: RestoreTarget; location: Location } | undefined,
  { skipDamaged, backups }: { skipDamaged: RestoreInputs['skipDamaged']; backups: SafetyBackups },
  context: SourceContext,
): Promise<Ready> {
  const { entries, size } = kindOf(source).contents(source)
  into?.target.require(source)
  const { id, set, time, chunks } = snapshot.header
  const noun = isDatabase(source) ? 'database' : 'volume'
  const about = { snapshot: id, set, time, [noun]: source.name, size, ...backupRemarks(source, context.report) }
  const chosen: Chosen = { snapshot, source: source.name, store }
  const reader = new Reader(store, snapshot.keys, chunks)
  const started = performance.now()
  if (!into) {
    await requireWhole(chosen, 'read', context)
    return {
      prepare: async () => undefined,
      restore: async () => ({ ...about, target: 'none', mode: 'verify-only', entries, restored: 0, errors: [] }),
    }
  }
  const { target, location } = into
  if (!skipDamaged) await requireWhole(chosen, 'list', context)
  const { lost, elsewhere } = skipDamaged ? await lostChunks(chosen, context) : NOTHING_LOST
  const verified = secondsSince(started)
  const waiting = new Waiting()
  const stored: DamagedSource = {
    source, snapshot: id, read: (stream) => waiting.of(readAround(stream, chunks, lost, reader)),
    holes: (stream) => holesOf(stream, chunks, lost), keepDamaged: skipDamaged?.keep ?? false,
  }
  const isDamaged = lost.size > 0
  return {
    ...(isDamaged ? {} : planOf(target, stored, backups, about)),
    prepare: async () => target.prepare?.(stored),
    restore: () => backups.around(source, snapshot.header, location, async (backUpTarget) => {
      const began = performance.now()
      const { phases, ...restored } = await (isDamaged
        ? salvaged(target, { ...stored, backUpTarget }, elsewhere) : target.restore({ ...stored, backUpTarget }))
      const took = tookUntilNow(verified, waiting, began, phases)
      return { ...about, ...restored, took, ...((restored.missing ?? []).length > 0 && { elsewhere }) }
    }),
  }
}

const NOTHING_LOST = { lost: new Set<number>(), elsewhere: '' }

function planOf(
  target: RestoreTarget, stored: SourceToRestore, { planned }: SafetyBackups, about: Pick<RestoreResult, 'snapshot' | 'set' | 'time'>,
): Pick<Ready, 'plan'> {
  if (!target.plan) return {}
  return { plan: async () => ({ ...about, ...(await target.plan!({ ...stored, ...(planned && { backUpTarget: planned }) })) }) }
}

async function salvaged(target: RestoreTarget, stored: DamagedSource, elsewhere: string): Promise<Restored> {
  const { name } = stored.source
  if (!target.salvage)
    throw new LifeboatError(`${name} is damaged, and a target of this kind takes only what is whole`, {
      hint: marked`Restore a bucket into a folder with ‹skip-damaged: true›, or from another snapshot.`, status: 2 })
  try {
    return await target.salvage(stored)
  } catch (error) {
    throw error instanceof NothingWhole ? new LifeboatError(error.message, { cause: error, hint: elsewhere }) : error
  }
}

function choose(noun: Noun, name: string | undefined, { sources }: Manifest, id: string): SourceRecord {
  const candidates = sources.filter((source) => isDatabase(source) === (noun === 'database'))
  const names = candidates.map((source) => source.name).join(', ')
  if (name === undefined && candidates.length > 1) {
    throw new LifeboatError(
      `snapshot ${id} has several ${noun}s: ${names}`,
      { hint: `Name one of them with ${noun === 'database' ? marked`‹database›` : marked`‹volume›`}.`, status: 2 },
    )
  }
  const source = candidates.find((candidate) => name === undefined || candidate.name === name)
  if (source) return source
  const hint = names === ''
    ? withoutNoun(noun, sources.map((source) => source.name))
    : `${noun === 'database' ? 'Databases' : 'Volumes'} in this snapshot: ${names}.`
  throw new LifeboatError(`snapshot ${id} has no ${noun}${name === undefined ? '' : ` ${name}`}`, {
    hint: name === undefined ? hint : `${hint} ${OLDER}`, status: 2,
  })
}

/** For a source that a snapshot does not have. */
export const OLDER = marked`If an older snapshot has it, give that as ‹snapshot›: ‹lifeboat list› names the sources of each.`

/** The hint for a snapshot without a source of this noun. `names`: of its sources, all of the other noun. */
function withoutNoun(noun: Noun, names: readonly string[]): string {
  const [other, input, way] = noun === 'volume'
    ? ['database', marked`‹target›`, marked`give the URL of a database in place of ‹target›`]
    : ['volume', marked`‹database-url›`, marked`give a folder, Docker volume or bucket as ‹target›`]
  const only = `this snapshot has only the ${other}${names.length === 1 ? '' : 's'} ${names.join(', ')}`
  return `${input} is for ${noun}s; ${only}. To restore ${names.length === 1 ? 'it' : 'one of them'}, ${way}.`
}
