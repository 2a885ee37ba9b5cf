import type { SourceRecord, StreamRecord } from '../../repository/snapshot.ts'
import { LifeboatError, messageOf } from '../../error.ts'
import { marked } from '../../marks.ts'
import type { RestoreSettings } from '../settings.ts'
import type { PlannedRestore, Restored } from '../restored.ts'
import type { AfterRestore, DamagedSource, RestoreTarget, SourceContext, SourceToRestore } from '../source-kind.ts'
import { formatSome, oneLine } from '../../report/format.ts'
import { blocksOf, withoutBlocks } from './archive-blocks.ts'
import { archiveOf, isArchive, readArchive } from './archive-parts/stored-archive.ts'
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

/** A database to restore into. */
export function databaseTarget(location: DatabaseLocation, settings: RestoreSettings, context: SourceContext): RestoreTarget {
  const mode = requireDatabaseMode(settings.mode)
  const target = connectionTo(location, context)
  requireDatabaseName(target, marked`A database that does not exist yet is made with ‹mode: create›. ` +
    marked`To restore all sources of the backup, each database under its own name, set ‹all: true›.`)
  const { tunnel, ssh } = settings
  const route = routeTo([target], tunnel && { target: tunnel, access: ssh }, context)
  const after = async <T>(work: (given: AfterSwapOptions) => Promise<T>, how: AfterRestore): Promise<T> => {
    const { variables, signal, report, leaves } = context
    try {
      return await work({
        target: await route.to(target), ...(await clientPrograms(context)), ...settings.swap, variables, signal, report,
        ...(leaves && { leaves }), now: () => context.now(), ...how,
      })
    } catch (error) {
      throw await route.causeOf(error)
    }
  }
  const { globals = 'none' } = settings.objects
  let made: MadeGlobals = { roles: [], tablespaces: [] }
  const withMade = (restored: Restored): Restored =>
    made.roles.length + made.tablespaces.length > 0 ? { ...restored, madeGlobals: made } : restored
  /** States tell of the roles that were made, too. */
  const { leaves } = context
  const told: SourceContext = leaves ? {
    ...context,
    leaves: (state, hint) => leaves(
      made.roles.length + made.tablespaces.length > 0 ? `${state}; created at the server: ${madeText(made)}` : state, hint),
  } : context
  /** Roles of the backup that the server lacks, and how they are made. */
  const comingFor = async (stored: SourceToRestore | DamagedSource): Promise<Pick<RestoreOptions, 'coming' | 'makeComing'>> => {
    if (globals === 'none') return {}
    return {
      coming: await atServer(planGlobals, target, route, stored, globals, context),
      makeComing: () => oneByOne(async () => void (made = await atServer(makeGlobals, target, route, stored, globals, context))),
    }
  }
  const settingsFor = async (stored: SourceToRestore | DamagedSource, more: { dryRun?: true } = {}): Promise<DatabaseSettings> =>
    ({ ...settings, mode, ...more, ...(await comingFor(stored)) })
  const dry = { dryRun: true } as const
  return {
    name: target.database ?? target.where,
    where: target.where,
    replaces: mode === 'clean' || mode === 'swap',
    require: archiveOf,
    restore: async (stored) =>
      withMade(await restoreInto(target, route, stored, await settingsFor(stored), told)),
    salvage: {
      restore: async (damaged) =>
        withMade(await salvageInto(target, route, damaged, await settingsFor(damaged), told)),
      plan: async (damaged) => planOf(target, await salvageInto(target, route, damaged, await settingsFor(damaged, dry), context)),
    },
    plan: async (stored) => planOf(target, await restoreInto(target, route, stored, await settingsFor(stored, dry), context)),
    undo: (how) => after(undoSwap, how),
    forgetOld: (how) => after(forgetOld, how),
    close: () => route.close(),
  }
}

function planOf(target: Connection, { planned, ...restored }: RestoredOrPlanned): PlannedRestore {
  const { server = target.where, ...plan } = planned ?? { steps: [], shares: [] }
  return { ...restored, ...plan, place: `${server} ${JSON.stringify(target.database)}` }
}

/** Roles are made for one database after the other: those of a snapshot can share a server. */
let making: Promise<unknown> = Promise.resolve()

async function oneByOne(work: () => Promise<void>): Promise<void> {
  const ended = making.then(work)
  making = ended.catch(() => undefined)
  return ended
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

type RestoredOrPlanned = Restored & Pick<RestoreOutcome, 'planned'>

type DatabaseSettings = RestoreSettings & Pick<RestoreOptions, 'mode' | 'dryRun' | 'coming' | 'makeComing'>

/** Restores everything but rows that are lost. A damaged database never replaces data that is there. */
async function salvageInto(
  target: Connection, route: Route, damaged: DamagedSource, settings: DatabaseSettings, context: SourceContext,
): Promise<RestoredOrPlanned> {
  const { source, holes } = damaged
  if (settings.mode === 'clean' || settings.mode === 'swap') {
    throw new LifeboatError(`${source.name} is damaged, and with mode ${settings.mode} would replace what is there`, {
      hint: marked`Restore into a new database with ‹mode: create›.`, status: 2 })
  }
  const gone = source.streams.filter((stream) => !isArchive(stream) && holes(stream).length > 0).map(({ name }) => `the stream ${name}`)
  const rest = await salvageArchive(damaged)
  const restored = await restoreInto(target, route, damaged, settings, context, rest)
  return { ...restored, missing: [...(restored.missing ?? []), ...gone] }
}

/** `salvaged`: what is whole of the archive, in its place. */
async function restoreInto(
  target: Connection,
  route: Route,
  stored: SourceToRestore,
  settings: DatabaseSettings,
  context: SourceContext,
  salvaged?: SalvagedArchive,
): Promise<RestoredOrPlanned> {
  const { variables, signal, report, temporary } = context
  const { mode, objects } = settings
  const { source, snapshot, backUpTarget } = stored
  const archive = archiveOf(source)
  const { only, ...rest } = objects
  const { databaseSize, tables = [], server } = sizeFacts.safeParse(source.facts).data ?? {}
  const blocks = blocksOf(stored, archive)
  const options: RestoreOptions = {
    name: source.name,
    archive: salvaged?.bytes ?? (() => readArchive(stored, archive)),
    ...(blocks && { blocks: salvaged ? withoutBlocks(blocks, salvaged.lost) : blocks }),
    ...(salvaged && { lost: salvaged.lost }),
    size: archive.size,
    ...(databaseSize !== undefined && databaseSize !== null && { databaseSize }),
    dumpMajor: archive.dumpMajor,
    ...(server && { sourceMajor: server.major }),
    target: await route.to(target),
    mode,
    ...rest,
    ...(only !== undefined && { only }),
    lockTimeout: settings.swap.lockTimeout,
    roles: rolesToCreate(source, settings, rolesHint(target, snapshot, source.name, source.streams.some(isGlobals))),
    ...(settings.dryRun && { dryRun: true }),
    ...(stored.suspect && { suspect: true }),
    ...(settings.coming && { coming: settings.coming }),
    ...(settings.makeComing && { makeComing: settings.makeComing }),
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
