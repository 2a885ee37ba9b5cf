import { performance } from 'node:perf_hooks'
import type { Environment } from '../../environment.ts'
import { type Left, LifeboatError, messageOf } from '../../error.ts'
import { defaultsOf } from '../../inputs/group.ts'
import { marked, markedCommand } from '../../marks.ts'
import { formatSome, oneLine } from '../../report/format.ts'
import { describesTarget, safetyDescription } from '../../repository/safety-backups.ts'
import { isSafetySet, safetySetOf } from '../../repository/safety-set.ts'
import type { SnapshotHeader, SourceRecord } from '../../repository/snapshot.ts'
import type { FilesBefore } from '../../sources/files/files-before.ts'
import { isDatabase } from '../../sources/nouns.ts'
import { KEEP_OLD as KEPT } from '../../sources/settings.ts'
import type { Location, RestoreTarget, SelectedBefore } from '../../sources/source-kind.ts'
import { backup } from '../backup/backup.ts'
import { type BackupInputs, inputs as backupInputs } from '../backup/inputs.ts'
import { secondsSince } from '../../process/elapsed.ts'
import type { RestoreInputs } from './inputs.ts'
import type { Took } from './took.ts'

/** A backup of what a restore replaced, as its result tells. */
export interface Safety {
  snapshot: string
  set: string
  /** Until then no retention policy deletes it, ISO 8601. */
  until: string
  /** Of a restore of selected files over others: the names of those that the target did not have. The way back leaves them. */
  added?: readonly string[]
}

type Named = Pick<RestoreTarget, 'name' | 'where'>

/** The target that is backed up. */
interface BackedUp {
  location: Location
  where: string
}

/** Of every safety backup. */
const TAG = 'safety'

/** The safety backups of a restore, one after the other: those of several targets at once would take the memory of several backups. */
export class SafetyBackups {
  readonly #inputs: RestoreInputs & { key: string }
  readonly #environment: Environment
  readonly #made = new Map<SourceRecord, Safety>()
  readonly #before = new Map<SourceRecord, SelectedBefore | FilesBefore>()
  #last: Promise<unknown> = Promise.resolve()

  constructor(inputs: RestoreInputs & { key: string }, environment: Environment) {
    this.#inputs = inputs
    this.#environment = environment
  }

  /** For a plan, which backs nothing up, and asks whether a restore would. */
  get planned(): (() => Promise<void>) | undefined {
    return this.#inputs.safetyBackup ? () => Promise.reject(new Error('a plan changes nothing')) : undefined
  }

  /**
   * Runs a restore of a source, with a function that first backs up the target under the name of the source. That throws, with nothing
   * changed, unless the backup has everything and could be read back. The backup is added to the result.
   */
  async around<R extends { took?: Took }>(
    source: SourceRecord,
    restored: Pick<SnapshotHeader, 'id' | 'set'>,
    { target, location }: { target: Named; location: Location },
    restore: (backUpTarget: ((before?: SelectedBefore | FilesBefore) => Promise<void>) | undefined) => Promise<R>,
  ): Promise<R & { safety?: Safety }> {
    if (!this.#inputs.safetyBackup) return restore(undefined)
    let seconds = 0
    const backUpTarget = async (before?: SelectedBefore | FilesBefore): Promise<void> => {
      const started = performance.now()
      if (before) this.#before.set(source, before)
      const made = this.#last.then(() => this.#make(source, { location, where: target.where }, restored))
      this.#last = made.catch(() => undefined)
      const safety = { ...(await made), ...(before && 'added' in before && { added: before.added }) }
      this.#made.set(source, safety)
      this.#environment.report.info(this.#back(safety, source, target))
      seconds = secondsSince(started)
    }
    const result = await restore(backUpTarget)
    const safety = this.#made.get(source)
    return safety ? { ...result, safety, ...apart(result.took, seconds) } : result
  }

  /** The backup of the target that a source was restored into, if one was made, and the way back. */
  of(source: SourceRecord, target: Named): Pick<Left, 'safety' | 'back'> | undefined {
    const safety = this.#made.get(source)
    return safety && { safety, back: this.#back(safety, source, target) }
  }

  /** The way back to it; undefined if no backup was made. */
  wayBack(source: SourceRecord, target: Named): string | undefined {
    const safety = this.#made.get(source)
    return safety && this.#way(safety, source, target)
  }

  #back(safety: Safety, source: SourceRecord, target: Named): string {
    return `Snapshot ${safety.snapshot} of set ${oneLine(safety.set)} has the content from before. ${this.#way(safety, source, target)}`
  }

  #way(safety: Safety, source: SourceRecord, { name: target, where }: Named): string {
    const { mode, all, files: { paths }, bucket: { deleteExtra } } = this.#inputs
    const before = this.#before.get(source)
    if (isDatabase(source))
      return goingBack(safety, target, before && 'removal' in before ? before : 'database', all.wanted ? where : undefined)
    const files = before && 'added' in before ? before : undefined
    return goingBack(safety, target, { volume: source.name, over: mode === 'overwrite' ? { paths, deleteExtra, files } : undefined })
  }

