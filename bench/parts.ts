// npm run bench:parts -- [--megabytes 5000] [--write]: a backup that is larger than the disk, into GitHub artifacts: 5 GB that do not compress, at 15 MB/s, through a file
// system of 3 GiB (a tmpfs, so that it needs root) over a line of 15 MB/s, beside the dump alone and the upload alone.
import { execFileSync } from 'node:child_process'
import { createCipheriv, randomBytes } from 'node:crypto'
import { mkdirSync, statfsSync } from 'node:fs'
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
import { bench } from './harness.ts'

/** Bytes a second of the source and of the line. */
const RATE = 15e6
const LIMIT = 2 * 1024 ** 3

const throwing = (error: Error) => {
  throw error
}

/** The server's data: bytes that no compressor makes smaller, at the rate of the source. */
async function* source(bytes: number): AsyncGenerator<Buffer, void, void> {
  const block = Buffer.alloc(1024 * 1024)
  const random = createCipheriv('aes-128-ctr', randomBytes(16), randomBytes(16))
  const started = performance.now()
  for (let sent = 0; sent < bytes; sent += block.length) {
    await sleep(Math.max(0, started + (sent / RATE) * 1000 - performance.now()))
    yield random.update(block)
  }
}

async function dump(store: Store, bytes: number): Promise<{ writer: Writer; record: StreamRecord; id: string; seconds: number }> {
  const started = performance.now()
  const id = newSnapshotId(new Date(), randomBytes(4))
  const known = new KnownChunks(store)
  const writer = new Writer({ store, keys: { ...keys, identity: undefined }, known, compression: 3, jobs: 1, mark: id.slice(-8), signal: new AbortController().signal, onDamaged: throwing })
  const record = await writer.stream('bench', 'pg_dump-custom', source(bytes), () => undefined)
  await writer.settled()
  return { writer, record, id, seconds: (performance.now() - started) / 1000 }
}

const commit = ({ writer, record, id }: Awaited<ReturnType<typeof dump>>) =>
  writer.commit({ format: 'lifeboat/1', id, set: 'bench', time: new Date().toISOString(), tags: [] }, { sources: [{ name: 'bench', kind: 'postgres', streams: [record], facts: {} }], description: '', run: null, lifeboat: 'bench' })

await bench({ megabytes: 5000 }, ({ megabytes, work, table }) => table('parts', async (add) => {
  const bytes = megabytes * 1e6
  const [wide, narrow] = [path.join(work, 'wide'), path.join(work, 'narrow')]
  for (const one of [wide, narrow]) mkdirSync(one)
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${Math.ceil(LIMIT * 1.5)}`, 'bench-parts', narrow])
  const github = await GitHub.start()
  try {
    const scenario = `${megabytes / 1000} GB at ${RATE / 1e6} MB/s`
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
    // Sealed, and thrown away.
    const nowhere = new MemoryStore()
    nowhere.put = async () => undefined
    const alone = await dump(nowhere, bytes)
    add(scenario, 'the dump alone', { seconds: alone.seconds })

    // As one artifact that was staged before.
    const staged = await open(wide, Infinity)
    github.uploadRate = Infinity
    const whole = await dump(staged, bytes)
    github.uploadRate = RATE
    const uploading = performance.now()
    await commit(whole)
    const upload = (performance.now() - uploading) / 1000
    add(scenario, 'the upload alone', { seconds: upload })
    add(scenario, 'the slower of the two', { seconds: Math.max(alone.seconds, upload) })
    await staged.close()
    for (const artifact of github.artifacts.splice(0)) await github.replace(artifact, Buffer.alloc(0))

    // Both, through the narrow file system.
    const before = statfsSync(narrow).bfree
    let least = before
    const watch = setInterval(() => { least = Math.min(least, statfsSync(narrow).bfree) }, 50)
    const calls = github.calls.length
    const store = await open(narrow, LIMIT)
    const [started, cpu] = [performance.now(), process.cpuUsage()]
    const both = await dump(store, bytes)
    await commit(both)
    const seconds = (performance.now() - started) / 1000
    clearInterval(watch)
    const requests = github.calls.slice(calls).filter((call) => call.path.startsWith('/repos/')).length
    const { user, system } = process.cpuUsage(cpu)
    add(scenario, 'both', { seconds, cpuSeconds: (user + system) / 1e6, requests })
    console.error(`${github.live().length} artifacts, at most ${(((before - least) * statfsSync(narrow).bsize) / 1e9).toFixed(2)} GB on disk`)
    await store.close()
    github.uploadRate = Infinity

    // Another run reads every byte of it.
    const reading = await open(narrow, LIMIT)
    const snapshot = await findSnapshot(reading, keys, 'bench', { kind: 'latest' })
    const { sources } = await openManifest(snapshot)
    const { size, sum } = sources[0]!.streams[0]!
    for await (const _ of new Reader(reading, keys, snapshot.header.chunks).stream(sources[0]!.streams[0]!));
    await reading.close()
    if (size !== both.record.size || sum !== both.record.sum) throw new Error('something else was read back')
  } finally {
    await github.stop()
    execFileSync('umount', ['-l', narrow])
  }
}))
