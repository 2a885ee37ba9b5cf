import { ChildError } from '../../process/child.ts'
import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import { formatBytes, formatCount } from '../../report/format.ts'
import { backUpStep, requireAll } from '../checks.ts'
import type { Site } from '../files/site.ts'
import { choose } from '../files/choice.ts'
import { type Content, contentOf } from './content.ts'
import { lockTarget } from './target-lock.ts'
import { refuseOtherKinds } from './other-kinds.ts'
import { output, requireTar } from './output.ts'
import { requireOwners } from './owners.ts'
import { refuseStores } from './own-stores.ts'
import { leftByKilled } from './replacement.ts'
import { freeSpace, refuseOthers, requireNoContent, requireSpace, type VolumeRestore } from './restore.ts'

export interface VolumePlan {
  entries: number
  /** Bytes that it needs. */
  size: number
  steps: string[]
  disk: { device: string; free: number }
}

/** Makes all checks of a restore, and tells its steps. `missing`: the folder is not there; `site` is another one on the same disk. */
export async function planVolume(given: VolumeRestore, missing: boolean): Promise<VolumePlan> {
  const { site, mode, patterns, signal } = given
  const choice = await choose(given, patterns)
  await requireTar(site, signal)
  const there = !missing
  await requireAll([
    () => refuseStores(site, there ? mode : 'empty', signal),
    () => requireWritable(site, signal),
    ...(mode === 'overwrite' ? [] : [() => requireCoreutils(site, signal)]),
    ...(there ? [
      async () => (await lockTarget(site, signal))(),
      async () => void (await leftByKilled(site, mode === 'clean', signal)),
    ] : []),
    ...(there && mode === 'empty' ? [() => requireNoContent(given)] : []),
    ...(there && mode === 'overwrite' ? [
      () => refuseOthers(site, choice, signal), () => refuseOtherKinds(site, given.list, choice.wanted, signal),
    ] : []),
    ...(given.owners === 'number' ? [() => requireOwners(site, given.list, choice.wanted, signal)] : []),
    () => requireSpace(site, choice.size, signal),
  ])
  const disk = { device: (await output(site, 'stat', ['-c', '%d', site.root], signal)).trim(), free: await freeSpace(site, signal) }
  const content = there ? await contentOf(site, mode === 'clean' ? given.chosenBy : undefined, signal) : { count: 0, bytes: 0 }
  if (content.lacked !== undefined && !given.backUpTarget) {
    given.report.warning(`${site.where}: of the files that this restore removes, no safety backup is made. ${content.lacked}`,
      marked`Restore with ‹mode: overwrite›, which leaves other files as they are, or with a safety backup.`)
  }
  return { entries: choice.entries, size: choice.size, steps: stepsOf(given, choice, missing, content, disk.free), disk }
}

function stepsOf(
  { site: { where }, mode, backUpTarget }: VolumeRestore, { entries, size }: { entries: number; size: number }, missing: boolean,
  content: Content, free: number,
): string[] {
  const what = `${formatCount(entries, 'file or folder', 'files and folders')}, ${formatBytes(size)}`
  const room = Number.isNaN(free) ? '' : `; ${formatBytes(free)} are free`
  const now = `${formatCount(content.count, 'file or folder', 'files and folders')}, ${formatBytes(content.bytes)}`
  const first = backUpTarget && content.count > 0 ? [backUpStep(where)] : []
  const made = missing ? [`Make ${where}, which is not there.`] : []
  if (mode === 'overwrite') {
    return [...made, ...first, `Extract ${what}, in ${where}${room}. ${content.count === 0 ? 'Nothing is there now.'
      : `Files of the same names are replaced; the others of the ${now}, that are there now stay.`}`]
  }
  const extract = `Extract ${what}, in a folder of its own in ${where}${room}.`
  if (mode === 'empty' || content.count === 0) return [...made, extract, 'Move it to its place.']
  const lacked = content.lacked === undefined ? '' : ` ${content.lacked} ${backUpTarget ? 'The' : 'No'} safety backup will have them.`
  return [...first, extract, `Exchange it for the content that is there now, and remove that: ${now}.${lacked}`]
}

async function requireWritable(site: Site, signal: AbortSignal): Promise<void> {
  // A container has the volume for reading alone until it is restored, and root there can write.
  if (site.isolated) return
  try {
    await output(site, 'test', ['-w', site.root], signal)
  } catch (cause) {
    signal.throwIfAborted()
    if (!(cause instanceof ChildError)) throw cause
    throw new LifeboatError(`this user may not write in ${site.root}, where ${site.where} is restored`, {
      cause, hint: 'Restore as a user who may, or into another folder.' })
  }
}

/** Throws unless there are the programs by which the content of a folder is replaced. */
async function requireCoreutils(site: Site, signal: AbortSignal): Promise<void> {
  const version = await output(site, 'sh', ['-c', 'cp --version 2>&1 || :'], signal)
  if (version.includes('GNU coreutils')) return
  throw new LifeboatError(`there are no GNU coreutils for ${site.where}, which all modes but overwrite need`, {
    hint: marked`Install them (package coreutils), or restore with ‹mode: overwrite›.` })
}
