import { performance } from 'node:perf_hooks'
import type { Environment } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import type { SummaryContext, TextContext } from '../../report/context.ts'
import { formatTime, oneLine } from '../../report/format.ts'
import { code, escapeMarkdown, withinLimit } from '../../report/markdown.ts'
import type { Forgotten, Undone } from '../../sources/restored.ts'
import type { RestoreTarget } from '../../sources/source-kind.ts'
import { secondsSince } from '../../process/elapsed.ts'
import { requireConfirmed } from './confirm.ts'
import { pauseText } from './swapped.ts'

/** The result of undo and forget-old, which restore nothing from a store. */
export type AfterSwap = (({ mode: 'undo' } & Undone) | ({ mode: 'forget-old' } & Forgotten)) & { seconds: number }

/** Takes a restore with mode swap back, or drops what such restores have put aside. */
export async function afterSwap(
  what: AfterSwap['mode'], target: RestoreTarget | undefined, confirm: readonly string[] | undefined, environment: Environment,
): Promise<AfterSwap> {
  const started = performance.now()
  try {
    if (!target?.undo || !target.forgetOld)
      throw new LifeboatError(`${what} is for databases that are restored with mode swap, and this kind has none`, { status: 2 })
    environment.leaves?.('nothing was changed')
    const work = what === 'undo' ? 'exchanges' : 'drops what is kept of'
    await requireConfirmed([{ noun: 'database', name: target.name }], confirm, work, environment)
    return what === 'undo'
      ? { mode: what, ...(await target.undo()), seconds: secondsSince(started) }
      : { mode: what, ...(await target.forgetOld()), seconds: secondsSince(started) }
  } finally {
    await target?.close()
  }
}

export function afterSwapErrors(result: AfterSwap): string[] {
  return result.mode === 'undo' ? [] : result.errors
}

export function afterSwapHeadline(result: AfterSwap): string {
  if (result.mode === 'undo') return `${result.target} is now the database that was kept as ${result.back}`
  const { dropped, kept, target, errors } = result
  if (dropped.length > 0) return `dropped what restores had put aside for ${target}: ${dropped.join(', ')}`
  if (errors.length > 0) return `NOT dropped: what restores had put aside for ${target}`
  return kept.length > 0 ? `nothing was dropped: the time of what is kept for ${target} is not over` : `nothing is kept for ${target}`
}

/** `reader`: how the reader is told of the inputs that he may need next. */
function notes(result: AfterSwap, timeZone: string, again: { undo: string; forget: string }): string[] {
  if (result.mode === 'forget-old') return result.kept.map(({ name, until }) => `${name} is kept until ${formatTime(until, timeZone)}.`)
  const { kept, until } = result.swapped
  return [
    `${pauseText(result.swapped)} The database that was there is kept as ${kept}, at least until ${formatTime(until, timeZone)}.`,
    `To go forward again: ${again.undo}. To drop it after that time: ${again.forget}.`,
  ]
}

const MARKED = { undo: marked`‹undo: true›`, forget: marked`‹forget-old: true›` }
const IN_SUMMARY = { undo: 'undo: true', forget: 'forget-old: true' }

export function afterSwapText(result: AfterSwap, { timeZone }: TextContext): string {
  const errors = afterSwapErrors(result)
  return [
    oneLine(afterSwapHeadline(result)), ...notes(result, timeZone, MARKED).map((note) => `  ${oneLine(note)}`),
    ...errors.map((error) => `  ${oneLine(error)}`),
  ].join('\n')
}

export function afterSwapSummary(result: AfterSwap, { timeZone }: SummaryContext): string {
  const errors = afterSwapErrors(result)
  return withinLimit([
    `### ${errors.length > 0 ? '❌' : '✅'} Lifeboat: ${escapeMarkdown(oneLine(afterSwapHeadline(result)))}`,
    ...notes(result, timeZone, IN_SUMMARY).map((note) => escapeMarkdown(oneLine(note))),
    ...errors.map((error) => code(oneLine(error))),
  ])
}
