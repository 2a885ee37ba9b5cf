import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { cutParts } from '../../src/repository/extent.ts'
import type { StreamRecord } from '../../src/repository/snapshot.ts'
import { parseDatabaseUrl } from '../../src/sources/postgres/connection.ts'
import { PartHead } from '../../src/sources/postgres/archive-parts/part-head.ts'
import { type DumpedArchive, dumpArchive } from '../../src/sources/postgres/dump/archive-dump.ts'
import { archiveFactsOf, argumentsOfMain, argumentsOfPart, type DumpedPart } from '../../src/sources/postgres/dump/parts.ts'
import type { PartPlan } from '../../src/sources/postgres/dump/plan.ts'
import type { PostgresFacts } from '../../src/sources/postgres/facts.ts'
import { RowCounter } from '../../src/sources/postgres/row-counter.ts'
import { direct } from '../../src/sources/postgres/route.ts'
import type { PartlyRead } from '../../src/sources/source-kind.ts'
import { inPieces } from './bytes.ts'
import { clientDirectory, type Major } from './client-programs.ts'
import type { Server } from './postgres-server.ts'
import { variables } from './restoring.ts'

export type TableName = readonly [schema: string, name: string]

/** The archives of a database: `app.dump`, `app.1.dump` and so on. Of the facts, those that reading them needs. */
export interface DumpedParts {
  streams: { name: string; bytes: Buffer }[]
  facts: Pick<PostgresFacts, 'dumpVersion' | 'entries' | 'data' | 'sums' | 'parts'>
}

/** A part with the rows of these tables. */
export function partOf(...tables: TableName[]): PartPlan {
  return { tables: tables.map(([schema, name]) => ({ schema, name })), largeObjects: false }
}

/** Of a database that nobody changes meanwhile. `client`: the major of pg_dump. `form`: gives each archive another form. */
export async function dumpInParts(server: Server, database: string, planned: readonly PartPlan[], client: Major, more: readonly string[] = [], form = (archive: Buffer): Buffer => archive): Promise<DumpedParts> {
  const context = {
    client: { major: client, directory: clientDirectory(client) }, connection: parseDatabaseUrl(server.url(database)), variables, signal: new AbortController().signal,
    route: direct, lockTimeout: 60_000, running: () => undefined,
  }
  const dumped = async (of: 'main' | 'part', parameters: string[]): Promise<{ bytes: Buffer; archive: DumpedArchive }> => {
    const ended: DumpedArchive[] = []
    const pieces: Buffer[] = []
    for await (const piece of dumpArchive(parameters, context, { of, onEnded: (archive) => void ended.push(archive) })) pieces.push(Buffer.from(piece))
    const bytes = form(Buffer.concat(pieces))
    const [rows, head] = [new RowCounter(), of === 'part' ? new PartHead() : undefined]
    rows.push(bytes)
    head?.push(bytes)
    return { bytes, archive: { ...ended[0]!, rows, head } }
  }
  const main = await dumped('main', [...argumentsOfMain(planned), ...more])
  const parts: (DumpedPart & { bytes: Buffer })[] = []
  for (const [index, part] of planned.entries()) parts.push({ ...part, stream: `app.${index + 1}.dump`, ...(await dumped('part', argumentsOfPart(part))) })
  const { tables: _, ...facts } = archiveFactsOf(main.archive, parts, [])
  return { streams: [{ name: 'app.dump', bytes: main.bytes }, ...parts.map(({ stream, bytes }) => ({ name: stream, bytes }))], facts }
}

/** The archives as a snapshot has them, read in pieces of these sizes. */
export function storedParts({ streams, facts }: DumpedParts, sizes: number[] = [65536]): PartlyRead {
  const records = streams.map(({ name, bytes }): StreamRecord =>
    ({ name, format: name.endsWith('.sql') ? 'sql' : 'pg_dump-custom', size: bytes.length, sum: '', chunks: [] }))
  const read = ({ name }: StreamRecord): AsyncIterable<Buffer> => inPieces(streams.find((one) => one.name === name)!.bytes, sizes)
  return {
    source: { name: 'app', kind: 'postgres', streams: records, facts: JSON.parse(JSON.stringify(facts)) }, read,
    readParts: (stream, parts) => cutParts(read(stream), parts),
  }
}

export function listed(archive: Buffer, client: Major): string[] {
  // It reads the table of contents alone, and does not wait for the rest.
  const { status, stdout, stderr } = spawnSync(path.join(clientDirectory(client), 'pg_restore'), ['--list'], { input: archive, maxBuffer: 1e9, encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
  return stdout.split('\n').filter((line) => line !== '' && !line.startsWith(';'))
}
