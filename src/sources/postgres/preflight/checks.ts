import { stat, statfs } from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
import { LifeboatError } from '../../../error.ts'
import { marked } from '../../../marks.ts'
import { formatBytes, formatCount, formatSome, oneLine } from '../../../report/format.ts'
import { rolesOrWithout } from '../restore-output.ts'
import type { RestoreOptions } from '../restore-plan.ts'
import { type Connections, connections, connectionsSql, freeOf, tightestLimit } from '../free-connections.ts'
import type { DatabaseOption } from '../database-settings.ts'
import { change, literal, queryJson, type QueryContext } from '../query.ts'
import type { Needed } from './needed.ts'

const MOST_NAMED = 8

const roleState = z.strictObject({ name: z.string(), member: z.boolean() })

/** The roles without which objects cannot be restored. With no-owner, entries that only name such roles are left out. */
export function rolesOfObjects(
  { owners, grantees, named }: Pick<Needed, 'owners' | 'grantees' | 'named'>, { noOwner }: Pick<RestoreOptions, 'noOwner'>,
): string[] {
  return [...new Set([...owners, ...grantees, ...(noOwner ? [] : named)])]
}

/** Throws unless these roles exist and this role may act for those that get objects. */
export async function requireOwnersAndGrantees(
  { owners, grantees, named }: Pick<Needed, 'owners' | 'grantees' | 'named'>,
  where: string,
  { roles: toCreate, ...given }: Pick<RestoreOptions, 'roles' | 'noOwner' | 'noPrivileges'>,
  context: QueryContext,
): Promise<void> {
  if (owners.size + grantees.size + named.size === 0) return
  const roles = await queryJson(
    `SELECT pg_catalog.json_agg(pg_catalog.json_build_object('name', rolname, 'member', pg_catalog.pg_has_role(oid, 'MEMBER')))
     FROM pg_catalog.pg_roles`,
    z.array(roleState), context,
  )
  const known = new Map(roles.map(({ name, member }) => [name, member]))
  const missing = rolesOfObjects({ owners, grantees, named }, given).filter((name) => !known.has(name))
  if (missing.length > 0)
    throw new LifeboatError(`${where} does not have these roles, which own objects of the backup, have privileges on them, or are named ` +
      `by its policies: ${formatSome(missing, MOST_NAMED)}`, { hint: rolesOrWithout(toCreate, given) })
  const others = [...owners].filter((name) => known.get(name) === false)
  if (others.length > 0)
    throw new LifeboatError(`this role is no member of the roles that own objects of the backup: ${formatSome(others, MOST_NAMED)}`, {
      hint: marked`Restore as a superuser, grant it these roles, or restore with ‹no-owner: true›.` })
}

/** Throws if this role may not make a role, which the server has, the owner of a database. */
export async function requireOwner(owner: string, context: QueryContext): Promise<void> {
  const may = await queryJson(
    `SELECT coalesce(pg_catalog.to_json((SELECT pg_catalog.pg_has_role(oid, 'MEMBER') FROM pg_catalog.pg_roles
      WHERE rolname = ${literal(owner)})), 'true')`,
    z.boolean(), context)
  if (may) return
  throw new LifeboatError(`this role is no member of ${owner}, which owned the database when it was backed up`, {
    hint: marked`Restore as a superuser, grant it that role, or restore with ‹no-owner: true›.` })
}

/** Throws if the server does not have an extension that the backup needs. */
export async function requireAvailable(extensions: ReadonlySet<string>, where: string, context: QueryContext): Promise<void> {
  if (extensions.size === 0) return
  const available = new Set(
    await queryJson('SELECT pg_catalog.json_agg(name) FROM pg_catalog.pg_available_extensions', z.array(z.string()), context),
  )
  const missing = [...extensions].filter((name) => !available.has(name))
  if (missing.length === 0) return
  throw new LifeboatError(`the server of ${where} does not have these extensions of the backup: ${formatSome(missing, MOST_NAMED)}`, {
    hint: 'Install the extensions at the server, then restore again.' })
}

/** Throws if the server lacks libraries of functions. A role that may not make functions of libraries is told so by pg_restore. */
export async function requireLibraries(libraries: Needed['libraries'], where: string, context: QueryContext): Promise<void> {
  const missing: string[] = []
  for (const [library, symbol] of libraries) {
    try {
      // A function for the session alone, which is undone at once.
      const made = 'CREATE FUNCTION pg_temp.lifeboat_library() RETURNS pg_catalog.void LANGUAGE c AS ' +
        `${literal(library)}, ${literal(symbol)}`
      await change([made, 'ROLLBACK', 'BEGIN'], context)
    } catch (error) {
      if (!(error instanceof LifeboatError) || !/could not access file/.test(`${error.message} ${String(error.cause)}`)) continue
      missing.push(library)
    }
  }
  if (missing.length === 0) return
  throw new LifeboatError(`the server of ${where} does not have these libraries, which functions of the backup need: ` +
    formatSome(missing.map(oneLine), MOST_NAMED), { hint: 'Install the libraries at the server, then restore again.' })
}

