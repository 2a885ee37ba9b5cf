import type { When } from '../../report/context.ts'
import { formatAge, formatTime } from '../../report/format.ts'
import { code, escapeMarkdown as escape, fenced } from '../../report/markdown.ts'
import { restoreCommand, restoreInto, restoreVariables } from '../../report/recipe.ts'
import type { SourceRecord } from '../../repository/snapshot.ts'
import { flawOf, type Unsound } from '../../repository/wholeness.ts'
import { type Confirmed, namesByNoun } from '../../sources/nouns.ts'
import type { Remarks } from '../../sources/remarks.ts'

type SnapshotSource = Pick<SourceRecord, 'name' | 'kind'> & Confirmed & Pick<Remarks, 'partial'>

/** The newest backup of a set from before a run that failed, as far as it is known. */
export type Newest =
  /**
   * `unsound`: newer ones that are damaged, newest first. `destination`: of several, the one that has it. `sources`: absent with a write
   * key, which cannot read them.
   */
  | { set: string; snapshot: string; time: string; unsound?: Unsound[]; destination?: string; sources?: readonly SnapshotSource[] }
  /** None: the set is empty, or all that were looked at are damaged, failed a drill, or are of another key. */
  | { set: string; none: 'empty' | 'unsound'; unsound?: Unsound[] }
  /** The store could not be asked. */
  | { set: string; unknown: string }

export function redactedNewest(newest: Newest, apply: (text: string) => string): Newest {
  if ('unknown' in newest) return { ...newest, unknown: apply(newest.unknown) }
  return newest.unsound ? { ...newest, unsound: newest.unsound.map((found) => ({ ...found, why: apply(found.why) })) } : newest
}

/**
 * The newest backup and the next step, in Markdown, for the summary of a backup that failed. `first`: the first destination, or the only
 * one.
 */
export function fallbackText(newest: Newest, first: string, when: When): string {
  const next = '**Next:** fix the cause above, then run the backup again.'
  if (!('snapshot' in newest)) return [newestSentence(newest, when), next].join('\n\n')
  const { set, snapshot, destination = first, sources = [] } = newest
  const names = namesByNoun(sources)
  const variables = restoreVariables({ destination, ...names }, (name) => `\`${name}\``)
  const command = restoreCommand('lifeboat', { destination, set, snapshot, ...names }, ' \\\n  ')
  return [
    newestSentence(newest, when),
    next,
    `This failure does not touch that backup. To restore it into ${restoreInto(names)}, at a terminal with ${variables} set:`,
    fenced('sh', command),
  ].join('\n\n')
}

export function newestSentence(newest: Newest, { timeZone, now }: When): string {
  const set = `set **${escape(newest.set)}**`
  if ('unknown' in newest) return `The age of the newest backup of ${set} could not be found out: ${escape(newest.unknown)}`
  const damaged = (newest.unsound ?? [])
    .map((found) => `The earlier backup ${code(found.snapshot)} ${flawOf(found)}: ${escape(found.why)}.`)
    .join(' ')
  const failedDrill = newest.unsound?.some((one) => one.failedDrill) ? ' and failed no drill' : ''
  if ('none' in newest) {
    return newest.none === 'empty'
      ? `There is no earlier backup of ${set}.`
      : (`None of the newest backups of ${set} can be relied on: they are damaged, failed their drills, or were made with another key. ` +
        damaged).trim()
  }
  const whole = `${damaged} The newest of ${set} that is whole${failedDrill}`
  const which = damaged === '' ? `The newest backup of ${set} before this run` : whole
  return `${which} is **${formatAge(newest.time, now)} old**: ${code(newest.snapshot)}, made ${formatTime(newest.time, timeZone)}.`
}
