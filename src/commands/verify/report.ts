import { marked } from '../../marks.ts'
import type { SnapshotVerified, VerifyResult } from './result.ts'
import { formatBytes, formatColumns, formatCount, formatSeconds, formatTime, oneLine } from '../../report/format.ts'
import { bullets, code, escapeMarkdown as escape, madeIn, shortTime, table, withinLimit } from '../../report/markdown.ts'
import { remarkLines } from '../../sources/remarks.ts'
import { restoreInto, restoreVariables, shownRestore, verifyCommand } from '../../report/recipe.ts'
import { formatEntries, isDatabase, namesByNoun } from '../../sources/nouns.ts'
import type { Level } from '../../repository/levels.ts'
import type { Drilled } from '../../sources/source-kind.ts'
import type { SummaryContext, TextContext } from '../../report/context.ts'
import { madeWhen, restoring } from '../../report/summary-parts.ts'

/** More rows and problems than anyone reads. */
const MOST_ROWS = 200
const MOST_PROBLEMS = 20

const OUTCOMES = { verified: 'verified', failed: 'FAILED', 'could not verify': 'could not verify' } as const
const SIGNS = { verified: '✅', failed: '❌', 'could not verify': '⚠️' } as const

/** At level list, what is good was not read. */
function outcomeText({ result, unmet, failedDrill }: Pick<SnapshotVerified, 'result' | 'unmet' | 'failedDrill'>, level: Level): string {
  if (level === 'list' && result === 'verified') return 'all there'
  return failedDrill ? 'DRILL FAILED' : unmet ? 'FAILED: condition not met' : OUTCOMES[result]
}

export function verifyHeadline({ snapshot, level, snapshots }: VerifyResult): string {
  return `${snapshots ? formatCount(snapshots.length, 'snapshot') : `snapshot ${snapshot}`} verified at level ${level}`
}

export function verifyText(result: VerifyResult, context: TextContext): string {
  const headline = result.snapshots ? headlineOfAll(result.snapshots) : {
    verified: `Verified${result.level === 'list' ? ': everything is there' : ''}`,
    failed: result.unmet === undefined ? failedText(result) : result.unmet === 'all else verified'
      ? 'FAILED: the snapshot is whole, but a condition does not hold'
      : 'FAILED: a condition does not hold, and not everything else could be verified',
    'could not verify': 'Could not verify',
  }[result.result]
  const facts = [
    ...(result.snapshots ? [['set', result.set]] : [['snapshot', `${result.snapshot}, of ${formatTime(result.time, context.timeZone)}`]]),
    ['level', result.level],
    ['checked', checked(result)],
  ]
  const sources = result.sources.map((source) => [
    oneLine(source.name),
    outcomeText(source, result.level),
    [formatBytes(source.size), ...contents(source)].join(', '),
    ...(source.drill ? [drillText(source.drill, source)] : []),
  ])
  const snapshots = (result.snapshots ?? []).map((one) => [
    outcomeText(one, result.level),
    one.snapshot,
    formatTime(one.time, context.timeZone),
    hitIn(one).join(', '),
  ])
  const remarks = remarkLines(result.sources)
  return [
    headline,
    formatColumns(facts, '  '),
    ...[sources, snapshots].flatMap((rows) => (rows.length > 0 ? ['', formatColumns(rows, '  ')] : [])),
    ...(result.problems.length > 0 ? ['', ...problemsOf(result, marked`‹json›`).map((problem) => `  ${oneLine(problem)}`)] : []),
    ...(remarks.length > 0 ? ['', ...remarks.map((line) => `  ${oneLine(line)}`)] : []),
    ...(result.advice.length > 0 ? ['', ...result.advice] : []),
    ...nextStep(result, context),
  ].join('\n')
}

/** A damaged snapshot may not be read at all. */
function checked({ chunks, bytes, seconds }: VerifyResult): string {
  return `${formatCount(chunks, 'chunk')}${bytes > 0 ? `, ${formatBytes(bytes)} read` : ''} in ${formatSeconds(seconds)}`
}

/** A drill can fail although every object is whole: what was restored is not what was backed up. */
function failedText({ failedDrill }: SnapshotVerified): string {
  return failedDrill
    ? 'DRILL FAILED: the snapshot is whole, and cannot be restored to what was backed up'
    : 'FAILED: the snapshot is damaged'
}

/** Nothing is known of entries that were not counted. */
function contents(source: VerifyResult['sources'][number]): string[] {
  return source.entries === 0 && source.result !== 'verified' ? [] : [formatEntries(source)]
}

/** `1,329 rows and 154 entries compared; recovery took 4.2 s, …; comparing and checking 1.1 s`. Only databases have rows. */
function drillText(
  { entries, rows, wording, assertions, seconds: { download, restore, compare, checks } }: Drilled, { kind }: { kind: string },
): string {
  const compared = isDatabase({ kind })
    ? `${formatCount(rows, 'row')} and ${formatCount(entries, 'entry', 'entries')} compared`
    : `${formatEntries({ kind, entries })} compared`
  return [
    wording ? compared : `${compared}, but not the wording of definitions, because the scratch server has another version`,
    ...(assertions > 0 ? [`${formatCount(assertions, 'condition')} asked`] : []),
    `recovery took ${formatSeconds(download + restore)}, of which ${formatSeconds(download)} for reading the store`,
    `comparing and checking ${formatSeconds(compare + checks)}`,
  ].join('; ')
}

