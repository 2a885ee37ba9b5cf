import type { Environment } from '../environment.ts'
import type { NotifyInputs } from '../inputs/notify.ts'
import type { PartOfPlan } from '../inputs/plan.ts'
import type { AccessInputs } from '../inputs/store.ts'
import type { Notice, Ending } from '../notify/notice.ts'
import { failureOf, leftLines } from '../report/failure.ts'
import { kindAt } from '../sources/known-kinds.ts'
import type { Location } from '../sources/source-kind.ts'
import type { Destination } from '../stores/destination.ts'

/** Of the inputs of a command, those that messages need; a command without `notify` sends none. */
export interface Notifying {
  readonly notify?: NotifyInputs
  readonly set?: string | undefined
  readonly key?: string | undefined
  readonly access?: AccessInputs
  readonly destination?: Destination
  readonly destinations?: readonly Destination[]
  readonly part?: PartOfPlan | undefined
  readonly databases?: { list: readonly { name: string }[] }
  /** The target of a restore. */
  readonly server?: { database?: Location | undefined }
  readonly afterSwap?: { what: string } | undefined
  readonly [other: string]: unknown
}

/** The stores of a run: one input has several, the other one. */
export function destinationsOf({ destination, destinations = destination ? [destination] : [] }: Notifying): readonly Destination[] {
  return destinations
}

/** Facts of a result that messages tell, in addition to what they tell of all commands. */
export type NoticeFacts = Pick<Notice, 'snapshot' | 'size' | 'added' | 'verified' | 'sets'> & {
  set?: string
  /** Default: by the exit status. */
  status?: Ending
  /** The worst that a check found, for the title: `damaged backups`. */
  found?: string | undefined
  advice?: string[]
  /** Sets of which the run before failed. Undefined if nobody has looked. */
  recovered?: boolean
}

/** How a run ended, before it is put into words: its status, what happened, further problems, and what to do. */
export type Ended = Pick<Notice, 'status' | 'message' | 'problems' | 'advice'> & Partial<Omit<NoticeFacts, 'status' | 'advice'>>

/** The end of a run that threw. */
export function endedBadly(error: unknown): Ended {
  const { message, causes, hint, status, left } = failureOf(error)
  const ending = status === 130 ? 'interrupted' : status === 3 ? 'could not verify' : 'failure'
  return {
    status: ending,
    message: ending === 'interrupted' ? 'the run was cancelled, or reached its time limit, before it was done' : message,
    problems: [...causes.map((cause) => `because: ${cause}`), ...leftLines(left, message)],
    advice: hint === undefined ? [] : [hint],
  }
}

/** The work that a title names. Undo and forget-old restore nothing: they are about a database, and have no set. */
export function workOf(command: string, { afterSwap, server }: Notifying): { work: string; database: string | undefined } {
  const location = afterSwap && server?.database
  return { work: afterSwap?.what ?? command, database: location && kindAt(location).defaultName?.(location) }
}

const WORDS: Readonly<Record<Ending, string>> = {
  'success': 'succeeded',
  'recovered': 'succeeded again',
  'failure': 'failed',
  'could not verify': 'could not verify',
  'stale': 'found stale backups',
  'interrupted': 'was interrupted',
}

/** The notice of an end, without secrets and with the marks spelled, as the entry would print it. */
export function noticeOf(
  command: string,
  ended: Ended,
  { work, set, database, seconds }: ReturnType<typeof workOf> & { set: string | undefined; seconds: number },
  environment: Environment,
): Notice {
  const { report, run } = environment
  const { recovered: _, found, status, message, problems, advice, set: own = set, ...facts } = ended
  const clean = (text: string): string => report.redacted?.(text) ?? text
  const about = [
    ...(own === undefined ? [] : [`set ${own}`]), ...(database === undefined ? [] : [`database ${database}`]),
    ...(run === undefined ? [] : [run.repository]),
  ]
  const words = status === 'stale' && found !== undefined ? `found ${found}` : WORDS[status]
  return {
    ...facts,
    command, status,
    title: clean(`Lifeboat ${work} ${words}${about.length > 0 ? `: ${about.join(', ')}` : ''}`),
    message: clean(message), problems: problems.map(clean), advice: advice.map(clean),
    ...(own !== undefined && { set: own }),
    time: environment.now().toISOString(), seconds,
    ...(run && { repository: run.repository, run: run.url }),
  }
}
