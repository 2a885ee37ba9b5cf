import type { PassingEntry } from '../contents.ts'
import type { ObjectSettings } from '../settings.ts'

/** Things that the entries of an archive need at the server. */
export interface Needed {
  /** Roles that get objects. */
  owners: Set<string>
  /** Roles that get privileges, or lose them. */
  grantees: Set<string>
  extensions: Set<string>
}

export function nothingNeeded(): Needed {
  return { owners: new Set(), grantees: new Set(), extensions: new Set() }
}

/** Adds what one entry needs. Rows need nothing. */
export function addNeeded(
  { kind, name, owner, sql }: Omit<PassingEntry, 'id'>,
  { noOwner, noPrivileges }: Pick<ObjectSettings, 'noOwner' | 'noPrivileges'>,
  needed: Needed,
): void {
  if (kind === 'EXTENSION') needed.extensions.add(name)
  const privileges = kind === 'ACL' || kind === 'DEFAULT ACL'
  if (privileges && noPrivileges) return
  if (privileges) for (const role of rolesIn(sql())) needed.grantees.add(role)
  else if (!noOwner && owner !== '') needed.owners.add(owner)
}

const ROLE = String.raw`(?:"((?:[^"]|"")+)"|([\w$\u0080-\uffff]+))`
const END = new RegExp(String.raw`^(?:GRANT|REVOKE|ALTER DEFAULT PRIVILEGES) .* (?:TO|FROM) ${ROLE}(?: WITH GRANT OPTION)?;$`, 'gm')

/** pg_dump ends each statement of an ACL entry with one role (dumputils.c: buildACLCommands). */
function rolesIn(sql: string): string[] {
  return [...sql.matchAll(END)].flatMap(([, quoted, plain]) =>
    quoted !== undefined ? [quoted.replaceAll('""', '"')] : plain === undefined || plain === 'PUBLIC' ? [] : [plain])
}
