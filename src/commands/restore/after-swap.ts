import { performance } from 'node:perf_hooks'
import type { Environment } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'
import type { SummaryContext, TextContext } from '../../report/context.ts'
import { formatColumns, formatCount, formatTime, oneLine } from '../../report/format.ts'
import { code, escapeMarkdown, withinLimit } from '../../report/markdown.ts'
import type { Forgotten, Undone } from '../../sources/restored.ts'
import type { RestoreTarget } from '../../sources/source-kind.ts'
import { secondsSince } from '../../process/elapsed.ts'
import { afterExchange, afterwardsLines, undoCommand } from './afterwards.ts'
import { requireConfirmed } from './confirm.ts'
import type { RestoreInputs } from './inputs.ts'
import { summaryLine } from './report.ts'
import type { Afterwards } from './result.ts'
import { pauseText } from './swapped.ts'

/** The result of undo and forget-old, which restore nothing from a store. */
export type AfterSwap = (({ mode: 'undo'; after?: Afterwards } & Undone) | ({ mode: 'forget-old' } & Forgotten)) & { seconds: number }

type Given = Pick<RestoreInputs, 'confirm' | 'dryRun' | 'swap' | 'timeZone'>

/** `old`: the name of the kept database that is meant. */
export interface AfterSwapInputs {
  what: AfterSwap['mode']
  old: string | undefined
}

/** Takes a restore with mode swap back, or drops what such restores have put aside. */
export async function afterSwap(
  { what, old }: AfterSwapInputs, target: RestoreTarget | undefined, given: Given, environment: Environment,
): Promise<AfterSwap> {
  const { confirm, dryRun } = given
  const started = performance.now()
  try {
    if (!target?.undo || !target.forgetOld)
      throw new LifeboatError(`${what} is for databases that are restored with mode swap, and this kind has none`, { status: 2 })
    environment.leaves?.('nothing was changed')
    const work = what === 'undo' ? 'exchanges' : 'drops what is kept of'
    if (!dryRun) await requireConfirmed([{ noun: 'database', name: target.name }], confirm, work, environment)
    const how = { dryRun, old }
    const done = what === 'undo'
      ? { mode: what, ...withState(await target.undo(how), target.name, given) } : { mode: what, ...(await target.forgetOld(how)) }
    return { ...done, seconds: secondsSince(started) }
  } finally {
    await target?.close()
  }
}

function withState(undone: Undone, name: string, given: Given): Undone & { after?: Afterwards } {
  const { target, back: kept, since, swapped, others: [other] } = undone
  if (!swapped) return undone
  const now = `${target} is the database that was kept as ${kept}, as it was put aside ${formatTime(since, given.timeZone)}.`
  const { before, back } = afterExchange(swapped, name, given)
  const further = other ? ` One that was put aside earlier: ${undoCommand(name, given, other.name)}.` : ''
  return { ...undone, after: { now: oneLine(now), before, back: `${back}${further}`, leftOut: [] } }
}

export function afterSwapErrors(result: AfterSwap): string[] {
  return result.mode === 'undo' ? [] : result.errors
}

export function afterSwapHeadline(result: AfterSwap): string {
  const { target, steps } = result
  if (result.mode === 'undo') {
    const { back, swapped } = result
    if (!swapped) return `Nothing was changed. ${target} can be exchanged back for ${back}`
    return `Exchanged back: ${target} is now the database that was kept as ${back}; the one that was there is kept as ${swapped.kept}`
  }
  const { dropped, kept, errors } = result
  if (steps) return `Nothing was changed. ${formatCount(steps.length, 'database')} of those kept for ${target} can be dropped`
  if (dropped.length > 0) return `dropped what restores had put aside for ${target}: ${dropped.join(', ')}`
  if (errors.length > 0) return `NOT dropped: what restores had put aside for ${target}`
  return kept.length > 0 ? `nothing was dropped: the time of what is kept for ${target} is not over` : `nothing is kept for ${target}`
}

function notes({ steps = [], ...result }: AfterSwap, timeZone: string): string[] {
  return [
    ...steps.map((step, index) => `${index + 1}. ${step}`),
    ...(result.mode === 'forget-old' ? result.kept.map(({ name, until }) => `${name} is kept until ${formatTime(until, timeZone)}.`)
      : [
          ...(result.swapped ? [pauseText(result.swapped)] : []),
          ...result.others.map(({ name, since }) => `Kept as well: ${name}, which was put aside ${formatTime(since, timeZone)}.`),
        ]),
  ]
}

export function afterSwapText(result: AfterSwap, { timeZone }: TextContext): string {
  const errors = afterSwapErrors(result)
  return [
    oneLine(afterSwapHeadline(result)),
    ...('after' in result && result.after ? [formatColumns(afterwardsLines(result.after), '  ')] : []),
    ...notes(result, timeZone).map((note) => `  ${oneLine(note)}`),
    ...errors.map((error) => `  ${oneLine(error)}`),
  ].join('\n')
}

export function afterSwapSummary(result: AfterSwap, { timeZone }: SummaryContext): string {
  const errors = afterSwapErrors(result)
  return withinLimit([
    `### ${errors.length > 0 ? '❌' : '✅'} Lifeboat: ${escapeMarkdown(oneLine(afterSwapHeadline(result)))}`,
    ...('after' in result && result.after ? [afterwardsLines(result.after).map(summaryLine).join('\n')] : []),
    ...notes(result, timeZone).map((note) => escapeMarkdown(oneLine(note))),
    ...errors.map((error) => code(oneLine(error))),
  ])
}
