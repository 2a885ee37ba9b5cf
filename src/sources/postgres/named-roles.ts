import { namesRoles, type PassingEntry } from './contents.ts'
import { NAME, plainName, QUOTED } from './drill/statements.ts'

/** A list of roles after its key words; in a policy an expression follows, after the first parenthesis. */
const ROLES = new RegExp(
  String.raw`${QUOTED}|\b(TO|FROM|FOR ROLE|SESSION AUTHORIZATION|MAPPING FOR) ((?:${NAME})(?:, (?:${NAME}))*)|(\()`, 'gs')
const EACH = new RegExp(NAME, 'g')

/**
 * The roles that an entry names beside its owner: those of privileges, and whoever gave them; of default privileges, a policy or a user
 * mapping. PUBLIC is none.
 */
export function rolesOf(entry: Pick<PassingEntry, 'kind' | 'sql'>): string[] {
  return [...namedIn(entry)].map(({ role }) => role)
}

/** Of an entry of privileges: the roles that get them, or lose them. */
export function granteesOf(entry: Pick<PassingEntry, 'kind' | 'sql'>): string[] {
  return [...namedIn(entry)].flatMap(({ role, after }) => (after === 'TO' || after === 'FROM' ? [role] : []))
}

function* namedIn({ kind, sql }: Pick<PassingEntry, 'kind' | 'sql'>): Generator<{ role: string; after: string }> {
  if (!namesRoles({ kind })) return
  for (const [, after, list = '', parenthesis] of sql().matchAll(ROLES)) {
    if (kind === 'POLICY' && parenthesis !== undefined) return
    // User mappings have PUBLIC as `public`, which no role can be named.
    if (after !== undefined) for (const [name] of list.matchAll(EACH)) if (name !== 'public') yield { role: plainName(name), after }
  }
}
