import { ChildError, type Child, feed } from '../../process/child.ts'
import { LifeboatError } from '../../error.ts'
import type { Report } from '../../environment.ts'
import { marked } from '../../marks.ts'
import { formatBytes } from '../../report/format.ts'
import { decodeFiles, displayName, type ListedFile, shownName } from '../files/file-list.ts'
import { Gate } from '../files/gate.ts'
import { output, requireTar } from './output.ts'
import { requireOwners } from './owners.ts'
import { refuseStores } from './own-stores.ts'
import type { Site } from '../files/site.ts'
import { clearKilled, replaceContent, type Work } from './replacement.ts'
import { EXTRACT_OVER } from './replacement-scripts.ts'
import { sortKey } from '../files/entry.ts'
import { selected } from '../files/selection.ts'
import { TAR_END } from '../files/tar-member.ts'
import type { FolderSettings } from './settings.ts'
import { foldersOfOthers } from './target.ts'

export interface VolumeRestore extends FolderSettings {
  name: string
  site: Site
  list: () => AsyncIterable<Buffer>
  /** The archives of the volume, in order: the number of their members, their size, and their bytes. */
  segments: readonly { entries: number; size: number; bytes: () => AsyncIterable<Buffer> }[]
  /** Whether hard links come last, and change folders once more. */
  links: boolean
  /** gitignore(5) patterns of the files to restore; all if there are none. */
  patterns: readonly string[]
  /**
   * `empty`: only into an empty folder. `clean`: replaces the content. Both once everything is extracted. `overwrite`: over existing files.
   */
  mode: VolumeMode
  signal: AbortSignal
  report: Report
}

export type VolumeMode = 'empty' | 'overwrite' | 'clean'

export interface VolumeOutcome {
  /** Entries selected. */
  entries: number
  /** Bytes of archives read. */
  size: number
  /** Errors of tar; entries it did not name are restored. */
  errors: string[]
}

/** Extracts a volume into the folder of a site. Throws if it must not, or if nothing could be extracted completely. */
export async function restoreVolume(given: VolumeRestore): Promise<VolumeOutcome> {
  const { site, mode, signal, report } = given
  await requireTar(site, signal)
  await refuseStores(site, mode, signal)
  await clearKilled(site, { finish: mode === 'clean', signal, report })
  if (mode === 'empty' && (await hasContent(site, signal))) {
    throw new LifeboatError(`${site.where} is not empty`, {
      hint:
        marked`Restore into a new folder, or with ‹mode: overwrite› (keeps other files) or ‹mode: clean› (removes them after the ` +
        'extraction).',
      status: 2,
    })
  }
  const choice = await choose(given)
  if (given.owners === 'number') await requireOwners(site, given.list, choice.wanted, signal)
  await requireSpace(site, choice.size, signal)
  if (mode === 'overwrite') {
    await refuseOthers(site, choice, signal)
    return extract(given, choice, { script: EXTRACT_OVER, given: [site.root] })
  }
  return replaceContent(site, { mode, all: choice.wanted === undefined, signal, report }, async (into) => {
    const outcome = await extract(given, choice, into)
    if (mode === 'clean' && outcome.errors.length > 0)
      throw new LifeboatError(`${site.where} is as it was before: tar reported errors: ${outcome.errors.slice(0, 5).join('; ')}`)
    return outcome
  })
}

/** lost+found belongs to the file system, not to its content. */
const CONTENT = ['-mindepth', '1', '-maxdepth', '1', '!', '-name', 'lost+found']

async function hasContent(site: Site, signal: AbortSignal): Promise<boolean> {
  return (await output(site, 'find', ['-H', site.root, ...CONTENT, '-print', '-quit'], signal)) !== ''
}

interface Choice {
  /** Paths, latin1; undefined means all. */
  wanted: ReadonlySet<string> | undefined
  /** For each segment, the number of wanted entries. */
  counts: number[]
  entries: number
  /** Approximate bytes on disk. */
  size: number
}

/** Which entries and segments a restore needs, by the list of files. */
async function choose({ list, segments, patterns, name }: VolumeRestore): Promise<Choice> {
  if (patterns.length === 0) {
    const counts = segments.map(({ entries }) => entries)
    return {
      wanted: undefined,
      counts,
      entries: counts.reduce((sum, count) => sum + count, 0),
      size: segments.reduce((sum, { size }) => sum + size, 0),
    }
  }
  const files: ListedFile[] = []
  for await (const file of decodeFiles(list())) files.push(file)
  const sorted = files.map((file) => ({ file, key: sortKey(file.path) })).toSorted((a, b) => (a.key < b.key ? -1 : 1))
  const include = (patterns: readonly string[]): ListedFile[] =>
    selected(sorted, ({ file: { path, type } }) => ({ path: displayName(path), directory: type === 'd' }), {
      include: patterns,
      exclude: [],
    }).map(({ file }) => file)
  const chosen = include(patterns)
  const wanted = new Set(chosen.map(({ path }) => path))
  // A hard link needs its file, and the folders that contain the file.
  for (const { type, target } of chosen) if (type === 'h') for (const path of [target, ...foldersOf(target)]) wanted.add(path)
  // The volume's own folder is not changed if only a part is restored.
  wanted.delete('')
  if (!chosen.some(({ path, type }) => path !== '' && type !== 'd') && wanted.size === 0) {
    throw new LifeboatError(`no file of ${name} matches ${patterns.join(', ')}`, {
      hint: 'Patterns have the syntax of .gitignore: config/*.yml, *.jpg, /uploads/2026/.',
      status: 2,
    })
  }
  const counts: number[] = []
  let start = 0
  for (const { entries } of segments) {
    counts.push(files.slice(start, start + entries).filter(({ path }) => wanted.has(path)).length)
    start += entries
  }
  return { wanted, counts, entries: wanted.size, size: files.reduce((sum, { path, size }) => sum + (wanted.has(path) ? size : 0), 0) }
}

