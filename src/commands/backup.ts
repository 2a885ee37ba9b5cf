import { randomBytes } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import type { Environment } from '../environment.ts'
import { LifeboatError } from '../error.ts'
import type { Inputs } from '../inputs.ts'
import { parseDatabaseUrl } from '../postgres/connection.ts'
import { parseDumpArguments } from '../postgres/dump-arguments.ts'
import { idOf, newestSnapshots, snapshotKeys, timeAfter } from '../repository/catalog.ts'
import { type Keys, openKeys, parseEncryptionKey } from '../repository/keys.ts'
import { loadKnown } from '../repository/known.ts'
import { openOrMakeRepository } from '../repository/repository.ts'
import { decodeSnapshot, FORMAT, newSnapshotId, snapshotKey, type SourceRecord, storedBytes } from '../repository/snapshot.ts'
import { Writer } from '../repository/writer.ts'
import { PostgresSource } from '../sources/postgres.ts'
import type { Source } from '../sources/source.ts'
import { openStore } from '../stores/open.ts'
import type { Store } from '../stores/store.ts'
import { VERSION } from '../version.ts'
import { type ClientPrograms, clientPrograms } from './clients.ts'
import { secondsSince } from './elapsed.ts'
import type { BackupResult } from './results.ts'
import { verifySnapshot } from './verify.ts'

type SourceResult = BackupResult['sources'][number]

/** Backs up every source into one snapshot of the set, and reads it back. Throws, and puts no snapshot, unless all of them ended well. */
export async function backup(inputs: Inputs['backup'], environment: Environment): Promise<BackupResult> {
  const started = performance.now()
  const { report, signal } = environment
  parseEncryptionKey(inputs['encryption-key'])
  if (Object.keys(inputs.retention).length > 0 && inputs.destination.kind === 'file') report.warning('retention is checked, but this version deletes nothing: every snapshot is kept')
  const programs = await clientPrograms(inputs['client-install'], environment)
  const sources = databases(inputs, programs, environment)
  const store = await openStore(inputs, environment)
  try {
    for (const source of sources) await source.open()
    await openOrMakeRepository(store)
    const keys = await openKeys(inputs['encryption-key'], { store, recipients: inputs.recipients, create: true })
    const onDamaged = (error: LifeboatError) => report.warning(error.message, error.hint)
    const known = await loadKnown(store, keys, inputs.set, onDamaged)

    const mark = randomBytes(4)
    const time = await nextTime(store, inputs.set, environment)
    const id = newSnapshotId(time, mark)
    const writer = new Writer({ store, keys, known, level: inputs['compression-level'], mark: mark.toString('hex'), jobs: inputs.jobs, signal, onDamaged })
    const records: SourceRecord[] = []
    const results: SourceResult[] = []
    for (const source of sources) {
      const { record, result } = await storeSource(source, writer, environment)
      records.push(record)
      results.push(result)
    }
    await checkReused(writer, store, started)
    signal.throwIfAborted()
    const { stored, chunks, size } = await writer.commit(
      { format: FORMAT, id, set: inputs.set, time: time.toISOString(), tags: inputs.tags },
      { sources: records, description: inputs.description, run: environment.run ?? null, lifeboat: VERSION },
    )

    const verified = await readBack(inputs, store, keys, id, programs, environment).catch((error: unknown) => {
      if (signal.aborted) report.warning(`snapshot ${id} was stored before the interruption, and is whole; only its verification was not finished`)
      throw error
    })
    const { added, newChunks, deltaChunks } = writer
    const seconds = secondsSince(started)
    return { snapshot: id, set: inputs.set, time: time.toISOString(), size, stored, added, chunks, newChunks, deltaChunks, seconds, verified, sources: results, recent: await recentSnapshots(store, keys, inputs.set) }
  } finally {
    await Promise.all(sources.map((source) => source.close()))
    await store.close()
  }
}

