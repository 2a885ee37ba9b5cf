import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import type { SourceRecord } from '../../repository/snapshot.ts'
import { formatCount, formatSome } from '../../report/format.ts'
import { sortKey } from '../files/entry.ts'
import { decodeFiles, shownName } from '../files/file-list.ts'
import type { LostFile } from '../files/kept-members.ts'
import { NothingWhole } from '../nothing-whole.ts'
import { lostText, type Salvaged, salvageVolume } from '../files/salvage.ts'
import { type SortedFile, SortedFiles } from '../files/sorted-files.ts'
import { inTurns } from '../files/sorted-texts.ts'
import { output } from './output.ts'
import type { Site } from '../files/site.ts'
import { volumeParts } from '../files/verify.ts'
import type { RestoreSettings } from '../settings.ts'
import type { PlannedRestore, Restored } from '../restored.ts'
import type { DamagedSource, RestoreTarget, SourceContext, SourceToRestore } from '../source-kind.ts'
import { archivedVolume, type ArchivedVolume, matching } from '../files/choice.ts'
import { planVolume } from './plan.ts'
import { restoreVolume, type VolumeMode } from './restore.ts'

interface Reached {
  site: Site
  /** Of a folder that is only looked at: it is not there, and `site` is another one, on the same disk. */
  missing?: boolean
  release?: () => Promise<void>
}

/** Gets at the folder. `look`: nothing is made or written. */
type Reach = (how: { look: boolean }) => Promise<Reached>

type VolumeSettings = RestoreSettings & { mode: VolumeMode }
type Extracting = VolumeSettings & Pick<SourceToRestore, 'backUpTarget'>

/** A damaged volume without its damaged parts: `missing` names everything else that was selected. */
interface WholeFiles {
  volume: ArchivedVolume
  missing: string[]
  /** Number of members among these that are not restored at all. */
  gone: number
}

export interface TargetPlace {
  name: string
  where: string
  machine: string
  /** Its path there; absent for a volume of Docker. */
  folder?: string | undefined
}

/** A folder to restore into, which is made if there is none. */
export function volumeTarget(
  { name, where, machine, folder }: TargetPlace, settings: RestoreSettings, context: SourceContext, reach: Reach,
): RestoreTarget {
  const mode = volumeMode(settings)
  const extracting = ({ backUpTarget }: SourceToRestore): Extracting => ({ ...settings, mode, backUpTarget })
  const place = { name, where, machine, folder }
  let found: Promise<WholeFiles> | undefined
  // Every damaged archive is read for that: once, for the plan and for the restore.
  const wholeOf = (damaged: DamagedSource): Promise<WholeFiles> => (found ??= wholeFiles(damaged, { ...settings, mode }, context))
  return {
    name,
    where,
    replaces: mode !== 'empty',
    require: requireFiles,
    restore: (stored) => extractInto(reach, archivedVolume(stored), extracting(stored), context),
    plan: (stored) => planInto(reach, place, archivedVolume(stored), extracting(stored), context),
    salvage: {
      restore: async (damaged) => {
        const whole = await wholeOf(damaged)
        return withMissing(await extractInto(reach, whole.volume, extracting(damaged), context), whole)
      },
      plan: async (damaged) => {
        const whole = await wholeOf(damaged)
        return withMissing(await planInto(reach, place, whole.volume, extracting(damaged), context), whole)
      },
    },
    close: async () => undefined,
  }
}

async function planInto(
  reach: Reach, place: TargetPlace, volume: ArchivedVolume, { mode, all, files, folders, backUpTarget }: Extracting,
  { signal, report }: SourceContext,
): Promise<PlannedRestore> {
  const { site, missing = false, release } = await reach({ look: true })
  try {
    const given = { ...volume, site, patterns: files.paths, mode, all, owners: folders.owners, backUpTarget, signal, report }
    const { entries, size, steps, disk } = await planVolume(given, missing)
    const share = {
      what: `the disk of ${site.where}`, at: `${place.machine}, ${disk.device}`, measure: 'bytes' as const, needed: size, free: disk.free,
    }
    return {
      target: site.where, mode, size, entries, restored: 0, errors: [], steps, place: await placeOf(place, site, signal),
      shares: Number.isNaN(disk.free) ? [] : [share],
    }
  } finally {
    await release?.()
  }
}

/** The folder that symbolic links lead to, as far as it can be told, on its machine; or the volume. */
async function placeOf({ name, machine, folder }: TargetPlace, site: Site, signal: AbortSignal): Promise<string> {
  if (folder === undefined) return `${machine} ${name}/`
  const real = await output(site, 'sh', ['-c', 'realpath -m -- "$1" 2>/dev/null || printf "%s\\n" "$1"', 'sh', folder], signal)
  return `${machine} ${real.replace(/\/*\n$/, '')}/`
}

