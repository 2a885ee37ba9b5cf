import { holdsSeveral, locationSecrets, neitherForm, parseLocation } from '../sources/known-kinds.ts'
import type { Location } from '../sources/source-kind.ts'

/** A volume to back up: the name it has in the snapshot, and where it is. */
export type Volume = { name: string } & Location

const PLANNED = ['sftp']

/** Another volume after a comma or a space: it would become a part of the first one's path. */
const BEFORE_ANOTHER = /(?:[,;]\s*|\s+)[A-Za-z0-9][A-Za-z0-9._-]{0,99}=(?=.)/g

/** Reads `name=LOCATION`, one a line. Throws an error that `problem` makes of a message, or InvalidValue. */
export function parseVolumes(text: string, problem: (message: string) => Error): Volume[] {
  const lines = text.split(/\r?\n/).map((line) => line.trim()).filter((line) => line !== '')
  const volumes = lines.map((line, index) => {
    if (holdsSeveral('volume', line, BEFORE_ANOTHER)) {
      throw problem('there are several volumes in one line; write one per line, or the option once for each')
    }
    const [, name, location] = /^([A-Za-z0-9][A-Za-z0-9._-]{0,99})=(.+)$/.exec(line) ?? []
    if (name === undefined || location === undefined) {
      const spaced = /^([A-Za-z0-9][A-Za-z0-9._-]{0,39})\s+=/.exec(line)?.[1]
      throw problem(
        spaced === undefined
          ? `${shownLocation(line) ?? `line ${index + 1}`} does not begin with a name and =`
          : `the name ${JSON.stringify(spaced)} is not followed by = and a location`,
      )
    }
    return { name, ...parseVolumeLocation(location, problem) }
  })
  const names = volumes.map(({ name }) => name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw problem(`two volumes are named ${JSON.stringify(twice)}`)
  return volumes
}

/** Reads the location of a volume: a path, `docker:NAME`, … Throws an error that `problem` makes of a message, or InvalidValue. */
export function parseVolumeLocation(text: string, problem: (message: string) => Error): Location {
  const location = parseLocation('volume', text)
  if (location) return location
  const shown = shownLocation(text) ?? 'the location'
  const [, prefix] = /^([a-z0-9]+):/.exec(text) ?? []
  if (prefix !== undefined && PLANNED.includes(prefix)) throw problem(`${prefix} is not available for volumes in this version`)
  if (text.startsWith('~')) throw problem(`${shown} would be a folder named ~; write the whole path`)
  const folder = /^[\w.-]+$/.test(text) ? '; write a folder of the working directory with ./ before its name' : ''
  throw problem(`${shown} is ${neitherForm('volume')}${folder}`)
}

/** A path, or the scheme alone: anything else may hold a password. Undefined if there is neither. */
function shownLocation(text: string): string | undefined {
  const [shown] = /^(?:\.{0,2}|~\w*)\/[\w./ -]{0,60}$|^[A-Za-z][A-Za-z0-9]{0,19}:(?=\/\/)/.exec(text) ?? []
  return shown === undefined ? undefined : JSON.stringify(shown)
}

/** Every secret part of the text of volumes or of a location, well-formed or not. */
export function volumeSecrets(text: string): string[] {
  return text.split(/\r?\n/).flatMap((line) => locationSecrets('volume', line))
}

/** The patterns of one volume among lines `PATTERN` for all and `NAME=PATTERN` for one. */
export function patternsFor(volume: string, lines: readonly string[], volumes: readonly { name: string }[]): string[] {
  return lines.flatMap((line) => {
    const owner = volumes.find(({ name }) => line.startsWith(`${name}=`))
    if (owner === undefined) return [line]
    return owner.name === volume ? [line.slice(volume.length + 1)] : []
  })
}
