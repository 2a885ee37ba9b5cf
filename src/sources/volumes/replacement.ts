import { randomBytes } from 'node:crypto'
import { ChildError } from '../../process/child.ts'
import { LifeboatError, messageOf } from '../../error.ts'
import type { Leaves, Report } from '../../environment.ts'
import { marked } from '../../marks.ts'
import { shownName } from '../files/file-list.ts'
import { output } from './output.ts'
import type { Site } from '../files/site.ts'
import { BEGIN, CLEAR, EXCHANGE, EXTRACT, EXTRACTED, NOT_ALONE, UNDO } from './replacement-scripts.ts'
import { metaOf, pathOf } from '../files/entry.ts'

/**
 * A restore in mode `empty` or `clean` works in a folder of its own at the top of the target, on the same file system, which nobody else
 * can enter. Its content shows the progress, so that a restore that was killed can be removed, or completed:
 *
 * - `new`: the backup is being extracted; the old content is in place.
 * - `whole`: it is extracted, and on the disk; the old content moves to `old`.
 * - `in`: the old content is in `old`; the backup moves into its place.
 * - none of them: the backup is in place, and `old` can go.
 *
 * Each step is a rename, so that at any moment one of the two is whole. If the folder itself is restored too, `time` has its time, and
 * `top`, in the end, all its other attributes.
 */
const NAME = '.lifeboat-restore-'
const WORK = /^\.lifeboat-restore-[0-9a-f]{8}$/
export const PATTERN = `${NAME}${'[0-9a-f]'.repeat(8)}`

/** With one of these, the target is neither the old content nor the backup. */
const UNFINISHED: readonly string[] = ['whole', 'in']

/**
 * Whether an entry of a scan is of such a folder; the paths of these folders (latin1) are added to `found`. Throws if one of them says
 * that things are being moved, or cannot be read: then the content may be incomplete.
 */
export function workIn(site: Site, found: Set<string>): (entry: string) => boolean {
  return (entry) => {
    const parts = entry.includes(NAME) ? pathOf(entry).split('/') : []
    const depth = parts.findIndex((part) => WORK.test(part)) + 1
    if (depth === 0 || (depth === parts.length && metaOf(entry).type !== 'd')) return false
    const work = parts.slice(0, depth).join('/')
    found.add(work)
    if (metaOf(entry).unreadable) {
      throw new LifeboatError(`how far a restore has come in ${site.where} cannot be seen: ${shownName(work)} may not be read`, {
        hint: 'Wait for its end. If it was killed, restore once more, or back up as the same user or as root, who can see it.',
      })
    }
    if (depth + 1 === parts.length && UNFINISHED.includes(parts[depth]!)) {
      throw new LifeboatError(
        `${site.where} is in the middle of a restore, and is neither the old content nor the whole backup: see ${shownName(work)}`,
        {
          hint:
            marked`If it was killed, restore again with ‹mode: clean›, which completes it; or repair the content, and remove that folder.`,
        },
      )
    }
    return true
  }
}

const UNDO_MS = 5000

export interface Replacing {
  /** `empty`: there is nothing to replace, and nothing is left if it fails. */
  mode: 'empty' | 'clean'
  /** Whether the folder itself is restored as well: its mode, its owners, its time. */
  all: boolean
  signal: AbortSignal
  report: Report
  leaves?: Leaves
}

/**
 * A program that runs in the folder that a replacement works in: a script for sh that is given the target, that folder and these
 * `parameters`.
 */
export interface Work {
  script: string
  given: readonly string[]
}

/**
 * Replaces the content of the volume's folder by what `extract` extracts. If that fails, it throws and nothing has changed. Other users who
 * may write in that folder can make it fail, but not lead anything out of the folder (replacement-scripts.ts).
 */