function headlineOfAll(snapshots: readonly SnapshotVerified[]): string {
  const count = (wanted: SnapshotVerified['result']): number => snapshots.filter(({ result }) => result === wanted).length
  const parts = ([
    'failed',
    'could not verify',
    'verified',
  ] as const).map((result) => [count(result), result] as const).filter(([number]) => number > 0)
  const words = { failed: 'FAILED', 'could not verify': 'could not be verified', verified: 'verified' }
  const counts = parts.map(([number, result]) => `${number.toLocaleString('en-US')} ${words[result]}`)
  return `Of ${formatCount(snapshots.length, 'snapshot')}: ${counts.join(', ')}`
}

/** The sources that are not good. */
function hitIn({ sources, result }: SnapshotVerified): string[] {
  return result === 'verified' ? [] : sources.filter((source) => source.result !== 'verified').map(({ name }) => name)
}

/** `all`: how the reader is told of the place that has all of them. */
function problemsOf({ problems }: VerifyResult, all: string): string[] {
  const more = problems.length - MOST_PROBLEMS
  return more > 0 ? [...problems.slice(0, MOST_PROBLEMS), `and ${more} more; ${all} has them all`] : problems
}

/** After a verification of one snapshot that found it good. */
function nextStep(result: VerifyResult, context: TextContext): string[] {
  const { program, destination } = context
  if (result.result !== 'verified' || result.snapshots) return []
  const content = { destination, set: result.set, snapshot: result.snapshot, ...namesByNoun(result.sources) }
  return result.level === 'list' ? ['', 'To read and compare every byte:', `  ${verifyCommand(program, content)}`] : [
    '',
    `To restore it into ${restoreInto(content)}, with ${restoreVariables(content)} set:`,
    shownRestore(context, content),
  ]
}

export function verifySummary(result: VerifyResult, context: SummaryContext): string {
  const { snapshots } = result
  const drills = result.sources.some(({ drill }) => drill)
  const headline = {
    verified:
      `✅ Lifeboat: ${snapshots ? formatCount(snapshots.length, 'backup') : 'backup'} ` +
      `verified${{ list: ': everything is there', read: ', every byte', drill: ': restored and compared' }[result.level]}`,
    failed: `❌ Lifeboat: ${failureText(result)}`,
    'could not verify': `⚠️ Lifeboat: ${snapshots ? 'some backups' : 'the backup'} could not be verified`,
  }[result.result]
  const about = snapshots ? `Set **${escape(result.set)}**. ${headlineOfAll(snapshots)}` : `Snapshot ${madeWhen(result, context)}`
  return withinLimit([
    `### ${headline}`,
    `${about}. Level ${result.level}: ${checked(result)}.`,
    ...(result.problems.length > 0 ? [bullets(problemsOf(result, 'the output result').map(oneLine))] : []),
    ...whatToDo(result),
    ...(result.sources.length > 0 ? [table(
      ['', 'Source', 'Size', 'Contents', ...(drills ? ['Drill'] : [])],
      result.sources.map((source) => [
        `${SIGNS[source.result]} ${outcomeText(source, result.level)}`,
        code(source.name),
        formatBytes(source.size),
        contents(source).join(),
        ...(drills ? [source.drill ? escape(drillText(source.drill, source)) : ''] : []),
      ]),
      ['Size'],
    )] : []),
    ...remarkLines(result.sources).map((line) => `⚠️ ${escape(line)}`),
    ...(snapshots ? [snapshotTable(snapshots, context.timeZone)] : []),
    ...(result.result === 'verified' && !snapshots ? [restoring(
      { ...result, destination: context.destination, ...namesByNoun(result.sources) },
      context,
    )] : []),
  ])
}

function failureText({ unmet, failedDrill, snapshots }: VerifyResult): string {
  if (unmet !== undefined) return UNMET
  if (failedDrill)
    return `the drill failed: ${snapshots ? 'some backups are' : 'the backup is'} whole, and cannot be restored to what was backed up`
  return snapshots ? 'there are damaged backups' : 'the backup is damaged'
}

const UNMET = 'a condition does not hold in what was restored; nothing was found damaged'

function whatToDo({ result, advice }: VerifyResult): string[] {
  const sentences = result === 'could not verify'
    ? ['Nothing was found damaged, but this is no proof: fix the cause above, and verify again.', ...advice]
    : advice
  return sentences.length > 0 ? [`**What to do:**\n\n${bullets(sentences)}`] : []
}

function snapshotTable(snapshots: readonly SnapshotVerified[], timeZone: string): string {
  const rows = snapshots.slice(0, MOST_ROWS).map((one) => [
    `${SIGNS[one.result]} ${outcomeText(one, one.level)}`,
    code(one.snapshot),
    shortTime(one.time, timeZone),
    escape(hitIn(one).join(', ')),
  ])
  return table(['', 'Snapshot', madeIn(timeZone), 'Sources that are hit'], rows)
}
