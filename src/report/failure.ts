import { type FailureStatus, type Left, LifeboatError, messageOf } from '../error.ts'
import { oneLine } from './format.ts'
import { escapedLines, escapeMarkdown as escape, withinLimit } from './markdown.ts'

/** Why a command did not do what it was told, for people; not yet redacted. */
export interface Failure {
  message: string
  /** The messages of the causes, outermost first, without those that are part of a message above. */
  causes: string[]
  hint?: string
  /** The exit status. */
  status: FailureStatus
  /** Of a restore. */
  left?: readonly Left[]
}

const UNEXPECTED = 'Unexpected error. Please report it with the log; LIFEBOAT_DEBUG=1 shows where it happened.'

/** Reads an error and its chain of causes. */
export function failureOf(error: unknown): Failure {
  const chain = [...chainOf(error)]
  const known = chain.filter((link) => link instanceof LifeboatError)
  const causes: string[] = []
  for (const link of chain.slice(1)) {
    const message = messageOf(link)
    if (message !== '' && ![messageOf(error), ...causes].some((said) => said.includes(message))) causes.push(message)
  }
  const hint = known.find((link) => link.hint !== undefined)?.hint
  const left = known.find((link) => link.left.length > 0)?.left
  return {
    message: messageOf(error) || 'an error without a message',
    causes,
    hint: hint ?? (known.length === 0 ? UNEXPECTED : undefined),
    status: error instanceof LifeboatError ? error.status : 1,
    ...(left && { left }),
  }
}

/** The same with what may not be shown taken out of every text. */
export function redactedFailure(failure: Failure, redact: (text: string) => string): Failure {
  const { message, causes, hint, left } = failure
  return {
    ...failure, message: redact(message), causes: causes.map(redact), hint: hint === undefined ? undefined : redact(hint),
    ...(left && { left: left.map(({ state, safety, back, ...one }) => ({
      ...one, ...(state !== undefined && { state: redact(state) }),
      ...(safety && { safety: { ...safety, ...(safety.added && { added: safety.added.map(redact) }) } }),
      ...(back !== undefined && { back: redact(back) }),
    })) }),
  }
}

/** The state of targets and their backups, a line each. `said`: a text that may have told the state already. */
export function leftLines(left: readonly Left[] = [], said = ''): string[] {
  const of = (source: string): string => (left.length > 1 ? ` (${oneLine(source)})` : '')
  return left.flatMap(({ source, state, back }) => [
    ...(state === undefined || said.includes(state) ? [] : [`now${of(source)}: ${oneLine(state)}`]),
    ...(back === undefined ? [] : [`before${of(source)}: ${oneLine(back)}`]),
  ])
}

function* chainOf(error: unknown, depth = 0): Generator {
  // A chain of causes may bite its own tail.
  if (error === undefined || error === null || depth > 8) return
  yield error
  if (error instanceof AggregateError) for (const one of error.errors.slice(0, 4)) yield* chainOf(one, depth + 1)
  if (error instanceof Error) yield* chainOf(error.cause, depth + 1)
}

/** `error: …`, a line per cause, `hint: …`. */
export function failureText(failure: Failure): string {
  const { message, causes, left } = failure
  const lines = [`error: ${message}`, ...causes.map((cause) => `  because: ${cause}`), ...leftLines(left, message)]
  if (failure.hint !== undefined) lines.push(`hint: ${failure.hint}`)
  return lines.join('\n')
}

/** The job summary of a command that failed. `more`: what else there is to tell, in Markdown. */
export function failureSummary(command: string, failure: Failure, more?: string): string {
  const [first = '', ...rest] = failure.message.split('\n')
  return withinLimit([
    failure.status === 3 ? '### ⚠️ Lifeboat: the backup could not be verified' : `### ❌ Lifeboat: ${command} failed`,
    [`**${escape(first)}**`, ...(rest.length > 0 ? [escapedLines(rest.join('\n'))] : [])].join('  \n'),
    ...failure.causes.map((cause) => `- because: ${escape(cause)}`),
    ...leftLines(failure.left, failure.message).map((line) => `- ${escape(line)}`),
    ...(failure.hint === undefined ? [] : [`What to do: ${escapedLines(failure.hint)}`]),
    ...(more === undefined ? [] : [more]),
  ])
}
