import type { SummaryContext, TextContext } from '../../report/context.ts'
import { formatCount, formatSeconds, formatTime, oneLine } from '../../report/format.ts'
import { escapedLines, escapeMarkdown as escape, withinLimit } from '../../report/markdown.ts'
import { marked } from '../../marks.ts'
import { missingLines } from './missing.ts'
import { isComplete, restoredName, restoredPart } from './report.ts'
import type { Expected, RestoreAllResult, RestoredPart, RestoreResult } from './result.ts'

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
  const part = isComplete(result) ? '' : 'in part '
  return `${restoredPart(result)} of snapshot ${result.snapshot} can be restored ${part}into ${result.target} (mode ${result.mode})`
}

export function dryHeadline(result: DryResult): string {
  return `Nothing was changed. ${about(result)}`
}

export function dryAllHeadline({ sources, snapshot }: DryAllResult): string {
  const all = formatCount(sources.length, 'source')
  const whole = sources.filter(isWhole).length
  const which = whole < sources.length ? `${whole} of ${all} of snapshot ${snapshot} can be restored whole`
    : `All ${all} of snapshot ${snapshot} can be restored`
  return `Nothing was changed. ${which}`
}

const isWhole = (part: RestoredPart): boolean => !('problem' in part) && isComplete(part)

function numbered({ steps }: DryResult): string[] {
  return steps.map((step, index) => `${index + 1}. ${oneLine(step)}`)
}

type Ending = Pick<RestoreResult, 'time' | 'snapshot' | 'lastRead' | 'expected'>

/** `shown`: as the page needs what is not of the program alone; marks are spelled later. */
function ending({ time, snapshot, lastRead, expected }: Ending, timeZone: string, shown = (text: string): string => text): string[] {
  const by = lastRead?.level === 'drill' ? 'a drill' : 'a verification'
  const before = lastRead ? ` now; ${by} read it, ${formatTime(lastRead.time, timeZone)}` : ''
  return [
    marked`The data was not read${before}: ` +
      marked`‹lifeboat verify; snapshot: ${snapshot}; level: read› reads all of it.`,
    shown(`The snapshot is of ${formatTime(time, timeZone)}.`),
    shown(expected ? expectedText(expected, timeZone) : 'How long it takes is not known: no drill or restore of this set was found.'),
  ]
}

function expectedText({ of, seconds, time, snapshot, machine, mode }: Expected, timeZone: string): string {
  return of === 'drill'
    ? `The drill of ${snapshot} took ${formatSeconds(seconds)} to read and restore everything, on ${oneLine(machine)}.`
    : `About ${formatSeconds(seconds)} for the sources as a whole, as the restore of ${formatTime(time, timeZone)} took ` +
      `(mode ${mode}, on ${oneLine(machine)}).`
}

/** A part of a dry run of everything: what would be done, step by step, and what would be missing; or why nothing can be restored. */
function partLines(part: RestoredPart): { head: string; steps: string[]; missing: string[] } {
  if ('problem' in part) {
    const { problem, hint } = part
    const head = `${restoredName(part)} cannot be restored: ${problem}`
    return { head, steps: [], missing: hint === undefined ? [] : [hint] }
  }
  return isDry(part) ? { head: about(part), steps: numbered(part), missing: missingLines(part) }
    : { head: restoredName(part), steps: [], missing: [] }
}

export function dryText(result: DryResult, { timeZone }: TextContext): string {
  const missing = missingLines(result)
  return [
    oneLine(dryHeadline(result)),
    ...[...numbered(result), ...ending(result, timeZone)].map((line) => `  ${line}`),
    ...(missing.length > 0 ? ['', ...missing.map((line) => `  ${oneLine(line)}`)] : []),
  ].join('\n')
}

export function dryAllText(result: DryAllResult, { timeZone }: TextContext): string {
  return [
    oneLine(dryAllHeadline(result)),
    ...result.sources.map(partLines)
      .flatMap(({ head, steps, missing }) => ['', oneLine(head), ...[...steps, ...missing].map((line) => `  ${oneLine(line)}`)]),
    '', ...ending(result, timeZone),
  ].join('\n')
}

export function drySummary(result: DryResult, { timeZone }: SummaryContext): string {
  const missing = missingLines(result)
  return withinLimit([
    `### ${isComplete(result) ? '✅' : '❌'} Lifeboat: ${escape(oneLine(dryHeadline(result)))}`,
    ...numbered(result).map((line) => escape(line)),
    ...ending(result, timeZone, escape),
    ...(missing.length > 0 ? [escapedLines(missing.join('\n'))] : []),
  ])
}

export function dryAllSummary(result: DryAllResult, { timeZone }: SummaryContext): string {
  return withinLimit([
    `### ${result.sources.every(isWhole) ? '✅' : '❌'} Lifeboat: ${escape(oneLine(dryAllHeadline(result)))}`,
    ...result.sources.map(partLines).flatMap(({ head, steps, missing }) => [
      escape(oneLine(head)), ...steps.map((line) => escape(line)), ...(missing.length > 0 ? [escapedLines(missing.join('\n'))] : []),
    ]),
    ...ending(result, timeZone, escape),
  ])
}
