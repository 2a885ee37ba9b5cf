import type { SourceRecord, StreamRecord } from '../../repository/snapshot.ts'
import { LifeboatError, messageOf } from '../../error.ts'
import { marked } from '../../marks.ts'
import type { RestoreSettings } from '../settings.ts'
import type { Restored } from '../restored.ts'
import type { DamagedSource, RestoreTarget, SourceContext, SourceToRestore } from '../source-kind.ts'
import { formatSome, oneLine } from '../../report/format.ts'
import { anyClient } from './client-download/choose.ts'
import { makeGlobals, type MadeGlobals, planGlobals } from './restore-globals.ts'
import { clientPrograms } from './client-programs.ts'
import type { Connection } from './connection.ts'
import { sizeFacts } from './facts.ts'
import type { DatabaseLocation } from './location.ts'
import { restoreArchive } from './restore.ts'
import type { RestoreOutcome } from './restore-outcome.ts'
import { rolesHint } from './restore-output.ts'
import type { RestoreOptions } from './restore-plan.ts'
import { type Route, routeTo } from './route.ts'
import { salvageArchive, type SalvagedArchive } from './salvage.ts'
import { requireDatabaseMode } from './selected.ts'
import { connectionTo, requireDatabaseName } from './sources.ts'
import { type AfterSwapOptions, forgetOld, undoSwap } from './swap/after-swap.ts'
import { archivedRows } from './swap/rows.ts'
import { restoreBySwap } from './swap/swap.ts'
import { archiveOf } from './verify.ts'

/** A database to restore into. */
export function databaseTarget(location: DatabaseLocation, settings: RestoreSettings, context: SourceContext): RestoreTarget {
  const mode = requireDatabaseMode(settings.mode)
  const target = connectionTo(location, context)
  requireDatabaseName(target)
  const { tunnel, ssh } = settings
  const route = routeTo([target], tunnel && { target: tunnel, access: ssh }, context)
  const after = async <T>(work: (given: AfterSwapOptions) => Promise<T>): Promise<T> => {
    const { variables, signal, report, leaves } = context
    try {
      return await work({
        target: await route.to(target), ...(await clientPrograms(context)), ...settings.swap, variables, signal, report,
        ...(leaves && { leaves }), now: () => context.now(),
      })
    } catch (error) {
      throw await route.causeOf(error)
    }
  }
  const { globals = 'none' } = settings.objects
  let made: MadeGlobals = { roles: [], tablespaces: [] }
  const withMade = (restored: Restored): Restored =>
    made.roles.length + made.tablespaces.length > 0 ? { ...restored, madeGlobals: made } : restored
  /** Tells of the roles that were made, too, if the restore is interrupted. */
  const told = (): SourceContext => {
    const { leaves } = context
    if (!leaves || made.roles.length + made.tablespaces.length === 0) return context
    return { ...context, leaves: (state, hint) => leaves(`${state}; created at the server: ${madeText(made)}`, hint) }
  }
  return {
    name: target.database ?? target.where,
    replaces: mode === 'clean' || mode === 'swap',
    require: archiveOf,
    ...(globals !== 'none' && {
      prepare: async (stored) => void (made = await atServer(makeGlobals, target, route, stored, globals, context)),
    }),
    restore: async (stored) => withMade(await restoreInto(target, route, stored, { ...settings, mode }, told())),
    salvage: async (damaged) => withMade(await salvageInto(target, route, damaged, { ...settings, mode }, told())),
    plan: async (stored) => {
      const coming = globals === 'none' ? undefined : await atServer(planGlobals, target, route, stored, globals, context)
      const dry = { ...settings, mode, dryRun: true, ...(coming && { coming }) }
      const { planned, ...restored } = await restoreInto(target, route, stored, dry, context)
      const { server = target.where, ...plan } = planned ?? { steps: [], shares: [] }
      return { ...restored, ...plan, place: `${server} ${JSON.stringify(target.database)}` }
    },
    undo: () => after(undoSwap),
    forgetOld: () => after(forgetOld),
    close: () => route.close(),
  }
}

/** Runs `work` with the roles of a backup. */
async function atServer(
  work: typeof makeGlobals,
  target: Connection, route: Route, stored: SourceToRestore | DamagedSource, wanted: 'roles' | 'all', context: SourceContext,
): Promise<MadeGlobals> {
  const { variables, signal, report } = context
  const { source, read } = stored
  const stream = source.streams.find(isGlobals)
  if (!stream || ('holes' in stored && stored.holes(stream).length > 0)) {
    const roles = `no roles${stream ? ' that are whole' : ''}`
    report.warning(`the backup of ${source.name} has ${roles}: those that the server lacks are not created`)
    return { roles: [], tablespaces: [] }
  }
  const { clients, provide } = await clientPrograms(context)
  try {
    const connection = await route.to(target)
    const query = { connection, client: await anyClient(clients, provide), variables, signal }
    if (work !== makeGlobals) return await work(read(stream), wanted, query, report)
    context.leaves?.(`roles of the backup may have been created at ${target.where}; nothing else was changed`)
    const made = await work(read(stream), wanted, query, report)
    context.leaves?.(made.roles.length + made.tablespaces.length === 0
      ? 'nothing was changed' : `created at the server of ${target.where}: ${madeText(made)}; nothing else was changed`)
    if (made.roles.length > 0) report.info(`roles created at ${target.where}: ${formatSome(made.roles.map(oneLine), 20)}`)
    return made
  } catch (error) {
    throw await route.causeOf(error)
  }
}