function databases(inputs: Inputs['backup'], programs: ClientPrograms, { variables, signal, report }: Environment): Source[] {
  const dumpArguments = parseDumpArguments(inputs['pg-dump-args'])
  return inputs['database-url'].map(({ name, url }) => {
    const connection = parseDatabaseUrl(url, variables)
    for (const secret of connection.secrets) report.mask(secret)
    return new PostgresSource({ name, connection, ...programs, dumpArguments, lockTimeout: inputs['lock-timeout'], signal, report, variables })
  })
}

async function storeSource(source: Source, writer: Writer, { report }: Environment): Promise<{ record: SourceRecord; result: SourceResult }> {
  const started = performance.now()
  const addedBefore = writer.added
  const streams: SourceRecord['streams'] = []
  let read = 0
  for await (const stream of source.streams()) {
    streams.push(
      await writer.stream(stream.name, stream.format, stream.bytes, (bytes) => {
        read += bytes
        report.progress({ activity: `backing up ${source.name}`, done: read, stored: writer.added })
      }),
    )
  }
  const { name, kind } = source
  return {
    record: { name, kind, streams, facts: source.facts() },
    result: { name, kind, size: read, added: writer.added - addedBefore, seconds: secondsSince(started) },
  }
}

async function nextTime(store: Store, set: string, environment: Environment): Promise<Date> {
  const [newest] = await snapshotKeys(store, set)
  const { time, skewed } = timeAfter(newest && idOf(newest), environment.now())
  if (skewed) environment.report.warning(`the newest snapshot of set ${set}, ${idOf(newest!)}, is dated in the future: \`latest\` goes on meaning that one`, 'Set the clock of the machine that is wrong.')
  return time
}

/** A prune deletes what it found unreferenced no sooner than 24 hours ago; a backup that took longer than half of that looks again. */
const HALF_THE_GRACE_PERIOD = 12 * 3600

async function checkReused(writer: Writer, store: Store, started: number): Promise<void> {
  if (secondsSince(started) < HALF_THE_GRACE_PERIOD) return
  const missing = new Set(writer.reused())
  for await (const { key } of store.list('chunks/')) missing.delete(key)
  if (missing.size === 0) return
  throw new LifeboatError(`${missing.size} chunks this backup builds on were deleted while it ran, ${[...missing][0]} among them`, {
    hint: 'Run the backup again: it will store them anew. Nothing was lost.',
  })
}

async function readBack(inputs: Inputs['backup'], store: Store, keys: Keys, id: string, programs: ClientPrograms, environment: Environment): Promise<BackupResult['verified']> {
  if (inputs.verify === 'none') return 'none'
  const key = snapshotKey(inputs.set, id)
  const snapshot = await decodeSnapshot(key, await store.get(key), keys)
  const { result, problems } = await verifySnapshot(snapshot, inputs.verify, store, programs, environment)
  if (result === 'verified') return inputs.verify
  if (keys.identity === undefined && result === 'could not verify') {
    environment.report.warning(
      `snapshot ${id} is stored, its signature and the presence of every chunk are checked, but a write key cannot read it back`,
      'Run verify with the identity somewhere else, for instance in a weekly job.',
    )
    return 'none'
  }
  throw new LifeboatError(`snapshot ${id} was stored but ${result === 'failed' ? 'does not verify' : 'could not be verified'}: ${problems.join('; ')}`, {
    hint:
      result === 'failed'
        ? 'Do not count on it, and verify earlier snapshots, which may share what is damaged. Remove the damaged chunks named here: the next backup stores them anew.'
        : 'Do not count on it before a verify has succeeded.',
    status: result === 'failed' ? 1 : 3,
  })
}

/** As many as a chart shows well. */
const RECENT = 20

async function recentSnapshots(store: Store, keys: Keys, set: string): Promise<BackupResult['recent']> {
  const snapshots = await newestSnapshots(store, keys, set, RECENT)
  return snapshots.map(({ header: { id, time, size, added, chunks } }) => ({ snapshot: id, time, size, added, stored: storedBytes(chunks) }))
}
