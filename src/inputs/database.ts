import { LifeboatError } from '../error.ts'
import { marked } from '../marks.ts'
import { addressSecrets } from '../net/ssh/address.ts'
import type { SshTarget } from '../net/ssh/connection.ts'
import { databaseFromVariables, locationExpected, locationPatterns } from '../sources/known-kinds.ts'
import { database, type Database, databases as databaseList, databaseSecrets } from './database-urls.ts'
import { type Group, group, one } from './group.ts'
import type { Input } from './input.ts'
import * as schema from './schemas.ts'

export const databaseInput = {
  help: `The database: ${locationPatterns('database')}.`,
  expected: locationExpected('database'),
  example: 'postgres://app:secret@db.example.com:5432/app',
  schema: database,
  secret: true,
  secrets: databaseSecrets,
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

export const databasesExpected = `one database per line, ${locationExpected('database')}, optionally preceded by name=`

/** Databases to read, and the SSH server that they are reached through. */
export interface Databases {
  list: readonly Database[]
  tunnel: SshTarget | undefined
}

/** `purpose`: the beginning of the help, `The databases to back up`. */
export function databases(purpose: string): Group<Databases> {
  // Not for restores: nobody may mean the database to write to.
  return listed({ ...databaseInput, ...severalDatabases(purpose), fallback: databaseFromVariables })
}

const { variable: _, ...serverInput } = databaseInput
export { serverInput }

/** Servers to ask for their databases. From no variable: those that are set are about a database of the job, and servers are optional. */
export function servers(purpose: string): Group<Databases> {
  return listed({ ...serverInput, ...severalDatabases(purpose) })
}

function severalDatabases(purpose: string) {
  return {
    help: `${purpose}, one per line, each optionally preceded by name=: ${locationPatterns('database')}.`,
    expected: databasesExpected,
    schema: databaseList,
    list: true,
    pairs: '=',
  } as const
}

function listed(list: Input & ReturnType<typeof severalDatabases>): Group<Databases> {
  return group(
    { 'database-url': list, 'ssh-tunnel': tunnelInput },
    (values) => ({ list: values['database-url'] ?? [], tunnel: values['ssh-tunnel'] }),
  )
}

/** Throws (status 2) for a tunnel that leads to no database: it would look as if it protected something. */
export function requireDatabase(tunnel: SshTarget | undefined, connects: boolean): void {
  if (tunnel === undefined || connects) return
  throw new LifeboatError('ssh-tunnel is given, but no database is connected to', {
    hint: marked`Leave it out: volumes, ‹verify-only› and stores do without it. Or give ‹database-url›, which it is for.`,
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
