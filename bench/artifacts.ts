// npm run bench:artifacts -- [--only artifacts,artifact-requests,artifact-storage] [--write]: what daily backups into GitHub artifacts take, against an emulator of
// GitHub's services: 30 days of a 300 MB database of which 1 % of the rows change a day; the requests of each command; and the storage with `full-every`.
import { createHash, randomBytes } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { findSnapshot } from '../src/repository/catalog.ts'
import { generateIdentity } from 'age-encryption'
import { openKeys } from '../src/repository/open-keys.ts'
import { loadKnown } from '../src/repository/known.ts'
import { Reader } from '../src/repository/reader.ts'
import { openOrMakeRepository } from '../src/repository/repository.ts'
import { newSnapshotId, openManifest } from '../src/repository/snapshot.ts'
import { Writer } from '../src/repository/writer.ts'
import { artifactRetention } from '../src/stores/artifact/retention.ts'
import { ArtifactStore } from '../src/stores/artifact/store.ts'
import { ChangingRows, type Workload } from '../test/support/changing-rows.ts'
import { GitHub } from '../test/support/github/emulator.ts'
import { measureRequests } from './artifact-requests.ts'
import { measureStorage } from './artifact-storage.ts'
import { type Add, bench } from './harness.ts'

const DAYS = 30
const DAY = 86_400_000
const throwing = (error: Error) => {
  throw error
}

await bench({ megabytes: 300 }, async ({ megabytes, work, table }) => {
  await table('artifacts', async (add) => {
    for (const workload of ['typical', 'scattered'] as const) await thirtyDays(workload, megabytes, work, add)
  })
  await table('artifact-requests', (add) => measureRequests(300, 2000, add))
  await table('artifact-storage', async (add) => {
    await measureStorage({ perDay: 1, megabytes: 100, days: 90, temporary: work }, add)
    await measureStorage({ perDay: 24, megabytes: 20, days: 30, temporary: work }, add)
  })
})

async function thirtyDays(workload: Workload, megabytes: number, temporary: string, add: Add): Promise<void> {
  const github = await GitHub.start()
  try {
    const encryptionKey = await generateIdentity()
    const token = github.token('write')
    const open = () =>
      new ArtifactStore({
        set: 'bench', token, variables: github.startRun(), temporary, timeout: 60_000, retention: artifactRetention(30, 90), fullEvery: Infinity, signal: new AbortController().signal,
        report: { info: console.error, warning: console.warn }, now: () => github.now(),
      })
    const rows = new ChangingRows(megabytes * 1e6, workload)
    const made: { id: string; sha256: string; size: number; calls: number }[] = []
    const dumps: number[] = []
    const [started, cpu] = [performance.now(), process.cpuUsage()]
    for (let day = 0; day < DAYS; day++) {
      github.offset = day * DAY
      if (day > 0) rows.change(0.01)
      const { bytes } = rows
      // The size that `pg_dump -Fc` stores at its default level.
      if (day === 0 || day === DAYS - 1) dumps.push((await promisify(gzip)(bytes, { level: 6 })).length)
      const calls = github.calls.length
      const store = open()
      await openOrMakeRepository(store)
      const keys = await openKeys(encryptionKey, { store, recipients: [], create: true })
      const known = await loadKnown(store, keys, 'bench', throwing)
      const id = newSnapshotId(github.now(), randomBytes(4))
      const writer = new Writer({ store, keys, known, compression: 3, jobs: 2, mark: id.slice(-8), signal: new AbortController().signal, onDamaged: throwing })
      const record = await writer.stream('bench', 'pg_dump-custom', pieces(bytes), () => undefined)
      const sources = [{ name: 'bench', kind: 'postgres' as const, streams: [record], facts: {} }]
      await writer.commit({ format: 'lifeboat/1', id, set: 'bench', time: github.now().toISOString(), tags: [] }, { sources, description: '', run: null, lifeboat: 'bench' })
      await store.groups.commit(writer.reused())
      await store.close()
      made.push({ id, sha256: createHash('sha256').update(bytes).digest('hex'), size: github.artifacts.at(-1)!.size, calls: github.calls.length - calls })
    }
    const { user, system } = process.cpuUsage(cpu)
    const each = { seconds: (performance.now() - started) / 1000 / DAYS, cpuSeconds: (user + system) / 1e6 / DAYS }
    const stored = github.live().reduce((sum, { size }) => sum + size, 0)
    const later = made.slice(1)
    add(workload, 'a full dump a day', { stored: (DAYS * (dumps[0]! + dumps.at(-1)!)) / 2 })
    add(workload, 'Lifeboat', { ...each, stored, added: later.reduce((sum, { size }) => sum + size, 0) / later.length, requests: made.at(-1)!.calls })

    for (const [name, { id, sha256 }] of [['the first', made[0]!], ['the last', made.at(-1)!]] as const) {
      const [began, before, calls] = [performance.now(), process.cpuUsage(), github.calls.length]
      const store = open()
      const keys = await openKeys(encryptionKey, { store, create: false })
      const snapshot = await findSnapshot(store, keys, 'bench', { kind: 'id', id })
      const manifest = await openManifest(snapshot)
      const hash = createHash('sha256')
      for await (const chunk of new Reader(store, keys, snapshot.header.chunks).stream(manifest.sources[0]!.streams[0]!)) hash.update(chunk)
      await store.close()
      if (hash.digest('hex') !== sha256) throw new Error(`snapshot ${id} does not give back what was stored`)
      const used = process.cpuUsage(before)
      add(`${workload}, ${name} read back`, 'Lifeboat', { seconds: (performance.now() - began) / 1000, cpuSeconds: (used.user + used.system) / 1e6, requests: github.calls.length - calls })
    }
  } finally {
    await github.stop()
  }
}

async function* pieces(bytes: Buffer): AsyncGenerator<Buffer, void, void> {
  for (let at = 0; at < bytes.length; at += 65536) yield bytes.subarray(at, at + 65536)
}
