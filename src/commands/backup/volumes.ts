import { realpathSync } from 'node:fs'
import path from 'node:path'
import type { Environment } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'
import { patternsFor } from '../../inputs/volumes.ts'
import { reachDirectory } from '../../sources/volumes/directory.ts'
import type { Destination } from '../../stores/destination.ts'
import { folderOf } from '../../stores/file/destination.ts'
import { isS3, type S3Destination } from '../../stores/s3/destination.ts'
import { reachDocker } from '../../sources/volumes/docker.ts'
import { reachSsh } from '../../sources/volumes/ssh.ts'
import { BucketSource } from '../../sources/buckets/source.ts'
import type { Source } from '../../sources/source.ts'
import { VolumeSource } from '../../sources/volumes/source.ts'
import type { BackupInputs } from './inputs.ts'

/** The volumes of a backup as sources. */
export function volumeSources(inputs: Pick<BackupInputs, 'volumes' | 'rescan' | 'dockerImage' | 'access' | 'destinations'>, { variables, signal, report, temporary }: Environment): Source[] {
  const { list: volumes, include, exclude, onUnreadable } = inputs.volumes
  return volumes.map((volume) => {
    const patterns = { include: patternsFor(volume.name, include, volumes), exclude: patternsFor(volume.name, exclude, volumes) }
    const common = { name: volume.name, patterns, onUnreadable, rescan: inputs.rescan, signal, report }
    if (volume.kind === 'bucket') {
      const { destination } = volume
      refuseOwnStore(volume.name, destination, inputs.destinations)
      // What an SDK weighs is loaded only for those who use it.
      const open = async (signal: AbortSignal) => (await import('../../sources/buckets/bucket.ts')).openBucket(destination, { variables, signal, report, timeout: inputs.access.timeout })
      return new BucketSource({ ...common, where: destination.text, open })
    }
    if (volume.kind === 'docker') {
      const reach = () => reachDocker({ volume: volume.volume, image: inputs.dockerImage, target: false, variables, signal })
      return new VolumeSource({ ...common, kind: 'docker', numericOwners: true, reach })
    }
    if (volume.kind === 'ssh') {
      const reach = (signal: AbortSignal) => reachSsh(volume, inputs.access.ssh, { variables, temporary, signal, target: false })
      return new VolumeSource({ ...common, kind: 'directory', numericOwners: false, reach })
    }
    const stores = storesIn(volume.name, volume.path, inputs.destinations)
    for (const store of stores) report.info(`${volume.name}: the store in ${store} is left out`)
    return new VolumeSource({ ...common, patterns: { ...patterns, exclude: [...patterns.exclude, ...stores.map((store) => `/${literal(store)}/`)] }, kind: 'directory', numericOwners: false, reach: async () => ({ site: await reachDirectory(volume.path, variables) }) })
  })
}

/** The folders of stores that lie in a volume, relative to it: with them, each backup would hold the ones before. */
function storesIn(name: string, volume: string, destinations: readonly Destination[]): string[] {
  const root = realPath(volume)
  return destinations.flatMap((store) => {
    const held = folderOf(store)
    if (held === undefined) return []
    const folder = path.relative(root, realPath(held))
    if (folder === '..' || folder.startsWith('../')) {
      if (path.relative(realPath(held), root).startsWith('..')) return []
      throw new LifeboatError(`the volume ${name} lies in the store file:${held}`, { hint: 'Store backups in a folder of their own.', status: 2 })
    }
    if (folder === '') throw new LifeboatError(`the volume ${name} is the store file:${held}`, { hint: 'Store backups in a folder of their own.', status: 2 })
    return [folder]
  })
}

/** As far as it is there: a store is made by its first backup. */
function realPath(given: string): string {
  const absolute = path.resolve(given)
  try {
    return realpathSync(absolute)
  } catch {
    const parent = path.dirname(absolute)
    return parent === absolute ? absolute : path.join(realPath(parent), path.basename(absolute))
  }
}

/** A path as a pattern of gitignore(5) that only it matches. */
function literal(folder: string): string {
  return folder.replaceAll(/[\\*?[\] !#]/g, String.raw`\$&`)
}

/** A bucket that takes its own backup would grow with each of them. */
function refuseOwnStore(name: string, volume: S3Destination, destinations: readonly Destination[]): void {
  for (const store of destinations) {
    if (!isS3(store) || store.bucket !== volume.bucket || store.endpoint !== volume.endpoint || !(store.prefix.startsWith(volume.prefix) || volume.prefix.startsWith(store.prefix))) continue
    throw new LifeboatError(`the volume ${name} and the store ${store.text} lie in each other`, { hint: 'Store backups in another bucket, or give both a prefix of their own.', status: 2 })
  }
}
