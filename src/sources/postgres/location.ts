import type { Variables } from '../../environment.ts'
import type { Location } from '../source-kind.ts'
import { parseDatabaseUrl } from './connection.ts'

export interface DatabaseLocation extends Location {
  readonly kind: 'postgres'
  /** `postgres://…`; holds the password. */
  readonly url: string
}

/** Null for a text that is no URL of PostgreSQL. Throws a LifeboatError (status 2) for one that libpq would not take. */
export function parseDatabaseLocation(text: string): DatabaseLocation | null {
  if (!/^postgres(?:ql)?:\/\//.test(text)) return null
  parseDatabaseUrl(text)
  return { kind: 'postgres', url: text }
}

export function isPostgres(location: Pick<Location, 'kind'>): location is DatabaseLocation {
  return location.kind === 'postgres'
}

/** With libpq's own variables set, the URL that leaves everything to them. */
export function libpqDefaults(variables: Variables): string | undefined {
  if (!['PGHOST', 'PGHOSTADDR', 'PGDATABASE', 'PGSERVICE'].some((name) => variables[name])) return undefined
  return `postgres:///${encodeURIComponent(variables['PGDATABASE'] ?? '')}`
}

/** The same server with a database, for a location that names none. */
export function locationOf({ url }: DatabaseLocation, database: string): DatabaseLocation {
  const [, server, query = ''] = /^([a-z]+:\/\/[^/?]*)\/?(\?.*)?$/s.exec(url)!
  return { kind: 'postgres', url: `${server!}/${encodeURIComponent(database)}${query}` }
}
