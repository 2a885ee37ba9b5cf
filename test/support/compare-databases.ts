import path from 'node:path'
import { clientDirectoryFor, run } from './client-programs.ts'
import { clientEnvironment } from './postgres-server.ts'
import type { Server } from './postgres-server.ts'

interface Place {
  server: Server
  database: string
}

/**
 * The differences between two databases, a line each; empty if they are equal: definitions as pg_dump writes them, the
 * rows of every table in any order, large objects, the values of sequences. Roles are not compared, only their names as owners.
 */
export async function compareDatabases(a: Place, b: Place): Promise<string[]> {
  // One program for both: every major of pg_dump has its own way of writing. So do servers, 15 and 16 for views: compare those of one major.
  const major = Math.max(a.server.major, b.server.major)
  const [definitionsA, definitionsB, contentA, contentB] = await Promise.all([definitions(a, major), definitions(b, major), content(a), content(b)])
  return [...compareLines('definition', definitionsA, definitionsB), ...compareContent(contentA, contentB)]
}

async function definitions({ server, database }: Place, major: number): Promise<string[]> {
  const text = await run(path.join(clientDirectoryFor(major), 'pg_dump'), ['--schema-only'], { env: clientEnvironment(server, database) })
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('--') && !/^\\(un)?restrict /.test(line))
}

/** By name of a table, large object or sequence: its content, cut down to a few numbers. */
async function content({ server, database }: Place): Promise<Map<string, string>> {
  const lines = await server.sql(contentQueries, database)
  return new Map(lines.split('\n').filter((line) => line !== '').map((line) => [line.slice(0, line.indexOf('\t')), line.slice(line.indexOf('\t') + 1)]))
}

// The sum of the rows' hashes is the same in any order, and unlike their XOR it notices a row that is there three times instead of once.
const contentQueries = String.raw`
\pset fieldsep '\t'
SET search_path = '';
SET timezone = 'UTC';
SELECT format('SELECT %L, count(*), sum(pg_catalog.hashtextextended("whole row"::text, 0)::numeric) FROM ONLY %s AS "whole row"', 'table ' || oid::regclass, oid::regclass)
FROM pg_class
WHERE relkind IN ('r', 'm') AND relispopulated AND relpersistence <> 't' AND relnamespace::regnamespace::text !~ '^(pg_|information_schema$)' \gexec
SELECT 'large object ' || oid, lomowner::regrole, lomacl, encode(sha256(lo_get(oid)), 'hex') FROM pg_largeobject_metadata;
SELECT 'sequence ' || format('%I.%I', schemaname, sequencename), coalesce(last_value::text, 'not used yet') FROM pg_sequences;
`

function compareContent(a: Map<string, string>, b: Map<string, string>): string[] {
  const names = [...new Set([...a.keys(), ...b.keys()])].toSorted()
  return names.filter((name) => a.get(name) !== b.get(name)).map((name) => `${name}: ${a.get(name) ?? 'missing'} ≠ ${b.get(name) ?? 'missing'}`)
}

function compareLines(what: string, a: string[], b: string[]): string[] {
  const only = (lines: string[], others: string[], side: string) => {
    const known = new Set(others)
    return lines.filter((line) => !known.has(line)).map((line) => `${what} only in the ${side}: ${line}`)
  }
  const differences = [...only(a, b, 'first'), ...only(b, a, 'second')]
  if (differences.length === 0 && a.join('\n') !== b.join('\n')) return [`${what}s: the same lines in another order or number`]
  return differences
}
