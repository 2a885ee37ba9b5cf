import { type Left, LifeboatError, messageOf } from '../../error.ts'
import { marked, markedCommand } from '../../marks.ts'
import { failureOf } from '../../report/failure.ts'
import { formatSome, oneLine } from '../../report/format.ts'
import { isDatabase } from '../../sources/nouns.ts'
import type { RestoreInputs } from './inputs.ts'
import type { PartToRestore } from './part.ts'
import type { FailedPart } from './result.ts'
import { type SafetyBackups, withUrl } from './safety.ts'

/** The result of a part whose restore failed, while the others go on. */
export function failedPart(part: PartToRestore, error: unknown, backups: SafetyBackups): Omit<FailedPart, 'seconds'> {
  const { name } = part.source
  const hint = error instanceof LifeboatError ? error.hint : undefined
  const [{ source: _, ...left } = { source: name }] = leftOf(part, backups)
  const noun = isDatabase(part.source) ? 'database' : 'volume'
  return { [noun]: name, problem: messageOf(error), ...(hint !== undefined && { hint }), ...left }
}

/** More than anyone reads. */
const MOST_NAMED = 5

/**
 * The command that restores one source of all, where others are restored: that for all would be refused, or replace these once more.
 * `restored`: the names of those that are whole.
 */
export function alone(
  { source, into, mode }: PartToRestore, restored: readonly string[], snapshot: string,
  { objects: { globals } }: Pick<RestoreInputs, 'objects'>,
): string[] {
  if (!into || restored.length === 0) return []
  const { name, where, replaces } = into.target
  const database = isDatabase(source)
  const roles: Record<string, string> = globals === undefined || globals === 'none' ? {} : { globals }
  // The name of a bucket alone does not say how it is reached.
  const bucket = name.startsWith('s3://')
  const place: Record<string, string> = database ? { database: source.name, ...roles }
    : { volume: source.name, ...(!bucket && { target: name }) }
  const command = markedCommand('restore', { snapshot, ...place, mode, ...(replaces && { confirm: name }) })
  const others = formatSome(restored.map(oneLine), MOST_NAMED)
  const to = database ? withUrl(where) : bucket ? marked`, with ‹target› for ${oneLine(where)}` : ''
  const given = marked`with the other options of this run but ‹all› and ‹map›${to}`
  return [`Restored already: ${others}. For ${oneLine(source.name)} alone, ${given}: ${command}.`]
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
