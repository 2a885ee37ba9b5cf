import { LifeboatError, messageOf } from '../error.ts'

/** The result of looking at one thing, and what to do about it. */
export interface Finding {
  /** `file:/mnt/backups`, or the name of a database. */
  about: string
  /** The thing in a word or two: `put`, `clock`, `encryption`. */
  check: string
  /** `bad`: a backup will fail or miss something. `warning`: it may. */
  state: 'good' | 'warning' | 'bad'
  says: string
  fix?: string
}

/** An error as the result of a check; its hint says what to do. */
export function badFinding(about: string, check: string, error: unknown): Finding {
  const fix = error instanceof LifeboatError ? error.hint : undefined
  return { about, check, state: 'bad', says: messageOf(error), ...(fix !== undefined && { fix }) }
}

/** A good result without its advice; others need theirs. */
export function withoutAdvice(finding: Finding): Finding {
  const { about, check, state, says } = finding
  return state === 'good' ? { about, check, state, says } : finding
}
