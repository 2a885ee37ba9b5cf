import { z } from 'zod'
import { formatSome } from '../../report/format.ts'
import type { Entry } from './contents.ts'
import { rolesOf } from './named-roles.ts'
import { queryJson, type QueryContext } from './query.ts'
import { type LeftOutObject, nameOf } from './selection.ts'

/** Of these roles, those that the server does not have. */
export async function lackingRoles(named: Iterable<string>, context: QueryContext): Promise<Set<string>> {
  const roles = new Set(named)
  if (roles.size === 0) return roles
  const there = await queryJson('SELECT pg_catalog.json_agg(rolname) FROM pg_catalog.pg_roles', z.array(z.string()), context)
  const known = new Set(there)
  return new Set([...roles].filter((role) => !known.has(role)))
}

/**
 * The entries without policies, default privileges and user mappings for these roles. Privileges on objects stay: with them an entry takes
 * privileges from everybody, too.
 */
export function withoutRoles(entries: readonly Entry[], roles: ReadonlySet<string>): { rest: Entry[]; leftOut: LeftOutObject[] } {
  const rest: Entry[] = []
  const leftOut: LeftOutObject[] = []
  for (const entry of entries) {
    const named = entry.kind === 'ACL' ? [] : rolesOf({ ...entry, sql: () => entry.definition ?? '' })
    const lacking = [...new Set(named)].filter((role) => roles.has(role))
    if (lacking.length === 0) rest.push(entry)
    else leftOut.push({ what: textOf(entry), why: `the server does not have the role ${formatSome(lacking, 3)}` })
  }
  return { rest, leftOut }
}

function textOf(entry: Entry): string {
  const within = entry.schema === '' ? '' : ` in ${entry.schema}`
  return entry.kind === 'DEFAULT ACL' ? `${entry.name.toLowerCase()}${within}` : nameOf(entry)
}
