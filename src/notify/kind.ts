import type { GitHubRepository } from './github-issues.ts'
import type { Notice } from './notice.ts'

/** The ends of a run that a target is told of. */
export const CONDITIONS = ['failure', 'recovered', 'success', 'always', 'stale'] as const
export type Condition = (typeof CONDITIONS)[number]

/** The means of one attempt to send. */
export interface Sending {
  signal: AbortSignal
  /** Milliseconds that one attempt may take, a whole number. */
  limit: number
  /** Signs the messages of webhooks. */
  secret: string | undefined
  /** That of the run; undefined without its name or a token. */
  repository: (within: { signal: AbortSignal; timeout: number }) => GitHubRepository | undefined
  /** The same for every message about the same thing: an issue is found by it. */
  subject: string
}

/** A place that messages are sent to. */
export interface Place {
  /** For messages and warnings: the kind and the host, nothing secret. */
  readonly shown: string
  /** Throws a `Transient` for what may be better the next time, and a `LifeboatError` for anything else. Neither quotes an answer. */
  send(notice: Notice, sending: Sending): Promise<void>
  /** Tells that the run has begun. */
  begin?(sending: Sending): Promise<void>
}

/** A service that messages are sent to: one file, and a line in `all.ts`. */
export interface NotificationKind {
  /** The word before the colon of a target. */
  readonly name: string
  /** `slack:URL`, for help. */
  readonly form: string
  /** When it is told, if the target does not say. Default: `failure`. */
  readonly on?: readonly Condition[]
  /** Reads the text after the colon; empty if there is none. Throws `InvalidValue`, which quotes nothing of it. */
  parse(text: string): Place
}
