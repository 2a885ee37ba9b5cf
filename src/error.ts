/**
 * The exit status of a command that did not do what it was told: 1 failed, 2 wrong usage, 3 could not verify, 130 interrupted, 141 the
 * reader of its output closed the pipe.
 */
export type FailureStatus = 1 | 2 | 3 | 130 | 141

/** That of a program that SIGPIPE ends, which a shell shows. */
export const CLOSED_PIPE = 141

/** A source whose restore failed: the state of its target, and the backup of the content from before, where they are known. */
export interface Left {
  source: string
  state?: string
  safety?: { snapshot: string; set: string; until: string; added?: readonly string[] }
  /** Where that backup is and how to restore it, in sentences. */
  back?: string
}

/** An error for the person who runs Lifeboat: `message` says what happened to what, `hint` what to do now. */
export class LifeboatError extends Error {
  readonly hint: string | undefined
  readonly status: FailureStatus
  readonly left: readonly Left[]

  constructor(message: string, options: { hint?: string; cause?: unknown; status?: FailureStatus; left?: readonly Left[] } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'LifeboatError'
    this.hint = options.hint
    this.status = options.status ?? 1
    this.left = options.left ?? []
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** A value that an input does not take. Thrown by parsers; the message follows the name of the input. */
export class InvalidValue extends Error {}
