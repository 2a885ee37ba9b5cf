import { namesRoles, type PassingEntry } from '../contents.ts'
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
  if (kind !== 'ACL' && namesRoles({ kind })) for (const role of rolesOf(kind, sql())) needed.named.add(role)
  if (privileges) for (const role of rolesIn(sql())) needed.grantees.add(role)
  else if (!noOwner && owner !== '') needed.owners.add(owner)
}

/** Each is looked for at the server. */
const MOST_LIBRARIES = 20
/** dumpFunc of pg_dump. */
const IN_LIBRARY = /\n {4}LANGUAGE c(?: [^']*)?\n {4}AS '((?:[^'\\]|'')+)', '((?:[^'\\]|'')+)';\s*$/

function textOf(quoted: string): string {
  return quoted.replaceAll("''", "'")
}

const ROLE = String.raw`(?:"((?:[^"]|"")+)"|([\w$\u0080-\uffff]+))`
const END = new RegExp(String.raw`^(?:GRANT|REVOKE|ALTER DEFAULT PRIVILEGES) .* (?:TO|FROM) ${ROLE}(?: WITH GRANT OPTION)?;$`, 'gm')

const NAME = String.raw`(?:"(?:[^"]|"")+"|[\w$\u0080-\uffff]+)`
/** The owner of default privileges; whoever gave privileges that are not of the owner; the user of a mapping. */
const OTHERS = new RegExp(
  String.raw`^(?:ALTER DEFAULT PRIVILEGES FOR ROLE|SET SESSION AUTHORIZATION|CREATE USER MAPPING FOR) ${ROLE}(?=[ ;])`, 'gm')
/** dumpPolicy of pg_dump. */
const POLICY = new RegExp(
  String.raw`^CREATE POLICY ${NAME} ON ${NAME}\.${NAME}(?: AS RESTRICTIVE)?(?: FOR \w+)?` +
    String.raw` TO (${NAME}(?:, ${NAME})*)(?: USING | WITH CHECK |;)`)
const EACH = new RegExp(ROLE, 'g')

/** The roles that the SQL of an entry names beside its owner. */
export function rolesOf(kind: string, sql: string): string[] {
  if (kind === 'POLICY') return unquoted([...(POLICY.exec(sql)?.[1] ?? '').matchAll(EACH)])
  return [...rolesIn(sql), ...unquoted([...sql.matchAll(OTHERS)])]
}

/** pg_dump ends each statement of an ACL entry with one role (dumputils.c: buildACLCommands). */
function rolesIn(sql: string): string[] {
  return unquoted([...sql.matchAll(END)])
}

/** PUBLIC is all roles; user mappings have it as `public`, which no role can be named. */
function unquoted(found: readonly RegExpExecArray[]): string[] {
  const names = found.flatMap(([, quoted, plain]) =>
    quoted !== undefined ? [quoted.replaceAll('""', '"')] : plain === undefined || plain === 'PUBLIC' ? [] : [plain])
  return names.filter((name) => name !== 'public')
}
