import type { Environment } from '../environment.ts'
import type { Inputs } from '../inputs.ts'
import { patternsFor } from '../inputs/volumes.ts'
import { reachDirectory } from '../sources/directory.ts'
import { reachDocker } from '../volumes/docker.ts'
import { VolumeSource } from '../sources/volume.ts'

/** The volumes of a backup as sources. */
export function volumeSources(inputs: Inputs['backup'], { variables, signal, report }: Environment): VolumeSource[] {
  const { volumes, include, exclude } = inputs
  return volumes.map((volume) => {
    const patterns = { include: patternsFor(volume.name, include, volumes), exclude: patternsFor(volume.name, exclude, volumes) }
    const common = { name: volume.name, patterns, onUnreadable: inputs['on-unreadable'], rescan: inputs.rescan, signal, report }
    if (volume.kind === 'docker') {
      const reach = () => reachDocker({ volume: volume.volume, image: inputs['docker-image'], target: false, variables, signal })
      return new VolumeSource({ ...common, kind: 'docker', numericOwners: true, reach })
    }
    return new VolumeSource({ ...common, kind: 'directory', numericOwners: false, reach: async () => ({ place: await reachDirectory(volume.path, variables) }) })
  })
}
