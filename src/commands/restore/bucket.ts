import type { Environment } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'
import { Reader } from '../../repository/reader.ts'
import type { AuthenticSnapshot, SourceRecord } from '../../repository/snapshot.ts'
import { MOST_NAMED } from '../../sources/files/facts.ts'
import type { S3Destination } from '../../stores/s3/destination.ts'
import type { Store } from '../../stores/store.ts'
import { restoreBucket } from '../../sources/buckets/restore.ts'
import { volumeParts } from '../../sources/files/verify.ts'
import type { RestoreInputs } from './inputs.ts'
import type { RestoreResult } from './result.ts'

export interface BucketToRestore {
  inputs: RestoreInputs
  store: Store
  snapshot: AuthenticSnapshot
  source: SourceRecord
  target: S3Destination
}

/** Puts the objects of a volume into a bucket. */
export async function restoreIntoBucket({ inputs, store, snapshot, source, target }: BucketToRestore, { variables, signal, report }: Environment): Promise<Pick<RestoreResult, 'size' | 'target' | 'mode' | 'entries' | 'restored' | 'unchanged' | 'deleted' | 'errors'>> {
  const { mode } = inputs
  if (source.kind !== 'bucket') throw new LifeboatError(`the volume ${source.name} is not that of a bucket`, { hint: 'Files are restored into a folder; from there, `aws s3 sync` or `rclone sync` bring them into a bucket.', status: 2 })
  if (mode !== 'empty' && mode !== 'overwrite') throw new LifeboatError(`mode ${mode} is not for buckets`, { hint: 'Their modes are empty and overwrite; delete-extra deletes what is not in the backup.', status: 2 })
  const { facts, list, archives } = volumeParts(source)
  const reader = new Reader(store, snapshot.keys, snapshot.header.chunks)
  const { openBucket } = await import('../../sources/buckets/bucket.ts')
  const bucket = openBucket(target, { variables, signal, report, timeout: inputs.access.timeout })
  try {
    const outcome = await restoreBucket({
      name: source.name,
      bucket,
      list: () => reader.stream(list),
      segments: archives.map((archive, index) => ({ entries: facts.segments[index]!.entries, bytes: () => reader.stream(archive) })),
      patterns: inputs.volume.paths,
      mode,
      rewrite: inputs.volume.rewrite,
      deleteExtra: inputs.volume.deleteExtra,
      backup: { patterns: facts.patterns ?? { include: [], exclude: [] }, leftOut: [...facts.changed, ...facts.unreadable], whole: Math.max(facts.changed.length, facts.unreadable.length) < MOST_NAMED },
      signal,
      report,
    })
    return { ...outcome, target: bucket.name, mode, restored: outcome.entries, errors: [] }
  } finally {
    bucket.close()
  }
}
