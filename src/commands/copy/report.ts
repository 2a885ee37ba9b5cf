import type { CopyResult } from './result.ts'
import { formatBytes, formatColumns, formatCount, formatSeconds } from '../../report/format.ts'
import { code, escapeMarkdown as escape, table, withinLimit } from '../../report/markdown.ts'

/** More rows than anyone reads. */
const MOST_ROWS = 200

type CopiedSnapshot = CopyResult['snapshots'][number]

export function copyHeadline({ snapshots, bytes, from, to, newStore }: CopyResult): string {
  const count = (wanted: CopiedSnapshot['outcome']): number => snapshots.filter(({ outcome }) => outcome === wanted).length
  const again = snapshots.reduce((sum, one) => sum + (one.outcome === 'was there' ? one.bytes : 0), 0)
  const repaired = snapshots.reduce((sum, one) => sum + (one.repaired ?? 0), 0)
  const others = [
    [count('was there'), 'there already'],
    [count('failed'), 'FAILED'],
    [repaired, `${repaired === 1 ? 'object' : 'objects'} missing or damaged before and good now`],
    [snapshots.filter(({ damaged }) => damaged !== undefined).length, 'known to be DAMAGED'],
    [snapshots.filter(({ failedDrill }) => failedDrill !== undefined).length, 'with a FAILED DRILL'],
    [snapshots.filter(({ repairedSince }) => repairedSince !== undefined).length, 'to be verified again'],
  ].flatMap(([number, what]) => (number === 0 ? [] : [`${number} ${what}`]))
  if (again > 0) others.push(`${formatBytes(again)} put again`)
  const counts = [`${formatCount(count('copied'), 'snapshot')} copied (${formatBytes(bytes - again)})`, ...others].join(', ')
  return `${counts}, from ${from} to ${to}${newStore ? ', a new store' : ''}`
}

/** The text about a snapshot that is not known to be whole. */
function againstIt(
  { problem, damaged, failedDrill, repairedSince }: Pick<CopiedSnapshot, 'problem' | 'damaged' | 'failedDrill' | 'repairedSince'>,
): string | undefined {
  const since = repairedSince && `failed its last verification, at level ${repairedSince}; the objects damaged then are good now`
  return problem ?? damaged ?? (failedDrill && `failed its drill: ${failedDrill}`) ?? since
}

export function copyText(result: CopyResult): string {
  const shown = result.snapshots.filter((one) => one.outcome !== 'was there' || one.bytes > 0 || againstIt(one) !== undefined)
  const rows = shown.map(({ snapshot, set, outcome, bytes, chunks, ...one }) => [
    snapshot,
    set,
    outcome,
    againstIt(one) ?? `${formatBytes(bytes)}, ${formatCount(chunks, 'chunk')}`,
  ])
  return [
    `${copyHeadline(result)}, in ${formatSeconds(result.seconds)}`,
    ...(rows.length > 0 ? ['', formatColumns(rows, '  ')] : []),
  ].join('\n')
}

export function copySummary(result: CopyResult): string {
  const failed = result.snapshots.some(({ outcome }) => outcome === 'failed')
  const newestFirst = result.snapshots.toReversed()
  const rows = newestFirst.slice(0, MOST_ROWS).map(({ snapshot, set, outcome, bytes, ...one }) => [
    code(snapshot),
    escape(set),
    outcome === 'failed' ? '❌ failed'
      : one.damaged ? `⚠️ ${outcome}, damaged`
      : one.failedDrill ? `⚠️ ${outcome}, drill failed`
      : one.repairedSince ? `⚠️ ${outcome}, verify again`
      : outcome,
    formatBytes(bytes),
    escape(againstIt(one) ?? ''),
  ])
  return withinLimit([
    `### ${failed ? '❌' : result.snapshots.some((one) => againstIt(one) !== undefined) ? '⚠️' : '✅'} Lifeboat: ` +
      escape(copyHeadline(result)),
    ...(rows.length > 0 ? [table(
      ['Snapshot', 'Set', '', 'Transferred', 'Problem'],
      rows,
      ['Transferred'],
    )] : ['There was nothing to copy.']),
    ...(newestFirst.length > MOST_ROWS ? [`The newest ${MOST_ROWS} of ${newestFirst.length} are shown.`] : []),
  ])
}
