import { randomBytes } from 'node:crypto'
import type { Environment } from '../../environment.ts'
import { marked } from '../../marks.ts'
import { formatBytes, formatCount } from '../../report/format.ts'
import { warningOf } from '../../report/warnings.ts'
import { timeAfter } from '../../repository/catalog.ts'
import { FORMAT } from '../../repository/format.ts'
import type { Keys } from '../../repository/keys.ts'
import { lastLook } from '../../repository/last-look.ts'
import { markOf, newSnapshotId } from '../../repository/snapshot.ts'
import { beginRun } from '../../repository/unfinished.ts'
import { Writer } from '../../repository/writer.ts'
import type { Store } from '../../stores/store.ts'
import { VERSION } from '../../version.ts'
import type { Stopwatch } from '../../process/elapsed.ts'
import type { BackupInputs } from './inputs.ts'
import type { PreviousBackups } from './previous.ts'
import type { BackupResult } from './result.ts'
import type { NewSnapshot, RecordedSource } from './store-sources.ts'
import { warnOfSkew } from './warnings.ts'

/** A snapshot that is newer than every other of the set; nothing makes it exist yet. */
export async function beginSnapshot(
  store: Store,
  keys: Keys,
  previous: PreviousBackups,
  { set, pruning, sealing }: Pick<BackupInputs, 'set' | 'pruning' | 'sealing'>,
  environment: Environment,
): Promise<NewSnapshot> {
  const { known, latest } = previous
  const { time, skewed } = timeAfter(latest, environment.now())
  if (skewed) warnOfSkew(latest, set, environment)
  const id = newSnapshotId(time, randomBytes(4))
  const onDamaged = warningOf(environment.report)
  const onNoted = (): void => environment.leaves?.(`no snapshot of set ${set} was made; its next backup uses what this one stored`)
  const unfinished = await beginRun(
    store,
    keys,
    { set, id, snapshots: previous.ids, grace: pruning.grace, now: () => environment.now(), onDamaged, onNoted },
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

/** Puts the snapshot: from then on the backup exists. Before it, looks once more whether everything that it lists is in the store. */
export async function commitSnapshot(
  { snapshot: { id, time, writer }, stored }: { snapshot: NewSnapshot; stored: readonly RecordedSource[] },
  store: Store,
  keys: Keys,
  given: Pick<BackupInputs, 'set' | 'tags' | 'description' | 'pruning'> & { until: Date | undefined },
  elapsed: Stopwatch,
  environment: Environment,
): Promise<Pick<BackupResult, 'size' | 'stored' | 'chunks'>> {
  const { set, tags, description, pruning, until } = given
  reportAdopted(writer, environment)
  const since = elapsed(writer.adopted.since)
  await lastLook(store, keys, { chunks: writer.listed(), elapsed: since, grace: pruning.grace, now: environment.now() })
  environment.signal.throwIfAborted()
  const hint = marked`‹lifeboat list› shows it then. Verify it before you rely on it.`
  environment.leaves?.(`snapshot ${id} of set ${set} may have been stored`, hint)
  const partial = stored.some(({ result }) => result.partial)
  const sources = stored.map(({ record }) => record)
  return writer.commit(
    {
      format: FORMAT, id, set, time: time.toISOString(), tags, ...(partial && { partial: true }),
      ...(until && { until: until.toISOString() }),
    },
    { sources, description, run: environment.run ?? null, lifeboat: VERSION },
  )
}

function reportAdopted({ adopted: { chunks, bytes } }: Writer, { report }: Environment): void {
  if (chunks > 0) report.info(`${formatCount(chunks, 'chunk')} (${formatBytes(bytes)}) of an interrupted backup were checked and used`)
}
