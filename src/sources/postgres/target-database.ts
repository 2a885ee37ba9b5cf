import { LifeboatError, messageOf } from '../../error.ts'
import { marked } from '../../marks.ts'
import type { RestoreSettings } from '../settings.ts'
import type { Restored } from '../restored.ts'
import type { RestoreTarget, SourceContext, SourceToRestore } from '../source-kind.ts'
import { clientPrograms } from './client-programs.ts'
import type { Connection } from './connection.ts'
import type { DatabaseLocation } from './location.ts'
import { restoreArchive } from './restore.ts'
import type { RestoreOutcome } from './restore-outcome.ts'
import { rolesHint } from './restore-output.ts'
import type { RestoreOptions } from './restore-plan.ts'
import { type Route, routeTo } from './route.ts'
import { connectionTo, requireDatabaseName } from './sources.ts'
import { archiveOf } from './verify.ts'

/** A database to restore into. */
export function databaseTarget(location: DatabaseLocation, settings: RestoreSettings, context: SourceContext): RestoreTarget {
  if (settings.mode === 'overwrite')
    throw new LifeboatError('mode overwrite is for volumes', {
      hint: marked`A database is restored with ‹mode: empty›, ‹mode: create› or ‹mode: clean›.`, status: 2 })
  const { mode } = settings
  const target = connectionTo(location, context)
  requireDatabaseName(target)
  const { tunnel, ssh } = settings
  const route = routeTo([target], tunnel && { target: tunnel, access: ssh }, context)
  return {
    require: archiveOf,
    restore: (stored) => restoreInto(target, route, stored, { ...settings, mode }, context),
    close: () => route.close(),
  }
}

async function restoreInto(
  target: Connection,
  route: Route,
  { source, read, snapshot }: SourceToRestore,
  settings: RestoreSettings & Pick<RestoreOptions, 'mode'>,
  context: SourceContext,
): Promise<Restored> {
  const { variables, signal, report, temporary } = context
  const { mode, objects } = settings
  const { archive, dumpMajor } = archiveOf(source)
  const { only, ...rest } = objects
  const outcome = await restoreBy(route, {
    name: source.name,
    archive: () => read(archive),
    size: archive.size,
    dumpMajor,
    target: await route.to(target),
    mode,
    ...rest,
    ...(only !== undefined && { only }),
    roles: rolesHint(target, snapshot, source.name, source.streams.some(({ name }) => name === 'globals.sql')),
    ...(await clientPrograms(context)),
    temporary, signal, report, variables,
  })
  const { hint, ...restored } = outcome
  if (outcome.errors.length > 0) report.warning(LEFT[outcome.left](target.where), hint)
  return { target: target.where, mode, size: archive.size, ...restored }
}

/** If the route is the cause of a failure, the error says so, also if pg_restore only has errors to show for it. */
async function restoreBy(route: Route, options: RestoreOptions): Promise<RestoreOutcome> {
  let outcome: RestoreOutcome
  try {
    outcome = await restoreArchive(options)
  } catch (error) {
    throw await route.causeOf(error)
  }
  const printed = new Error(outcome.errors.join('\n'))
  const cause = await route.causeOf(printed)
  return cause === printed ? outcome : { ...outcome, errors: [messageOf(cause), ...outcome.errors] }
}

const LEFT = {
  everything: (where: string) => `${where} holds everything that was selected, but pg_restore reported errors`,
  part: (where: string) => `${where} is partly restored: the objects that pg_restore reported errors for are missing`,
  unchanged: (where: string) => `${where} is as it was before: nothing was restored`,
  dropped: (where: string) => `nothing was restored: the new database ${where} was dropped again`,
}
