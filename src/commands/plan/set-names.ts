import { createHash } from 'node:crypto'
import { UNNAMED } from '../../inputs/database-urls.ts'
import { setName } from '../../repository/snapshot.ts'

/** The name of a server that was given without one. */
export const ONLY_SERVER = UNNAMED
/** Of the sets of volumes; no server may have it. */
export const VOLUMES = 'volume'

/** Something with a set of its own: a database of a server, or a volume. */
export interface Sort {
  /** The name of its server, or `VOLUMES`. */
  scope: string
  name: string
}

/**
 * The set of a database or a volume: `app`, or `eu.app` of the server eu. Always the same one, so that backups continue their set whichever
 * job makes them, and never that of another: names that are no names of sets, that differ only in case, or that could be those of others end
 * in a dash and a hash.
 */
export function setOfSort({ scope, name }: Sort): string {
  const of = scope === ONLY_SERVER ? '' : `${scope}.`
  const plain = of === '' ? /^[a-z0-9][a-z0-9_-]*$/ : /^[a-z0-9][a-z0-9._-]*$/
  const set = `${of}${name}`
  if (plain.test(name) && plain.test(scope) && !looksMade(name) && setName.safeParse(set).success) return set
  const hash = createHash('sha256').update(`${scope}\0${name}`).digest('hex').slice(0, 16)
  const readable = set.toLowerCase().replaceAll(/[^a-z0-9_-]+/g, '-').replace(/^[^a-z0-9]+/, '').slice(0, 80)
  return `${readable || 'database'}-${hash}`
}

/** Like a name with a hash, or that of a second artifact. */
function looksMade(name: string): boolean {
  return /-[0-9a-f]{16}$|\.\d+$/.test(name)
}
