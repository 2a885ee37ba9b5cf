// A backup that is larger than the disk, into GitHub artifacts: 5 GB that do not compress through a file system of 3 GiB, half as much
// again as may be staged (a tmpfs, so that it needs root), beside the dump alone and the upload alone. The source and the line to the
// emulated services have a rate each.
// Run by hand: npm run bench:parts -- [gigabytes] [MB/s of the source] [MB/s of the line] [GiB staged]
import { execFileSync } from 'node:child_process'
import { createCipheriv, createHash, randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, statfsSync } from 'node:fs'
import os, { tmpdir } from 'node:os'
import path from 'node:path'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { KnownChunks } from '../src/repository/known.ts'
import { findSnapshot } from '../src/repository/catalog.ts'
import { Reader } from '../src/repository/reader.ts'
import { openOrMakeRepository } from '../src/repository/repository.ts'
import { authenticatorOf } from '../src/repository/authenticator.ts'
import { newSnapshotId, openManifest, type StreamRecord } from '../src/repository/snapshot.ts'
import { Writer } from '../src/repository/writer.ts'
import { ArtifactStore } from '../src/stores/artifact/store.ts'
import type { Store } from '../src/stores/store.ts'
import { keys } from '../test/support/engine.ts'
import { GitHub } from '../test/support/github/emulator.ts'
import { MemoryStore } from '../test/support/memory-store.ts'

const bytes = Number(process.argv[2] ?? 5) * 1e9
const sourceRate = Number(process.argv[3] ?? 15) * 1e6
const lineRate = Number(process.argv[4] ?? 15) * 1e6
const LIMIT = Number(process.argv[5] ?? 2) * 1024 ** 3
const folder = mkdtempSync(path.join(tmpdir(), 'bench-parts-'))
const wide = path.join(folder, 'wide')
const narrow = path.join(folder, 'narrow')
for (const one of [wide, narrow]) mkdirSync(one)
execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${Math.ceil(LIMIT * 1.5)}`, 'bench-parts', narrow])

const load = (): string => os.loadavg().map((one) => one.toFixed(1)).join(', ')
const throwing = (error: Error) => {
  throw error
}

/** The server's data: bytes that no compressor makes smaller, at the rate of the source. */
async function* source(): AsyncGenerator<Buffer, void, void> {
  const block = Buffer.alloc(1024 * 1024)
  const random = createCipheriv('aes-128-ctr', randomBytes(16), randomBytes(16))
  const started = performance.now()
  for (let sent = 0; sent < bytes; sent += block.length) {
    await sleep(Math.max(0, started + (sent / sourceRate) * 1000 - performance.now()))
    yield random.update(block)
  }
}

async function dump(store: Store): Promise<{ writer: Writer; record: StreamRecord; id: string; seconds: number }> {
  const started = performance.now()
  const id = newSnapshotId(new Date(), randomBytes(4))
  const known = new KnownChunks(store)
  const writer = new Writer({ store, keys: { ...keys, identity: undefined }, known, compression: 3, jobs: 1, mark: id.slice(-8), signal: new AbortController().signal, onDamaged: throwing })
  const record = await writer.stream('bench', 'pg_dump-custom', source(), () => undefined)
  await writer.settled()
  return { writer, record, id, seconds: (performance.now() - started) / 1000 }
}

const commit = ({ writer, record, id }: Awaited<ReturnType<typeof dump>>) =>
  writer.commit({ format: 'lifeboat/1', id, set: 'bench', time: new Date().toISOString(), tags: [] }, { sources: [{ name: 'bench', kind: 'postgres', streams: [record], facts: {} }], description: '', run: null, lifeboat: 'bench' })

const github = await GitHub.start()
try {
  const token = github.token('write')
  const open = async (temporary: string, stagingLimit: number): Promise<ArtifactStore> => {
    const store = new ArtifactStore({
      set: 'bench', token, variables: github.startRun(), temporary, timeout: 300_000, retention: { artifact: 90, snapshot: 30, short: 0 }, stagingLimit,
      signal: new AbortController().signal, report: { info: console.log, warning: console.warn }, now: () => github.now(),
    })
    store.groups.authenticate(authenticatorOf(keys))
    await openOrMakeRepository(store)
    return store
  }
  console.log(`load average at the beginning: ${load()}`)

  // The dump alone: sealed, and thrown away.
  const nowhere = new MemoryStore()
  nowhere.put = async () => undefined
  const alone = await dump(nowhere)
  console.log(`dump alone: ${alone.seconds.toFixed(1)} s, load ${load()}`)

  // The upload alone, as one artifact that was staged before.
  const staged = await open(wide, Infinity)
  github.uploadRate = Infinity
  const whole = await dump(staged)
  github.uploadRate = lineRate
  const uploading = performance.now()
  await commit(whole)
  const upload = (performance.now() - uploading) / 1000
  await staged.close()
  console.log(`upload alone: ${upload.toFixed(1)} s, load ${load()}`)
  for (const artifact of github.artifacts.splice(0)) await github.replace(artifact, Buffer.alloc(0))

  // Both, through the narrow file system.
  const before = statfsSync(narrow).bfree
  let least = before
  const watch = setInterval(() => { least = Math.min(least, statfsSync(narrow).bfree) }, 50)
  const calls = github.calls.length
  const store = await open(narrow, LIMIT)
  const started = performance.now()
  const both = await dump(store)
  const dumped = (performance.now() - started) / 1000
  await commit(both)
  const seconds = (performance.now() - started) / 1000
  clearInterval(watch)
  const used = (before - least) * statfsSync(narrow).bsize
  const requests = github.calls.slice(calls).filter(({ path }) => path.startsWith('/repos/')).length
  console.log(`both through ${(LIMIT * 1.5) / 1024 ** 3} GiB: ${seconds.toFixed(1)} s (dump ended after ${dumped.toFixed(1)} s), ${github.live().length} artifacts, ${requests} requests of the REST API, at most ${(used / 1e9).toFixed(2)} GB on disk, load ${load()}`)
  console.log(`ratio to the slower of the two: ${(seconds / Math.max(alone.seconds, upload)).toFixed(3)}`)
  await store.close()
  github.uploadRate = Infinity

  // Another run reads every byte of it.
  const reading = await open(narrow, LIMIT)
  const snapshot = await findSnapshot(reading, keys, 'bench', { kind: 'latest' })
  const { sources } = await openManifest(snapshot)
  const hash = createHash('sha256')
  for await (const piece of new Reader(reading, keys, snapshot.header.chunks).stream(sources[0]!.streams[0]!)) hash.update(piece)
  await reading.close()
  console.log(`read back: ${hash.digest('hex') === both.record.sha256 ? 'every byte as it was' : 'WRONG'}; peak memory of this process, emulator included: ${(process.resourceUsage().maxRSS / 1000).toFixed(0)} MB`)
} finally {
  await github.stop()
  execFileSync('umount', ['-l', narrow])
  rmSync(folder, { recursive: true, force: true })
}
