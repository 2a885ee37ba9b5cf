import path from 'node:path'
import { InvalidValue } from '../../error.ts'
import { addressSecrets, parseSshPlace, placeText, type SshPlace, targetText } from '../../net/ssh/address.ts'
import { fileArchive } from '../files/file-archive.ts'
import { localSite } from '../files/site.ts'
import type { BackupSettings, DrillSettings, RestoreSettings } from '../settings.ts'
import type { GivenSource, Location, SourceContext, SourceKind, StoredSource } from '../source-kind.ts'
import { reachDirectory } from './directory.ts'
import { reachDocker } from './docker.ts'
import { drillVolume } from './drill.ts'
import { storesIn } from './own-stores.ts'
import { selectedFiles } from '../files/selected.ts'
import type { DockerSettings } from './settings.ts'
import { VolumeSource, type VolumeSourceOptions } from './source.ts'
import { reachSsh } from './ssh.ts'
import { lookAtFolder, targetFolder } from './target.ts'
import { type TargetPlace, volumeMode, volumeTarget } from './volume-target.ts'

/** Volumes of every kind here are restored into a folder. */
const folderArchive = {
  ...fileArchive,
  drill: (source: StoredSource, { restored }: DrillSettings, context: SourceContext) => drillVolume(source, restored, context),
  selected: async (source: StoredSource, settings: RestoreSettings) => {
    volumeMode(settings)
    return selectedFiles(source, settings.files.paths)
  },
}

interface DirectoryLocation extends Location {
  kind: 'directory'
  path: string
}

/** A folder of this machine. */
export const directory: SourceKind<DirectoryLocation> = {
  ...folderArchive,
  name: 'directory',
  recorded: 'directory',
  form: 'a path that begins with / or ./',
  pattern: '/path (a folder)',
  parse: (text) => (/^\.{0,2}(\/|$)/.test(text) ? { kind: 'directory', path: text } : null),
  secrets: () => [],
  sources: (given, settings, context) =>
    given.map(({ name, location, patterns }) => {
      const stores = storesIn(name, location.path, settings.destinations)
      for (const { folder } of stores) context.report.info(`${name}: the store in ${folder} is left out`)
      return new VolumeSource({
        ...optionsOf({ name, patterns }, settings, context), stores: stores.map(({ pattern }) => pattern),
        kind: 'directory', numericOwners: false, reach: async () => ({ site: await reachDirectory(location.path, context.variables) }),
      })
    }),
  target: (location, settings, context) =>
    volumeTarget(folderPlace(location.path), settings, context, async ({ look }) => {
      const given = path.resolve(location.path)
      const site = localSite(given, context.variables)
      if (!look) return { site: localSite(await targetFolder(given, site, context.signal), context.variables) }
      const { root, missing } = await lookAtFolder(given, site, context.signal)
      return { site: { ...site, root }, missing }
    }),
}

function folderPlace(name: string): TargetPlace {
  const folder = path.resolve(name)
  return { name, where: folder, machine: 'this machine', folder }
}

interface DockerLocation extends Location {
  kind: 'docker'
  volume: string
}

/** A Docker volume. */
export const docker: SourceKind<DockerLocation> = {
  ...folderArchive,
  name: 'docker',
  recorded: 'docker',
  form: 'docker: and the name of a volume',
  pattern: 'docker:NAME (a Docker volume)',
  parse(text) {
    if (!text.startsWith('docker:')) return null
    const volume = text.slice('docker:'.length)
    if (!/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(volume))
      throw new InvalidValue('the text after docker: is not the name of a Docker volume')
    return { kind: 'docker', volume }
  },
  secrets: () => [],
  sources: (given, settings, context) =>
    given.map((one) => {
      const reach = () => reachDocker({ ...dockerOptions(one.location, settings.docker, context), target: false })
      return new VolumeSource({ ...optionsOf(one, settings, context), kind: 'docker', numericOwners: true, reach })
    }),
  target(location, settings, context) {
    const name = `docker:${location.volume}`
    return volumeTarget({ name, where: name, machine: 'docker' }, settings, context, ({ look }) =>
      reachDocker({ ...dockerOptions(location, settings.docker, context), target: look ? 'look' : true }))
  },
}

function dockerOptions({ volume }: DockerLocation, { image }: DockerSettings, { variables, signal }: SourceContext) {
  return { volume, image, variables, signal }
}

interface SshLocation extends Location, SshPlace {
  kind: 'ssh'
}

/** A folder of another machine. */
export const ssh: SourceKind<SshLocation> = {
  ...folderArchive,
  name: 'ssh',
  recorded: 'directory',
  form: 'ssh://user@host/path',
  pattern: 'ssh://USER@HOST/PATH (a folder of another machine)',
  parse: (text) => (text.startsWith('ssh:') ? { kind: 'ssh', ...parseSshPlace(text) } : null),
  secrets: addressSecrets,
  sources: (given, settings, context) =>
    given.map((one) => {
      const reach = (signal: AbortSignal) => reachSsh(one.location, settings.ssh, { ...context, signal, target: false })
      return new VolumeSource({ ...optionsOf(one, settings, context), kind: 'directory', numericOwners: false, reach })
    }),
  target(location, settings, context) {
    const name = placeText(location)
    const place = { name, where: name, machine: targetText(location), folder: location.path }
    return volumeTarget(place, settings, context, ({ look }) =>
      reachSsh(location, settings.ssh, { ...context, target: look ? 'look' : true }))
  },
}

function optionsOf(
  { name, patterns }: Pick<GivenSource, 'name' | 'patterns'>,
  { files }: BackupSettings,
  { signal, report }: SourceContext,
): Omit<VolumeSourceOptions, 'kind' | 'numericOwners' | 'reach'> {
  return { name, patterns, ...files, signal, report }
}
