import { performance } from 'node:perf_hooks'
import type { Environment } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'
import { findSnapshot } from '../../repository/catalog.ts'
import { Reader } from '../../repository/reader.ts'
import { openManifest, type SourceRecord } from '../../repository/snapshot.ts'
import { kindOf } from '../../sources/known-kinds.ts'
import type { PartlyRead } from '../../sources/source-kind.ts'
import { secondsSince } from '../../process/elapsed.ts'
import { backupRemarks } from '../restore/before-restore.ts'
import { OLDER } from '../restore/restore.ts'
import { lookingAs, setFor, withStore } from '../with-store.ts'
import type { ExtractInputs } from './inputs.ts'
import { openOutput } from './output.ts'
import type { ExtractResult } from './result.ts'

/**
 * Writes a source, or a part of it, out of a snapshot. Every chunk is checked before its bytes are written; a file gets its name when all
 * of it was, while standard output may have a part when this throws.
 */
export async function extract(inputs: ExtractInputs, environment: Environment): Promise<ExtractResult> {
  const started = performance.now()
  const { snapshot: choice, path, table: [table], output: given } = inputs
  const { report, signal } = environment
  return withStore({ ...inputs, set: setFor(inputs.set, choice) }, environment, async (store, keys) => {
    const snapshot = await findSnapshot(store, keys, inputs.set, choice, lookingAs(environment))
    const { id, set, time } = snapshot.header
    const source = sourceIn(await openManifest(snapshot), inputs.source, id)
    backupRemarks(source, report)
    const reader = new Reader(store, snapshot.keys, snapshot.header.chunks)
    const bytes = table === undefined ? bytesOf(source, path, reader, environment) : rowsOf(source, table, inputs, reader)
    const output = await openOutput(given, environment)
    let size = 0
    try {
      for await (const piece of bytes) {
        signal.throwIfAborted()
        await output.write(piece)
        size += piece.length
        report.progress({ activity: `writing ${source.name}`, done: size })
      }
      await output.finish()
    } finally {
      await output.close()
    }
    return {
      snapshot: id, set, time, source: source.name, ...(path !== undefined && { path }),
      ...(table !== undefined && { table: typeof table === 'string' ? table : table.join('.') }),
      ...(given !== '-' && { output: given }), size,
      seconds: secondsSince(started),
    }
  })
}

function sourceIn({ sources }: { sources: readonly SourceRecord[] }, name: string, id: string): SourceRecord {
  const source = sources.find((one) => one.name === name)
  if (source) return source
  throw new LifeboatError(`snapshot ${id} has no database or volume ${name}`, {
    hint: `It has ${sources.map((one) => one.name).join(', ')}. ${OLDER}`, status: 2,
  })
}

function rowsOf(
  source: SourceRecord,
  table: ExtractInputs['table'][number],
  { tableFormat, intoSchema }: Pick<ExtractInputs, 'tableFormat' | 'intoSchema'>,
  reader: Reader,
): AsyncIterable<Buffer> {
  const stored: PartlyRead = {
    source, read: (stream) => reader.stream(stream), readPart: (stream, part) => reader.part(stream, part),
  }
  const bytes = kindOf(source).extractTable?.(stored, table, tableFormat, intoSchema)
  if (bytes) return bytes
  throw new LifeboatError(`${source.name} is of kind ${source.kind}, which has no tables that can be extracted`, { status: 2 })
}

function bytesOf(source: SourceRecord, path: string | undefined, reader: Reader, environment: Environment): AsyncIterable<Buffer> {
  const bytes = kindOf(source).extract?.(
    { source, read: (stream) => reader.stream(stream) },
    path,
    { ...environment, clientInstall: 'never' },
  )
  if (bytes) return bytes
  throw new LifeboatError(`${source.name} is of kind ${source.kind}, of which nothing can be extracted`, { status: 2 })
}
