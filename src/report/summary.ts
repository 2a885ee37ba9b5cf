import type { BackupResult, ListResult, RestoreResult, VerifyResult } from '../commands/results.ts'
import { sizeChart } from './chart.ts'
import type { Failure } from './failure.ts'
import { formatBytes, formatCount, formatRate, formatSeconds, formatShare, formatTime } from './format.ts'
import { escapeMarkdown as escape, fenced, table, withinLimit } from './markdown.ts'
import { restoreCommand, restoreStep } from './recipe.ts'

/** What a job summary needs beside the result. */
export interface SummaryContext {
  /** How a workflow names this action: `owner/repository`, and what follows `@`. */
  action: string
  reference: string
  /** `file:/mnt/backups`. */
  destination: string
  timeZone: string
}

/** A job summary in Markdown, below the limit that GitHub sets. Pure; the result must be redacted already. */
export function backupSummary(result: BackupResult, context: SummaryContext): string {
  const { snapshot, set, size, added, seconds, sources } = result
  const content = { destination: context.destination, set, snapshot, databases: sources.map(({ name }) => name) }
  const sourceRows = sources.map((source) => backupRow(escape(source.name), source))
  return withinLimit([
    `### ✅ Lifeboat: backed up ${formatCount(sources.length, 'database')}, ${formatBytes(size)} read, ${formatBytes(added)} added`,
    `Snapshot **${escape(snapshot)}** of set **${escape(set)}**, ${formatTime(result.time, context.timeZone)}. ${verifiedSentence(result.verified)}`,
    table(['Source', 'Size', 'Added', 'Not stored again', 'Rate', 'Time'], sources.length > 1 ? [...sourceRows, backupRow('**Total**', { size, added, seconds })] : sourceRows),
    `${formatCount(result.newChunks, 'new chunk')} of ${result.chunks.toLocaleString('en-US')}, ${result.deltaChunks.toLocaleString('en-US')} of them stored as differences; the snapshot needs ${formatBytes(result.stored)} in the store.`,
    ...recentBackups(result, context),
    restoring(content, context),
  ])
}

/** The sizes of the last backups as a chart, with the table beside it: a jump in either line is the first thing to look at. */
function recentBackups({ recent }: BackupResult, context: SummaryContext): string[] {
  if (recent.length < 2) return []
  const rows = recent.map(({ snapshot, time, size, stored, added }) => [escape(snapshot), formatTime(time, context.timeZone), formatBytes(size), formatBytes(stored), formatBytes(added)])
  return [
    sizeChart(recent.toReversed(), context.timeZone),
    `<details><summary>The last ${recent.length} backups of this set</summary>\n\n${table(['Snapshot', 'Time', 'Size', 'Stored', 'Added'], rows)}\n\n</details>`,
  ]
}

function backupRow(name: string, part: { size: number; added: number; seconds: number }): string[] {
  const { size, added, seconds } = part
  return [name, formatBytes(size), formatBytes(added), formatShare(Math.max(0, size - added), size), formatRate(size, seconds), formatSeconds(seconds)]
}

function verifiedSentence(level: BackupResult['verified']): string {
  if (level === 'none') return '⚠️ Not verified.'
  return level === 'list' ? 'Verified: every chunk is in the store and the archive is readable.' : 'Verified: every byte was read back and compared.'
}

function restoring(content: Parameters<typeof restoreStep>[2], context: SummaryContext): string {
  return [
    '<details><summary>How to restore this snapshot</summary>',
    '',
    'As a step of a workflow, into an empty database:',
    '',
    fenced('yaml', restoreStep(context.action, context.reference, content)),
    '',
    'At a terminal, with LIFEBOAT_ENCRYPTION_KEY and DATABASE_URL (the target) set:',
    '',
    fenced('sh', restoreCommand('node dist/cli.js', content)),
    '',
    'Without Lifeboat: see RECOVERY.md in the store.',
    '',
    '</details>',
  ].join('\n')
}

export function restoreSummary(result: RestoreResult, context: SummaryContext): string {
  const { errors } = result
  const database = escape(result.database)
  const headline =
    result.mode === 'verify-only'
      ? `✅ Lifeboat: checked ${database}; no database was touched`
      : `${errors.length > 0 ? '❌' : '✅'} Lifeboat: restored ${database}${errors.length > 0 ? ` with ${formatCount(errors.length, 'error')}` : ''}`
  return withinLimit([
    `### ${headline}`,
    table(
      ['Snapshot', 'Made', 'Target', 'Mode', 'Entries', 'Size', 'Time'],
      [[escape(result.snapshot), formatTime(result.time, context.timeZone), escape(result.target), result.mode,
        result.mode === 'verify-only' ? `${result.entries}` : `${result.restored} of ${result.entries}`, formatBytes(result.size), formatSeconds(result.seconds)]],
    ),
    ...(errors.length > 0 ? ['pg_restore said:', fenced('', errors.join('\n'))] : []),
  ])
}

export function verifySummary(result: VerifyResult, context: SummaryContext): string {
  const content = { destination: context.destination, set: result.set, snapshot: result.snapshot, databases: result.sources.map(({ name }) => name) }
  const headline = {
    verified: '✅ Lifeboat: the backup is sound',
    failed: '❌ Lifeboat: the backup is damaged',
    'could not verify': '⚠️ Lifeboat: the backup could not be verified',
  }[result.result]
  return withinLimit([
    `### ${headline}`,
    `Snapshot **${escape(result.snapshot)}** of set **${escape(result.set)}**, ${formatTime(result.time, context.timeZone)}, level ${result.level}: ` +
      `${formatCount(result.chunks, 'chunk')}, ${formatBytes(result.bytes)} read in ${formatSeconds(result.seconds)}.`,
    ...(result.problems.length > 0 ? [fenced('', result.problems.join('\n'))] : []),
    ...(result.sources.length > 0
      ? [table(['Source', 'Size', 'Archive entries'], result.sources.map((source) => [escape(source.name), formatBytes(source.size), source.entries.toLocaleString('en-US')]))]
      : []),
    ...(result.result === 'verified' ? [restoring(content, context)] : []),
  ])
}

/** More rows than anyone reads would push the summary over its limit. */
const MOST_ROWS = 200

export function listSummary(result: ListResult, context: SummaryContext): string {
  const newestFirst = result.snapshots.toSorted((a, b) => b.time.localeCompare(a.time))
  const rows = newestFirst.slice(0, MOST_ROWS).map((snapshot) => [
    escape(snapshot.id), formatTime(snapshot.time, context.timeZone), escape(snapshot.set), formatBytes(snapshot.size), formatBytes(snapshot.added),
    escape((snapshot.sources ?? []).map(({ name }) => name).join(', ')), escape(snapshot.tags.join(', ')), escape(snapshot.description ?? ''),
  ])
  return withinLimit([
    `### Lifeboat: ${formatCount(result.snapshots.length, 'snapshot')} in ${escape(result.store)}`,
    ...(rows.length > 0 ? [table(['Snapshot', 'Time', 'Set', 'Size', 'Added', 'Sources', 'Tags', 'Description'], rows)] : []),
    ...(newestFirst.length > MOST_ROWS ? [`The newest ${MOST_ROWS} are shown; the output \`result\` has them all.`] : []),
  ])
}

export function failureSummary(command: string, failure: Failure): string {
  return withinLimit([
    `### ❌ Lifeboat: ${command} failed`,
    `**${escape(failure.message)}**`,
    ...failure.causes.map((cause) => `- because: ${escape(cause)}`),
    ...(failure.hint === undefined ? [] : [`What to do: ${escape(failure.hint)}`]),
  ])
}
