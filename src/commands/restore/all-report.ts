import type { SummaryContext, TextContext } from '../../report/context.ts'
import { formatColumns, formatCount, formatSeconds, formatSome, formatTime, oneLine } from '../../report/format.ts'
import { code, escapedLines, escapeMarkdown as escape, table, withinLimit } from '../../report/markdown.ts'
import { madeWhen } from '../../report/summary-parts.ts'
import { isComplete, restoredName, restoreProblems, restoreText, summaryDetails, summaryLine } from './report.ts'
import type { FailedPart, RestoreAllResult, RestoredPart } from './result.ts'

const failedPart = (part: RestoredPart): part is FailedPart => 'problem' in part

/** Whether every source is restored, and everything of it. */
export function allComplete({ sources, notResumed }: RestoreAllResult): boolean {
  return notResumed === undefined && sources.every((part) => !failedPart(part) && isComplete(part))
}

export function allProblems({ sources, notResumed }: RestoreAllResult): string[] {
  return [
    ...sources.flatMap((part) => {
      if (failedPart(part)) return [failureText(part)]
      return restoreProblems(part)
    }),
    ...(notResumed === undefined ? [] : [notResumed]),
  ]
}

function failureText({ problem, state, back, ...part }: FailedPart): string {
  const name = restoredName(part)
  if (state === undefined) return `${name} was not restored: ${problem}`
  return `${name}: ${problem}; now: ${state}${back === undefined ? '' : `; before: ${back}`}`
}

/** The state that a failed part is left in, and the content from before. */
function leftOf({ state, back }: FailedPart): [label: string, text: string][] {
  const lines: [string, string | undefined][] = [['now', state && `${state}.`], ['before', back]]
  return lines.flatMap(([label, text]) => (text === undefined ? [] : [[label, text]]))
}

function verdict({ sources, mode, ...rest }: RestoreAllResult): string {
  const complete = sources.filter((part) => !failedPart(part) && isComplete(part)).length
  const all = formatCount(sources.length, 'source')
  if (mode === 'verify-only') return `all ${all} could be restored; nothing was touched`
  if (complete < sources.length) return `${complete} of ${all} restored whole`
  return allComplete({ sources, mode, ...rest }) ? `all ${all} restored` : `all ${all} restored, and post-command failed`
}

/** More names than a headline takes. */
const MOST_KEPT = 10

export function allHeadline(result: RestoreAllResult): string {
  const kept = result.sources.flatMap((part) => ('swapped' in part && part.swapped ? [part.swapped.kept] : []))
  const mode = result.mode === 'verify-only' ? '' : ` (mode ${result.mode})`
  return `snapshot ${result.snapshot}: ${verdict(result)}${mode}` +
    (kept.length === 0 ? '' : `; kept from before: ${formatSome(kept, MOST_KEPT)}`)
}

export function allText(result: RestoreAllResult, context: TextContext): string {
  const { snapshot, time, sources, notResumed, seconds } = result
  return [
    `${allComplete(result) ? 'Restored' : 'NOT all restored'}: ${verdict(result)}, from snapshot ${snapshot} of ` +
      `${formatTime(time, context.timeZone)}, in ${formatSeconds(seconds)}`,
    ...sources.flatMap((part) => ['', textOf(part, context)]),
    ...(notResumed === undefined ? [] : ['', oneLine(notResumed)]),
  ].join('\n')
}

function textOf(part: RestoredPart, context: TextContext): string {
  if (!failedPart(part)) return restoreText(part, context)
  return [
    `NOT restored: ${restoredName(part)}: ${part.problem}`, ...(part.hint === undefined ? [] : [`  ${part.hint}`]),
    ...(part.state === undefined && part.back === undefined ? [] : [formatColumns(leftOf(part), '  ')]),
  ].join('\n')
}

export function allSummary(result: RestoreAllResult, context: SummaryContext): string {
  const { sources, notResumed } = result
  return withinLimit([
    `### ${allComplete(result) ? '✅' : '❌'} Lifeboat: ${escape(verdict(result))}`,
    `From snapshot ${madeWhen(result, context)}.`,
    table(
      ['Source', 'Target', 'Restored', 'Duration'],
      sources.map((part) => [code(restoredName(part)), ...cellsOf(part), formatSeconds(part.seconds)]),
      2,
    ),
    ...(notResumed === undefined ? [] : [escape(notResumed)]),
    ...sources.flatMap((part) => {
      const details = detailsOf(part)
      return details.length > 0 ? [`#### ${code(restoredName(part))}`, ...details] : []
    }),
  ])
}

function detailsOf(part: RestoredPart): string[] {
  if (!failedPart(part)) return summaryDetails(part)
  const left = leftOf(part)
  return [
    escapedLines(part.problem), ...(part.hint === undefined ? [] : [`What to do: ${escapedLines(part.hint)}`]),
    ...(left.length > 0 ? [left.map(summaryLine).join('\n')] : []),
  ]
}

function cellsOf(part: RestoredPart): string[] {
  if (failedPart(part)) return ['', '❌ no']
  const count = `${part.restored.toLocaleString('en-US')} of ${part.entries.toLocaleString('en-US')}`
  return [code(part.target), isComplete(part) ? count : `❌ ${count}`]
}
