import { z } from 'zod'
import { change, identifier, literal, queryJson, type QueryContext } from '../query.ts'
import { type Entry, namesRoles } from '../contents.ts'
import { tokensOf } from '../tokens.ts'

/** The names in the CREATE ROLE statements of a `globals.sql`; nothing else of it is used. */
export function rolesIn(globals: string): string[] {
  return globals.split('\n').flatMap((line) => {
    const name = /^CREATE ROLE (.+);$/.exec(line)?.[1]
    const [token] = (name !== undefined && tokensOf(name, true)) || []
    if (token === undefined) return []
    return 'name' in token ? [token.name] : 'word' in token ? [token.word] : []
  })
}

const NAME = String.raw`"(?:[^"]|"")+"|[a-z_][\w$]*`
const NAMED = new RegExp(String.raw`\b(?:TO|FROM|FOR ROLE|AUTHORIZATION|MAPPING FOR) ((?:${NAME})(?:, (?:${NAME}))*)`, 'g')

/** The roles that an archive names: owners, and those with privileges. Perhaps some other names, too. */
export function rolesOfArchive(entries: readonly Entry[]): string[] {
  const names = new Set<string>()
  for (const entry of entries) {
    names.add(entry.owner)
    if (!namesRoles(entry)) continue
    for (const [, list = ''] of (entry.definition ?? '').matchAll(NAMED))
      for (const [name] of list.matchAll(new RegExp(NAME, 'g'))) names.add(plainName(name))
  }
  return [...names].filter((name) => name !== 'public')
}

function plainName(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name
}

/** Creates the roles that the server lacks, without passwords, logins and other rights. Gives those that it created. */
export async function createRoles(names: readonly string[], context: QueryContext): Promise<string[]> {
  const known = new Set(
    await queryJson("SELECT pg_catalog.json_agg(rolname) FROM pg_catalog.pg_roles", z.array(z.string()), context),
  )
  const missing = [...new Set(names)].filter((name) => name !== '' && !known.has(name) && !name.startsWith('pg_'))
  await changeInBatches(missing.map((name) => `CREATE ROLE ${identifier(name)} NOLOGIN`), context)
  return missing
}

export async function dropRoles(names: readonly string[], context: QueryContext): Promise<void> {
  await changeInBatches(names.map((name) => `DROP ROLE IF EXISTS ${identifier(name)}`), context)
}

/**
 * A role that may write all rows and nothing else: functions in constraints of the restored tables run as the role that loads their rows.
 * It reads all rows for assertions, too.
 */
export async function createLoader(name: string, password: string, context: QueryContext): Promise<void> {
  const role = identifier(name)
  await change(
    [
      `CREATE ROLE ${role} LOGIN PASSWORD ${literal(password)}`,
      `GRANT pg_read_all_data, pg_write_all_data TO ${role}`,
      `ALTER ROLE ${role} SET lo_compat_privileges = on`,
    ],
    context,
  )
}

/** Each statement is an argument of psql. */
async function changeInBatches(statements: readonly string[], context: QueryContext): Promise<void> {
  for (let at = 0; at < statements.length; at += 500) await change(statements.slice(at, at + 500), context)
}
