import type { CopyResult } from './result.ts'
import { formatBytes, formatColumns, formatCount, formatSeconds } from '../../report/format.ts'
import { code, escapeMarkdown as escape, table, withinLimit } from '../../report/markdown.ts'

/** More rows than anyone reads. */
const MOST_ROWS = 200

export function copyHeadline({ snapshots, bytes, from, to, newStore }: CopyResult): string {
  const count = (wanted: CopyResult['snapshots'][number]['outcome']): number => snapshots.filter(({ outcome }) => outcome === wanted).length
  const again = snapshots.reduce((sum, one) => sum + (one.outcome === 'was there' ? one.bytes : 0), 0)
  const repaired = snapshots.reduce((sum, one) => sum + (one.repaired ?? 0), 0)
  const others = [
    [count('was there'), 'there already'],
    [count('failed'), 'FAILED'],
    [repaired, `${repaired === 1 ? 'object' : 'objects'} missing or damaged before and good now`],
    [snapshots.filter(({ damaged }) => damaged !== undefined).length, 'known to be DAMAGED'],
  ].flatMap(([number, what]) => (number === 0 ? [] : [`${number} ${what}`]))
  if (again > 0) others.push(`${formatBytes(again)} put again`)
  const counts = [`${formatCount(count('copied'), 'snapshot')} copied (${formatBytes(bytes - again)})`, ...others].join(', ')
  return `${counts}, from ${from} to ${to}${newStore ? ', a new store' : ''}`
}

export function copyText(result: CopyResult): string {
  const shown = result.snapshots.filter(({ outcome, bytes, damaged }) => outcome !== 'was there' || bytes > 0 || damaged !== undefined)
  const rows = shown.map(({ snapshot, set, outcome, bytes, chunks, damaged, problem }) => [
    snapshot,
    set,
    outcome,
    problem ?? damaged ?? `${formatBytes(bytes)}, ${formatCount(chunks, 'chunk')}`,
  ])
  return [
    `${copyHeadline(result)}, in ${formatSeconds(result.seconds)}`,
    ...(rows.length > 0 ? ['', formatColumns(rows, '  ')] : []),
  ].join('\n')
}

export function copySummary(result: CopyResult): string {
  const failed = result.snapshots.some(({ outcome }) => outcome === 'failed')
  const newestFirst = result.snapshots.toReversed()
  const rows = newestFirst.slice(0, MOST_ROWS).map(({ snapshot, set, outcome, bytes, damaged, problem }) => [
    code(snapshot),
    escape(set),
    outcome === 'failed' ? '❌ failed' : damaged === undefined ? outcome : `⚠️ ${outcome}, damaged`,
    formatBytes(bytes),
    escape(problem ?? damaged ?? ''),
  ])
  return withinLimit([
    `### ${failed ? '❌' : result.snapshots.some(({ damaged }) => damaged !== undefined) ? '⚠️' : '✅'} Lifeboat: ` +
      escape(copyHeadline(result)),
    ...(rows.length > 0 ? [table(
      ['Snapshot', 'Set', '', 'Transferred', 'Problem'],
      rows,
      ['Transferred'],
    )] : ['There was nothing to copy.']),
    ...(newestFirst.length > MOST_ROWS ? [`The newest ${MOST_ROWS} of ${newestFirst.length} are shown.`] : []),
  ])
}
