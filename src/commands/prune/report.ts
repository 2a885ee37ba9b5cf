import type { PruneAfterBackup, PruneResult } from './result.ts'
import type { ChunkAmount } from '../../repository/garbage.ts'
import { formatBytes, formatColumns, formatCount, formatSeconds, formatSome, formatTime } from '../../report/format.ts'
import { details } from '../../report/summary-parts.ts'
import { code, escapeMarkdown as escape, madeIn, shortTime, table, withinLimit } from '../../report/markdown.ts'

/** More rows than anyone reads. */
const MOST_ROWS = 200

export function pruneHeadline(result: PruneResult): string {
  return `set ${result.set}: ${countsOf(result)}`
}

/** `2 snapshots deleted, 5 kept`; `3 snapshots to go: 1 deleted, 2 stay for now; 5 kept`. `named`: those that are gone. */
function countsOf({ dryRun, deleted, waiting = 0, kept, safetyBackups = 0 }: PruneResult, named = ''): string {
  const [gone, staying] = dryRun ? ['would go', 'would stay'] : ['deleted', 'kept']
  const safeties = safetyBackups > 0 ? `, and ${formatCount(safetyBackups, 'safety backup')}` : ''
  const rest = `${kept.toLocaleString('en-US')} ${staying}${safeties}`
  if (waiting === 0) return `${formatCount(deleted, 'snapshot')} ${gone}${named}, ${rest}`
  const later = `${waiting.toLocaleString('en-US')} ${dryRun ? 'would stay' : waiting === 1 ? 'stays' : 'stay'} for now`
  return `${formatCount(deleted + waiting, 'snapshot')} to go: ${deleted.toLocaleString('en-US')} ${gone}${named}, ${later}; ${rest}`
}

export function pruneText(result: PruneResult, { timeZone }: { timeZone: string }): string {
  const rows = result.snapshots.map(({ id, time, size, keep, waiting, reasons }) => [
    keep ? 'keep' : waiting ? 'later' : 'delete',
    id,
    formatTime(time, timeZone),
    formatBytes(size),
    reasons.join(', '),
  ])
  return [
    `${pruneHeadline(result)}, in ${formatSeconds(result.seconds)}`,
    ...(rows.length > 0 ? ['', formatColumns(rows, '  ')] : []),
    ...['', ...whatWent(result)].map((line) => (line === '' ? '' : `  ${line}`)),
  ].join('\n').trimEnd()
}

export function pruneSummary(result: PruneResult, { timeZone }: { timeZone: string }): string {
  const tableOf = (snapshots: PruneResult['snapshots']): string[] => {
    const rows = snapshots.slice(0, MOST_ROWS).map(({ id, time, size, keep, waiting, reasons }) => [
      keep ? 'keep' : waiting ? '⏳ later' : '🗑️ delete',
      code(id),
      shortTime(time, timeZone),
      formatBytes(size),
      escape(reasons.join(', ')),
    ])
    return [
      ...(rows.length > 0 ? [table(['', 'Snapshot', madeIn(timeZone), 'Size', 'Why'], rows, ['Size'])] : []),
      ...(rows.length < snapshots.length ? [`The newest ${MOST_ROWS} of ${snapshots.length} are shown.`] : []),
    ]
  }
  const kept = result.snapshots.filter(({ keep }) => keep)
  return withinLimit([
    `### ${result.dryRun ? '🔍' : '✅'} Lifeboat: ${escape(pruneHeadline(result))}`,
    ...whatWent(result).map(escape),
    ...(result.snapshots.length === 0 ? ['There are no snapshots.'] : []),
    ...tableOf(result.snapshots.filter(({ keep }) => !keep)),
    ...(kept.length > 0 ? [details(`Kept: ${formatCount(kept.length, 'snapshot')}`, tableOf(kept).join('\n\n'))] : []),
  ])
}

/** In a few words, after a backup. */
export function prunedAfter(prune: PruneAfterBackup | undefined): string[] {
  if (prune === undefined) return []
  if ('skipped' in prune) return [`Nothing was pruned: ${prune.skipped}`]
  const gone = prune.snapshots.filter(({ waiting }) => !waiting).map(({ id }) => id)
  const named = gone.length > 0 ? ` (${formatSome(gone, 3)})` : ''
  return [
    `Pruned: ${countsOf(prune, named)}`,
    ...whatWent(prune),
  ]
}

const one = ({ objects }: ChunkAmount): boolean => objects === 1

function about({ objects, bytes }: ChunkAmount, what: string): string[] {
  return objects === 0 ? [] : [`${formatCount(objects, 'chunk')} (${formatBytes(bytes)}) ${what}`]
}

/** Sentences about chunks or artifacts; none where there is nothing to say. */
function whatWent({ dryRun, chunks, artifacts }: PruneResult): string[] {
  if (chunks) {
    return [
      ...about(chunks.deleted, dryRun ? 'would be deleted' : 'deleted'),
      ...about(chunks.trashed, `${dryRun ? 'would' : one(chunks.trashed) ? 'is' : 'are'} no longer ${dryRun ? 'be ' : ''}needed by any ` +
        `snapshot; a later prune deletes ${one(chunks.trashed) ? 'it' : 'them'}`),
      ...about(chunks.waiting, `that no snapshot needs ${one(chunks.waiting) ? 'is' : 'are'} left for a later prune, as a running ` +
        `backup may need ${one(chunks.waiting) ? 'it' : 'them'} until the grace is over`),
      ...chunks.obstacles.map((obstacle) => `No chunks deleted: ${obstacle}`),
    ]
  }
  if (!artifacts) return []
  const bytes = artifacts.artifacts.reduce((sum, { size }) => sum + size, 0)
  const leaning = artifacts.staying.filter(({ neededBy }) => neededBy.length > 0)
  const proving = artifacts.staying.filter(({ neededBy, proves }) => neededBy.length === 0 && proves.length > 0)
  const running = artifacts.staying.length - leaning.length - proving.length
  const [stays, it] = running === 1 ? ['stays', 'it'] : ['stay', 'them']
  const deleted = dryRun || !artifacts.permitted ? 'would be deleted' : 'deleted'
  const refused = artifacts.permitted ? '' : ', but the token may not (actions: write)'
  return [
    ...(artifacts.artifacts.length > 0
      ? [`${formatCount(artifacts.artifacts.length, 'artifact')} (${formatBytes(bytes)}) ${deleted}${refused}`]
      : []),
    ...leaning.map(({ name, id, neededBy: { length } }) =>
      `${name} (${id}) stays: ${formatCount(length, 'later backup')} ${length === 1 ? 'depends' : 'depend'} on it`),
    ...proving.map(({ name, id, proves: { length } }) => `${name} (${id}) stays: it has the proofs of ${formatCount(length, 'snapshot')}`),
    ...(running > 0 ? [`${formatCount(running, 'artifact')} ${stays} for now: a backup that is running may depend on ${it}`] : []),
  ]
}
