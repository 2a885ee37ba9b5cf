import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import type { BackupSettings } from '../settings.ts'
import type { GivenSource, SourceContext } from '../source-kind.ts'
import type { Source } from '../source.ts'
import { clientPrograms } from './client-programs.ts'
import { type Connection, parseDatabaseUrl } from './connection.ts'
import { parseDumpArguments } from './dump-arguments.ts'
import type { DatabaseLocation } from './location.ts'
import { type Route, routeTo } from './route.ts'
import { PostgresSource } from './source.ts'

/** Databases to back up. All are reached by one route, which is closed with the last of them. */
export function databaseSources(
  given: readonly GivenSource<DatabaseLocation>[],
  settings: BackupSettings,
  context: SourceContext,
): Source[] {
  const connections = given.map(({ location }) => connectionTo(location, context))
  for (const connection of connections) requireDatabaseName(connection,
    marked`To back up all databases of the server, give ‹databases: *›.`)
  const { variables, signal, report } = context
  const { dump, tunnel, ssh } = settings
  const route = shared(routeTo(connections, tunnel && { target: tunnel, access: ssh }, context), given.length)
  const { lockTimeout, allowPooler, jobs } = dump
  const programs = () => clientPrograms(context)
  const dumpArguments = parseDumpArguments(dump.arguments)
  return given.map(({ name }, index) => {
    return new PostgresSource({
      name,
      connection: connections[index]!,
      route,
      programs,
      dumpArguments,
      jobs,
      lockTimeout,
      allowPooler,
      signal,
      report,
      variables,
    })
  })
}

/** The connection to a database; its secrets are masked from now on. */
export function connectionTo({ url }: DatabaseLocation, { variables, report }: SourceContext): Connection {
  const connection = parseDatabaseUrl(url, variables)
  for (const secret of connection.secrets) report.mask(secret)
  return connection
}

/** Throws (status 2) if libpq would choose the database, `postgres` for example. A service's entry may name one. */
export function requireDatabaseName({ database, environment, server }: Connection, otherwise?: string): void {
  if (database !== undefined || environment['PGSERVICE'] !== undefined) return
  const address = server.startsWith('local socket') ? 'host:5432' : server
  throw new LifeboatError(`database-url names the server ${server}, and no database of it`, {
    hint: [`Add its name: postgres://user:password@${address}/DATABASE.`, otherwise].filter((text) => text !== undefined).join(' '),
    status: 2,
  })
}

/** A route for several users, each of which closes it once. */
function shared(route: Route, users: number): Route {
  let left = users
  return {
    ...route,
    close: async () => {
      left--
      if (left === 0) await route.close()
    },
  }
}
