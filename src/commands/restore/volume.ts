import path from 'node:path'
import type { Environment } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'
import type { VolumePlace } from '../../inputs/volumes.ts'
import { Reader } from '../../repository/reader.ts'
import type { AuthenticSnapshot, Manifest, SourceRecord } from '../../repository/snapshot.ts'
import type { Store } from '../../stores/store.ts'
import { reachDocker } from '../../sources/volumes/docker.ts'
import { localSite, type Site } from '../../sources/files/site.ts'
import { restoreVolume } from '../../sources/volumes/restore.ts'
import { reachSsh } from '../../sources/volumes/ssh.ts'
import { targetFolder } from '../../sources/volumes/target.ts'
import { volumeParts } from '../../sources/files/verify.ts'
import { backupRemarks, requireWhole } from './before-restore.ts'
import { secondsSince } from '../elapsed.ts'
import { restoreIntoBucket } from './bucket.ts'
import type { RestoreInputs } from './inputs.ts'
import type { RestoreResult } from './result.ts'

/** A snapshot that was asked for, and where it lies. */
export interface ToRestore {
  inputs: RestoreInputs
  store: Store
  snapshot: AuthenticSnapshot
  manifest: Manifest
  /** A reading of performance.now(). */
  started: number
}

/** Verifies what a snapshot has of one of its volumes, then restores it: whatever has become of the rest. */
export async function restoreOneVolume({ inputs, store, snapshot, manifest, started }: ToRestore, environment: Environment): Promise<RestoreResult> {
  const { report, signal } = environment
  const source = chooseVolume(manifest, inputs.volume.name, snapshot.header.id)
  const { facts, list, archives } = volumeParts(source)
  const size = archives.reduce((sum, archive) => sum + archive.size, 0)
  const about = { snapshot: snapshot.header.id, set: snapshot.header.set, time: snapshot.header.time, volume: source.name, ...backupRemarks(source, report) }
  const target = inputs.verifyOnly ? undefined : inputs.volume.target
  await requireWhole(snapshot, source.name, target ? 'list' : 'read', store, { ...environment, clientInstall: inputs.clientInstall })
  if (!target) return { ...about, size, target: 'none', mode: 'verify-only', entries: facts.entries, restored: 0, errors: [], seconds: secondsSince(started) }
  if (inputs.mode === 'create') throw new LifeboatError('mode create is for databases', { hint: 'A volume that is not there is made in any case; the modes of volumes are empty, overwrite and clean.', status: 2 })

  if (target.kind === 'bucket') return { ...about, ...(await restoreIntoBucket({ inputs, store, snapshot, source, target: target.destination }, environment)), seconds: secondsSince(started) }
  if (inputs.volume.deleteExtra) throw new LifeboatError('delete-extra is for buckets', { hint: 'Mode clean puts a volume in place of what is in a folder.', status: 2 })
  const { site, release } = await reachTarget(target, inputs, environment)
  try {
    const reader = new Reader(store, snapshot.keys, snapshot.header.chunks)
    const outcome = await restoreVolume({
      name: source.name,
      site,
      list: () => reader.stream(list),
      segments: archives.map((archive, index) => ({ entries: facts.segments[index]!.entries, size: archive.size, bytes: () => reader.stream(archive) })),
      links: facts.links !== 0,
      patterns: inputs.volume.paths,
      mode: inputs.mode,
      owners: inputs.volume.owners,
      signal,
      report,
    })
    const { entries, errors } = outcome
    if (errors.length > 0) report.warning(`${site.where} holds the backup, but tar reported errors`, 'Owners and attributes of others need root: with owners none the files belong to whoever restores.')
    return { ...about, size: outcome.size, target: site.where, mode: inputs.mode, entries, restored: Math.max(0, entries - errors.length), errors, seconds: secondsSince(started) }
  } finally {
    await release?.()
  }
}

function chooseVolume(manifest: Manifest, name: string | undefined, id: string): SourceRecord {
  const volumes = manifest.sources.filter((source) => source.kind !== 'postgres')
  const names = volumes.map((source) => source.name).join(', ')
  if (name === undefined && volumes.length > 1) throw new LifeboatError(`snapshot ${id} has several volumes: ${names}`, { hint: 'Name one of them with the input volume.', status: 2 })
  const source = volumes.find((volume) => name === undefined || volume.name === name)
  if (!source) throw new LifeboatError(`snapshot ${id} has no volume ${name ?? ''}`, { hint: names === '' ? 'Choose another snapshot; `lifeboat list` shows them.' : `It has ${names}.`, status: 2 })
  return source
}

async function reachTarget(target: Exclude<VolumePlace, { kind: 'bucket' }>, { volume, access }: Pick<RestoreInputs, 'volume' | 'access'>, { variables, signal, temporary }: Environment): Promise<{ site: Site; release?: () => Promise<void> }> {
  if (target.kind === 'docker') return reachDocker({ volume: target.volume, image: volume.dockerImage, target: true, variables, signal })
  if (target.kind === 'ssh') return reachSsh(target, access.ssh, { variables, temporary, signal, target: true })
  const given = path.resolve(target.path)
  return { site: localSite(await targetFolder(given, localSite(given, variables), signal), variables) }
}
