import type { BackupResult, RestoreResult, Results, VerifyResult } from '../commands/results.ts'
import type { Action } from '../inputs.ts'
import type { Statistics } from '../repository/statistics.ts'
import { sizeChart } from './chart.ts'
import { copySummary } from './copy.ts'
import { doctorSummary } from './checks.ts'
import type { Failure } from './failure.ts'
import { formatAge, formatBytes, formatCount, formatRate, formatSeconds, formatShare, formatTime } from './format.ts'
import { bucketCounts, formatSources, namesByKind, restoredName, restorer, untouched } from './sources.ts'
import { listSummary } from './list.ts'
import { checkSummary } from './freshness.ts'
import { code, escapeMarkdown as escape, fenced, madeIn, shortTime, table, withinLimit } from './markdown.ts'
import type { Newest } from './newest.ts'
import { prunedAfter, pruneSummary } from './prune.ts'
import { restoreCommand, restoreInto, restoreStep, restoreVariables, type SnapshotContent } from './recipe.ts'
import { savings } from './stats.ts'

/** What a job summary needs beside the result. */
export interface SummaryContext {
  /** How a workflow names this action: `owner/repository`, and what follows `@`. */
  action: string
  reference: string
  /** `file:/mnt/backups`. */
  destination: string
  timeZone: string
  now: Date
}

/** The summary of each action. */
export const summaries: { readonly [A in Action]: (result: Results[A], context: SummaryContext) => string } = {
  backup: backupSummary,
  restore: restoreSummary,
  verify: verifySummary,
  check: checkSummary,
  list: listSummary,
  doctor: doctorSummary,
  copy: copySummary,
  prune: pruneSummary,
}

type When = Pick<SummaryContext, 'timeZone' | 'now'>

/** A job summary in Markdown, below the limit that GitHub sets. Pure; the result must be redacted already. */
export function backupSummary(result: BackupResult, context: SummaryContext): string {
  const { set, size, added, seconds, sources } = result
  const sourceRows = sources.map((source) => sourceRow(code(source.name), source))
  const verified = result.verified === 'none' ? 'backed up, not verified' : 'backed up and verified'
  const whole = result.destinations.filter(({ problem }) => problem === undefined)
  const missing = whole.length < result.destinations.length ? `, in ${whole.length} of ${formatCount(result.destinations.length, 'destination')}` : ''
  return withinLimit([
    `### ${result.complete ? (result.verified === 'none' || missing !== '' ? '⚠️' : '✅') : '❌'} Lifeboat: ${formatSources(sources)} ${verified}${missing}`,
    `Snapshot ${code(result.snapshot)} of set **${escape(set)}** in ${whole.map(({ name }) => code(name)).join(' and ')}, ${formatTime(result.time, context.timeZone)}${sinceTheOneBefore(result)}. ${verifiedSentence(result.verified)}`,
    table(['Source', 'Size', 'Added', 'Deduplicated', 'Rate', 'Duration'], sources.length > 1 ? [...sourceRows, sourceRow('**Total**', { size, added, seconds })] : sourceRows, 5),
    `${formatCount(result.newChunks, 'new chunk')} of ${result.chunks.toLocaleString('en-US')}, ${result.deltaChunks.toLocaleString('en-US')} of them stored as differences; the snapshot needs ${formatBytes(result.stored)} in the store.`,
    ...destinationsOf(result),
    ...recentBackups(result, context),
    restoring({ ...result, destination: whole[0]!.name, ...namesByKind(sources) }, context),
  ])
}

/** What there is to say of each: that it lacks the backup, what was pruned there. */
function destinationsOf({ destinations }: BackupResult): string[] {
  return destinations.flatMap(({ name, problem, prune }) => [
    ...(problem === undefined ? [] : [`❌ **Not in ${code(name)}**: ${escape(problem)}`]),
    ...(prune === undefined ? [] : prunedAfter(prune).map((line) => `${destinations.length > 1 ? `${code(name)}: ` : ''}${escape(line)}`)),
  ])
}

/** A gap between backups is what nobody notices until it matters. */
function sinceTheOneBefore({ recent, snapshot, time }: BackupResult): string {
  const before = recent[recent.findIndex((one) => one.snapshot === snapshot) + 1]
  return before === undefined ? ', the first of its set' : `, ${formatAge(before.time, new Date(time))} after the one before`
}

/** The sizes of the last backups as a chart, with the table beside it: a jump in either is the first thing to look at. */
function recentBackups({ recent, recentTotal }: BackupResult, context: When): string[] {
  if (recent.length < 2) return []
  const rows = recent.map((one) => [code(one.snapshot), shortTime(one.time, context.timeZone), formatBytes(one.size), formatBytes(one.stored), formatBytes(one.added)])
  return [
    sizeChart(recent.toReversed(), context.timeZone),
    savedSentence(recentTotal),
    details(`The last ${recent.length} backups of this set`, table(['Snapshot', madeIn(context.timeZone), 'Size', 'Needed in the store', 'Added'], rows, 3)),
  ]
}

function savedSentence(statistics: Statistics): string {
  const { snapshots, size, stored } = statistics
  const { deduplicated, differences } = savings(statistics)
  return `The last ${snapshots} backups of this set, ${formatBytes(size)} in all, take ${formatBytes(stored)} in the store: ${deduplicated}, and what is similar saves ${differences}.`
}

