import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { Extent } from '../../src/repository/extent.ts'
import { type ArchiveBlocks, blocksOf } from '../../src/sources/postgres/archive-blocks.ts'
import type { Client } from '../../src/sources/postgres/clients.ts'
import { clientEnvironment, parseDatabaseUrl } from '../../src/sources/postgres/connection.ts'
import { restoreArchive } from '../../src/sources/postgres/restore.ts'
import type { RestoreOutcome } from '../../src/sources/postgres/restore-outcome.ts'
import type { RestoreOptions } from '../../src/sources/postgres/restore-plan.ts'
import { RowCounter } from '../../src/sources/postgres/row-counter.ts'
import { inPieces as pieces } from './bytes.ts'
import { clientDirectory, type Server } from './postgres-server.ts'

export const variables = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '' }
export const clients: Client[] = ([18, 17, 15] as const).map((major) => ({ major, directory: clientDirectory(major) }))

/** A table whose row cannot be restored, as its check has changed since. */
export const unrestorable = (table: string): string => `
  CREATE FUNCTION fine(int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT true';
  CREATE TABLE ${table} AS SELECT 2 AS id;
  ALTER TABLE ${table} ADD CHECK (fine(id));
  CREATE OR REPLACE FUNCTION fine(int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT false';`

/** A custom-format archive of a database, by the pg_dump of the given major. */
export function dump(server: Server, database: string, major: 15 | 17 | 18, ...more: string[]): Buffer {
  const env = clientEnvironment(parseDatabaseUrl(server.url(database)), variables)
  return execFileSync(path.join(clientDirectory(major), 'pg_dump'), ['--format=custom', '--compress=0', ...more], { env, maxBuffer: 1e9 })
}

/** The archive in pieces, as a reader gives it; `ending` happens after the last of `bytes`. */
export const inPieces = (bytes: Buffer, ending: () => unknown = () => undefined) =>
  async function* archive(): AsyncGenerator<Buffer> {
    yield* pieces(bytes, [100_000])
    await ending()
  }

/** Restores with the default of every option that is not given. `told` gets what the restore reports. */
export function restoreInto(server: Server, database: string, bytes: Buffer, temporary: string, told: string[], more: Partial<RestoreOptions> = {}): Promise<RestoreOutcome> {
  return restoreArchive(restoreOptions(server, database, bytes, temporary, told, more))
}

export function restoreOptions(server: Server, database: string, bytes: Buffer, temporary: string, told: string[], more: Partial<RestoreOptions> = {}): RestoreOptions {
  const tell = (message: string) => void told.push(message)
  return {
    name: 'app', archive: inPieces(bytes), size: bytes.length, dumpMajor: server.major, target: parseDatabaseUrl(server.url(database), variables), mode: 'empty',
    schemas: [], tables: [], roles: 'Create the roles first.',
    noOwner: false, noPrivileges: false, noTablespaces: false, allowOlder: false, disableTriggers: false, dropOthers: false, databaseSettings: undefined, jobs: 1, lockTimeout: 60_000, temporary, clients,
    signal: new AbortController().signal, report: { info: tell, warning: tell, progress: () => undefined, mask: () => undefined, redacted: (text) => text }, variables, ...more,
  }
}

/** A database with several tenants: roles, partitions, policies, and all else that can belong to a table. */
export async function loadTenants(server: Server, database: string): Promise<void> {
  await server.sql(`DO $$BEGIN CREATE ROLE tenant; CREATE ROLE app_owner; EXCEPTION WHEN duplicate_object THEN NULL; END$$`)
  await server.createDatabase(database)
  await server.sql(readFileSync(path.join(import.meta.dirname, 'dataset/tenants.sql'), 'utf8'), database)
}

/** The blocks of an archive, as a snapshot that records their places gives them. `read` is told which bytes are read; `stored`: other bytes come. */
export function inBlocks(bytes: Buffer, read: (part: Extent) => void = () => undefined, stored = bytes): ArchiveBlocks {
  const counter = new RowCounter()
  counter.push(bytes)
  const data = counter.places()!.map(({ id, start, end }) => [id, start, end])
  const stream = { name: 'app.dump', format: 'pg_dump-custom', size: bytes.length, sum: '', chunks: [] }
  const source = { name: 'app', kind: 'postgres', streams: [stream], facts: { data, sums: counter.sums() } }
  const whole = inPieces(bytes)
  async function* readParts(_: unknown, parts: readonly Extent[]): AsyncGenerator<Buffer> {
    for (const part of parts) {
      read(part)
      yield* pieces(Buffer.from(stored.subarray(part.start, part.end)), [100_000])
    }
  }
  return blocksOf({ source, read: whole, readParts }, { main: stream, parts: [], dumpMajor: 17, entries: [], size: bytes.length })!
}
