import type { TextContext } from '../../report/context.ts'
import {
  formatBytes,
  formatColumns,
  formatCount,
  formatRate,
  formatSeconds,
  formatShare,
  formatSome,
  oneLine,
  someLines,
} from '../../report/format.ts'
import { code, escapeMarkdown as escape, table, withinLimit } from '../../report/markdown.ts'
import { restoreInto, restoreVariables, shownRestore } from '../../report/recipe.ts'
import { inPart, remarkLines } from '../../sources/remarks.ts'
import { namesByNoun } from '../../sources/nouns.ts'
import { expectedSentence, leftOutLines, missedAmong, missedList } from '../sets/left-out.ts'
import { notResumedProblem } from './not-resumed.ts'
import type { SetOutcome, SetsResult } from './sets-result.ts'
import { failsByShrinking, shrinkProblem } from './shrink.ts'

/** More than anyone reads; the JSON result has them all. */
const MOST = 200

type Done = SetOutcome & Required<Pick<SetOutcome, 'backup'>>

/** Why a set has no whole backup; none if it has. */
export function problemsOfSet({ set, backup, problem }: SetOutcome): string[] {
  if (!backup) return [`${set} is not backed up: ${problem!}`]
  const shrunk = failsByShrinking(backup) ? [`${set}: ${shrinkProblem(backup)}`] : []
  const missing = backup.complete ? [] : backup.destinations.flatMap(({ name, problem }) => {
    return problem === undefined ? [] : [`the backup of ${set} is not in ${name}: ${problem}`]
  })
  return [...shrunk, ...missing]
}

export function setsProblems(result: SetsResult): string[] {
  return [...result.sets.flatMap(problemsOfSet), ...notResumedProblem(result)]
}

export function setsHeadline({ sets, size, added }: SetsResult): string {
  const done = sets.filter(isDone)
  const failed = sets.length - done.length
  const verified = done.some(({ backup }) => backup.verified === 'none') ? ', not all verified' : ' and verified'
  return `${done.length} of ${formatCount(sets.length, 'set')} backed up${inPart(sourcesOf(done))}${verified}: ` +
    `${formatBytes(size)} read, ${formatBytes(added)} added${failed > 0 ? `, ${failed} FAILED` : ''}`
}

function isDone(outcome: SetOutcome): outcome is Done {
  return outcome.backup !== undefined
}

function sourcesOf(done: readonly Done[]): Done['backup']['sources'] {
  return done.flatMap(({ backup }) => backup.sources)
}

export function setsText(result: SetsResult, context: TextContext): string {
  const { sets, seconds, size, leftOut } = result
  const done = sets.filter(isDone)
  const rows = done.map(({ set, backup }) => [
    set, backup.snapshot, formatBytes(backup.size), `${formatBytes(backup.added)} added`, formatSeconds(backup.seconds),
    backup.first ? 'the first of its set' : '',
  ])
  const remarks = remarkLines(sourcesOf(done))
  const problems = setsProblems(result)
  return [
    `${setsHeadline(result)}, in ${formatSeconds(seconds)} ${formatRate(size, seconds)}`.trimEnd(),
    '',
    formatColumns(rows.slice(0, MOST), '  '),
    ...(rows.length > MOST ? [`  and ${rows.length - MOST} more`] : []),
    ...(remarks.length > 0 ? ['', ...remarks.map((line) => `  ${oneLine(line)}`)] : []),
    ...(problems.length > 0 ? ['', ...problems.slice(0, MOST).map((line) => `FAILED: ${oneLine(line)}`)] : []),
    ...leftOutLines(leftOut),
    ...(done[0] ? ['', ...recipe(done[0], context)] : []),
  ].join('\n')
}

function recipe({ set, backup }: Done, context: Pick<TextContext, 'program' | 'destination' | 'width'>): string[] {
  const { destination } = context
  const names = namesByNoun(backup.sources)
  return [
    `To restore one of them into ${restoreInto(names)}, with ${restoreVariables({ destination, ...names })} set:`,
    shownRestore(context, { destination, set, snapshot: backup.snapshot, ...names }),
  ]
}

/** A job summary in Markdown, below the limit that GitHub sets. Pure; the result must be redacted already. */
export function setsSummary(result: SetsResult): string {
  const { sets, size, added, seconds, plan, leftOut } = result
  const done = sets.filter(isDone)
  const missing = sets.flatMap(problemsOfSet)
  const problems = setsProblems(result)
  const remarks = remarkLines(sourcesOf(done))
  const careful = remarks.length + missedAmong(leftOut).length > 0 ||
    done.some(({ backup }) => backup.verified === 'none' || backup.shrunk.length > 0)
  const rows = done.slice(0, MOST).map(({ set, backup }) => [
    code(set), code(backup.snapshot), formatBytes(backup.size), formatBytes(backup.added),
    formatShare(Math.max(0, backup.size - backup.added), backup.size), formatSeconds(backup.seconds),
  ])
  const total = [
    '**Total**', '', formatBytes(size), formatBytes(added), formatShare(Math.max(0, size - added), size), formatSeconds(seconds),
  ]
  return withinLimit([
    `### ${problems.length > 0 ? '❌' : careful ? '⚠️' : '✅'} Lifeboat: ${setsHeadline(result)}`,
    ...(plan === undefined ? [] : [`A part of plan ${code(plan)}; the action verdict tells whether all of its sets are there.`]),
    ...listOf('Not backed up', missing.map((line) => `❌ ${escape(line)}`)),
    ...notResumedProblem(result).map((line) => `❌ ${escape(line)}`),
    ...missedList(leftOut),
    ...listOf('Not everything is in these backups, or there were warnings', remarks.map((line) => `⚠️ ${escape(line)}`)),
    table(['Set', 'Snapshot', 'Size', 'Added', 'Saved', 'Duration'], [...rows, total], 4),
    ...(done.length > MOST ? [`The first ${MOST} of ${done.length} sets are shown.`] : []),
    ...newSets(done),
    ...expectedSentence(leftOut),
    'Each database and volume has a set of its own. One is restored by the action restore with the name of its set.',
  ])
}

function listOf(title: string, lines: readonly string[]): string[] {
  if (lines.length === 0) return []
  return [`**${title}:**\n\n${someLines(lines, MOST).map((line) => `- ${line}`).join('\n')}`]
}

function newSets(done: readonly Done[]): string[] {
  const first = done.filter(({ backup }) => backup.first)
  if (first.length === 0) return []
  return [`The first backup of ${formatCount(first.length, 'set')}: ${formatSome(first.map(({ set }) => code(set)), 20)}.`]
}
