import { oneLine, someLines } from '../../report/format.ts'
import type { RestoreResult } from './result.ts'

/** More names than anyone reads; the JSON result has them all. */
const MOST = 50

/** Everything of a damaged source that is not restored, or with a dry run would not be, a line each, and the snapshot that has it. */
export function missingLines({ missing = [], elsewhere, steps }: Pick<RestoreResult, 'missing' | 'elsewhere' | 'steps'>): string[] {
  if (missing.length === 0) return []
  const left = steps === undefined ? 'not restored' : 'it would not be restored'
  return [
    `MISSING: damaged in the backup, so ${left}, or only in part (${missing.length.toLocaleString('en-US')}):`,
    ...someLines(missing.map(oneLine), MOST).map((line) => `- ${line}`),
    ...(elsewhere === undefined ? [] : [elsewhere]),
  ]
}
