import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { newIdentity } from '../../../src/repository/keys.ts'
import { clientDirectory, clientEnvironment, type Server, startServer } from '../../support/postgres-server.ts'
import { runLifeboat } from '../../support/terminal-program.ts'

let server: Server
let folder: string
let key: string
beforeAll(async () => {
  server = await startServer(17)
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-odd-'))
  key = (await newIdentity()).identity
})
afterAll(async () => {
  rmSync(folder, { recursive: true })
  await server.stop()
})

async function lifeboat(database: string, ...args: string[]): Promise<string> {
  const url = new URL(server.url('x'))
  url.pathname = `/${encodeURIComponent(database)}`
  const variables = { DATABASE_URL: url.href, LIFEBOAT_ENCRYPTION_KEY: key, PATH: `${clientDirectory(17)}:${process.env['PATH']}`, TMPDIR: folder }
  const { status, out, err } = await runLifeboat([...args, '--destination', `file:${folder}/store`], variables)
  if (status !== 0) throw new Error(err)
  return out
}

/** The answer of psql, in bytes. */
const ask = (database: string, statement: string): string =>
  execFileSync(path.join(clientDirectory(17), 'psql'), ['-X', '-q', '-A', '-t', '-c', statement], {
    env: { ...clientEnvironment(server, ''), PGDATABASE: database, PGCLIENTENCODING: 'SQL_ASCII' } }).toString('latin1').trim()

test.each([
  // In MULE_INTERNAL, the bytes 81 E9 are é of Latin 1.
  { encoding: 'SQL_ASCII', name: 'x host=evil.invalid', table: String.raw`Caf\351`, bytes: 'Caf\xE9', shown: String.raw`public.Caf\xE9`, options: [] },
  { encoding: 'MULE_INTERNAL', name: 'postgres://evil.invalid/x', table: String.raw`Caf\201\351`, bytes: 'Caf\x81\xE9', shown: String.raw`public.Caf\x81\xE9`, options: ['--jobs', '2'] },
  { encoding: 'UTF8', name: `it's "a" \\ name = 'b'`, table: 'Café', bytes: Buffer.from('Café').toString('latin1'), shown: 'public.Café', options: [] },
])('a database $name in $encoding is backed up, verified, shown and restored', async ({ encoding, name, table, bytes, shown, options }) => {
  await server.sql(`CREATE DATABASE "${name.replaceAll('"', '""')}" TEMPLATE template0 ENCODING '${encoding}' LOCALE 'C'`)
  ask(name, `DO $make$ BEGIN EXECUTE pg_catalog.format('CREATE TABLE %I AS SELECT %L::text AS note FROM generate_series(1, 10)', E'${table}', E'${table}'); END $make$`)
  await lifeboat(name, 'backup', '--set', encoding)
  expect(await lifeboat(name, 'verify', '--level', 'list', '--set', encoding)).toContain('Verified')
  expect(await lifeboat(name, 'verify', '--level', 'read', '--set', encoding)).toContain('Verified')
  expect(await lifeboat(name, 'show', '--set', encoding)).toContain(shown)
  const restored = `${name} again`
  await lifeboat(restored, 'restore', '--mode', 'create', '--set', encoding, ...options)
  ask(restored, 'ANALYZE')
  expect(ask(restored, `SELECT relname, reltuples FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace`)).toBe(`${bytes}|10`)
  expect(ask(restored, `SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()`)).toBe(encoding)
})
