import type { Variables } from '../environment.ts'
import { LifeboatError } from '../error.ts'
import { addressSecrets } from '../net/ssh/address.ts'
import type { SshTarget } from '../net/ssh/connection.ts'
import { parseLocation } from '../sources/known-kinds.ts'
import type { Location } from '../sources/source-kind.ts'
import { database, type Database, databases as databaseList } from './database-urls.ts'
import { type Group, group, one } from './group.ts'
import type { Input } from './input.ts'
import * as schema from './schemas.ts'

export const databaseInput = {
  help: 'The database, as a postgres:// URL with any libpq parameter.',
  expected: 'a URL postgres://user:password@host:port/database',
  example: 'postgres://app:secret@db.example.com:5432/app',
  schema: database,
  secret: true,
  variable: 'DATABASE_URL',
} as const satisfies Input

export const tunnelInput = {
  help:
    'An SSH server that reaches the databases where this machine does not: user@host or user@host:port. The databases are ' +
    'connected to from there.',
  expected: 'user@host or user@host:port',
  example: 'deploy@bastion.example.com',
  schema: schema.sshTarget,
  secrets: addressSecrets,
} as const satisfies Input

/** Where a database is. The URL has been checked. */
export function databaseLocation(url: string): Location {
  return parseLocation('database', url)!
}

export const databasesExpected = 'one URL postgres://user:password@host:port/database per line, optionally preceded by name='

/** Databases to read, and the SSH server that they are reached through. */
export interface Databases {
  urls: readonly Database[]
  tunnel: SshTarget | undefined
}

export function databases(help: string): Group<Databases> {
  const urls = {
    ...databaseInput,
    help,
    expected: databasesExpected,
    schema: databaseList,
    list: true,
    fallback: libpqDefaults,
  } as const satisfies Input
  return group(
    { 'database-url': urls, 'ssh-tunnel': tunnelInput },
    (values) => ({ urls: values['database-url'] ?? [], tunnel: values['ssh-tunnel'] }),
  )
}

/** With libpq's own variables set, the URL that leaves everything to them. Not for restores: nobody may mean the database to write to. */
function libpqDefaults(variables: Variables): string | undefined {
  if (!['PGHOST', 'PGHOSTADDR', 'PGDATABASE', 'PGSERVICE'].some((name) => variables[name])) return undefined
  return `postgres:///${encodeURIComponent(variables['PGDATABASE'] ?? '')}`
}

/** Throws (status 2) for a tunnel that leads to no database: it would look as if it protected something. */
export function requireDatabase(tunnel: SshTarget | undefined, connects: boolean): void {
  if (tunnel === undefined || connects) return
  throw new LifeboatError('ssh-tunnel is given, but no database is connected to', {
    hint: 'Leave it out: volumes, verify-only and stores do without it. Or give the database-url it is for.',
    status: 2,
  })
}

export const clientInstall = one('client-install', {
  help:
    "auto: where no PostgreSQL client program of the server's major version is installed, one is fetched into a private folder. " +
    'never: only those installed are used.',
  expected: 'auto or never',
  example: 'never',
  schema: schema.oneOf('auto', 'never'),
  default: 'auto',
})