function foldersOf(path: string): string[] {
  const parts = path.split('/').slice(0, -1)
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'))
}

async function requireSpace(site: Site, needed: number, signal: AbortSignal): Promise<void> {
  const free = Number((await output(site, 'df', ['-P', '-k', site.root], signal)).trim().split('\n').at(-1)?.split(/\s+/)[3]) * 1024
  if (Number.isNaN(free) || free >= needed) return
  throw new LifeboatError(`${site.where} has ${formatBytes(free)} free, the restore needs about ${formatBytes(needed)}`, {
    hint: marked`Make room, restore somewhere else, or only a part with ‹paths›.`,
  })
}

async function isRoot(site: Site, signal: AbortSignal): Promise<boolean> {
  return (await output(site, 'id', ['-u'], signal)).trim() === '0'
}

/**
 * Throws if root would extract over folders that another user can write: tar follows a symbolic link that replaces a folder which tar has
 * made. Nobody else can change the owner of folders that only root can write, so that one check of all folders is enough.
 */
async function refuseOthers(site: Site, { wanted }: Choice, signal: AbortSignal): Promise<void> {
  if (site.isolated || !(await isRoot(site, signal))) return
  for await (const { path, owner } of foldersOfOthers(site, signal)) {
    if (path !== '' && wanted && !wanted.has(path)) continue
    const whose = owner === '0' ? 'is writable for its group or for all' : `belongs to the user with the number ${owner}`
    const folder = path === '' ? site.where : `${shownName(path)} in ${site.where}`
    throw new LifeboatError(
      `root does not restore over folders that other users can write: ${folder} ${whose}`,
      {
        hint:
          marked`That user could redirect files meanwhile. Restore with ‹mode: clean›, into a new folder, or as that user with ` +
          marked`‹owners: none›.`,
        status: 2,
      },
    )
  }
}

async function extract(
  { name, site, owners, segments, links, mode, signal, report }: VolumeRestore,
  { wanted, counts, entries }: Choice,
  { script, given }: Work,
): Promise<VolumeOutcome> {
  const root = await isRoot(site, signal)
  const child = site.start(
    'sh',
    [
      '-euc',
      script,
      'sh',
      ...given,
      '--extract',
      '--ignore-zeros',
      '--preserve-permissions',
      '--xattrs',
      `--xattrs-include=${root ? '*' : 'user.*'}`,
      '--acls',
      '--sparse',
      // By default, tar sets the time of a folder when it leaves it. Delaying that for all folders doubles its time, or worse with many
      // folders.
      ...(links ? ['--delay-directory-restore'] : []),
      ...(owners === 'none' ? ['--no-same-owner'] : ['--same-owner']),
      ...(owners === 'number' ? ['--numeric-owner'] : []),
      '--warning=no-timestamp',
      '--warning=no-unknown-keyword',
      '--quoting-style=escape',
      '--file=-',
    ],
    { signal },
  )
  const extracting = drained(child, site)
  extracting.catch(() => undefined) // Awaited below; until then it must not count as unhandled.
  let [size, whole] = [0, false]
  const archive = async function* (): AsyncGenerator<Buffer, void, void> {
    const gate = new Gate(wanted)
    for (const [index, segment] of segments.entries()) {
      if (counts[index] === 0) continue
      const until = gate.passed + counts[index]!
      for await (const bytes of segment.bytes()) {
        const through = gate.push(bytes)
        size += bytes.length
        if (through.length > 0) yield through
        report.progress({ activity: `restoring ${name}`, done: size })
      }
      gate.end()
      if (gate.passed !== until) throw new LifeboatError(`the archive of ${name} has other entries than its list`)
    }
    yield TAR_END
    whole = true
  }
  try {
    await feed(child, archive(), { spent: true })
    const errors = await extracting
    if (!whole) throw new LifeboatError(`tar ended before all of ${name} was extracted: ${errors.slice(0, 5).join('; ')}`)
    return { entries, size, errors }
  } catch (error) {
    if (mode === 'overwrite') report.warning(`${site.where} may be partly restored`)
    throw error
  }
}

/** The errors of tar, once it has ended. Throws if it was not even started. */
async function drained(child: Child, site: Site): Promise<string[]> {
  let started = false
  try {
    for await (const _ of child.stdout) started = true
    return []
  } catch (error) {
    if (!(error instanceof ChildError) || error.exit.status === null || error.exit.failure) throw error
    const lines = error.exit.stderr
      .split('\n')
      .filter((line) => line !== '' && line !== 'tar: Exiting with failure status due to previous errors')
    if (!started || error.exit.status >= NOT_FOUND)
      throw new LifeboatError(`nothing could be restored into ${site.where}: ${lines.at(-1) ?? error.message}`, { cause: error })
    return lines.length > 0 ? lines : [error.message]
  }
}

/** The exit status of shells, from this on, for a program that cannot be started, or that a signal ended. */
const NOT_FOUND = 126