/** Throws unless the server knows the locale of a new database. Of other providers than libc, and other encodings, nothing is known. */
export async function requireLocale(options: readonly DatabaseOption[], where: string, context: QueryContext): Promise<void> {
  const text = (name: string) => {
    const value = options.find((option) => option.name === name)?.value
    return value === undefined ? undefined : 'text' in value ? value.text : value.name
  }
  const locales = ['locale', 'lc_collate', 'lc_ctype'].flatMap((name) => text(name) ?? []).filter((locale) => !/^(C|POSIX)$/.test(locale))
  const encoding = text('encoding')
  for (const locale of new Set(locales)) {
    if (encoding === undefined || (await encodingOf(context)) !== encoding) return
    try {
      // A collation for the session alone, which is undone at once.
      const collation = `CREATE COLLATION pg_temp.lifeboat_locale (LC_COLLATE = ${literal(locale)}, LC_CTYPE = ${literal(locale)})`
      await change([collation, 'ROLLBACK', 'BEGIN'], context)
    } catch (error) {
      if (!(error instanceof LifeboatError) || !/could not create locale/.test(`${error.message} ${String(error.cause)}`)) continue
      throw new LifeboatError(`the server of ${where} does not have the locale ${locale} of the backup`, {
        hint: marked`Install the locale at the server, or make the database yourself and restore with ‹mode: empty›.` })
    }
  }
}

function encodingOf(context: QueryContext): Promise<string> {
  return queryJson('SELECT pg_catalog.to_json(pg_catalog.getdatabaseencoding())', z.string(), context)
}

/** Throws unless this role may create and rename databases. */
export async function requireCreateDb(where: string, context: QueryContext): Promise<void> {
  const may = await queryJson(
    `SELECT pg_catalog.to_json(rolcreatedb OR rolsuper) FROM pg_catalog.pg_roles WHERE rolname = current_user`, z.boolean(), context)
  if (may) return
  throw new LifeboatError(`this role may not create databases at ${where}`, {
    hint: marked`Run ALTER ROLE … CREATEDB, or create the database yourself and restore with ‹mode: empty›.` })
}

/** Throws unless this role may create these roles of the backup. */
export async function requireCreateRole(roles: readonly string[], where: string, context: QueryContext): Promise<void> {
  const may = await queryJson(
    `SELECT pg_catalog.to_json(rolcreaterole OR rolsuper) FROM pg_catalog.pg_roles WHERE rolname = current_user`, z.boolean(), context)
  if (may) return
  throw new LifeboatError(`this role may not create roles at ${where}, which lacks ${formatSome(roles, MOST_NAMED)}`, {
    hint: marked`Run ALTER ROLE … CREATEROLE, create these roles yourself, or set ‹globals: none› with ‹no-owner: true› and ` +
      marked`‹no-privileges: true›.` })
}

/** Room at a server, and what tells it from others. */
export interface Room {
  connections: Connections
  /** The disk by the number of its device, and its free bytes; absent unless it is certainly one of this machine. */
  disk?: { device: number; free: number }
  /** Equal for two connections to the same server, by whatever address; not for a copy of it. */
  server: string
}

const room = z.strictObject({ connections, folder: z.string().nullable(), started: z.number(), server: z.string() })

/**
 * Asks for all of it at once. Other sessions of a restore would count, so that none is open meanwhile. `inNew`: the restore makes a
 * database, and the limit of the one that is asked says nothing.
 */
export async function roomAt(context: QueryContext, inNew = false): Promise<Room> {
  const { connections, folder, started, server } = await queryJson(
    `SELECT pg_catalog.json_build_object(
      'connections', ${connectionsSql},
      'folder', (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'data_directory'),
      'started', extract(epoch FROM pg_catalog.pg_postmaster_start_time()) * 1000,
      'server', (SELECT system_identifier || ' ' || pg_catalog.pg_postmaster_start_time() FROM pg_catalog.pg_control_system()))`,
    room, context,
  )
  const disk = await diskOf(folder, started)
  return { connections: { ...connections, ...(inNew && { database: null }) }, server, ...(disk && { disk }) }
}

/** Throws if a restore may not have that many connections. */
export function requireConnections(wanted: number, where: string, { connections }: Room): void {
  const free = freeOf(connections)
  if (free >= wanted) return
  throw new LifeboatError(`${where} has ${formatCount(free, 'free connection')}, and the restore needs ${wanted}`, {
    hint: marked`Raise ${tightestLimit(connections)}, stop clients, or lower ‹jobs›.` })
}

/** Room for statistics, WAL and indexes that are built, as a share of the database. */
export const MARGIN = 1.1
/** Milliseconds between the start of a server by its own clock and the time of the file that it writes then. */
const SAME_START = 60_000

/** Throws if the disk of a server on this machine has no room for so many bytes. No server tells it of another machine. */
export function requireSpace(bytes: number, where: string, { disk }: Room): void {
  if (disk === undefined || disk.free >= bytes * MARGIN) return
  throw new LifeboatError(`the disk of ${where} has ${formatBytes(disk.free)} free, and the database needs about ${formatBytes(bytes)}`, {
    hint: 'Make room there, then restore again.' })
}

/** `started`: of the server, in milliseconds by its own clock. */
async function diskOf(folder: string | null, started: number): Promise<Room['disk']> {
  if (folder === null || !path.isAbsolute(folder)) return undefined
  try {
    const { mtimeMs } = await stat(path.join(folder, 'postmaster.pid'))
    if (Math.abs(mtimeMs - started) > SAME_START) return undefined
    const [{ bavail, bsize }, { dev }] = [await statfs(folder), await stat(folder)]
    return { device: dev, free: bavail * bsize }
  } catch {
    return undefined // A server of another machine, or a folder that this user may not look into.
  }
}
