import { z } from 'zod'
import { oneLine } from '../../report/format.ts'
import { factsOf, type SourceRecord } from '../../repository/snapshot.ts'
import type { SourceAccess } from '../settings.ts'
import type { LeftOutDatabase, ServerDatabases, SourceContext } from '../source-kind.ts'
import { anyClient } from './client-download/choose.ts'
import { clientPrograms } from './client-programs.ts'
import { parseDatabaseUrl } from './connection.ts'
import { type DatabaseLocation, locationOf } from './location.ts'
import { type QueryContext, queryJson } from './query.ts'
import { routeTo } from './route.ts'
import { connectionTo } from './sources.ts'
import { markOfKept } from './swap/databases.ts'
import { findMaintenance } from './target.ts'

const row = z.strictObject({
  oid: z.int(),
  name: z.string(),
  comment: z.string().nullable(),
  /** Of its name, as the server keeps it. */
  bytes: z.int(),
  template: z.boolean(),
  allowed: z.boolean(),
  /** An interrupted DROP DATABASE left it. */
  invalid: z.boolean(),
  permitted: z.boolean(),
  /** On the server's disk; null if it was not asked for, or if it cannot be connected to. */
  size: z.int().nullable(),
})

export type DatabaseRow = z.infer<typeof row>

const sql = (sizes: boolean): string => `SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
  'oid', d.oid::pg_catalog.int8,
  'name', d.datname,
  'comment', pg_catalog.shobj_description(d.oid, 'pg_database'),
  'bytes', pg_catalog.octet_length(d.datname::pg_catalog.text),
  'template', d.datistemplate,
  'allowed', d.datallowconn,
  'invalid', d.datconnlimit = -2,
  'permitted', pg_catalog.has_database_privilege(d.oid, 'CONNECT'),
  'size', CASE WHEN ${sizes} AND NOT d.datistemplate AND d.datallowconn AND pg_catalog.has_database_privilege(d.oid, 'CONNECT')
    THEN pg_catalog.pg_database_size(d.oid) END) ORDER BY d.datname), '[]')
FROM pg_catalog.pg_database d`

/** Milliseconds: the server looks at each file of each database. */
const TIME_LIMIT = 60 * 60 * 1000

/** Whether a URL names a server only. */
export function namesNoDatabase({ url }: DatabaseLocation): boolean {
  return parseDatabaseUrl(url).database === undefined
}

/** The database of the name that a source was backed up from. */
export function sameDatabase(location: DatabaseLocation, source: SourceRecord): DatabaseLocation {
  return locationOf(location, factsOf(source, databaseName).database)
}

const databaseName = z.object({ database: z.string().min(1) })

/** Asks a server for its databases, through its database `postgres`, or else `template1`. */
export async function databasesOfServer(
  location: DatabaseLocation,
  { tunnel, ssh, sizes }: SourceAccess & { sizes: boolean },
  context: SourceContext,
): Promise<ServerDatabases<DatabaseLocation>> {
  const given = connectionTo(location, context)
  const route = routeTo([given], tunnel && { target: tunnel, access: ssh }, context)
  const { variables, signal } = context
  try {
    const { clients, provide } = await clientPrograms(context)
    const asked = { connection: await route.to(given), client: await anyClient(clients, provide), variables, signal }
    const rows = await readDatabases(await findMaintenance(asked), sizes)
    const usable = rows.filter((one) => whyNot(one) === undefined)
    return {
      databases: usable.map((one) => ({ name: one.name, size: one.size ?? 0, location: locationOf(location, one.name), ...asideOf(one) })),
      leftOut: rows.flatMap((one) => whyNot(one) ?? []),
    }
  } catch (error) {
    throw await route.causeOf(error)
  } finally {
    await route.close()
  }
}

export function readDatabases(maintenance: QueryContext, sizes: boolean): Promise<DatabaseRow[]> {
  return queryJson(sql(sizes), z.array(row), { ...maintenance, timeLimit: TIME_LIMIT })
}

function asideOf(row: DatabaseRow): { aside?: string } {
  const mark = markOfKept(row)
  return mark ? { aside: `was put aside by a restore of ${oneLine(mark.target)}, and is kept until ${mark.until.slice(0, 10)}` } : {}
}

/** Why a database cannot be backed up, or need not be. */
export function whyNot(
  { name, bytes, template, allowed, invalid, permitted }: Omit<DatabaseRow, 'oid' | 'comment'>,
): LeftOutDatabase | undefined {
  if (template) return { name, why: 'is a template', expected: true }
  if (invalid) return { name, why: 'was not dropped whole: drop it again', expected: false }
  if (!allowed) return { name, why: 'accepts no connections', expected: true }
  if (!permitted) return { name, why: 'may not be connected to by this role', expected: false }
  // libpq sends names as they are given, and the program gives them in UTF-8.
  if (Buffer.byteLength(name) !== bytes) return { name, why: 'has a name that is not UTF-8', expected: false }
  return undefined
}
