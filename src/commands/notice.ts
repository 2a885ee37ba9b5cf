import type { Environment } from '../environment.ts'
import type { Notice, Ending } from '../notify/notice.ts'
import { failureOf } from '../report/failure.ts'

/** Facts of a result that messages tell, in addition to what they tell of all commands. */
export type NoticeFacts = Pick<Notice, 'snapshot' | 'size' | 'added' | 'verified' | 'sets'> & {
  set?: string
  /** Default: by the exit status. */
  status?: Ending
  advice?: string[]
  /** Sets of which the run before failed. Undefined if nobody has looked. */
  recovered?: boolean
}

/** How a run ended, before it is put into words: its status, what happened, further problems, and what to do. */
export type Ended = Pick<Notice, 'status' | 'message' | 'problems' | 'advice'> & Partial<Omit<NoticeFacts, 'status' | 'advice'>>

/** The end of a run that threw. */
export function endedBadly(error: unknown): Ended {
  const { message, causes, hint, status } = failureOf(error)
  const ending = status === 130 ? 'interrupted' : status === 3 ? 'could not verify' : 'failure'
  return {
    status: ending,
    message: ending === 'interrupted' ? 'the run was cancelled, or reached its time limit, before it was done' : message,
    problems: causes.map((cause) => `because: ${cause}`),
    advice: hint === undefined ? [] : [hint],
  }
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
  command: string, ended: Ended, { set, seconds }: { set: string | undefined; seconds: number }, environment: Environment,
): Notice {
  const { report, run } = environment
  const { recovered: _, status, message, problems, advice, set: own = set, ...facts } = ended
  const clean = (text: string): string => report.redacted?.(text) ?? text
  const about = [...(own === undefined ? [] : [`set ${own}`]), ...(run === undefined ? [] : [run.repository])]
  return {
    ...facts,
    command, status,
    title: clean(`Lifeboat ${command} ${WORDS[status]}${about.length > 0 ? `: ${about.join(', ')}` : ''}`),
    message: clean(message), problems: problems.map(clean), advice: advice.map(clean),
    ...(own !== undefined && { set: own }),
    time: environment.now().toISOString(), seconds,
    ...(run && { repository: run.repository, run: run.url }),
  }
}
