import { randomBytes } from 'node:crypto'
import { openKeys } from '../../src/repository/open-keys.ts'
import { loadKnown } from '../../src/repository/known.ts'
import { openOrMakeRepository } from '../../src/repository/repository.ts'
import { newSnapshotId, type SourceRecord, type StreamRecord } from '../../src/repository/snapshot.ts'
import { Writer } from '../../src/repository/writer.ts'
import { FileStore } from '../../src/stores/file/store.ts'

export interface GivenStream {
  name: string
  format?: StreamRecord['format']
  bytes: Buffer | AsyncIterable<Buffer>
}

export interface GivenBackup {
  folder: string
  encryptionKey: string
  recipients?: string[]
  set?: string
  time?: Date
  /** Streams by the name of their source. */
  sources: Record<string, GivenStream[]>
  /** Their kinds, if they are not databases. */
  kind?: Pick<SourceRecord, 'kind' | 'facts'>
}

const onDamaged = (error: Error) => {
  throw error
}

/** Backs up given bytes with the engine alone, no command and no source around it; makes the store on first use. Gives the snapshot's id. */
export async function backUp(given: GivenBackup): Promise<{ id: string; deltaChunks: number; newChunks: number }> {
  const { folder, encryptionKey, recipients = [], set = 'app', time = new Date() } = given
  const store = new FileStore(folder)
  await openOrMakeRepository(store)
  const keys = await openKeys(encryptionKey, { store, recipients, create: true })
  const known = await loadKnown(store, keys, set, onDamaged)
  const id = newSnapshotId(time, randomBytes(4))
  const writer = new Writer({ store, keys, known, level: 3, jobs: 2, mark: id.slice(-8), signal: new AbortController().signal, onDamaged })
  const sources: SourceRecord[] = []
  for (const [name, streams] of Object.entries(given.sources)) {
    const records: StreamRecord[] = []
    for (const stream of streams) records.push(await writer.stream(stream.name, stream.format ?? 'pg_dump-custom', piecesOf(stream.bytes), () => undefined))
    sources.push({ name, kind: 'postgres', facts: {}, ...given.kind, streams: records })
  }
  await writer.commit({ format: 'lifeboat/1', id, set, time: time.toISOString(), tags: [] }, { sources, description: '', run: null, lifeboat: '0.0.0' })
  await store.close()
  return { id, deltaChunks: writer.deltaChunks, newChunks: writer.newChunks }
}

async function* piecesOf(bytes: Buffer | AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  if (!Buffer.isBuffer(bytes)) yield* bytes
  else for (let offset = 0; offset < bytes.length; offset += 65536) yield bytes.subarray(offset, offset + 65536)
}
