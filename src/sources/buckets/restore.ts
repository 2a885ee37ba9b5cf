import { LifeboatError } from '../../error.ts'
import type { Leaves, Report } from '../../environment.ts'
import { marked } from '../../marks.ts'
import { formatBytes, formatCount, formatSome, oneLine } from '../../report/format.ts'
import { backUpStep } from '../checks.ts'
import { decodeFiles, displayName, type ListedFile, shownName } from '../files/file-list.ts'
import type { FilesBefore } from '../files/files-before.ts'
import { pathOf } from '../files/entry.ts'
import { notEmpty } from '../files/not-empty.ts'
import { type Patterns, type ScannedPath, selected } from '../files/selection.ts'
import { BadTar } from '../files/tar-headers.ts'
import type { BucketAccess, BucketObject } from './bucket.ts'
import { entriesOf, isObjectEntry, keyOf } from './entries.ts'
import { keyOfPath } from './keys.ts'
import { Putting } from './putting.ts'
import type { BucketSettings } from './settings.ts'
import { Transfers } from './transfers.ts'

export interface BucketRestore extends BucketSettings {
  name: string
  bucket: BucketAccess
  list: () => AsyncIterable<Buffer>
  /** The archives of the volume, in order: the number of their members, and their bytes. */
  segments: readonly { entries: number; bytes: () => AsyncIterable<Buffer> }[]
  /** gitignore(5) patterns of the objects to restore; all if there are none. */
  patterns: readonly string[]
  /** `empty`: only if there are no objects. `overwrite`: replaces existing objects. */
  mode: 'empty' | 'overwrite'
  /** Whether every source of the snapshot is restored in this mode. Default: false. */
  all?: boolean | undefined
  /** The patterns of the backup, and the paths that were left out of it. `whole`: all of these are named. */
  backup: { patterns: Patterns; leftOut: readonly string[]; whole: boolean }
  /** Backs up the objects, before any of them is replaced or deleted. */
  backUpTarget?: (before?: FilesBefore) => Promise<void>
  signal: AbortSignal
  report: Report
  leaves?: Leaves
}

/** The members that are only in the result of the restore of a bucket. */
export interface RestoredBucket {
  /** Of the selected objects, those that the target had already. */
  unchanged: number
  /** Objects that were deleted from the target. */
  deleted: number
}

export interface BucketOutcome extends RestoredBucket {
  /** Objects selected. */
  entries: number
  /** Bytes of archives read. */
  size: number
}

/** Puts the objects of a volume into a bucket, with their metadata. Throws if it must not, and at the first object that cannot be put. */
export async function restoreBucket(given: BucketRestore): Promise<BucketOutcome> {
  const { files, needed, extra, entries, present, before } = await compared(given)
  if (needed.size + extra.length > 0 && present > 0) await given.backUpTarget?.(before)
  given.leaves?.(`${given.bucket.name} is partly restored: some objects may be those of the backup, others as they were before`,
    marked`Restore again with ‹mode: overwrite›: that completes it.`)
  const size = await putAll(given, files, needed)
  await deleteAll(given, extra)
  return { entries, unchanged: entries - needed.size, deleted: extra.length, size }
}

/** Makes all checks of a restore, and tells its steps. */
export async function planBucket(given: BucketRestore): Promise<{ entries: number; size: number; steps: string[] }> {
  const { needed, extra, entries, present } = await compared(given)
  const size = [...needed.values()].reduce((sum, file) => sum + file.size, 0)
  const stay = present === 0 ? 'nothing is there now' : `the ${formatCount(present, 'object')} that are there now stay`
  return { entries, size, steps: [
    ...(needed.size + extra.length > 0 && present > 0 && given.backUpTarget ? [backUpStep(given.bucket.name)] : []),
    `Put ${formatCount(needed.size, 'object')}, ${formatBytes(size)}, into ${given.bucket.name}; ` +
      `${(entries - needed.size).toLocaleString('en-US')} of the backup are there already.`,
    extra.length > 0
      ? `Delete ${formatCount(extra.length, 'object')} that the backup does not have: ${formatSome(extra.map(oneLine), 10)}.`
      : `Delete nothing: ${stay}${present === 0 ? '' : ', or are replaced by those of the same key'}.`,
  ] }
}

interface Compared {
  files: readonly ListedFile[]
  /** The objects to put, by path. */
  needed: ReadonlyMap<string, ListedFile>
  /** The keys of objects to delete. */
  extra: string[]
  /** Objects selected. */
  entries: number
  /** Objects that are in the bucket now. */
  present: number
  /** Of a selection. */
  before?: FilesBefore
}

