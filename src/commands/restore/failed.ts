import { type Left, LifeboatError, messageOf } from '../../error.ts'
import { failureOf } from '../../report/failure.ts'
import { isDatabase } from '../../sources/nouns.ts'
import type { PartToRestore } from './part.ts'
import type { FailedPart } from './result.ts'
import type { SafetyBackups } from './safety.ts'

/** The result of a part whose restore failed, while the others go on. */
export function failedPart(part: PartToRestore, error: unknown, backups: SafetyBackups): Omit<FailedPart, 'seconds'> {
  const { name } = part.source
  const hint = error instanceof LifeboatError ? error.hint : undefined
  const [{ source: _, ...left } = { source: name }] = leftOf(part, backups)
  const noun = isDatabase(part.source) ? 'database' : 'volume'
  return { [noun]: name, problem: messageOf(error), ...(hint !== undefined && { hint }), ...left }
}

/** The state of a part that was begun, and its safety backup. */
export function leftOf({ source, state, into }: PartToRestore, backups: SafetyBackups): Left[] {
  const safety = into && backups.of(source, into.target)
  if (state.last === undefined && !safety) return []
  return [{ source: source.name, ...(state.last !== undefined && { state: state.last }), ...safety }]
}

/** The error with the states that targets are left in. */
export function withLeft(error: unknown, left: readonly Left[]): unknown {
  if (left.length === 0) return error
  const { message, hint, status } = failureOf(error)
  return new LifeboatError(message, { ...(hint !== undefined && { hint }), status, cause: error, left })
}
