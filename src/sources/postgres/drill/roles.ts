import { z } from 'zod'
import { change, identifier, literal, queryJson, type QueryContext } from '../query.ts'
import { globalStatements } from '../globals-script.ts'
import { guard } from './guard.ts'
import { changeCreating, LOADER_MARK, makeMembers, makeRoles, READER, seeAllRows } from './made-roles.ts'
import { plainName } from './statements.ts'

/** The roles of a server, as `globals.sql` tells them; nothing else of it is used. */
export interface ServerRoles {
  names: string[]
  superusers: string[]
  memberships: Membership[]
}

export type Membership = readonly [group: string, member: string]

/** Statements are told from texts in them: every role may choose the texts of its own settings. */
export function rolesIn(globals: string): ServerRoles {
  const roles: ServerRoles = { names: [], superusers: [], memberships: [] }
  for (const [verb, what = '', name = '', ...rest] of globalStatements(globals)) {
    // The second word of privileges is another: GRANT SET ON PARAMETER.
    if (verb === 'GRANT' && name === 'TO' && rest[0] !== undefined) roles.memberships.push([plainName(what), plainName(rest[0])])
    if (what !== 'ROLE') continue
    if (verb === 'CREATE') roles.names.push(plainName(name))
    if (verb === 'ALTER' && rest[0] === 'WITH' && rest[1] === 'SUPERUSER') roles.superusers.push(plainName(name))
  }
  return roles
}

/** Creates the roles that the server lacks, with the memberships that reading needs, and without passwords, logins and other rights. */
export async function createRoles(
  { names, memberships }: Pick<ServerRoles, 'names' | 'memberships'>, superusers: ReadonlySet<string>, context: QueryContext,
): Promise<void> {
  const wanted = [...new Set(names)].filter((name) => name !== '' && !name.startsWith('pg_'))
  const ordinary = wanted.filter((name) => !superusers.has(name))
  // A role that acts for former superusers could replace functions that the superuser of this server will call.
  const members = memberships.filter(([group]) => group === READER || ordinary.includes(group))
  for (const member of superusers) members.push([READER, member], ...ordinary.map((group) => [group, member] as const))
  for (const some of batches(wanted)) await change(makeRoles(some), context)
  for (const some of batches(members)) await change(makeMembers(some), context)
  for (const some of batches([...superusers])) await change(seeAllRows(some), context)
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
      `COMMENT ON ROLE ${role} IS ${literal(LOADER_MARK)}`,
      ...steady(role, major),
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

/**
 * Settings of all sessions of a drill, whatever the restored database sets: none is ended, and errors are in English. Event triggers,
 * also those of logins, run with the rights of whoever connects; PostgreSQL 17 can leave them out.
 */
export function steadySettings(major: number): [name: string, value: string][] {
  const always: [string, string][] = [['temp_file_limit', '-1'], ['lc_messages', 'C'], ['idle_session_timeout', '0']]
  return major >= 17 ? [...always, ['transaction_timeout', '0'], ['event_triggers', 'off']] : always
}

function steady(role: string, major: number): string[] {
  return steadySettings(major).map(([name, value]) => `ALTER ROLE ${role} SET ${name} = ${literal(value)}`)
}

/** Roles that make the objects of owners who were no superusers. */
export interface Makers {
  /** Acts for these owners. */
  maker: string
  /** All of them are members of it while objects are made: it may look into every schema. */
  group: string
  password: string
  owners: readonly string[]
  /** The owners of the objects in each schema. */
  schemas: ReadonlyMap<string, ReadonlySet<string>>
  /** Tables that have children or partitions of these owners. */
  parents: readonly string[]
}

/** Roles that are superusers at the scratch server, and those of PostgreSQL itself, are left out: nobody may act for them. */
export async function createMakers(
  { maker, group, password, owners, ...made }: Makers,
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
    [
      `CREATE ROLE ${role} LOGIN BYPASSRLS PASSWORD ${literal(password)}`, ...steady(role, major), `CREATE ROLE ${all} NOLOGIN`,
      ...(major >= 17 ? [`ALTER ROLE ${role} SET event_triggers = on`] : []), // The guard is one.
    ],
    database,
  )
  await changeInBatches(acted.flatMap((name) => [`GRANT ${identifier(name)} TO ${role}`, `GRANT ${all} TO ${identifier(name)}`]), database)
  // Granting and taking back cost time for each table: not where superusers own all of them.
  const onNew = acted.length === 0 ? [] : [
    `ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO ${all}`,
    `ALTER DEFAULT PRIVILEGES GRANT REFERENCES, TRIGGER ON TABLES TO ${all}`,
  ]
  await change(
    [`GRANT pg_read_all_data, ${major >= 17 ? 'pg_maintain, ' : ''}${all} TO ${role}`, ...onNew, `GRANT USAGE ON SCHEMA public TO ${all}`],
    database,
  )
  await guard(group, database)
  await grantSchemas(made, database)
  return new Set(acted)
}

/** Lets owners create in the schemas where the backup has objects of them, as far as these schemas exist, and in no others. */
export async function grantSchemas(made: Pick<Makers, 'schemas'>, database: QueryContext): Promise<void> {
  await changeSchemas('GRANT', made, database)
}

async function changeSchemas(verb: 'GRANT' | 'REVOKE', { schemas }: Pick<Makers, 'schemas'>, database: QueryContext): Promise<void> {
  const pairs = [...schemas].flatMap(([schema, owners]) => [...owners].map((owner) => [schema, owner] as const))
  for (const some of batches(pairs)) await change(changeCreating(verb, some), database)
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
export async function revokeMaking({ group, schemas }: Makers, database: QueryContext): Promise<void> {
  await changeSchemas('REVOKE', { schemas }, database)
  await change(`DROP OWNED BY ${identifier(group)}`, database)
}

/** Each statement is an argument of psql. */
async function changeInBatches(statements: readonly string[], context: QueryContext): Promise<void> {
  for (const some of batches(statements)) await change(some, context)
}

export function* batches<T>(all: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < all.length; at += MOST_AT_ONCE) yield all.slice(at, at + MOST_AT_ONCE)
}

/** Names have up to 63 bytes, and an argument of a program 128 KiB. */
const MOST_AT_ONCE = 300
