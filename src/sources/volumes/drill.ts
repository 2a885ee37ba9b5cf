import { mkdir, mkdtemp } from 'node:fs/promises'
import path from 'node:path'
import { performance } from 'node:perf_hooks'
import { LifeboatError } from '../../error.ts'
import { type Child, ChildError, feed } from '../../process/child.ts'
import { removeFolder } from '../../process/staging.ts'
import { compareFiles } from '../files/compare.ts'
import { oneLine } from '../../report/format.ts'
import { decodeFiles, displayName, type ListedFile, listedEntry, shownName } from '../files/file-list.ts'
import { metaOf } from '../files/entry.ts'
import { type ScannedEntry, withTargets } from '../files/hard-links.ts'
import { type SortedFile, SortedFiles } from '../files/sorted-files.ts'
import { localSite, type Site } from '../files/site.ts'
import { TAR_END } from '../files/tar-member.ts'
import { verifyVolume, volumeParts } from '../files/verify.ts'
import type { SourceContext, SourceVerified, StoredSource } from '../source-kind.ts'
import { BadSource } from '../source.ts'
import { checkCommand } from './assertion.ts'
import { restoreVolume } from './restore.ts'
import { scan } from './scan.ts'
import type { RestoredFilesSettings } from './settings.ts'

const MOST_NAMED = 10

/**
 * Restores a volume into a folder of the run, and compares it with its list: path, type, size, mode, owner, time and link of every entry;
 * and its content with the archive, which is read once more. Owners only as root, who alone can restore them.
 */
export async function drillVolume(
  { source, read }: StoredSource,
  { command }: RestoredFilesSettings,
  context: SourceContext,
): Promise<SourceVerified> {
  const { variables, signal, report, temporary } = context
  const { facts, list, archives } = volumeParts(source)
  const asRoot = process.getuid?.() === 0
  await mkdir(temporary, { recursive: true, mode: 0o700 })
  const folder = await mkdtemp(path.join(temporary, 'drill-'))
  const site: Site = { ...localSite(folder, variables), temporary: true }
  try {
    const began = performance.now()
    const segments = archives.map((archive, index) => ({
      entries: facts.segments[index]!.entries, size: archive.size, bytes: () => read(archive),
    }))
    const restored = await restoreVolume({
      name: source.name, site, list: () => read(list), segments, links: facts.links !== 0, patterns: [], mode: 'empty',
      owners: asRoot ? 'number' : 'none', signal, report: { ...report, progress: () => undefined }, // `read` tells its progress.
    })
    if (restored.errors.length > 0)
      throw new LifeboatError(`tar could not restore all of ${source.name} here: ${restored.errors.slice(0, 3).join('; ')}`, {
        hint: 'Point TMPDIR (RUNNER_TEMP) to a disk with room whose file system has what the volume needs.' })
    const until = performance.now()
    // The list and the archive are compared with each other, and each with the folder.
    await verifyVolume({ source, read, level: 'read', site, signal })
    const modes = asRoot ? new Map<string, string>() : await openAll(site, signal)
    const problems = await comparedList(read(list), { site, asRoot, modes }, signal)
    problems.push(...(await comparedContent(segments, site, asRoot, signal)))
    const compared = performance.now()
    const unmet = command === undefined ? [] : await checkCommand({ command, folder, source: source.name, variables, signal })
    const seconds = {
      download: 0, restore: (until - began) / 1000, compare: (compared - until) / 1000, checks: (performance.now() - compared) / 1000,
    }
    const drill = { entries: facts.entries, rows: 0, bytes: facts.bytes, wording: true, assertions: command === undefined ? 0 : 1, seconds }
    return { entries: facts.entries, problems: [...limited(problems), ...unmet], drill }
  } finally {
    removeFolder(folder)
  }
}

function limited(problems: readonly string[]): BadSource[] {
  const more = problems.length - MOST_NAMED
  const rest = more > 0 ? [`${more.toLocaleString('en-US')} more files differ after the restore`] : []
  return [...problems.slice(0, MOST_NAMED), ...rest].map((problem) => new BadSource(problem))
}

