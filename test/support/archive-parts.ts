import { execFileSync, spawnSync } from 'node:child_process'
import path from 'node:path'
import type { ArchivePart } from '../../src/sources/postgres/archive-parts/archive-part.ts'
import { PartHead } from '../../src/sources/postgres/archive-parts/part-rows.ts'
import { ContentsReader } from '../../src/sources/postgres/contents.ts'
import { parseDatabaseUrl, clientEnvironment } from '../../src/sources/postgres/connection.ts'
import type { PostgresFacts } from '../../src/sources/postgres/facts.ts'
import { clientDirectory, type Major } from './client-programs.ts'
import type { Server } from './postgres-server.ts'
import { variables } from './restoring.ts'

export type TableName = readonly [schema: string, name: string]

/** The archives of a database that is stored in parts, of which nobody changes anything meanwhile. */
export interface DumpedParts {
  main: Buffer
  parts: (Omit<ArchivePart, 'bytes'> & { archive: Buffer })[]
}

/** `client`: the major of pg_dump. */
export function dumpInParts(server: Server, database: string, tables: readonly TableName[], client: Major, more: readonly string[] = [], form: (archive: Buffer) => Buffer = (archive) => archive): DumpedParts {
  const env = clientEnvironment(parseDatabaseUrl(server.url(database)), variables)
  const dump = (...args: string[]): Buffer =>
    form(execFileSync(path.join(clientDirectory(client), 'pg_dump'), ['--format=custom', '--compress=0', ...args], { env, maxBuffer: 1e9 }))
  const main = dump(...tables.map((table) => `--exclude-table-data=${pattern(table)}`), ...more)
  const contents = new ContentsReader()
  contents.push(main)
  const parts = tables.map((table, index) => {
    const archive = dump('--data-only', '--strict-names', `--table=${pattern(table)}`)
    const head = new PartHead()
    head.push(archive)
    return { stream: `app.${index + 1}.dump`, schema: table[0], name: table[1], id: contents.highest + 1 + index, entry: head.entry, archive }
  })
  return { main, parts }
}

/** The facts of these archives, as a backup records them. */
export function factsOfParts({ main, parts }: DumpedParts, client: Major): Pick<PostgresFacts, 'parts' | 'entries'> {
  const rows = parts.map(({ archive }) => listed(archive, client).find((line) => /^\d+; \d+ \d+ TABLE DATA /.test(line))!)
  return {
    entries: [...listed(main, client), ...rows],
    parts: parts.map(({ stream, schema, name, id, entry }) => ({ stream, schema, name, id, entry: entry.toString('base64') })),
  }
}

export function listed(archive: Buffer, client: Major): string[] {
  // It reads the table of contents alone, and does not wait for the rest.
  const { status, stdout, stderr } = spawnSync(path.join(clientDirectory(client), 'pg_restore'), ['--list'], { input: archive, maxBuffer: 1e9, encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
  return stdout.split('\n').filter((line) => line !== '' && !line.startsWith(';'))
}

/** The pattern of pg_dump that means this table alone. */
function pattern(table: TableName): string {
  return table.map((name) => `"${name.replaceAll('"', '""')}"`).join('.')
}
