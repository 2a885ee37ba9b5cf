import { allOf, type Check, requireAll } from '../../checks.ts'
import type { DatabaseSettings } from '../database-settings.ts'
import { freeOf } from '../free-connections.ts'
import type { QueryContext } from '../query.ts'
import type { Needed } from './needed.ts'
import { requireKnown } from './newer-constructs.ts'
import { followed, readingOf } from '../reading.ts'
import type { RestoreOptions, RestorePlan } from '../restore-plan.ts'
import { requireRoles, requireTablespaces } from '../target.ts'
import {
  requireAvailable, requireConnections, requireCreateDb, requireCreateRole, requireLibraries, requireLocale, requireOwner,
  requireOwnersAndGrantees, requireSpace, rolesOfObjects, type Room, roomAt,
} from './checks.ts'

interface Wanted {
  /** Of the database itself, as far as they are applied. */
  settings: DatabaseSettings | undefined
  /** The options of a database that the restore makes. */
  creates?: DatabaseSettings['options']
  more?: readonly Check[]
}

/**
 * Everything that a restore needs at the target's server, checked before anything is changed; gives its room. Throws one error for all that
 * is missing. Mode `empty` restores what it can: there, roles and extensions that are missing are warnings.
 */
export async function preflight(
  plan: RestorePlan,
  { settings, creates, more = [] }: Wanted,
  options: RestoreOptions,
  context: QueryContext,
): Promise<Room> {
  const { target: { where }, mode, jobs, databaseSize, report } = options
  const room = await roomAt(context, creates !== undefined)
  const atOnce = Math.max(1, Math.min(jobs, freeOf(room.connections)))
  const { coming = { roles: [], tablespaces: [] } } = options
  const ofObjects = withoutRoles(plan.needed, coming.roles)
  const needed: Check[] = [
    () => requireOwnersAndGrantees(ofObjects, where, options, context),
    () => requireAvailable(plan.needed.extensions, where, context),
    () => requireLibraries(plan.needed.libraries, where, context),
  ]
  const partly = mode === 'empty' && options.only !== 'data'
  if (partly) await allOf(needed, (error) => report.warning(error.message, error.hint), atOnce)
  // The way without these is one without the roles of the settings, too.
  const alsoNeeded = partly ? [] : rolesOfObjects(ofObjects, options)
  const { older } = plan
  await requireAll([
    ...(older ? [async () => requireKnown(older, where, options.allowOlder, report)] : []),
    ...more,
    ...(partly ? [] : needed),
    ...(coming.roles.length > 0 ? [() => requireCreateRole(coming.roles, where, context)] : []),
    ...(settings ? [() => requireRoles(without(settings.roles, coming.roles), alsoNeeded, where, options, context)] : []),
    ...(settings?.owner === undefined ? [] : [() => requireOwner(settings.owner!, context)]),
    () => requireTablespaces(options.noTablespaces ? [] : without(tablespacesOf(plan, settings), coming.tablespaces), where, context),
    ...(creates ? [() => requireCreateDb(where, context), () => requireLocale(creates, where, context)] : []),
    async () => requireConnections(jobs + 1, where, room),
    ...(databaseSize !== undefined && options.only === undefined && !plan.selection
      ? [async () => requireSpace(databaseSize, where, room)] : []),
  ], atOnce)
  if (options.suspect) for await (const _ of followed(readingOf(options, plan), options, 'checking'));
  return room
}

function without(names: Iterable<string>, others: readonly string[]): string[] {
  return [...names].filter((name) => !others.includes(name))
}

function withoutRoles({ owners, grantees, named }: Needed, roles: readonly string[]): Pick<Needed, 'owners' | 'grantees' | 'named'> {
  const [some, others, more] = [owners, grantees, named].map((all) => new Set(without(all, roles)))
  return { owners: some!, grantees: others!, named: more! }
}

function tablespacesOf({ entries }: RestorePlan, settings: DatabaseSettings | undefined): string[] {
  const tablespaces = [
    ...entries.map(({ tablespace }) => tablespace),
    ...(settings?.options ?? []).map(({ name, value }) => (name === 'tablespace' && 'name' in value ? value.name : '')),
  ]
  return [...new Set(tablespaces)].filter((name) => name !== '' && name !== 'pg_default')
}
