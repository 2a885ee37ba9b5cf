import type { BackupResult } from './result.ts'
import { kindIfKnown } from '../../sources/known-kinds.ts'
import { LEAST } from '../../sources/loss.ts'
import type { Shrunk } from '../../sources/shrink.ts'
import { formatBytes, formatCount, oneLine, someLines } from '../../report/format.ts'

/** `the table public.orders of shop has about 0 rows, and had about 50,000 rows in the backup before`. */
function shrunkText({ source, kind, table, measure, before, now, exact }: Shrunk): string {
  const name = oneLine(source)
  const whole = kind === 'set' ? 'the whole backup' : `the ${kindIfKnown(kind)?.noun ?? 'source'} ${name}`
  const thing = table === undefined ? whole : `the table ${oneLine(table)} of ${name}`
  const about = table === undefined || exact ? '' : 'about '
  const amount = (number: number): string => about + (measure === 'bytes' ? formatBytes(number) : formatCount(number, measure.slice(0, -1)))
  const why = table === undefined ? ', because this run was not given it' : ''
  return now === null
    ? `${thing} is missing${why}; it had ${amount(before)} in the backup before`
    : `${thing} has ${amount(now)}, and had ${amount(before)} in the backup before`
}

/** Whether something shrank that must not. */
export function failsByShrinking({ shrunk, onShrink }: Pick<BackupResult, 'shrunk' | 'onShrink'>): boolean {
  return onShrink === 'fail' && shrunk.length > 0
}

/** More than anyone reads. */
const MOST = 20

export function shrunkLines(shrunk: readonly Shrunk[]): string[] {
  return someLines(shrunk.map(shrunkText), MOST)
}

/** Why the step fails though there is a backup. */
export function shrinkProblem({ shrunk, snapshot }: Pick<BackupResult, 'shrunk' | 'snapshot'>): string {
  return `the backup exists (snapshot ${snapshot}), but has lost more than half of something since the one before: ` +
    shrunkLines(shrunk).join('; ')
}

/** `before`: the newest snapshot, of which only the size is known. */
export function shrunkenAsAWhole(before: { size: number } | undefined, size: number, set: string): Shrunk[] {
  if (!before || before.size < LEAST.bytes || size >= before.size / 2) return []
  return [{ source: set, kind: 'set', measure: 'bytes', before: before.size, now: size }]
}