/**
 * Lets this user read everything, as only root can without that, and folders be removed. The octal modes of what could not be read before,
 * by their inodes.
 */
async function openAll(site: Site, signal: AbortSignal): Promise<Map<string, string>> {
  // find opens a folder after it has done this to it.
  const closed = ['(', '-type', 'd', '!', '-perm', '-u=rwx', '-o', '-type', 'f', '!', '-perm', '-u=r', ')']
  const child = site.start('find', [site.root, ...closed, '-printf', String.raw`%i %m\n`, '-exec', 'chmod', 'u+rwX', '{}', ';'], { signal })
  child.end()
  let printed = ''
  for await (const bytes of child.stdout) printed += bytes.toString('latin1')
  return new Map([...printed.matchAll(/^(\d+) (\d+)$/gm)].map(([, inode, mode]) => [inode!, mode!]))
}

async function comparedList(
  list: AsyncIterable<Buffer>, { site, asRoot: owners, modes }: { site: Site; asRoot: boolean; modes: ReadonlyMap<string, string> },
  signal: AbortSignal,
): Promise<string[]> {
  const { entries } = await scan(site, signal)
  const listed = await SortedFiles.of(withoutETags(decodeFiles(list)))
  const { added, removed, changed } = await compareFiles(listed, restoredFiles(await withTargets(entries), modes))
  return [
    ...removed.map((file) => `${nameOf(file)} is missing after the restore`),
    ...added.map((file) => `${nameOf(file)} is not in the backup, and is there after the restore`),
    ...changed.flatMap(({ to, what }) => {
      const properties = what.filter((property) => owners || property !== 'owner')
      return properties.length === 0 ? [] : [`${nameOf(to)} has another ${properties.join(', another ')} after the restore`]
    }),
  ]
}

/** Of a bucket's objects: a folder has none. */
async function* withoutETags(files: AsyncIterable<ListedFile>): AsyncGenerator<ListedFile, void, void> {
  for await (const file of files) yield file.type === 'f' ? { ...file, target: '' } : file
}

function nameOf({ path }: ListedFile): string {
  return shownName(path === '' ? '.' : path)
}

/** As a list of a backup has them: of the names of one file, the first is the file. */
function* restoredFiles(entries: Iterable<ScannedEntry>, modes: ReadonlyMap<string, string>): Generator<SortedFile, void, void> {
  for (const { entry, target } of entries) {
    const mode = modes.get(metaOf(entry).inode)
    const file = listedEntry(entry, { ...(mode !== undefined && { mode }), ...(target !== undefined && { type: 'h', size: 0, target }) })
    yield { file, part: 0 }
  }
}

/** Has tar compare the content of the archive with the folder. */
async function comparedContent(
  segments: readonly { bytes: () => AsyncIterable<Buffer> }[],
  site: Site,
  owners: boolean,
  signal: AbortSignal,
): Promise<string[]> {
  const parameters = ['--compare', '--ignore-zeros', '--numeric-owner', '--warning=no-unknown-keyword', '--quoting-style=escape']
  const child = site.start('tar', [...parameters, `--directory=${site.root}`, '--file=-'], { signal })
  const found = differencesOf(child)
  found.catch(() => undefined) // Awaited below; until then it must not count as unhandled.
  await feed(child, (async function* () {
    for (const { bytes } of segments) yield* bytes()
    yield TAR_END
  })())
  // As another user than root, modes were compared before.
  const wanted = (await found).filter((line) => owners || !/: ([UG]id|Mode) differs$/.test(line))
  return wanted.map((line) => `${oneLine(displayName(line))} after the restore`)
}

/** The lines that tar prints about files that differ, and its errors about those that it cannot read. */
async function differencesOf(child: Child): Promise<string[]> {
  let printed = ''
  try {
    for await (const bytes of child.stdout) if (printed.length < 1024 * 1024) printed += bytes.toString('latin1')
  } catch (error) {
    if (!(error instanceof ChildError) || (error.exit.status !== 1 && error.exit.status !== 2)) throw error
    printed += error.exit.stderr
  }
  return printed.split('\n').filter((line) => line !== '' && !line.startsWith('tar: Exiting with failure status'))
}
