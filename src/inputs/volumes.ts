import { parseS3, type S3Destination, s3Secrets } from '../stores/s3/destination.ts'
import { addressSecrets, parseSshPlace, type SshPlace } from '../net/ssh/address.ts'

/** A volume to back up: the name it has in the snapshot, and what it is. */
export type Volume = { name: string } & VolumePlace

/** Where a volume is, or is restored to. */
export type VolumePlace = { kind: 'directory'; path: string } | { kind: 'docker'; volume: string } | ({ kind: 'ssh' } & SshPlace) | { kind: 'bucket'; destination: S3Destination }

const PLANNED = ['sftp']

/** Reads `name=WHAT`, one a line. Throws what `problem` makes of what is wrong with the text. */
export function parseVolumes(text: string, problem: (message: string) => Error): Volume[] {
  const lines = text.split(/\r?\n/).map((line) => line.trim()).filter((line) => line !== '')
  const volumes = lines.map((line) => {
    const [, name, what] = /^([A-Za-z0-9][A-Za-z0-9._-]{0,99})=(.+)$/.exec(line) ?? []
    if (name === undefined || what === undefined) throw problem(`${JSON.stringify(line.slice(0, 60))} does not begin with a name and =`)
    return { name, ...parseVolumePlace(what, problem) }
  })
  const names = volumes.map(({ name }) => name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw problem(`two volumes are named ${JSON.stringify(twice)}`)
  return volumes
}

/** Reads what follows the name: a path, `docker:NAME`, `ssh://user@host/path` or `s3://bucket/prefix`. Throws `InvalidValue`, or what `problem` makes of what is wrong. */
export function parseVolumePlace(text: string, problem: (message: string) => Error): VolumePlace {
  const shown = JSON.stringify(text.slice(0, 60))
  if (/^\.{0,2}(\/|$)/.test(text)) return { kind: 'directory', path: text }
  const [, kind, rest = ''] = /^([a-z0-9]+):(.*)$/.exec(text) ?? []
  if (kind === 'docker') {
    if (!/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(rest)) throw problem(`${shown} does not name a Docker volume`)
    return { kind, volume: rest }
  }
  if (kind === 'ssh') return { kind, ...parseSshPlace(text) }
  if (kind === 's3') return { kind: 'bucket', destination: parseS3(text) }
  if (kind !== undefined && PLANNED.includes(kind)) throw problem(`${kind} is not available for volumes in this version`)
  if (text.startsWith('~')) throw problem(`${shown} would be a folder named ~; write the whole path`)
  throw problem(`${shown} is neither a path that begins with / or ./, nor docker: and the name of a volume, nor ssh://user@host/path, nor s3://bucket/prefix`)
}

/** What is to be masked of the text of volumes or of a place, well-formed or not. */
export function volumeSecrets(text: string): string[] {
  return text.split(/\r?\n/).flatMap((line) => (/s3:/.test(line) ? s3Secrets(line.slice(line.indexOf('s3:')).trim()) : addressSecrets(line)))
}

/** The patterns of one volume among lines `PATTERN` for all and `NAME=PATTERN` for one. */
export function patternsFor(volume: string, lines: readonly string[], volumes: readonly { name: string }[]): string[] {
  return lines.flatMap((line) => {
    const owner = volumes.find(({ name }) => line.startsWith(`${name}=`))
    if (owner === undefined) return [line]
    return owner.name === volume ? [line.slice(volume.length + 1)] : []
  })
}