function sourceRow(name: string, { size, added, seconds }: { size: number; added: number; seconds: number }): string[] {
  return [name, formatBytes(size), formatBytes(added), formatShare(Math.max(0, size - added), size), formatRate(size, seconds), formatSeconds(seconds)]
}

function verifiedSentence(level: BackupResult['verified']): string {
  if (level === 'none') return 'Nothing was read back.'
  return level === 'list' ? 'Read back: every chunk is in the store and the archive is readable.' : 'Read back: every byte, compared with what was backed up.'
}

function restoring(content: SnapshotContent, context: SummaryContext): string {
  const several = content.databases.length > 1
  return details('How to restore this snapshot', [
    `As a step of a workflow, into ${restoreInto(content)}${several ? '; each database by its name' : ''}:`,
    fenced('yaml', restoreStep(context.action, context.reference, content)),
    `At a terminal, with ${restoreVariables(content, (name) => `\`${name}\``)} set:`,
    fenced('sh', restoreCommand('node dist/cli.js', content, ' \\\n  ')),
    'Without Lifeboat: `RECOVERY.md` in the store says how.',
  ].join('\n\n'))
}

function details(title: string, content: string): string {
  return `<details><summary>${title}</summary>\n\n${content}\n\n</details>`
}

export function restoreSummary(result: RestoreResult, context: SummaryContext): string {
  const { errors, mode } = result
  const database = code(restoredName(result))
  const headline =
    mode === 'verify-only'
      ? `✅ Lifeboat: ${database} checked, every byte; ${untouched(result)} was touched`
      : `${errors.length > 0 ? '❌' : '✅'} Lifeboat: ${database} restored${errors.length > 0 ? ` with ${formatCount(errors.length, 'error')}` : ''}`
  const entries = result.entries.toLocaleString('en-US')
  const counts = bucketCounts(result)
  return withinLimit([
    `### ${headline}`,
    `From snapshot ${madeWhen(result, context)}.`,
    table(
      ['Target', 'Mode', 'Entries', 'Size', 'Duration'],
      [[code(result.target), mode, mode === 'verify-only' ? entries : `${result.restored.toLocaleString('en-US')} of ${entries}`, formatBytes(result.size), formatSeconds(result.seconds)]],
      3,
    ),
    ...(counts ? [`Unchanged, there already: ${counts.unchanged} of them. Deleted, not in the backup: ${counts.deleted}.`] : []),
    ...(errors.length > 0 ? [`${restorer(result)} said:`, fenced('text', errors.join('\n'))] : []),
  ])
}

function madeWhen(result: { snapshot: string; set: string; time: string }, { timeZone, now }: When): string {
  return `${code(result.snapshot)} of set **${escape(result.set)}**, made ${formatTime(result.time, timeZone)}, ${formatAge(result.time, now)} ago`
}

export function verifySummary(result: VerifyResult, context: SummaryContext): string {
  const headline = {
    verified: result.level === 'read' ? '✅ Lifeboat: backup verified, every byte' : '✅ Lifeboat: backup verified',
    failed: '❌ Lifeboat: the backup is damaged',
    'could not verify': '⚠️ Lifeboat: the backup could not be verified',
  }[result.result]
  const rows = result.sources.map((source) => [code(source.name), formatBytes(source.size), source.entries.toLocaleString('en-US')])
  return withinLimit([
    `### ${headline}`,
    `Snapshot ${madeWhen(result, context)}. Level ${result.level}: ${formatCount(result.chunks, 'chunk')}, ${formatBytes(result.bytes)} read in ${formatSeconds(result.seconds)}.`,
    ...(result.problems.length > 0 ? [fenced('text', result.problems.join('\n'))] : []),
    ...(rows.length > 0 ? [table(['Source', 'Size', 'Archive entries'], rows, 2)] : []),
    ...(result.result === 'verified' ? [restoring({ ...result, destination: context.destination, ...namesByKind(result.sources) }, context)] : []),
  ])
}

/** Of a failed backup it also tells what there is to fall back on. */
export function failureSummary(command: string, failure: Failure, newest: Newest | undefined, context: When): string {
  return withinLimit([
    failure.status === 3 ? '### ⚠️ Lifeboat: the backup could not be verified' : `### ❌ Lifeboat: ${command} failed`,
    `**${escape(failure.message)}**`,
    ...failure.causes.map((cause) => `- because: ${escape(cause)}`),
    ...(failure.hint === undefined ? [] : [`What to do: ${escape(failure.hint)}`]),
    ...(newest === undefined ? [] : [newestSentence(newest, context)]),
  ])
}

function newestSentence(newest: Newest, { timeZone, now }: When): string {
  const set = `set **${escape(newest.set)}**`
  if ('unknown' in newest) return `The age of the newest backup of ${set} could not be found out: ${escape(newest.unknown)}`
  if ('none' in newest) return newest.none === 'empty' ? `There is no earlier backup of ${set}.` : `None of the newest backups of ${set} can be relied on: they are damaged or made with another key.`
  return `The newest backup of ${set} before this run is **${formatAge(newest.time, now)} old**: ${code(newest.snapshot)}, made ${formatTime(newest.time, timeZone)}.`
}
