import { LifeboatError } from '../../error.ts'
import type { Leaves, Report } from '../../environment.ts'
import { marked } from '../../marks.ts'
import { formatBytes } from '../../report/format.ts'
import { shownName } from '../files/file-list.ts'
import { type FilesBefore, filesBefore } from '../files/files-before.ts'
import type { Site } from '../files/site.ts'
import { notEmpty } from '../files/not-empty.ts'
import { type ArchivedVolume, type Choice, choose } from '../files/choice.ts'
import { extract, type VolumeOutcome } from './extract.ts'
import { refuseOtherKinds } from './other-kinds.ts'
import { isRoot, output, requireTar } from './output.ts'
import { requireOwners } from './owners.ts'
import { refuseStores } from './own-stores.ts'
import { clearKilled, PATTERN, replaceContent } from './replacement.ts'
import { EXTRACT_OVER } from './replacement-scripts.ts'
import type { FolderSettings } from './settings.ts'
import { lockTarget } from './target-lock.ts'
import { foldersOfOthers } from './target.ts'

export type { VolumeOutcome }

export interface VolumeRestore extends ArchivedVolume, FolderSettings {
  site: Site
  /** gitignore(5) patterns of the files to restore; all if there are none. */
  patterns: readonly string[]
  /**
   * `empty`: only into an empty folder. `clean`: replaces the content. Both once everything is extracted. `overwrite`: over existing files.
   */
  mode: VolumeMode
  /** Whether every source of the snapshot is restored in this mode. Default: false. */
  all?: boolean | undefined
  /** Backs up the content, before any of it is replaced. */
  backUpTarget?: (before?: FilesBefore) => Promise<void>
  signal: AbortSignal
  report: Report
  leaves?: Leaves
}

export type VolumeMode = 'empty' | 'overwrite' | 'clean'

/** Extracts a volume into the folder of a site. Throws if it must not, or if nothing could be extracted completely. */
export async function restoreVolume(given: VolumeRestore): Promise<VolumeOutcome> {
  const { site, mode, signal } = given
  await requireTar(site, signal)
  await refuseStores(site, mode, signal)
  const release = await lockTarget(site, signal)
  try {
    return await restoreLocked(given)
  } finally {
    await release()
  }
}

async function restoreLocked(given: VolumeRestore): Promise<VolumeOutcome> {
  const { site, mode, signal, report, leaves } = given
  await clearKilled(site, { finish: mode === 'clean', signal, report })
  if (mode === 'empty') await requireNoContent(given)
  const choice = await choose(given, given.patterns)
  if (given.owners === 'number') await requireOwners(site, given.list, choice.wanted, signal)
  await requireSpace(site, choice.size, signal)
  if (mode === 'overwrite') {
    await refuseOthers(site, choice, signal)
    await refuseOtherKinds(site, given.list, choice.wanted, signal)
    await backUpFirst(given, choice)
    leaves?.(`${site.where} is partly restored: some files may be those of the backup, others as they were before`,
      marked`Restore again with ‹mode: overwrite›: that completes it.`)
    try {
      return await extract(given, choice, { script: EXTRACT_OVER, given: [site.root] })
    } catch (error) {
      if (!signal.aborted) report.warning(`${site.where} may be partly restored`)
      throw error
    }
  }
  if (mode === 'clean') await backUpFirst(given)
  return replaceContent(site, { mode, all: choice.wanted === undefined, signal, report, ...(leaves && { leaves }) }, async (into) => {
    const outcome = await extract(given, choice, into)
    if (mode === 'clean' && outcome.errors.length > 0)
      throw new LifeboatError(`${site.where} is as it was before: tar reported errors: ${outcome.errors.slice(0, 5).join('; ')}`)
    return outcome
  })
}

/** `over`: the files that are restored over others. */
async function backUpFirst({ site, backUpTarget, patterns, signal }: VolumeRestore, over?: Choice): Promise<void> {
  if (!backUpTarget || !(await hasContent(site, signal))) return
  await backUpTarget(over?.wanted && (await filesBefore(site, over.wanted, patterns, signal)))
}

/** Throws unless the folder is empty. */
export async function requireNoContent(
  { site, patterns, all, signal }: Pick<VolumeRestore, 'site' | 'patterns' | 'all' | 'signal'>,
): Promise<void> {
  if (!(await hasContent(site, signal))) return
  const clean = patterns.length > 0 ? '' : marked` or ‹mode: clean› (removes them after the extraction)`
  const modes = marked`‹mode: overwrite› (keeps other files)${clean}`
  throw notEmpty(site.where, { free: 'a new folder', modes, all })
}

/** lost+found belongs to the file system, not to its content; restores that were killed left the others. */
const CONTENT = ['-mindepth', '1', '-maxdepth', '1', '!', '-name', 'lost+found', '!', '-name', PATTERN]

async function hasContent(site: Site, signal: AbortSignal): Promise<boolean> {
  return (await output(site, 'find', ['-H', site.root, ...CONTENT, '-print', '-quit'], signal)) !== ''
}

/** Bytes; NaN if it cannot be known. */
export async function freeSpace(site: Site, signal: AbortSignal): Promise<number> {
  return Number((await output(site, 'df', ['-P', '-k', site.root], signal)).trim().split('\n').at(-1)?.split(/\s+/)[3]) * 1024
}

export async function requireSpace(site: Site, needed: number, signal: AbortSignal): Promise<void> {
  const free = await freeSpace(site, signal)
  if (Number.isNaN(free) || free >= needed) return
  throw new LifeboatError(`${site.where} has ${formatBytes(free)} free, the restore needs about ${formatBytes(needed)}`, {
    hint: site.temporary
      ? 'Make room there, or point TMPDIR (RUNNER_TEMP) to a folder on a disk with room.'
      : marked`Make room, restore somewhere else, or only a part with ‹paths›.`,
  })
}

/**
 * Throws if root would extract over folders that another user can write: tar follows a symbolic link that replaces a folder which tar has
 * made. Nobody else can change the owner of folders that only root can write, so that one check of all folders is enough.
 */
export async function refuseOthers(site: Site, { wanted }: Choice, signal: AbortSignal): Promise<void> {
  if (site.isolated || !(await isRoot(site, signal))) return
  for await (const { path, owner } of foldersOfOthers(site, signal)) {
    if (path !== '' && wanted && !wanted.has(path)) continue
    const whose = owner === '0' ? 'is writable for its group or for all' : `belongs to the user with the number ${owner}`
    const folder = path === '' ? site.where : `${shownName(path)} in ${site.where}`
    throw new LifeboatError(
      `root does not restore over folders that other users can write: ${folder} ${whose}`,
      {
        hint:
          marked`That user could redirect files meanwhile. Restore ${wanted ? '' : marked`with ‹mode: clean›, `}into a new folder, or as ` +
          marked`that user with ‹owners: none›.`,
        status: 2,
      },
    )
  }
}
