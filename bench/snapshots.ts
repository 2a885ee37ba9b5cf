import { createHash, createHmac } from 'node:crypto'
import { FORMAT } from '../src/repository/format.ts'
import { openKeys } from '../src/repository/open-keys.ts'
import { putLabels } from '../src/repository/labels.ts'
import { writeProof } from '../src/repository/proofs.ts'
import { openOrMakeRepository } from '../src/repository/repository.ts'
import { type ChunkEntry, chunkKey, encodeSnapshot, snapshotKey } from '../src/repository/snapshot.ts'
import { FileStore } from '../src/stores/file/store.ts'
import { inParallel } from '../src/process/parallel.ts'
import type { Store } from '../src/stores/store.ts'

export const IDENTITY = 'AGE-SECRET-KEY-18TQHRSHQTKZEVH952RYVPHU07DE394GRAYT6AVFNYMUX0X7XJEDSELEQD3'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const FIRST = Date.UTC(2023, 0, 1)
/** Bytes of a chunk in the store: few, for some are really put. */
const STORED = 400

/**
 * One snapshot a day of a database of 50 tables; each lists `chunks`, of which `own` are its own, and was verified; every tenth is pinned. Chunks are
 * not there, but with `newest` those of the newest snapshot, whose presence is looked at.
 */
export async function fillWithSnapshots(store: Store, { snapshots, chunks, own = 5, newest = false }: { snapshots: number; chunks: number; own?: number; newest?: boolean }): Promise<void> {
  await openOrMakeRepository(store)
  const keys = await openKeys(IDENTITY, { store, create: false })
  const anchors = Array.from({ length: chunks }, (_, index) => createHmac('sha512', 'anchors').update(`${index}`).digest().toString('base64'))
  const tables = Array.from({ length: 50 }, (_, index) => ({ schema: 'public', name: `table_${index}`, rows: index * 1000, bytes: index * 8192, partitioned: false, rowSecurity: false }))
  const entries = Array.from({ length: 300 }, (_, index) => `${3000 + index}; 0 ${20_000 + index} TABLE DATA public table_${index} app`)
  const facts = { server: { major: 17, version: '17.5' }, database: 'shop', encoding: 'UTF8', collation: 'C', databaseSize: 1e9, extensions: [{ name: 'plpgsql', version: '1.0' }], tables, dumpVersion: '17.5', entries, globals: { stream: true, passwords: true } }
  const listed = Array.from({ length: chunks }, (_, index): ChunkEntry => [hash(`${index}`), 2_000_000, STORED, null, '00000000'])
  const put = async (number: number): Promise<void> => {
    const time = new Date(FIRST + number * DAY)
    const mark = number.toString(16).padStart(8, '0')
    for (let one = 0; one < Math.min(own, chunks); one++) listed[(number * own + one) % chunks] = [hash(`${number} ${one}`), 2_000_000, STORED, null, mark]
    const id = idAt(time, mark)
    const size = chunks * 2_000_000
    const header = { format: FORMAT, id, set: 'app', time: time.toISOString(), key: keys.fingerprint, size, added: own * STORED } as const
    const stream = { name: 'shop.dump', format: 'pg_dump-custom' as const, size, sum: hash('stream'), chunks: listed.map((_, index) => index) }
    const content = { sources: [{ name: 'shop', kind: 'postgres' as const, streams: [stream], facts }], anchors, spent: listed.map(() => 0), description: 'nightly', run: null, lifeboat: 'bench' }
    await store.put(snapshotKey('app', id), await encodeSnapshot({ ...header, tags: ['nightly'], recipients: [], chunks: [...listed] }, content, keys))
    await writeProof(store, keys, { set: 'app', snapshot: id, time, level: 'list', result: 'verified', seconds: 1, bytes: 1, damaged: [], problems: [], versions: {}, run: null })
    if (number % 10 === 0) await putLabels(store, keys, 'app', id, { pinned: true, tags: null })
  }
  await inParallel([...Array(snapshots).keys()], 4, put)
  if (newest) await inParallel(listed, 4, ([id, , size, , mark]) => store.put(chunkKey(id, mark), Buffer.alloc(size)))
}

/** Chunks that each snapshot of `fillWithChunks` lists: a quarter are its own, as of a database of half a gigabyte that changes a lot. */
const LISTED = 400

/**
 * A folder with one snapshot an hour up to `until`; `onChunk` is told the key of every chunk, which is not put. As many as are not listed are what killed
 * backups left.
 */
export async function fillWithChunks(folder: string, { snapshots, chunks, until, onChunk }: { snapshots: number; chunks: number; until: number; onChunk: (key: string) => void }): Promise<void> {
  const store = new FileStore(folder)
  await openOrMakeRepository(store)
  const keys = await openKeys(IDENTITY, { store, create: false })
  const own = Math.floor(chunks / snapshots)
  const listed: ChunkEntry[] = []
  for (let number = 0; number < snapshots; number++) {
    const time = new Date(until - (snapshots - number) * HOUR)
    const mark = number.toString(16).padStart(8, '0')
    for (let chunk = 0; chunk < own; chunk++) {
      const id = hash(`${number} ${chunk}`)
      onChunk(chunkKey(id, mark))
      listed.push([id, 1_500_000, 500_000, null, mark])
    }
    listed.splice(0, Math.max(0, listed.length - LISTED))
    const id = idAt(time, mark)
    const header = { format: FORMAT, id, set: 'app', time: time.toISOString(), key: keys.fingerprint, size: 600_000_000, added: own * 500_000 } as const
    const content = { sources: [], anchors: listed.map(() => ''), spent: listed.map(() => 0), description: '', run: null, lifeboat: 'bench' }
    await store.put(snapshotKey('app', id), await encodeSnapshot({ ...header, tags: [], recipients: [], chunks: listed }, content, keys))
  }
}

function idAt(time: Date, mark: string): string {
  return `${time.toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z-${mark}`
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
