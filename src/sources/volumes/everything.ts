import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import { someNames } from '../files/file-list.ts'
import type { Site } from '../files/site.ts'
import { output } from './output.ts'
import type { Scan } from './scan.ts'

/*
 * Of a safety backup: a restore then deletes what it backs up. So everything has to be in it.
 */

/** Throws if a backup of these entries would leave something out. Nobody can restore a socket. */
export function requireAllOf({ left: { devices, mounted }, skipped }: Pick<Scan, 'left' | 'skipped'>, { where }: Site): void {
  if (mounted.length > 0)
    throw new LifeboatError(
      `other file systems are mounted in ${where}, which a backup of it leaves out: ${named(mounted, skipped.mounted)}`,
      { hint: 'Unmount them first.', status: 2 },
    )
  if (devices.length > 0)
    throw new LifeboatError(`${where} has devices, which a backup of it leaves out: ${named(devices, skipped.devices)}`, {
      hint: 'Move them away first.', status: 2 })
}

function named(names: readonly string[], count: number): string {
  return `${someNames(names)}${count > names.length ? ', …' : ''}`
}

/** The time by the clock of the site, in seconds, for `requireUnchanged`. */
export async function timeAt(site: Site, signal: AbortSignal): Promise<string> {
  return (await output(site, 'date', ['+%s.%N'], signal)).trim()
}

/** Throws if something was made, changed or deleted since: a folder changes with the names in it. */
export async function requireUnchanged(since: string, site: Site, signal: AbortSignal): Promise<void> {
  const changed = ['-newerct', `@${since}`, '-printf', String.raw`%P\n`, '-quit']
  const found = await output(site, 'find', ['-H', site.root, '-xdev', '-ignore_readdir_race', ...changed], signal)
  if (found !== '') throw changedError(site, [found.trimEnd() || '.'])
}

export function changedError({ where }: Site, names: readonly string[]): LifeboatError {
  return new LifeboatError(`something writes in ${where}: these changed or vanished while they were backed up: ${someNames(names)}`, {
    hint: marked`Stop it first; ‹pre-command› and ‹post-command› can do that.` })
}
