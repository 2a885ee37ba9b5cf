import { createHash } from 'node:crypto'
import { UNNAMED } from '../../inputs/database-urls.ts'
import type { PartOfPlan } from '../../inputs/plan.ts'
import { isSafetySet } from '../../repository/safety-set.ts'
import { setName } from '../../repository/snapshot.ts'

/** The name of a server that was given without one. */
export const ONLY_SERVER = UNNAMED
/** Of the sets of volumes; no server may have it. */
export const VOLUMES = 'volume'

/** The member `server` of a result; none for a server that was given without a name. */
export function named(server: string): { server?: string } {
  return server === ONLY_SERVER ? {} : { server }
}

/**
 * The set of a database, by its server and name, or of a volume: `app`, or `eu.app` of the server eu. Always the same one, so that backups
 * continue their set whichever job makes them, and never that of another: names that are no names of sets, that differ only in case, or
 * that could be those of others end in a dash and a hash.
 */
export function ownSet(scope: string, name: string): string {
  const of = scope === ONLY_SERVER ? '' : `${scope}.`
  const plain = of === '' ? /^[a-z0-9][a-z0-9_-]*$/ : /^[a-z0-9][a-z0-9._-]*$/
  const set = `${of}${name}`
  const unambiguous = plain.test(name) && !isSafetySet(set) && /^[a-z0-9][a-z0-9_-]*$/.test(scope) && !looksMade(name)
  if (unambiguous && setName.safeParse(set).success) return set
  const hash = createHash('sha256').update(`${scope}\0${name}`).digest('hex').slice(0, 16)
  const readable = set.toLowerCase().replaceAll(/[^a-z0-9_-]+/g, '-').replace(/^[^a-z0-9]+/, '').slice(0, 80)
  return `${readable || 'database'}-${hash}`
}

/** The sets of a part of a plan. */
export function ownSetsOf({ databases, volumes }: Pick<PartOfPlan, 'databases' | 'volumes'>): string[] {
  return [...databases.map(([server, name]) => ownSet(server, name)), ...volumes.map((name) => ownSet(VOLUMES, name))]
}

/** Like a name with a hash, or that of a second artifact. */
function looksMade(name: string): boolean {
  return /-[0-9a-f]{16}$|\.\d+$/.test(name)
}
