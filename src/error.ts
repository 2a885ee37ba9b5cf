/** The exit status of a command that did not do what it was told: 1 failed, 2 wrong usage, 3 could not verify, 130 interrupted. */
export type FailureStatus = 1 | 2 | 3 | 130

/** An error for the person who runs Lifeboat: `message` says what happened to what, `hint` what to do now. */
export class LifeboatError extends Error {
  readonly hint: string | undefined
  readonly status: FailureStatus

  constructor(message: string, options: { hint?: string; cause?: unknown; status?: FailureStatus } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'LifeboatError'
    this.hint = options.hint
    this.status = options.status ?? 1
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** A value that an input does not take. Thrown by parsers; the message follows the name of the input. */
export class InvalidValue extends Error {}
