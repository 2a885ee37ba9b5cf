import type { Environment } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import { inertText } from '../../report/inert.ts'
import { oneLine } from '../../report/format.ts'
import type { RestoreMode } from '../../sources/settings.ts'
import type { RestoreTarget } from '../../sources/source-kind.ts'

/** Whether a restore with this mode replaces data of a database. */
export function replaces(mode: RestoreMode): boolean {
  return mode === 'clean' || mode === 'swap'
}

/**
 * Throws (status 2) unless the name of the database whose data is replaced was given, or typed at the terminal. `work`: read after "This
 * ", such as `replaces`.
 */
export async function requireConfirmed(
  { database }: Pick<RestoreTarget, 'database'>, confirm: string | undefined, work: string, { ask }: Pick<Environment, 'ask'>,
): Promise<void> {
  if (database === undefined) return
  const name = oneLine(database)
  const given = confirm ??
    (await ask?.(inertText(`This ${work} the database ${name}. Type its name to go on: `)))?.trim()
  if (given === database) return
  throw new LifeboatError(
    given === undefined
      ? `this ${work} the database ${name}, which nobody has confirmed`
      : `this ${work} the database ${name}, and another name was given to confirm it: nothing was changed`,
    { hint: marked`Check ‹database-url›. To go on, give ‹confirm: ${name}›.`, status: 2 },
  )
}
