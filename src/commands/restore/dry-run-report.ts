import type { SummaryContext, TextContext } from '../../report/context.ts'
import { formatSeconds, formatTime, oneLine } from '../../report/format.ts'
import { escapeMarkdown, withinLimit } from '../../report/markdown.ts'
import { restoredName } from './report.ts'
import type { RestoreResult } from './result.ts'

/** The result of a dry run, which restored nothing. */
export type DryResult = RestoreResult & { steps: string[] }

export function dryHeadline(result: DryResult): string {
  return `Nothing was changed. ${restoredName(result)} of snapshot ${result.snapshot} can be restored into ${result.target} ` +
    `(mode ${result.mode})`
}

function lines({ steps, time, expected }: DryResult, timeZone: string): string[] {
  return [
    ...steps.map((step, index) => `${index + 1}. ${oneLine(step)}`),
    `The snapshot is of ${formatTime(time, timeZone)}.`,
    expected
      ? `The drill of ${expected.snapshot} took ${formatSeconds(expected.seconds)} to read and restore everything, on ` +
        `${oneLine(expected.machine)}.`
      : 'How long it takes is not known: no drill of this set was found.',
  ]
}

export function dryText(result: DryResult, { timeZone }: TextContext): string {
  return [oneLine(dryHeadline(result)), ...lines(result, timeZone).map((line) => `  ${line}`)].join('\n')
}

export function drySummary(result: DryResult, { timeZone }: SummaryContext): string {
  return withinLimit([
    `### ✅ Lifeboat: ${escapeMarkdown(oneLine(dryHeadline(result)))}`, ...lines(result, timeZone).map((line) => escapeMarkdown(line)),
  ])
}
