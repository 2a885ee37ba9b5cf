import { sizeChart } from '../../report/chart.ts'
import type { SummaryContext, When } from '../../report/context.ts'
import { formatBytes, formatCount, formatLapse, formatRate, formatSeconds, formatShare, formatTime } from '../../report/format.ts'
import { bullets, code, escapeMarkdown as escape, madeIn, shortTime, table, withinLimit } from '../../report/markdown.ts'
import { inPart, leftOutLines, remarkLines } from '../../sources/remarks.ts'
import { formatSources, namesByNoun } from '../../sources/nouns.ts'
import { details, restoring } from '../../report/summary-parts.ts'
import type { Statistics } from '../../repository/statistics.ts'
import { dependedOnPart, lostLines } from '../artifacts.ts'
import { prunedAfter } from '../prune/report.ts'
import { savings } from '../stats/report.ts'
import { addedTable, largestTable } from './largest.ts'
import { checkedText, forRecipientsText, levelsText, newStores, provenBy, repairedText } from './report.ts'
import { notResumedProblem } from './not-resumed.ts'
import { type BackupResult, firstText } from './result.ts'
import { otherKeyText } from './other-key.ts'
import { failsByShrinking, shrunkLines } from './shrink.ts'

/** More rows than anyone reads. */
const MOST_SOURCES = 200

/** A job summary in Markdown, below the limit that GitHub sets. Pure; the result must be redacted already. */
export function backupSummary(result: BackupResult, context: SummaryContext): string {
  const { set, size, added, seconds, sources } = result
  const sourceRows = sources.slice(0, MOST_SOURCES).map((source) => sourceRow(code(source.name), source))
  const verified = `backed up${inPart(sources)}${result.verified === 'none' ? ', not verified' : ' and verified'}`
  const whole = result.destinations.filter(({ problem }) => problem === undefined)
  const missing = whole.length < result.destinations.length
    ? `, in ${whole.length} of ${formatCount(result.destinations.length, 'destination')}`
    : ''
  return withinLimit([
    `### ${signOf(result, missing !== '')} Lifeboat: ${formatSources(sources)} ` +
      `${verified}${missing}${result.shrunk.length > 0 ? ', but something shrank' : ''}`,
    `Snapshot ${code(result.snapshot)} of set **${escape(set)}** in ${whole.map(({ name }) => code(name)).join(' and ')}, ` +
      `${formatTime(result.time, context.timeZone)}${theOneBefore(result)}. ${verifiedSentence(result)}`,
    ...newStores(result).map((text) => `New store: ${escape(text)}.`),
    ...otherKeyPart(result),
    ...missingFrom(result.destinations),
    ...notResumedProblem(result).map((problem) => `❌ ${escape(problem)}`),
    ...shrunkPart(result),
    ...missingParts(sources),
    ...leftOutLines(sources).map(escape),
    table(
      ['Source', 'Size', 'Added', 'Saved', 'Rate', 'Duration'],
      sources.length > 1 ? [...sourceRows, sourceRow('**Total**', { size, added, seconds })] : sourceRows,
      5,
    ),
    ...(sources.length > MOST_SOURCES ? [`The first ${MOST_SOURCES} of ${sources.length} sources are shown.`] : []),
    'Saved: the part of the size that took no new space, because it was in the store already or was compressed. ' +
      `${formatCount(result.newChunks, 'new chunk')} of ${result.chunks.toLocaleString('en-US')}, ` +
      `${result.deltaChunks.toLocaleString('en-US')} of them stored as differences; the snapshot needs ${formatBytes(result.stored)} ` +
      'in the store.' + levelsText(result).map((text) => ` Compressed: ${text}.`).join(''),
    ...largestTable(result.largest),
    ...addedTable(result),
    ...(result.repaired ? [`Repaired: ${repairedText(result.repaired)}.`] : []),
    ...(result.forRecipients ? [`${forRecipientsText(result.forRecipients)}.`] : []),
    ...checkedText(result.checked).map((text) => `${result.checked?.damaged ? '❌ ' : ''}Checked: ${escape(text)}.`),
    ...prunedIn(result.destinations),
    ...result.destinations.flatMap(lostLines).map((line) => `⚠️ ${escape(line)}`),
    ...result.destinations.flatMap(({ artifacts }) => dependedOnPart(artifacts)),
    ...recentBackups(result, context),
    restoring({ ...result, destination: whole[0]!.name, ...namesByNoun(sources) }, context),
  ])
}

