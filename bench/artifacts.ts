// The cost of daily backups into GitHub artifacts, against an emulator of GitHub's services: 30 days of a 300 MB database, 1 % of its rows
// changed a day. Run by hand: npm run bench:artifacts -- [days] [megabytes] [typical|scattered], or, for the requests of each command,
// npm run bench:artifacts -- requests [earlier backups] [foreign artifacts], or, for what they cost in storage with `full-every`,
// npm run bench:artifacts -- storage [backups a day] [megabytes] [days].
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
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

if (process.argv[2] === 'requests') {
  await measureRequests(Number(process.argv[3] ?? 300), Number(process.argv[4] ?? 2000))
  process.exit()
}
if (process.argv[2] === 'storage') {
  await measureStorage(Number(process.argv[3] ?? 1), Number(process.argv[4] ?? 100), Number(process.argv[5] ?? 90))
  process.exit()
}
const days = Number(process.argv[2] ?? 30)
const megabytes = Number(process.argv[3] ?? 300)
const workload: Workload = process.argv[4] === 'scattered' ? 'scattered' : 'typical'
const DAY = 86_400_000
const mb = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`
const throwing = (error: Error) => {
  throw error
}

const github = await GitHub.start()
const temporary = await mkdtemp(path.join(tmpdir(), 'bench-artifacts-'))
try {
  const encryptionKey = await generateIdentity()
  const retention = artifactRetention(30, 90)
  const token = github.token('write')
  const open = () =>
    new ArtifactStore({
      set: 'bench', token, variables: github.startRun(), temporary, timeout: 60_000, retention, fullEvery: Infinity, signal: new AbortController().signal,
      report: { info: console.log, warning: console.warn }, now: () => github.now(),
    })
  const rows = new ChangingRows(megabytes * 1e6, workload)
  const made: { id: string; sha256: string }[] = []
  const dumps: number[] = []
  for (let day = 0; day < days; day++) {
    github.offset = day * DAY
    if (day > 0) rows.change(0.01)
    const { bytes } = rows
    // The size that `pg_dump -Fc` stores at its default level.
    if (day === 0 || day === days - 1) dumps.push((await promisify(gzip)(bytes, { level: 6 })).length)
    const started = performance.now()
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
    made.push({ id, sha256: createHash('sha256').update(bytes).digest('hex') })
    const { size } = github.artifacts.at(-1)!
    const seconds = ((performance.now() - started) / 1000).toFixed(1)
    console.log(`day ${day + 1}: artifact of ${mb(size)}, ${writer.newChunks} new chunks, ${writer.deltaChunks} of them differences; ${github.calls.length - calls} calls, ${seconds} s`)
  }
  const used = github.live().reduce((sum, { size }) => sum + size, 0)
  const full = (days * (dumps[0]! + dumps.at(-1)!)) / 2
  console.log(`\n${days} days of ${megabytes} MB, ${workload}: ${mb(used)} of artifacts; a full compressed dump a day: ${mb(full)}; 1/${(full / used).toFixed(1)}`)

  const first = made[0]!
  const last = made.at(-1)!
  for (const { id, sha256 } of [first, last]) {
    const started = performance.now()
    const calls = github.calls.length
    const store = open()
    const keys = await openKeys(encryptionKey, { store, create: false })
    const snapshot = await findSnapshot(store, keys, 'bench', { kind: 'id', id })
    const manifest = await openManifest(snapshot)
    const hash = createHash('sha256')
    for await (const chunk of new Reader(store, keys, snapshot.header.chunks).stream(manifest.sources[0]!.streams[0]!)) hash.update(chunk)
    await store.close()
    if (hash.digest('hex') !== sha256) throw new Error(`snapshot ${id} does not give back what was stored`)
    console.log(`restored ${id}: ${((performance.now() - started) / 1000).toFixed(1)} s, ${github.calls.length - calls} calls`)
  }
  console.log(`peak memory of this process, emulator and data included: ${mb(process.resourceUsage().maxRSS * 1024)}`)
} finally {
  await github.stop()
  await rm(temporary, { recursive: true, force: true })
}

async function* pieces(bytes: Buffer): AsyncGenerator<Buffer, void, void> {
  for (let at = 0; at < bytes.length; at += 65536) yield bytes.subarray(at, at + 65536)
}