  async #make(source: SourceRecord, from: BackedUp, { id, set }: Pick<SnapshotHeader, 'id' | 'set'>): Promise<Safety> {
    // The restore says what it leaves.
    const { leaves: _, ...environment } = this.#environment
    const { report, signal } = environment
    const kept = Math.max(this.#inputs.swap.keepOld ?? 0, KEPT)
    const until = new Date(this.#environment.now().getTime() + kept)
    report.info(`${source.name}: backing up what the target has, before it is replaced`)
    try {
      const inputs = this.#backupInputs(source, from, { restored: id, set: safetySetOf(set), kept })
      const { snapshot, sources } = await backup(inputs, environment, until)
      const lacking = sources.flatMap(({ partial = [] }) => partial)
      if (lacking.length > 0) throw new LifeboatError(`snapshot ${snapshot} has only a part of the target: ${lacking.join('; ')}`)
      return { snapshot, set: inputs.set, until: until.toISOString() }
    } catch (cause) {
      signal.throwIfAborted()
      const hint = cause instanceof LifeboatError ? cause.hint : undefined
      throw new LifeboatError(`the safety backup of the target failed, so nothing was restored: ${messageOf(cause)}`, {
        cause, hint: [hint, marked`To restore without it, set ‹safety-backup: false›.`].filter((text) => text !== undefined).join(' '),
      })
    }
  }

  #backupInputs(
    { name, kind }: SourceRecord, { location, where }: BackedUp,
    { restored, set, kept }: { restored: string; set: string; kept: number },
  ): BackupInputs {
    const { key, destination, access, server, docker, clientInstall } = this.#inputs
    const defaults: BackupInputs = defaultsOf(backupInputs.groups)
    const one = [{ name, ...location }]
    return {
      ...defaults, key, set, access, docker, clientInstall,
      destinations: [destination],
      files: { ...defaults.files, everything: true },
      // It may soon be the only copy: every byte of it is read back from the store.
      verify: 'read',
      tags: [TAG],
      description: safetyDescription(oneLine(where), restored),
      // So long artifacts are kept.
      retention: { within: kept },
      ...(isDatabase({ kind })
        ? { databases: { list: one, tunnel: server.tunnel } }
        : { volumes: { ...defaults.volumes, list: one } }),
    }
  }
}

/** Warns if a safety backup of one target replaces what another has: both can have databases of the same name. */
export function warnOfOtherTarget(
  { id, set }: Pick<SnapshotHeader, 'id' | 'set'>, description: string, targets: readonly RestoreTarget[], { report }: Environment,
): void {
  if (!isSafetySet(set)) return
  const others = targets.flatMap(({ where, replaces }) => (replaces ? [oneLine(where)] : []))
    .filter((where) => !describesTarget(description, where))
  for (const where of others)
    report.warning(`snapshot ${id} is a safety backup of another target than ${where}: it is ${oneLine(description)}`)
}

/** The time of the safety backup, which is a part of the restore, apart from the rest. */
function apart(took: Took | undefined, safety: number): { took?: Took } {
  return took ? { took: { ...took, restore: Math.max(0, took.restore - safety), safety } } : {}
}

/** Files that were restored over others of the target: all of the backup if there are no patterns. */
interface Over {
  paths: readonly string[]
  deleteExtra: boolean
  /** If there are patterns. */
  files: FilesBefore | undefined
}

/** Of a restore of every source, for which the URL may name the server alone: the command for one needs the database as well. */
export const withUrl = (where: string): string => marked`, with ‹database-url› for ${oneLine(where)}`

/**
 * The way back to what a target had: of a database into which only objects were restored, or of files over others, these alone. `where`: a
 * database that the URL given does not name.
 */
export function goingBack(
  { snapshot }: Safety, target: string, what: 'database' | SelectedBefore | { volume: string; over: Over | undefined }, where?: string,
): string {
  const into = `Restore it into the same target${where === undefined ? '' : withUrl(where)}`
  if (what === 'database') return `${into}: ${markedCommand('restore', { snapshot, mode: 'swap', confirm: target })}.`
  if ('volume' in what) {
    const { volume, over } = what
    if (over?.files?.some === false) return `The target had none of the selected files: remove them by hand (${namesOf(over.files)}).`
    const paths: Record<string, string> = over && over.paths.length > 0 ? { paths: over.paths.join('\n') } : {}
    const extra: Record<string, string> = over?.deleteExtra ? { 'delete-extra': 'true' } : {}
    const mode: Record<string, string> = over ? { mode: 'overwrite', ...paths, ...extra } : { mode: 'clean' }
    // The name of a bucket alone does not say how it is reached.
    const bucket = target.startsWith('s3://')
    const command = markedCommand('restore', { snapshot, volume, ...(!bucket && { target }), ...mode, confirm: target })
    const restored = `${bucket ? 'Restore it into the same target' : 'Restore it'}: ${command}.`
    if (!over || over.deleteExtra || over.files?.added.length === 0) return restored
    return `${restored} Files that it did not have stay: remove them by hand${over.files ? ` (${namesOf(over.files)})` : ''}.`
  }
  const parts = Object.fromEntries((['schemas', 'tables'] as const)
    .flatMap((name) => (what[name].length > 0 ? [[name, JSON.stringify(what[name])]] : [])))
  const removal = what.removal.join(' ')
  if (Object.keys(parts).length === 0)
    return `The target had none of the selected tables${removal === '' ? ', and has none now.' : `: run ${removal}`}`
  const command = markedCommand('restore', { snapshot, mode: 'clean', ...parts, confirm: target })
  if (removal === '') return `${into}: ${command}.`
  // Objects that the target did not have may depend on its own, and keep these from being replaced.
  return `First remove the schemas, tables, views and sequences that the target did not have, with the SQL \`${removal}\` Then restore ` +
    `the safety backup into the same target: ${command}.`
}

/** More files than anyone removes by hand. */
const MOST = 200

function namesOf({ added }: FilesBefore): string {
  return `${formatSome(added, MOST)}${added.length > MOST ? marked`; safety.added of ‹json› names all of them` : ''}`
}
