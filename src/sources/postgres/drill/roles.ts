import { z } from 'zod'
import { change, identifier, literal, queryJson, type QueryContext } from '../query.ts'
import { type Entry, namesRoles } from '../contents.ts'
import { globalStatements } from '../globals-script.ts'

/** The roles of a server, as `globals.sql` tells them; nothing else of it is used. */
export interface ServerRoles {
  names: string[]
  superusers: string[]
}

/** Statements are told from texts in them: every role may choose the texts of its own settings. */
export function rolesIn(globals: string): ServerRoles {
  const roles: ServerRoles = { names: [], superusers: [] }
  for (const [verb, what, name = '', ...rest] of globalStatements(globals)) {
    if (what !== 'ROLE') continue
    if (verb === 'CREATE') roles.names.push(plainName(name))
    if (verb === 'ALTER' && rest[0] === 'WITH' && rest[1] === 'SUPERUSER') roles.superusers.push(plainName(name))
  }
  return roles
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
 * It reads all rows for assertions, too, whatever row security hides.
 */
export async function createLoader(name: string, password: string, major: number, context: QueryContext): Promise<void> {
  const role = identifier(name)
  await change(
    [
      `CREATE ROLE ${role} LOGIN BYPASSRLS PASSWORD ${literal(password)}`,
      ...withoutEvents(role, major),
      `GRANT pg_read_all_data, pg_write_all_data TO ${role}`,
      `ALTER ROLE ${role} SET lo_compat_privileges = on`,
    ],
    context,
  )
}

/** Lets the role connect, whatever the settings of the restored database say. */
export async function admit(name: string, database: string, maintenance: QueryContext): Promise<void> {
  const granting = `GRANT CONNECT ON DATABASE ${identifier(database)} TO ${identifier(name)}`
  await change([granting, `ALTER DATABASE ${identifier(database)} CONNECTION LIMIT -1`], maintenance)
}

/** Event triggers, also those of logins, run with the rights of whoever connects. PostgreSQL 17 can leave them out. */
export const EVENTS_OFF_SINCE = 17

function withoutEvents(role: string, major: number): string[] {
  return major >= EVENTS_OFF_SINCE ? [`ALTER ROLE ${role} SET event_triggers = off`] : []
}

/** Roles that make the objects of owners who were no superusers. */
export interface Makers {
  /** Acts for these owners. */
  maker: string
  /** All of them are members of it while objects are made: it may create in every schema. */
  group: string
  password: string
  owners: readonly string[]
}

/** Roles that are superusers at the scratch server, and those of PostgreSQL itself, are left out: nobody may act for them. */
export async function createMakers(
  { maker, group, password, owners }: Makers,
  major: number,
  database: QueryContext,
): Promise<Set<string>> {
  const plain = new Set(
    await queryJson(
      "SELECT coalesce(pg_catalog.json_agg(rolname), '[]') FROM pg_catalog.pg_roles WHERE NOT rolsuper AND rolname !~ '^pg_'",
      z.array(z.string()),
      database,
    ),
  )
  const acted = owners.filter((name) => plain.has(name))
  const [role, all] = [identifier(maker), identifier(group)]
  await change(
    [`CREATE ROLE ${role} LOGIN BYPASSRLS PASSWORD ${literal(password)}`, ...withoutEvents(role, major), `CREATE ROLE ${all} NOLOGIN`],
    database,
  )
  await changeInBatches(acted.flatMap((name) => [`GRANT ${identifier(name)} TO ${role}`, `GRANT ${all} TO ${identifier(name)}`]), database)
  await change(
    [
      `GRANT pg_read_all_data, ${major >= 17 ? 'pg_maintain, ' : ''}${all} TO ${role}`,
      `ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO ${all}`,
      `ALTER DEFAULT PRIVILEGES GRANT REFERENCES, TRIGGER ON TABLES TO ${all}`,
      `GRANT ALL ON SCHEMA public TO ${all}`,
    ],
    database,
  )
  return new Set(acted)
}

/** Foreign servers have no default privileges. */
export async function grantServers({ group }: Makers, database: QueryContext): Promise<void> {
  const servers = await queryJson(
    "SELECT coalesce(pg_catalog.json_agg(srvname), '[]') FROM pg_catalog.pg_foreign_server",
    z.array(z.string()),
    database,
  )
  await changeInBatches(servers.map((name) => `GRANT USAGE ON FOREIGN SERVER ${identifier(name)} TO ${identifier(group)}`), database)
}

/** Takes back what the owners were given in the database. */
export async function revokeMaking({ group }: Makers, database: QueryContext): Promise<void> {
  await change(`DROP OWNED BY ${identifier(group)}`, database)
}

/** Each statement is an argument of psql. */
async function changeInBatches(statements: readonly string[], context: QueryContext): Promise<void> {
  for (let at = 0; at < statements.length; at += 500) await change(statements.slice(at, at + 500), context)
}
