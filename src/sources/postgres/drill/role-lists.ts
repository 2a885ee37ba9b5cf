import { NAME } from './statements.ts'

const ONE = `(?:${NAME})`
const POLICY = new RegExp(`^(CREATE POLICY ${ONE} ON ${ONE}\\.${ONE}(?: AS RESTRICTIVE)?(?: FOR \\w+)? TO )(${ONE}(?:, ${ONE})*)`, 'm')

/** Whether an entry names roles in an order of the server: by oids, or by places in its catalog. `header`: the comment before it. */
export function listsRoles(header: string): boolean {
  return isOf('POLICY', header) || isOf('DEFAULT ACL', header)
}

function isOf(kind: string, header: string): boolean {
  return header.startsWith(`; Type: ${kind}; `, header.lastIndexOf('; Type: ')) // A name may have this text, too.
}

/** The SQL of such an entry, the roles of a policy and the statements of default privileges in an order of their own. */
export function inOrder(header: string, sql: string): string {
  if (isOf('DEFAULT ACL', header)) return sql.split('\n').toSorted().join('\n')
  return sql.replace(POLICY, (_, before: string, list: string) => before + namesIn(list).toSorted().join(', '))
}

function namesIn(list: string): string[] {
  return [...list.matchAll(new RegExp(NAME, 'g'))].map(([name]) => name)
}