function signOf(result: BackupResult, missing: boolean): string {
  if (!result.complete || result.notResumed !== undefined || failsByShrinking(result)) return '❌'
  return result.verified === 'none' || missing || result.otherKey || result.shrunk.length > 0 || inPart(result.sources) !== '' ? '⚠️' : '✅'
}

function missingFrom(destinations: BackupResult['destinations']): string[] {
  return destinations.flatMap(({ name, problem }) => (problem === undefined ? [] : [`❌ **Not in ${code(name)}**: ${escape(problem)}`]))
}

function prunedIn(destinations: BackupResult['destinations']): string[] {
  const about = (name: string): string => (destinations.length > 1 ? `${code(name)}: ` : '')
  return destinations.flatMap(({ name, prune }) => prunedAfter(prune).map((line) => `${about(name)}${escape(line)}`))
}

/** Gaps of a backup stand above its figures: they are the first thing that somebody who relies on it must know. */
function missingParts(sources: BackupResult['sources']): string[] {
  const lines = remarkLines(sources).map((line) => `- ⚠️ ${escape(line)}`)
  if (lines.length === 0) return []
  const title = inPart(sources) === '' ? 'Warnings while this backup was made' : 'Not everything is in this backup'
  return [`**${title}:**\n\n${lines.join('\n')}`]
}

/** A gap between backups is what nobody notices until it matters. */
function theOneBefore(result: BackupResult): string {
  const { recent, snapshot, time } = result
  const first = firstText(result, code)
  const own = recent.findIndex((one) => one.snapshot === snapshot)
  const before = own === -1 ? undefined : recent[own + 1]
  return first + (before === undefined ? '' : `; the newest before this one is ${formatLapse(before.time, time)} old`)
}

/** The sizes of the last backups as a chart, with the table beside it: a jump in either is the first thing to look at. */
function recentBackups({ recent, recentTotal }: BackupResult, context: When): string[] {
  if (recent.length < 2) return []
  const rows = recent.map((one) => [
    code(one.snapshot),
    shortTime(one.time, context.timeZone),
    formatBytes(one.size),
    formatBytes(one.stored),
    formatBytes(one.added),
  ])
  return [
    sizeChart(recent.toReversed(), context.timeZone),
    savedSentence(recentTotal),
    details(
      `The last ${recent.length} backups of this set`,
      table(['Snapshot', madeIn(context.timeZone), 'Size', 'Needed in the store', 'Added'], rows, 3),
    ),
  ]
}

function savedSentence(statistics: Statistics): string {
  const { snapshots, size, stored } = statistics
  const { deduplicated, differences } = savings(statistics)
  return `The last ${snapshots} backups of this set, ${formatBytes(size)} in all, take ${formatBytes(stored)} in the store: ` +
    `${deduplicated}, and what is similar saves ${differences}.`
}

function sourceRow(name: string, { size, added, seconds }: { size: number; added: number; seconds: number }): string[] {
  return [
    name,
    formatBytes(size),
    formatBytes(added),
    formatShare(Math.max(0, size - added), size),
    formatRate(size, seconds),
    formatSeconds(seconds),
  ]
}

function verifiedSentence(result: BackupResult): string {
  const { verified: level } = result
  if (level === 'none') return 'Nothing was read back.'
  return {
    list: 'Read back: every chunk is in the store and the archive is readable.',
    read: 'Read back: every byte, compared with what was backed up.',
    drill: `Restored from the store, and compared with what was backed up${provenBy(result)}.`,
  }[level]
}

function otherKeyPart({ otherKey, set }: BackupResult): string[] {
  if (!otherKey) return []
  return [
    `⚠️ This backup was made with another key than other snapshots of its set: ${escape(otherKeyText(otherKey, set))}. ` +
      'The key of this backup cannot open them, and theirs cannot open this backup.',
  ]
}

function shrunkPart(result: BackupResult): string[] {
  if (result.shrunk.length === 0) return []
  const kept = failsByShrinking(result) ? ': the step fails, but the snapshot is kept' : ''
  return [`**Less than half of what the backup before had${kept}:**\n\n${bullets(shrunkLines(result.shrunk))}`]
}