/** Compares the backup and the bucket. Throws if nothing must be restored. */
async function compared(given: BucketRestore): Promise<Compared> {
  const { bucket, name, mode, patterns, rewrite, deleteExtra } = given
  const files: ListedFile[] = []
  for await (const file of decodeFiles(given.list())) files.push(file)
  const present: BucketObject[] = []
  for await (const object of bucket.list()) present.push(object)
  if (mode === 'empty' && present.length > 0) {
    const modes = marked`‹mode: overwrite›, which keeps other objects unless ‹delete-extra: true› is set as well`
    throw notEmpty(bucket.name, { free: 'another bucket or prefix', modes, all: given.all })
  }
  const wanted = new Map(meant(files, patterns).map((file) => [file.path, file]))
  if (patterns.length > 0 && wanted.size === 0)
    throw new LifeboatError(`no object of ${name} matches ${patterns.join(', ')}`, {
      hint: 'Patterns have the syntax of .gitignore: config/*.yml, *.jpg, /uploads/2026/.',
      status: 2,
    })
  const extra = deleteExtra ? extraOf(given, files, present) : []
  const there = new Map(present.map((object) => [object.key, object]))
  const needed = new Map([...wanted].filter(([path, file]) => rewrite || !isSame(file, there.get(keyOfPath(path)))))
  const added = [...wanted.keys()].filter((path) => !there.has(keyOfPath(path)))
  const before = patterns.length > 0 && { some: added.length < wanted.size || extra.length > 0, added: added.map(shownName) }
  return { files, needed, extra, entries: wanted.size, present: present.length, ...(before && { before }) }
}

function meant(files: readonly ListedFile[], include: readonly string[]): ListedFile[] {
  const matching = selected(files, ({ path, type }) => ({ path: displayName(path), directory: type === 'd' }), { include, exclude: [] })
  return [...matching].filter(({ type }) => type === 'f')
}

/** Equal ETags mean equal bytes. With other parts, equal bytes have another ETag. */
function isSame({ size, target: etag }: ListedFile, object: BucketObject | undefined): boolean {
  return object !== undefined && etag !== '' && object.etag === etag && object.size === size
}

function candidate(entry: string): ScannedPath {
  return { path: displayName(pathOf(entry)), directory: !isObjectEntry(entry) }
}

/** Objects of the target that the patterns of backup and restore cover, and that the backup does not have. */
function extraOf(
  { name, bucket, patterns, backup }: BucketRestore,
  files: readonly ListedFile[],
  present: readonly BucketObject[],
): string[] {
  const keys = new Set(files.filter(({ type }) => type === 'f').map(({ path }) => keyOfPath(path)))
  if (keys.size === 0)
    throw new LifeboatError(marked`${name} has no objects in this snapshot: ‹delete-extra: true› would delete all of ${bucket.name}`, {
      hint: 'Choose another snapshot; or, if that is what you want, empty the bucket yourself.',
    })
  if (!backup.whole)
    throw new LifeboatError(`more objects were left out of this backup of ${name} than it names: delete-extra would delete them`, {
      hint: marked`Choose another snapshot, or restore without ‹delete-extra›.`,
    })
  const leftOut = new Set(backup.leftOut)
  const covered = [...selected(selected(entriesOf(present), candidate, backup.patterns), candidate, { include: patterns, exclude: [] })]
  return covered.filter((entry) => isObjectEntry(entry) && !keys.has(keyOf(entry)) && !leftOut.has(candidate(entry).path)).map(keyOf)
}

/** Reads only the segments with needed objects. */
async function putAll(
  { name, bucket, segments, signal, report }: BucketRestore,
  files: readonly ListedFile[],
  needed: ReadonlyMap<string, ListedFile>,
): Promise<number> {
  const putting = new Putting(bucket, needed)
  let [size, start, expected] = [0, 0, 0]
  try {
    for (const { entries, bytes } of segments) {
      const here = files.slice(start, start + entries).filter(({ path }) => needed.has(path)).length
      start += entries
      if (here === 0) continue
      for await (const piece of bytes()) {
        signal.throwIfAborted()
        await putting.push(piece)
        size += piece.length
        report.progress({ activity: `restoring ${name}`, done: size })
      }
      putting.endArchive()
      expected += here
      if (putting.taken !== expected) throw new BadTar(`the archive of ${name} has other entries than its list`)
    }
    await putting.settled()
    return size
  } catch (error) {
    await putting.abort((message) => report.warning(message))
    if (!signal.aborted) report.warning(`${bucket.name} is partly restored`)
    throw error
  }
}

async function deleteAll({ bucket, name, report }: BucketRestore, keys: readonly string[]): Promise<void> {
  if (keys.length === 0) return
  report.info(`${name}: deleting ${formatCount(keys.length, 'object')} of ${bucket.name} that the backup does not have`)
  const transfers = new Transfers()
  for (const key of keys) await transfers.begin(0, () => bucket.delete(key))
  await transfers.settled()
}
