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

/** The URL that says the same as libpq's own variables; undefined if these leave something to a file or a default of this machine. */
export function urlOfVariables(variables: Variables): string | undefined {
  const { PGHOST: host, PGPORT: port = '5432', PGUSER: user, PGPASSWORD: password, PGDATABASE: database, PGSSLMODE: mode } = variables
  if (!host || !user || !password || !database || /[/,]/.test(host) || variables['PGSERVICE']) return undefined
  const [login, path] = [[user, password].map(encodeURIComponent).join(':'), encodeURIComponent(database)]
  return `postgres://${login}@${host.includes(':') ? `[${host}]` : host}:${port}/${path}${mode ? `?sslmode=${mode}` : ''}`
}

/** How databases show in files of other programs: the names of variables, the images of servers, and URLs. */
export const postgresTraces = {
  variable: /(?:^|_)(?:DATABASE|POSTGRES(?:QL)?|PG|DB)_?(?:URL|URI|DSN)$/,
  image: /(?:^|\/)(?:postgres|postgis|timescaledb|pgvector|supabase\/postgres)[\w./-]*(?::|$)/,
  url: /^postgres(?:ql)?:\/\//,
} as const

/** The same server with a database, for a location that names none. */
export function locationOf({ url }: DatabaseLocation, database: string): DatabaseLocation {
  const [, server, query = ''] = /^([a-z]+:\/\/[^/?]*)\/?(\?.*)?$/s.exec(url)!
  return { kind: 'postgres', url: `${server!}/${encodeURIComponent(database)}${query}` }
}
