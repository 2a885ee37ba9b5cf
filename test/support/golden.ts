import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { z } from 'zod'
import type { Server } from './postgres-server.ts'

/**
 * A golden store: `store/` as some version of Lifeboat wrote it, and `golden.json` with its key and what was in it. Made once by
 * scripts/golden.ts, never changed: every later version must give the same back.
 */
const golden = z.strictObject({
  encryptionKey: z.string(),
  server: z.literal(15),
  snapshots: z.array(
    z.strictObject({
      id: z.string(),
      streams: z.array(z.strictObject({ source: z.string(), name: z.string(), size: z.int(), sha256: z.string() })),
      /** As contentOf gave it for the database when it was backed up. */
      content: z.record(z.string(), z.string()),
    }),
  ),
})

export type Golden = z.infer<typeof golden>

const folder = path.join(import.meta.dirname, '../golden')

export const goldenStores = ['v1-identity', 'v1-passphrase'] as const

export function goldenFolder(name: string): string {
  return path.join(folder, name)
}

export function readGolden(name: string): Golden {
  return golden.parse(JSON.parse(readFileSync(path.join(folder, name, 'golden.json'), 'utf8')))
}

export function writeGolden(name: string, value: Golden): void {
  mkdirSync(path.join(folder, name), { recursive: true })
  writeFileSync(path.join(folder, name, 'golden.json'), `${JSON.stringify(golden.parse(value), null, 2)}\n`)
}

/** Every table's number of rows and the digest of their text in a fixed order, every large object's digest, where every sequence stands. */
export async function contentOf(server: Server, database: string): Promise<Record<string, string>> {
  const lines = await server.sql(contentQueries, database)
  return Object.fromEntries(lines.split('\n').map((line) => line.split('\t')).map(([name, ...rest]) => [name, rest.join(' ')]))
}

const contentQueries = String.raw`
\pset fieldsep '\t'
SET search_path = '';
SET timezone = 'UTC';
SELECT format('SELECT %L, count(*), md5(string_agg("whole row"::text, E''\n'' ORDER BY "whole row"::text COLLATE "C")) FROM ONLY %s AS "whole row"', 'table ' || oid::regclass, oid::regclass)
FROM pg_class
WHERE relkind IN ('r', 'm') AND relispopulated AND relnamespace::regnamespace::text !~ '^(pg_|information_schema$)'
ORDER BY oid::regclass::text COLLATE "C" \gexec
SELECT 'large object ' || oid, md5(lo_get(oid)) FROM pg_largeobject_metadata ORDER BY oid;
SELECT 'sequence ' || format('%I.%I', schemaname, sequencename), last_value FROM pg_sequences ORDER BY 1;
`
