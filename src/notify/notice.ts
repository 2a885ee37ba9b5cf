import { oneLine } from '../report/format.ts'
import { shortened } from '../report/markdown.ts'

/**
 * How a run ended. `could not verify` says nothing about the backup, good or bad. `stale` is a finding of check. `recovered`: it succeeded,
 * and the run before did not.
 */
export type Ending = 'success' | 'recovered' | 'failure' | 'could not verify' | 'stale' | 'interrupted'

/** The end of a run, as messages tell it: one line each, short, without secrets. */
export interface Notice {
  command: string
  status: Ending
  /** `Lifeboat backup failed: set app`. */
  title: string
  /** The event itself. */
  message: string
  /** Further problems. */
  problems: string[]
  /** Sentences that say what to do. */
  advice: string[]
  set?: string
  snapshot?: string
  /** Bytes read, and bytes added to the store. */
  size?: number
  added?: number
  /** The level at which the backup was read back. */
  verified?: string
  /** Of a run with several sets. */
  sets?: { set: string; status: Ending; snapshot?: string }[]
  /** ISO 8601. */
  time: string
  seconds: number
  repository?: string
  /** URL of the workflow run. */
  run?: string
}

export function isGood({ status }: Pick<Notice, 'status'>): boolean {
  return status === 'success' || status === 'recovered'
}

const LONGEST_TITLE = 140
const LONGEST_LINE = 400
const MOST_PROBLEMS = 5

/** The text on one line. */
function line(text: string): string {
  return shortened(oneLine(text).trim(), LONGEST_LINE)
}

/** The same, with every text on one line and short enough for all services. Texts come from databases, stores and file names. */
export function shortNotice(notice: Notice): Notice {
  const more = notice.problems.length - MOST_PROBLEMS
  const problems = notice.problems.slice(0, MOST_PROBLEMS).map(line)
  return {
    ...notice,
    title: shortened(oneLine(notice.title).trim(), LONGEST_TITLE),
    message: line(notice.message),
    problems: more > 0 ? [...problems, `and ${more} more`] : problems,
    advice: notice.advice.slice(0, 3).map(line),
  }
}

/** The lines below the title. */
export function linesOf({ message, problems, advice }: Notice): string[] {
  return [message, ...problems.map((problem) => `- ${problem}`), ...advice.map((one) => `What to do: ${one}`)]
}

/** Title and text, for services that show plain text. */
export function plainText(notice: Notice): string {
  return [...linesOf(notice), ...(notice.run === undefined ? [] : [`Run: ${notice.run}`])].join('\n')
}
