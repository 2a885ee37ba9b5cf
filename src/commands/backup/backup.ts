import { randomBytes } from 'node:crypto'
import type { Environment } from '../../environment.ts'
import { formatBytes, formatCount } from '../../report/format.ts'
import { warningOf } from '../../report/warnings.ts'
import type { BackupInputs } from './inputs.ts'
import { timeAfter } from '../../repository/catalog.ts'
import { type Keys, parseEncryptionKey } from '../../repository/keys.ts'
import { openKeys } from '../../repository/open-keys.ts'
import { lastLook } from '../../repository/last-look.ts'
import { FORMAT } from '../../repository/format.ts'
import { markOf, newSnapshotId } from '../../repository/snapshot.ts'
import { beginRun } from '../../repository/unfinished.ts'
import { Writer } from '../../repository/writer.ts'
import { largestOf } from '../../sources/growth.ts'
import type { SourceContext } from '../../sources/source-kind.ts'
import type { Store } from '../../stores/store.ts'
import { VERSION } from '../../version.ts'
import { Destinations } from './destinations.ts'
import { stopwatch } from '../elapsed.ts'
import { PreviousBackups } from './previous.ts'
import { whileQuiet } from './quiesce.ts'
import type { BackupResult } from './result.ts'
import { OpenedSources } from './opened-sources.ts'
import { sourcesOf } from './sources.ts'
import { type NewSnapshot, storeUntilSound } from './store-sources.ts'
import {
  warnOfEmpty, warnOfFailure, warnOfHeldPrune, warnOfOtherKey, warnOfRecipients, warnOfShrinking, warnOfSkew,
} from './warnings.ts'

/** Backs up every source into one snapshot of the set, and reads it back. Throws, and puts no snapshot, unless all of them ended well. */
export async function backup(inputs: BackupInputs, environment: Environment): Promise<BackupResult> {
  const elapsed = stopwatch(environment)
  const { set, pruning } = inputs
  parseEncryptionKey(inputs.key)
  const context: SourceContext = { ...environment, clientInstall: inputs.clientInstall }
  const sources = new OpenedSources(() => sourcesOf(inputs, context))
  const destinations = await Destinations.open(inputs, environment)
  let previous: PreviousBackups | undefined
  let unresumed: { error: unknown } | undefined
  try {
    await sources.open()
    await destinations.prepare()
    const { store } = destinations
    const keys = await openKeys(
      inputs.key,
      {
        store,
        recipients: inputs.recipients,
        create: true,
        onDamaged: warningOf(environment.report),
        onNewKey: () => environment.report.info(`a new key was made for ${store.name}; only this passphrase opens it`),
      },
    )
    previous = await PreviousBackups.load(store, keys, inputs, environment)
    const { known, reused } = previous
    warnOfRecipients(known, environment)
    if (known.otherKey) warnOfOtherKey(known.otherKey, set, keys.fingerprint, environment)
    await destinations.lookForSpace(known.newest?.added)

    const begun = await beginSnapshot(store, keys, previous, inputs, environment)
    const read = await whileQuiet(
      inputs.hooks,
      environment,
      () => storeUntilSound(sources, begun, known.newest?.sources ?? [], environment),
    )
    unresumed = read.failure
    const { id, time, writer } = read.result.snapshot
    const records = read.result.stored.map(({ record }) => record)
    const results = read.result.stored.map(({ result }) => result)
    const { checked, damaged } = await reused.conclude(set)
    reportAdopted(writer, environment)
    await lastLook(
      store,
      keys,
      { chunks: writer.listed(), elapsed: elapsed(writer.adopted.since), grace: pruning.grace, now: environment.now() },
    )
    environment.signal.throwIfAborted()
    const { stored, chunks, size } = await writer.commit(
      {
        format: FORMAT,
        id,
        set,
        time: time.toISOString(),
        tags: inputs.tags,
        ...(results.some(({ partial }) => partial) && { partial: true }),
      },
      { sources: records, description: inputs.description, run: environment.run ?? null, lifeboat: VERSION },
    )

    const shrunk = await previous.shrunk(records, size)
    const before = known.newest?.id
    warnOfShrinking(shrunk, id, before, environment)
    warnOfEmpty(results, shrunk, environment)
    const held = shrunk.length > 0 ? 'something lost more than half of what it had, or is gone' : undefined
    if (held !== undefined && Object.keys(inputs.retention).length > 0) warnOfHeldPrune(held, before, environment)
    const largest = largestOf(known.newest?.sources, records)
    // Frees the facts of many tables: reading the snapshot back needs the memory.
    for (const list of [records, read.result.stored]) list.length = 0
    await sources.close()
    // Chunks are looked for before they are reused, so they are not looked for again.
    const concluded = await destinations.conclude(id, keys, new Set(writer.reused()), context, { prune: !read.failure, held, damaged })
    if (read.failure) throw read.failure.error
    const { added, newChunks, deltaChunks, forRecipients } = writer
    return {
      snapshot: id,
      set,
      time: time.toISOString(),
      size,
      stored,
      added,
      chunks,
      newChunks,
      deltaChunks,
      seconds: elapsed.seconds(),
      ...(forRecipients.chunks > 0 && { forRecipients }),
      ...(keys.identity !== undefined && { checked }),
      ...(known.otherKey && { otherKey: known.otherKey }),
      shrunk,
      onShrink: inputs.onShrink,
      ...concluded,
      largest,
      sources: results,
      ...(await previous.recentWith(id)),
    }
  } catch (error) {
    if (unresumed && unresumed.error !== error) warnOfFailure(unresumed.error, environment)
    throw error
  } finally {
    await sources.close()
    await previous?.close()
    await destinations.close()
  }
}

/** A snapshot that is newer than every other of the set; nothing makes it exist yet. */
async function beginSnapshot(
  store: Store,
  keys: Keys,
  previous: PreviousBackups,
  { set, pruning, sealing }: Pick<BackupInputs, 'set' | 'pruning' | 'sealing'>,
  environment: Environment,
): Promise<NewSnapshot> {
  const { known } = previous
  const { time, skewed } = timeAfter(known.latest, environment.now())
  if (skewed) warnOfSkew(known.latest, set, environment)
  const id = newSnapshotId(time, randomBytes(4))
  const onDamaged = warningOf(environment.report)
  const unfinished = await beginRun(
    store,
    keys,
    { set, id, snapshots: previous.ids, grace: pruning.grace, now: () => environment.now(), onDamaged },
  )
  const writer = new Writer({
    store,
    keys,
    known,
    unfinished,
    ...sealing,
    mark: markOf(id),
    signal: environment.signal,
    onDamaged: (error) => previous.foundDamaged(error),
  })
  return { id, time, writer }
}

function reportAdopted({ adopted: { chunks, bytes } }: Writer, { report }: Environment): void {
  if (chunks > 0) report.info(`${formatCount(chunks, 'chunk')} (${formatBytes(bytes)}) of an interrupted backup were checked and used`)
}