/** A damaged volume never replaces content that is there. */
async function wholeFiles(damaged: DamagedSource, settings: VolumeSettings, context: SourceContext): Promise<WholeFiles> {
  const { name } = damaged.source
  if (settings.mode === 'clean') {
    throw new LifeboatError(`${name} is damaged, and with mode clean would replace what is there`, {
      hint: marked`Restore into an empty folder, or with ‹mode: overwrite›.`, status: 2 })
  }
  if (settings.mode === 'overwrite' && damaged.keepDamaged) {
    throw new LifeboatError(`${name} is damaged, and files with zeros would replace those that are there`, {
      hint: marked`Restore into an empty folder, or without ‹keep-damaged›.`, status: 2 })
  }
  const salvaged = await salvageVolume(damaged)
  if (salvaged.segments.length === 0) throw new NothingWhole(`nothing of ${name} is whole`)
  const { paths } = settings.files
  const match = matching<LostFile>(paths)
  const wanted = paths.length === 0 ? salvaged.lost : salvaged.lost.toSorted(inOrder).flatMap((one) => match(one))
  if (paths.length > 0 && wanted.length > 0 && !(await hasMatch(salvaged, paths)))
    throw new NothingWhole(`nothing of ${name} that matches ${paths.join(', ')} is whole: ${formatSome(wanted.map(lostText), 5)}`)
  const { facts, list } = volumeParts(damaged.source)
  if (damaged.holes(list).length > 0)
    context.report.warning(`the list of the files of ${name} is damaged: the archives tell what they have`)
  if (salvaged.remade > 0) {
    context.report.warning(
      `the headers of ${formatCount(salvaged.remade, 'file, folder or link', 'files, folders and links')} of ${name} ` +
        'had to be made again from the list of files: extended attributes and ACLs of them are not known',
    )
  }
  const missing = [
    ...wanted.map(lostText),
    ...salvaged.folders.map(({ path }) => `owner, mode and time of the folder ${shownName(path)}`),
    ...salvaged.unnamed.map(({ archive, count }) =>
      `${formatCount(count, 'file, link or folder', 'files, links or folders')} of ${archive}, with ` +
        `${count === 1 ? 'its name' : 'their names'}, because the list of files is damaged as well`),
  ]
  const volume = { name, links: facts.links !== 0, list: salvaged.list, segments: salvaged.segments }
  const gone = wanted.filter(({ zeros }) => !zeros).length + salvaged.unnamed.reduce((sum, { count }) => sum + count, 0)
  return { volume, missing, gone }
}

async function hasMatch({ list }: Pick<Salvaged, 'list'>, paths: readonly string[]): Promise<boolean> {
  const match = matching<SortedFile>(paths)
  let found = false
  await inTurns(await SortedFiles.of(decodeFiles(list())), (one) => {
    // The volume's own folder matches everything.
    found ||= match(one).some(({ file }) => file.path !== '')
  })
  return found
}

function inOrder(one: LostFile, other: LostFile): number {
  return sortKey(one.file.path) < sortKey(other.file.path) ? -1 : 1
}

function withMissing<R extends Restored>(restored: R, { missing, gone }: WholeFiles): R {
  return { ...restored, entries: restored.entries + gone, missing }
}

async function extractInto(
  reach: Reach,
  volume: ArchivedVolume,
  { mode, all, files, folders, backUpTarget }: Extracting,
  { signal, report, leaves }: SourceContext,
): Promise<Restored> {
  const { site, release } = await reach({ look: false })
  try {
    const { entries, size, errors } = await restoreVolume({
      ...volume, site, patterns: files.paths, mode, all, owners: folders.owners, backUpTarget, signal, report, ...(leaves && { leaves }),
    })
    if (errors.length > 0) {
      const hint = 'Owners and attributes of others need root: with owners none, the files belong to the user who restores.'
      report.warning(`${site.where} holds the backup, but tar reported errors`, hint)
    }
    return { target: site.where, mode, size, entries, restored: Math.max(0, entries - errors.length), errors }
  } finally {
    await release?.()
  }
}

function requireFiles({ name, kind, streams }: SourceRecord): void {
  if (streams.some(({ format }) => format === 'tar-list')) return
  const hint = marked`Give ‹target› of the same kind as the source.`
  throw new LifeboatError(`the source ${name} is of the kind ${kind}, which is not restored into a folder`, { hint, status: 2 })
}

/** Throws (status 2) for a mode of other kinds, and for one that would remove what was not selected. */
export function volumeMode({ mode, bucket, files }: RestoreSettings): VolumeMode {
  if (mode === 'create' || mode === 'swap') {
    const hint = 'A target that does not exist is made in every mode; the modes of volumes are empty, overwrite and clean.'
    throw new LifeboatError(`mode ${mode} is for databases`, { hint, status: 2 })
  }
  if (bucket.deleteExtra) {
    throw new LifeboatError('delete-extra is for buckets', {
      hint: marked`‹mode: clean› replaces the content of a folder by that of the backup.`,
      status: 2,
    })
  }
  if (mode === 'clean' && files.paths.length > 0) {
    throw new LifeboatError('mode clean with paths would remove every file that is not selected', {
      hint: marked`Restore with ‹mode: overwrite›, which leaves other files as they are, or into an empty folder with ‹mode: empty›.`,
      status: 2,
    })
  }
  return mode
}
