import path from 'node:path'
import { z } from 'zod'
import { LifeboatError, messageOf } from '../../../error.ts'
import type { Variables } from '../../../environment.ts'
import { marked } from '../../../marks.ts'
import type { Location, SourceContext } from '../../source-kind.ts'
import { type Connection, onDatabase, parseDatabaseUrl } from '../connection.ts'
import { queryJson, type QueryContext } from '../query.ts'
import { type Client, installPackageHint } from '../clients.ts'
import { isPostgres } from '../location.ts'
import type { ScratchSettings } from '../settings.ts'
import { type Cluster, startCluster } from './cluster.ts'
import { pullImage, pullOfficialImage } from '../client-download/image.ts'
import { provideServer } from '../client-download/provide.ts'
import { onPath } from '../client-download/system.ts'
import { imagePrograms } from './server-image.ts'
import { findServers, localPrograms, type ServerPrograms } from './server-programs.ts'

/** A server to restore into, whose databases and roles are of no value. */
export interface Scratch {
  /** As its superuser. */
  readonly connection: Connection
  readonly major: number
  readonly version: string
  /** The image that it runs in, by digest or id. */
  readonly image?: string
  /** It was given, and goes on after the drill. */
  readonly given: boolean
  /** Removes the server, if it was started for the drill. */
  readonly close: () => Promise<void>
}

/** The server that a backup needs. */
export interface ScratchNeeds {
  major: number
  superuser: string
  /** Bytes of disk. */
  space: number
  locks: number
}

/** The given server, or one that is started for the drill. Throws `LifeboatError` if there is none. */
export async function openScratch(
  needs: ScratchNeeds,
  { server, image }: ScratchSettings,
  client: Client,
  context: SourceContext,
): Promise<Scratch> {
  const { variables, signal } = context
  const opened = server === undefined
    ? await started(needs, image, context)
    : { connection: given(server, variables), close: async () => undefined }
  try {
    const { connection } = opened
    const found = await readServer({ connection: onDatabase(connection, 'postgres'), client, variables, signal })
    if (server !== undefined) await requireNoData(connection, { client, variables, signal })
    return { ...opened, ...found, given: server !== undefined }
  } catch (error) {
    await opened.close()
    throw error
  }
}

async function started(needs: ScratchNeeds, image: string | undefined, context: SourceContext): Promise<Cluster & Pick<Scratch, 'image'>> {
  const programs = await programsFor(needs.major, image, context)
  const cluster = await startCluster({ ...needs, programs, ...context })
  return { ...cluster, ...(programs.image !== undefined && { image: programs.image }) }
}

function given(location: Pick<Location, 'kind'>, variables: Variables): Connection {
  if (isPostgres(location)) return parseDatabaseUrl(location.url, variables)
  throw new LifeboatError('scratch-url is not the URL of a PostgreSQL server', {
    hint: 'Write postgres://user:password@host:5432/postgres.' })
}

/**
 * The programs in the given image; those of the wanted major, installed, fetched, or in the official image; or else the installed ones of
 * the next newer major.
 */
async function programsFor(major: number, image: string | undefined, context: SourceContext): Promise<ServerPrograms> {
  const { variables, clientInstall } = context
  if (image !== undefined) return imagePrograms(await pullImage(image, context), context)
  const servers = await findServers(variables)
  const exact = servers.find((server) => server.major === major)
  if (exact) return localPrograms(exact, variables)
  const reasons: string[] = []
  const ways = clientInstall === 'never' ? [] : [() => fetched(major, context), () => official(major, context)]
  for (const way of ways) {
    try {
      return await way()
    } catch (error) {
      context.signal.throwIfAborted()
      reasons.push(messageOf(error))
    }
  }
  const newer = servers.filter((server) => server.major > major).at(-1)
  if (newer) return localPrograms(newer, variables)
  const here = servers.length === 0 ? 'none is installed' : `this machine has those of ${servers.map((server) => server.major).join(', ')}`
  // A way out first: the reasons are long.
  throw new LifeboatError(`a drill needs the server programs of PostgreSQL ${major} or newer (initdb, postgres): ${here}`, {
    hint: `${installPackageHint(`postgresql-${major}`)} ${marked`Or give the URL of a server without data in ‹scratch-url›.`}` +
      (reasons.length > 0 ? ` They could not be fetched: ${reasons.join('; ')}` : ''),
  })
}

async function fetched(major: number, context: SourceContext): Promise<ServerPrograms> {
  const programs = await provideServer(major, context)
  return localPrograms(programs, context.variables, path.dirname(programs.directory))
}

async function official(major: number, context: SourceContext): Promise<ServerPrograms> {
  if (process.platform === 'linux' && onPath('docker', context.variables))
    return imagePrograms(await pullOfficialImage(major, context), context)
  throw new LifeboatError('docker is not here')
}

const answer = z.strictObject({ major: z.int(), version: z.string(), superuser: z.boolean() })

async function readServer(context: QueryContext): Promise<{ major: number; version: string }> {
  const { superuser, ...found } = await queryJson(
    `SELECT pg_catalog.json_build_object('major', pg_catalog.current_setting('server_version_num')::pg_catalog.int4 / 10000,
      'version', pg_catalog.current_setting('server_version'),
      'superuser', (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user))`,
    answer,
    context,
  )
  if (superuser) return found
  throw new LifeboatError(`the role of scratch-url is no superuser at ${context.connection.server}`, {
    hint: 'A drill restores roles, owners and extensions. Use a server of its own for it, never one with data.' })
}

/** Databases that may have data; those of drills that run at the same time have other data. */
const DATABASES = `SELECT coalesce(pg_catalog.json_agg(datname ORDER BY datname), '[]') FROM pg_catalog.pg_database
WHERE datallowconn AND NOT datistemplate AND NOT pg_catalog.starts_with(datname::pg_catalog.text, 'lifeboat_drill_')`

/** Whether there is a table, a materialized view or a foreign table, other than of the system and of extensions. */
const TABLES = `SELECT pg_catalog.to_json(EXISTS (
  SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = ANY ('{r,p,m,f}') AND c.relpersistence <> 't' AND n.nspname <> ALL ('{pg_catalog,information_schema}') AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')))`

/** Throws for a server with data: the code of the restored database runs there as superuser, and takes its disk and its time. */
async function requireNoData(connection: Connection, context: Omit<QueryContext, 'connection'>): Promise<void> {
  const databases = await queryJson(DATABASES, z.array(z.string()), { ...context, connection: onDatabase(connection, 'postgres') })
  for (const name of databases) {
    if (!(await queryJson(TABLES, z.boolean(), { ...context, connection: onDatabase(connection, name) }))) continue
    throw new LifeboatError(`the server of scratch-url, ${connection.server}, has data: there are tables in its database ${name}`, {
      hint:
        'A drill runs the code of the restored database there, as superuser. Give a server of its own, such as a service container ' +
        marked`of the job, or leave out ‹scratch-url›: then one is started for the drill.` })
  }
}