export async function replaceContent<T>(
  site: Site,
  { mode, all, signal, report, leaves = () => undefined }: Replacing,
  extract: (into: Work) => Promise<T>,
): Promise<T> {
  const work = `${NAME}${randomBytes(4).toString('hex')}`
  const again =
    marked`Restore again with ‹mode: clean›: that removes it, or, where some of it is in place already, puts the rest there first.`
  let outcome: T
  try {
    leaves(`${site.where} is as it was before, but for files extracted so far, which may be in ${work}`, again)
    await run(site, BEGIN, [work], signal)
    outcome = await extract({ script: EXTRACT, given: [site.root, work] })
    await run(site, EXTRACTED, [work, all ? 'all' : 'part', mode], signal)
    // These are only renames, and should not be interrupted.
    leaves(`${site.where} may have a part of the old content and a part of the new, and ${work} the rest`, again)
    await run(site, EXCHANGE, [work, PATTERN, mode], NEVER)
  } catch (error) {
    try {
      await run(site, UNDO, [work], AbortSignal.timeout(UNDO_MS))
      leaves(`${site.where} is as it was before: nothing was restored`)
    } catch {
      // The first error says why; often the site cannot be reached any more.
      report.warning(
        `${site.where} may still have the files extracted so far, in ${work}`,
        again,
      )
    }
    throw error
  }
  leaves(`${site.where} is restored, but ${work} may still have a part of the old content`, again)
  try {
    await run(site, CLEAR, [work], signal)
    leaves(`${site.where} is completely restored`)
  } catch (error) {
    report.warning(
      `${site.where} is restored, but the old content is not completely removed: ${messageOf(error)}`,
      marked`Remove ${work}, or restore again with ‹mode: clean›.`,
    )
    signal.throwIfAborted()
  }
  return outcome
}

/**
 * Removes the folders of restores that were killed. One that had begun to move things is completed if `finish`; otherwise it is an error,
 * because completing it removes the old content.
 */
export async function clearKilled(
  site: Site,
  { finish, signal, report }: { finish: boolean; signal: AbortSignal; report: Report },
): Promise<void> {
  for (const { work, unfinished } of await leftByKilled(site, finish, signal)) {
    if (unfinished) await run(site, EXCHANGE, [work, PATTERN, 'clean'], NEVER)
    await run(site, CLEAR, [work], signal)
    report.info(
      `${site.where}: ${unfinished ? 'a restore that was killed is completed' : 'the remains of a restore that was killed are removed'}`,
    )
  }
}

/**
 * The folders of restores that were killed, and whether they had begun to move things. Throws for one that cannot be removed, or is
 * unfinished unless `finish`.
 */
export async function leftByKilled(site: Site, finish: boolean, signal: AbortSignal): Promise<{ work: string; unfinished: boolean }[]> {
  const left: { work: string; unfinished: boolean }[] = []
  const works = await output(
    site,
    'find',
    ['-H', site.root, '-mindepth', '1', '-maxdepth', '1', '-type', 'd', '-name', PATTERN, '-printf', String.raw`%f %U\n`],
    signal,
  )
  for (const line of works.split('\n')) {
    const [work, owner] = line.split(' ')
    if (work === undefined || !WORK.test(work)) continue
    if (owner !== (await output(site, 'id', ['-u'], signal)).trim()) {
      throw new LifeboatError(`${site.where} has ${work}, which a restore of another user left, or someone else made`, {
        hint: `Restore as the user with the number ${owner}, or repair the content by hand, and remove that folder.`,
        status: 2,
      })
    }
    const state = (
      await output(site, 'find', [`${site.root}/${work}`, '-mindepth', '1', '-maxdepth', '1', '-printf', String.raw`%f\n`], signal)
    ).split('\n')
    const unfinished = UNFINISHED.some((name) => state.includes(name))
    if (unfinished && !finish) {
      throw new LifeboatError(`${site.where} is neither the backup nor what was there before: a restore was killed in the middle of it`, {
        hint: marked`Restore with ‹mode: clean›, which completes it first. The old content is in ${work}/old, or has not been moved yet.`,
        status: 2,
      })
    }
    left.push({ work, unfinished })
  }
  return left
}

const NEVER = new AbortController().signal

/** The script gets the volume's folder as $1, and the `given` arguments from $2 on. */
async function run(site: Site, script: string, given: readonly string[], signal: AbortSignal): Promise<string> {
  try {
    return await output(site, 'sh', ['-euc', script, 'sh', site.root, ...given], signal)
  } catch (cause) {
    if (!(cause instanceof ChildError)) throw cause
    const said = cause.exit.stderr.trim().split('\n').at(-1)
    const hint = said?.includes(NOT_ALONE)
      ? 'Nobody else may write in that folder while root restores. Where the file system keeps no owners or modes, restore elsewhere ' +
        marked`and copy from there; a Docker volume can be restored with ‹mode: overwrite›.`
      : undefined
    throw new LifeboatError(`the content of ${site.where} could not be replaced: ${said || cause.message}`, {
      cause,
      ...(hint !== undefined && { hint }),
    })
  }
}
