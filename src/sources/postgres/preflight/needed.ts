import type { PassingEntry } from '../contents.ts'
import { granteesOf, rolesOf } from '../named-roles.ts'
import type { ObjectSettings } from '../settings.ts'

/** Things that the entries of an archive need at the server. */
export interface Needed {
  /** Roles that get objects. */
  owners: Set<string>
  /** Roles that get privileges, or lose them. */
  grantees: Set<string>
  /** Roles of policies, default privileges and user mappings. */
  named: Set<string>
  extensions: Set<string>
  /** Libraries of functions in C, each with the name of one of its functions. */
  libraries: Map<string, string>
}

export function nothingNeeded(): Needed {
  return { owners: new Set(), grantees: new Set(), named: new Set(), extensions: new Set(), libraries: new Map() }
}

/** Adds what one entry needs. Rows need nothing. */
export function addNeeded(
  { kind, name, owner, sql }: Omit<PassingEntry, 'id' | 'schema'>,
  { noOwner, noPrivileges }: Pick<ObjectSettings, 'noOwner' | 'noPrivileges'>,
  needed: Needed,
): void {
  if (kind === 'EXTENSION') needed.extensions.add(name)
  if (kind === 'FUNCTION' && needed.libraries.size < MOST_LIBRARIES) {
    const [, library, symbol] = IN_LIBRARY.exec(sql()) ?? []
    if (library !== undefined && symbol !== undefined) needed.libraries.set(textOf(library), textOf(symbol))
  }
  const privileges = kind === 'ACL' || kind === 'DEFAULT ACL'
  if (privileges && noPrivileges) return
  if (kind !== 'ACL') for (const role of rolesOf({ kind, sql })) needed.named.add(role)
  if (privileges) for (const role of granteesOf({ kind, sql })) needed.grantees.add(role)
  else if (!noOwner && owner !== '') needed.owners.add(owner)
}

/** Each is looked for at the server. */
const MOST_LIBRARIES = 20
/** dumpFunc of pg_dump. */
const IN_LIBRARY = /\n {4}LANGUAGE c(?: [^']*)?\n {4}AS '((?:[^'\\]|'')+)', '((?:[^'\\]|'')+)';\s*$/

function textOf(quoted: string): string {
  return quoted.replaceAll("''", "'")
}