function madeText({ roles, tablespaces }: MadeGlobals): string {
  return formatSome([...roles.map((name) => `role ${oneLine(name)}`), ...tablespaces.map((name) => `tablespace ${oneLine(name)}`)], 20)
}

const isGlobals = ({ name }: StreamRecord): boolean => name === 'globals.sql'

/** The hint about missing roles, with the input that creates them unless it was given. */
function rolesToCreate({ streams }: SourceRecord, { objects }: RestoreSettings, byHand: string): string {
  return (objects.globals ?? 'none') === 'none' && streams.some(isGlobals)
    ? `${marked`Set ‹globals: roles›, which creates them first.`} By hand: ${byHand}` : byHand
}

type DatabaseSettings = RestoreSettings & Pick<RestoreOptions, 'mode' | 'dryRun' | 'coming'>

/** Restores everything but rows that are lost. A damaged database never replaces data that is there. */
async function salvageInto(
  target: Connection, route: Route, damaged: DamagedSource, settings: DatabaseSettings, context: SourceContext,
): Promise<Restored> {
  const { source, read, holes } = damaged
  if (settings.mode === 'clean' || settings.mode === 'swap') {
    throw new LifeboatError(`${source.name} is damaged, and with mode ${settings.mode} would replace what is there`, {
      hint: marked`Restore into a new database with ‹mode: create›.`, status: 2 })
  }
  const { archive } = archiveOf(source)
  const gone = source.streams.filter((stream) => stream !== archive && holes(stream).length > 0).map(({ name }) => `the stream ${name}`)
  const rest = holes(archive).length > 0 ? await salvageArchive(source, () => read(archive), holes(archive)) : undefined
  const restored = await restoreInto(target, route, damaged, settings, context, rest)
  return { ...restored, missing: [...(restored.missing ?? []), ...gone] }
}

/** `salvaged`: what is whole of the archive, in its place. */
async function restoreInto(
  target: Connection,
  route: Route,
  { source, read, snapshot, backUpTarget }: SourceToRestore,
  settings: DatabaseSettings,
  context: SourceContext,
  salvaged?: SalvagedArchive,
): Promise<Restored & Pick<RestoreOutcome, 'planned'>> {
  const { variables, signal, report, temporary } = context
  const { mode, objects } = settings
  const { archive, dumpMajor } = archiveOf(source)
  const { only, ...rest } = objects
  const { databaseSize, tables = [], server } = sizeFacts.safeParse(source.facts).data ?? {}
  const options: RestoreOptions = {
    name: source.name,
    archive: salvaged?.bytes ?? (() => read(archive)),
    ...(salvaged && { lost: salvaged.lost }),
    size: archive.size,
    ...(databaseSize !== undefined && databaseSize !== null && { databaseSize }),
    dumpMajor,
    ...(server && { sourceMajor: server.major }),
    target: await route.to(target),
    mode,
    ...rest,
    ...(only !== undefined && { only }),
    lockTimeout: settings.swap.lockTimeout,
    roles: rolesToCreate(source, settings, rolesHint(target, snapshot, source.name, source.streams.some(isGlobals))),
    ...(settings.dryRun && { dryRun: true }),
    ...(settings.coming && { coming: settings.coming }),
    ...(await clientPrograms(context)),
    backUpTarget,
    temporary, signal, report, variables, ...(context.leaves && { leaves: context.leaves }),
  }
  const { drill, ...given } = settings.swap
  const swap = { ...given, ...(drill && { equalTo: source }), rows: archivedRows(tables), now: () => context.now() }
  const outcome = await restoreBy(route, () =>
    mode === 'swap' ? restoreBySwap(options, swap) : restoreArchive(options))
  const { hint, ...restored } = outcome
  if (outcome.errors.length > 0) report.warning(LEFT[outcome.left](target.where), hint)
  return { target: target.where, mode, size: archive.size, ...restored }
}

/** If the route is the cause of a failure, the error says so, also if pg_restore only has errors to show for it. */
async function restoreBy(route: Route, run: () => Promise<RestoreOutcome>): Promise<RestoreOutcome> {
  let outcome: RestoreOutcome
  try {
    outcome = await run()
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
