import { performance } from 'node:perf_hooks'
import type { Environment } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'
import { markedCommand } from '../../marks.ts'
import { warningOf } from '../../report/warnings.ts'
import { findSnapshot } from '../../repository/catalog.ts'
import { readAroundDamage } from '../../repository/holes.ts'
import { DamagedChunk, type Reader } from '../../repository/reader.ts'
import { SetProofs } from '../../repository/set-proofs.ts'
import { type AuthenticSnapshot, type ChunkEntry, openManifest, type SourceRecord } from '../../repository/snapshot.ts'
import type { Store } from '../../stores/store.ts'
import { kindOf } from '../../sources/known-kinds.ts'
import { isDatabase } from '../../sources/nouns.ts'
import type { PartlyRead, ReadAround } from '../../sources/source-kind.ts'
import { secondsSince } from '../../process/elapsed.ts'
import { backupRemarks, elsewhere } from '../restore/before-restore.ts'
import { OLDER } from '../restore/chosen.ts'
import { recordingDamage } from '../recording-damage.ts'
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
  const { snapshot: choice, path, table, output: given } = inputs
  const { report, signal } = environment
  return withStore({ ...inputs, set: setFor(inputs.set, choice) }, environment, async (store, keys) => {
    const snapshot = await findSnapshot(store, keys, inputs.set, choice, lookingAs(environment))
    const { id, set, time, chunks } = snapshot.header
    const source = sourceIn(await openManifest(snapshot), inputs.source, id)
    backupRemarks(source, report)
    const size = await recordingDamage(snapshot, store, environment, async (newReader) => {
      const reader = newReader()
      const bytes = table === undefined ? bytesOf(source, path, { reader, chunks }, environment) : rowsOf(source, table, inputs, reader)
      const output = await openOutput(given, environment)
      let written = 0
      try {
        for await (const piece of bytes) {
          signal.throwIfAborted()
          await output.write(piece)
          written += piece.length
          report.progress({ activity: `writing ${source.name}`, done: written })
        }
        await output.finish()
        return written
      } catch (error) {
        throw error instanceof DamagedChunk ? await withOtherWays(error, { snapshot, store }, source, inputs, report) : error
      } finally {
        await output.close()
      }
    })
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

/** The error with the snapshot that has all of the source, and how to restore what is whole of this one: of a damaged table, no row. */
async function withOtherWays(
  error: DamagedChunk, from: { snapshot: AuthenticSnapshot; store: Store }, source: SourceRecord,
  { path, table }: Pick<ExtractInputs, 'path' | 'table'>, report: Environment['report'],
): Promise<LifeboatError> {
  const { name } = source
  const { keys, header: { id: snapshot, set } } = from.snapshot
  const proofs = await SetProofs.list(from.store, keys, set, warningOf(report))
  const other = await elsewhere(from, name, new Set([error.key]), proofs, report)
  const whole = 'To restore what is whole into'
  const [into, given] = isDatabase(source)
    ? [`${whole} a new database, whose name the server does not have yet`, { database: name, mode: 'create', 'skip-damaged': 'true' }]
    : path === undefined
      ? [`${whole} an empty folder`, { volume: name, target: './rescued', 'skip-damaged': 'true' }]
      // Its own bytes are damaged, or the list of files, without which it is found by the headers of the archive.
      : ['If a part of it is whole, to restore it into an empty folder, with zeros for the rest',
        { volume: name, paths: patternOf(path), target: './rescued', 'keep-damaged': 'true' }]
  const rest = table === undefined ? [`${into}: ${markedCommand('restore', { snapshot, ...given })}.`] : []
  return new LifeboatError(error.message, { cause: error, hint: [error.hint, other, ...rest].join(' ') })
}

/** The pattern of one file. */
function patternOf(path: string): string {
  return `/${path.replace(/^(\.?\/)+/, '').replaceAll(/[\\*?[]| $/g, '\\$&')}`
}

function rowsOf(
  source: SourceRecord,
  table: NonNullable<ExtractInputs['table']>,
  { tableFormat, intoSchema }: Pick<ExtractInputs, 'tableFormat' | 'intoSchema'>,
  reader: Reader,
): AsyncIterable<Buffer> {
  const stored: PartlyRead = {
    source, read: (stream) => reader.stream(stream), readParts: (stream, parts) => reader.parts(stream, parts),
  }
  const bytes = kindOf(source).extractTable?.(stored, table, tableFormat, intoSchema)
  if (bytes) return bytes
  throw new LifeboatError(`${source.name} is of kind ${source.kind}, which has no tables that can be extracted`, { status: 2 })
}

function bytesOf(
  source: SourceRecord, path: string | undefined, { reader, chunks }: { reader: Reader; chunks: readonly ChunkEntry[] },
  environment: Environment,
): AsyncIterable<Buffer> {
  const stored: ReadAround = {
    source, read: (stream) => reader.stream(stream), readParts: (stream, parts) => reader.parts(stream, parts),
    readAround: (stream, holes) => readAroundDamage(stream, chunks, reader, holes),
  }
  const bytes = kindOf(source).extract?.(stored, path, { ...environment, clientInstall: 'never' })
  if (bytes) return bytes
  throw new LifeboatError(`${source.name} is of kind ${source.kind}, of which nothing can be extracted`, { status: 2 })
}
