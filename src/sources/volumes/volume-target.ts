import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import type { SourceRecord } from '../../repository/snapshot.ts'
import type { Site } from '../files/site.ts'
import { volumeParts } from '../files/verify.ts'
import type { RestoreSettings } from '../settings.ts'
import type { Restored } from '../restored.ts'
import type { RestoreTarget, SourceContext, SourceToRestore } from '../source-kind.ts'
import { restoreVolume, type VolumeMode } from './restore.ts'

interface Reached {
  site: Site
  release?: () => Promise<void>
}

/** A folder to restore into, which is made if there is none. */
export function volumeTarget(settings: RestoreSettings, context: SourceContext, reach: () => Promise<Reached>): RestoreTarget {
  const mode = volumeMode(settings)
  return {
    require: requireFiles,
    restore: (stored) => restoreInto(reach, stored, { ...settings, mode }, context),
    close: async () => undefined,
  }
}

async function restoreInto(
  reach: () => Promise<Reached>,
  { source, read }: SourceToRestore,
  { mode, files, folders }: RestoreSettings & { mode: VolumeMode },
  { signal, report }: SourceContext,
): Promise<Restored> {
  const { facts, list, archives } = volumeParts(source)
  const { site, release } = await reach()
  try {
    const { entries, size, errors } = await restoreVolume({
      name: source.name,
      site,
      list: () => read(list),
      segments: archives.map((archive, index) => ({
        entries: facts.segments[index]!.entries,
        size: archive.size,
        bytes: () => read(archive),
      })),
      links: facts.links !== 0,
      patterns: files.paths,
      mode,
      owners: folders.owners,
      signal,
      report,
    })
    if (errors.length > 0) {
      const hint = 'Owners and attributes of others need root: with owners none, the files belong to the user who restores.'
      report.warning(`${site.where} holds the backup, but tar reported errors`, hint)
    }
    return { target: site.where, mode, size, entries, restored: Math.max(0, entries - errors.length), errors }
  } finally {
    await release?.()
  }
}

function requireFiles({ name, kind, streams }: SourceRecord): void {
  if (streams.some(({ format }) => format === 'tar-list')) return
  const hint = marked`Give ‹target› of the same kind as the source.`
  throw new LifeboatError(`the source ${name} is of the kind ${kind}, which is not restored into a folder`, { hint, status: 2 })
}

function volumeMode({ mode, bucket }: RestoreSettings): VolumeMode {
  if (mode === 'create') {
    const hint = 'A target that does not exist is made in every mode; the modes of volumes are empty, overwrite and clean.'
    throw new LifeboatError('mode create is for databases', { hint, status: 2 })
  }
  if (bucket.deleteExtra) {
    throw new LifeboatError('delete-extra is for buckets', {
      hint: marked`‹mode: clean› replaces the content of a folder by that of the backup.`,
      status: 2,
    })
  }
  return mode
}
