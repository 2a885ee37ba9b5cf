import type { Environment } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import { inertText } from '../../report/inert.ts'
import { oneLine } from '../../report/format.ts'
import type { RestoreTarget, SourceKind } from '../../sources/source-kind.ts'

/** A target whose data is replaced. */
export interface Replaced extends Pick<RestoreTarget, 'name'> {
  noun: SourceKind['noun']
}

/** Whether the names have to be typed at a terminal, because they were not given. */
export function isAsked(confirm: readonly string[] | undefined, { ask }: Pick<Environment, 'ask'>): boolean {
  return confirm === undefined && ask !== undefined
}

/**
 * Throws (status 2) unless the name of every target was given, or is typed at the terminal now. `work`: read after "This ", such as
 * `replaces`.
 */
export async function requireConfirmed(
  targets: readonly Replaced[], confirm: readonly string[] | undefined, work: string, { ask }: Pick<Environment, 'ask'>,
): Promise<void> {
  // The name of one target may have line ends, as a folder may.
  const given = confirm === undefined ? [] : [...confirm, confirm.join('\n')]
  const missing = isAsked(confirm, { ask })
    ? await notTyped(targets, work, ask!) : targets.filter(({ name }) => !given.includes(name))
  if (missing.length === 0) return
  const what = `this ${work} ${missing.map(described).join(', ')}`
  throw new LifeboatError(
    confirm === undefined && ask === undefined
      ? `${what}, which nobody has confirmed`
      : `${what}, and another name was given to confirm it: nothing was changed`,
    { hint: hintFor(targets), status: 2 },
  )
}

/** The first target whose name is not typed. */
async function notTyped(targets: readonly Replaced[], work: string, ask: NonNullable<Environment['ask']>): Promise<Replaced[]> {
  for (const target of targets) {
    const wanted = target.noun === 'database' ? 'its name' : oneLine(target.name)
    if ((await ask(inertText(`This ${work} ${described(target)}. Type ${wanted} to go on: `))).trim() !== target.name) return [target]
  }
  return []
}

function described({ noun, name }: Replaced): string {
  return `${noun === 'database' ? 'the database' : 'the data in'} ${oneLine(name)}`
}

function hintFor(targets: readonly Replaced[]): string {
  const names = targets.map(({ name }) => marked`‹confirm: ${oneLine(name)}›`)
  const check = targets.some(({ noun }) => noun === 'volume') ? 'Check the targets.' : marked`Check ‹database-url›.`
  return `${check} To go on, give ${names.join(' and ')}${names.length > 1 ? ' (in a workflow one name a line)' : ''}.`
}
