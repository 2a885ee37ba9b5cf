import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import type { SourceRecord } from '../../repository/snapshot.ts'
import type { Destination } from '../../stores/kind.ts'
import { isS3, parseS3, type S3Destination, s3Secrets } from '../../stores/s3/destination.ts'
import { MOST_NAMED } from '../files/facts.ts'
import { fileArchive } from '../files/file-archive.ts'
import { EVERY_FILE } from '../files/selection.ts'
import { volumeParts } from '../files/verify.ts'
import type { RestoreSettings } from '../settings.ts'
import type { Location, SourceContext, SourceKind, SourceToRestore } from '../source-kind.ts'
import { drillVolume } from '../volumes/drill.ts'
import { selectedFiles } from '../files/selected.ts'
import type { BucketAccess } from './bucket.ts'
import { type BucketRestore, planBucket, restoreBucket } from './restore.ts'
import { BucketSource } from './source.ts'

interface BucketLocation extends Location {
  kind: 'bucket'
  destination: S3Destination
}

/** A bucket of an S3 service, or the objects in it whose keys begin with a prefix. */
export const bucket: SourceKind<BucketLocation> = {
  ...fileArchive,
  name: 'bucket',
  recorded: 'bucket',
  form: 's3://bucket/prefix',
  pattern: 's3://BUCKET/PREFIX (the objects of a bucket, with the parameters of a destination)',
  parse: (text) => (text.startsWith('s3:') ? { kind: 'bucket', destination: parseS3(text) } : null),
  secrets(text) {
    const start = text.indexOf('s3:')
    return start < 0 ? [] : s3Secrets(text.slice(start).trim())
  },
  sources: (given, settings, context) =>
    given.map(({ name, location: { destination }, patterns }) => {
      refuseOwnStore(`the volume ${name}`, destination, settings.destinations)
      const open = (signal: AbortSignal) => openBucket(destination, settings.timeout, { ...context, signal })
      const { signal, report } = context
      return new BucketSource({ name, patterns, ...settings.files, where: destination.text, open, signal, report })
    }),
  // Into a folder, which takes everything of a bucket but the metadata of its objects.
  drill: (source, { restored }, context) => drillVolume(source, restored, context),
  selected: async (source, settings) => {
    bucketMode(settings)
    return selectedFiles(source, settings.files.paths)
  },
  target({ destination }, settings, context) {
    const mode = bucketMode(settings)
    refuseOwnStore(`the target ${destination.text}`, destination, [settings.destination])
    return {
      name: destination.text.replace(/\?.*$/s, ''),
      where: destination.text,
      replaces: mode === 'overwrite',
      require: requireBucket,
      restore: async (stored) => {
        const { target, outcome } = await work(restoreBucket, destination, stored, { ...settings, mode }, context)
        return { ...outcome, target, mode, restored: outcome.entries, errors: [] }
      },
      plan: async (stored) => {
        const { target, outcome } = await work(planBucket, destination, stored, { ...settings, mode }, context)
        const { endpoint, bucket: name, prefix } = destination
        return { ...outcome, target, mode, restored: 0, errors: [], shares: [], place: `${endpoint} ${name}/${prefix}` }
      },
      close: async () => undefined,
    }
  },
}

/** The SDK is large, and loaded only if there is a bucket. */
async function openBucket(
  destination: S3Destination,
  timeout: number,
  { variables, signal, report }: SourceContext,
): Promise<BucketAccess> {
  const { openBucket } = await import('./bucket.ts')
  return openBucket(destination, { variables, signal, report, timeout })
}

/** A bucket that holds its own backups would grow with each of them, and a restore could overwrite or delete them. */
function refuseOwnStore(which: string, volume: S3Destination, destinations: readonly Destination[]): void {
  for (const store of destinations) {
    if (!isS3(store) || store.bucket !== volume.bucket || store.endpoint !== volume.endpoint) continue
    if (!store.prefix.startsWith(volume.prefix) && !volume.prefix.startsWith(store.prefix)) continue
    throw new LifeboatError(`${which} and the store ${store.text} overlap`, {
      hint: 'Store backups in another bucket, or give both a prefix of their own.', status: 2,
    })
  }
}

function requireBucket({ name, kind }: SourceRecord): void {
  if (kind === bucket.recorded) return
  const hint = 'Files are restored into a folder; from there, `aws s3 sync` or `rclone sync` copies them into a bucket.'
  throw new LifeboatError(`the volume ${name} is not that of a bucket`, { hint, status: 2 })
}

type BucketMode = BucketRestore['mode']

function bucketMode({ mode }: RestoreSettings): BucketMode {
  if (mode === 'empty' || mode === 'overwrite') return mode
  const hint = marked`Their modes are ‹mode: empty› and ‹mode: overwrite›; ‹delete-extra: true› deletes objects that are not in the backup.`
  throw new LifeboatError(`mode ${mode} is not for buckets`, { hint, status: 2 })
}

/** Opens a bucket, and plans or makes a restore into it. */
async function work<T>(
  begin: (given: BucketRestore) => Promise<T>,
  destination: S3Destination,
  { source, read, backUpTarget }: SourceToRestore,
  { mode, all, files, bucket: settings, timeout }: RestoreSettings & { mode: BucketMode },
  context: SourceContext,
): Promise<{ target: string; outcome: T }> {
  const { facts, list, archives } = volumeParts(source)
  const access = await openBucket(destination, timeout, context)
  const { signal, report, leaves } = context
  try {
    const outcome = await begin({
      name: source.name,
      bucket: access,
      list: () => read(list),
      segments: archives.map((archive, index) => ({ entries: facts.segments[index]!.entries, bytes: () => read(archive) })),
      patterns: files.paths,
      mode,
      all,
      ...settings,
      backup: {
        patterns: facts.patterns ?? EVERY_FILE,
        leftOut: [...facts.changed, ...facts.unreadable],
        whole: Math.max(facts.changed.length, facts.unreadable.length) < MOST_NAMED,
      },
      backUpTarget,
      signal,
      report,
      ...(leaves && { leaves }),
    })
    return { target: access.name, outcome }
  } finally {
    access.close()
  }
}
