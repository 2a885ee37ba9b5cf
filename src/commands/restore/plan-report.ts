import type { SummaryContext, TextContext } from '../../report/context.ts'
import { formatCount, formatSeconds, formatTime, oneLine } from '../../report/format.ts'
import { escapeMarkdown as escape, withinLimit } from '../../report/markdown.ts'
import { restoredName } from './report.ts'
import type { RestoreAllResult, RestoreResult } from './result.ts'

/** The result of a dry run, which restored nothing. */
export type DryResult = RestoreResult & { steps: string[] }
export type DryAllResult = RestoreAllResult & { dryRun: true }

export function isDry(result: RestoreResult): result is DryResult {
  return result.steps !== undefined
}

export function isDryAll(result: RestoreAllResult): result is DryAllResult {
  return result.dryRun === true
}

function about(result: DryResult): string {
  return `${restoredName(result)} of snapshot ${result.snapshot} can be restored into ${result.target} (mode ${result.mode})`
}

export function dryHeadline(result: DryResult): string {
  return `Nothing was changed. ${about(result)}`
}

export function dryAllHeadline({ sources, snapshot }: DryAllResult): string {
  return `Nothing was changed. All ${formatCount(sources.length, 'source')} of snapshot ${snapshot} can be restored`
}

function numbered({ steps }: DryResult): string[] {
  return steps.map((step, index) => `${index + 1}. ${oneLine(step)}`)
}

function ending({ time, expected }: Pick<RestoreResult, 'time' | 'expected'>, timeZone: string): string[] {
  return [
    `The snapshot is of ${formatTime(time, timeZone)}.`,
    expected
      ? `The drill of ${expected.snapshot} took ${formatSeconds(expected.seconds)} to read and restore everything, on ` +
        `${oneLine(expected.machine)}.`
      : 'How long it takes is not known: no drill of this set was found.',
  ]
}

/** The parts of a dry run of everything, each with its steps. */
function partsOf({ sources }: DryAllResult): DryResult[] {
  return sources.filter((part): part is DryResult => !('problem' in part) && isDry(part))
}

export function dryText(result: DryResult, { timeZone }: TextContext): string {
  return [oneLine(dryHeadline(result)), ...[...numbered(result), ...ending(result, timeZone)].map((line) => `  ${line}`)].join('\n')
}

export function dryAllText(result: DryAllResult, { timeZone }: TextContext): string {
  return [
    oneLine(dryAllHeadline(result)),
    ...partsOf(result).flatMap((part) => ['', oneLine(about(part)), ...numbered(part).map((line) => `  ${line}`)]),
    '', ...ending(result, timeZone),
  ].join('\n')
}

export function drySummary(result: DryResult, { timeZone }: SummaryContext): string {
  return withinLimit([
    `### ✅ Lifeboat: ${escape(oneLine(dryHeadline(result)))}`,
    ...[...numbered(result), ...ending(result, timeZone)].map((line) => escape(line)),
  ])
}

export function dryAllSummary(result: DryAllResult, { timeZone }: SummaryContext): string {
  return withinLimit([
    `### ✅ Lifeboat: ${escape(oneLine(dryAllHeadline(result)))}`,
    ...partsOf(result).flatMap((part) => [escape(oneLine(about(part))), ...numbered(part).map((line) => escape(line))]),
    ...ending(result, timeZone).map((line) => escape(line)),
  ])
}
