import { Misread } from '../error.ts'
import { type AzblobDestination, azblobKind } from './azblob/destination.ts'
import { type RcloneDestination, rcloneKind } from './rclone/destination.ts'
import { type S3Destination, s3Kind } from './s3/destination.ts'
import { type SftpDestination, sftpKind } from './sftp/destination.ts'
import { secretsOfUrl } from './destination-url.ts'
import { type WebdavDestination, webdavKind } from './webdav/destination.ts'

/** Where a store is. The remote ones have a module each in `destinations`, and may hold secrets. */
export type Destination = { kind: 'artifact' } | FileDestination | S3Destination | AzblobDestination | SftpDestination | WebdavDestination | RcloneDestination

/** A folder. `mounted`: whether a file system has to be mounted at it or above it; undefined leaves it to where it is (src/stores/file/mount.ts). */
export interface FileDestination {
  kind: 'file'
  path: string
  mounted?: boolean | undefined
}

/** A place reached over a network. */
export interface RemoteDestination {
  kind: string
  /** As people see it, and may give it again: without secrets. */
  text: string
}

/** What a module knows of its kind of destination. Loaded at every start: what opens the store is loaded by `openStore`. */
export interface DestinationKind<D extends RemoteDestination> {
  /** Reads the whole text, its kind included. Throws `Misread`, which shows no part of it that could be a secret. */
  parse(text: string): D
  /** Every part that must be masked, of a text that may not be well-formed: as it stands there and decoded. */
  secrets(text: string): string[]
}

const remote: Readonly<Record<string, DestinationKind<Exclude<Destination, { kind: 'artifact' | 'file' }>>>> = {
  s3: s3Kind,
  azblob: azblobKind,
  sftp: sftpKind,
  webdav: webdavKind,
  webdavs: webdavKind,
  rclone: rcloneKind,
}

/** Reads the text of a destination, which is one line. Throws `Misread`. */
export function parseDestination(text: string): Destination {
  const lines = linesOf(text)
  if (lines.length > 1) throw new Misread(`there are ${lines.length} destinations; one is needed here`)
  return parseLine(lines[0] ?? '')
}

/** Reads the destinations of a backup, one a line. Throws `Misread`. */
export function parseDestinations(text: string): [Destination, ...Destination[]] {
  const [first = '', ...others] = linesOf(text)
  const destinations: [Destination, ...Destination[]] = [parseLine(first), ...others.map(parseLine)]
  const texts = destinations.map(destinationText)
  const twice = texts.find((one, index) => texts.indexOf(one) !== index)
  if (twice !== undefined) throw new Misread(`${twice} is there twice`)
  return destinations
}

function parseLine(line: string): Destination {
  // What follows a kind may hold a password, so only the kind is shown.
  const [, kind, path] = /^([a-z][a-z0-9]{0,19})(?::(.*))?$/s.exec(line) ?? []
  if (kind === 'artifact' && path === undefined) return { kind }
  if (kind === 'artifact') throw new Misread('artifact stands alone: which artifacts they are follows from the repository and the set')
  if (kind && Object.hasOwn(remote, kind)) return remote[kind]!.parse(line)
  if (kind !== 'file') throw new Misread(kind ? `${JSON.stringify(kind)} is not a kind of destination` : `the value is not a destination${/^\.{0,2}\/[\w./-]+$/.test(line) ? `; did you mean file:${line}?` : ''}`)
  if (!path) throw new Misread('file: is not followed by a path')
  if (path.startsWith('~')) throw new Misread(`${JSON.stringify(path.slice(0, 60))} would be a folder named ~; write the whole path`)
  const [, folder = path, mounted] = /^(.+)\?mounted=(true|false)$/s.exec(path) ?? []
  return { kind: 'file', path: folder, ...(mounted !== undefined && { mounted: mounted === 'true' }) }
}

/** A destination as it is shown to people: as it was given, without secrets. */
export function destinationText(destination: Destination): string {
  if (destination.kind === 'artifact') return 'artifact'
  if (destination.kind !== 'file') return destination.text
  return `file:${destination.path}${destination.mounted === undefined ? '' : `?mounted=${destination.mounted}`}`
}

/** Every secret part of the text of a destination, well-formed or not: what to mask before anything is printed. */
export function destinationSecrets(text: string): string[] {
  return linesOf(text).flatMap((line) => {
    const kind = /^([a-z][a-z0-9]*):/.exec(line)?.[1]
    if (kind === 'file') return []
    return kind !== undefined && Object.hasOwn(remote, kind) ? remote[kind]!.secrets(line) : secretsOfUrl(line, [])
  })
}

function linesOf(text: string): string[] {
  return text.split(/\r?\n/).map((line) => line.trim()).filter((line) => line !== '')
}
