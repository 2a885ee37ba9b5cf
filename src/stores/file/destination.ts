import { InvalidValue } from '../../error.ts'
import type { Destination } from '../kind.ts'

/** A folder of this machine. */
export interface FileDestination extends Destination {
  kind: 'file'
  path: string
  /** Whether a file system has to be mounted at it or above it; undefined: it depends on where the folder is (mount.ts). */
  mounted?: boolean | undefined
}

/** Reads the whole text, with the kind's name. Throws `InvalidValue`. */
export function parseFile(text: string): FileDestination {
  const path = text.slice('file:'.length)
  if (!path) throw new InvalidValue('file: is not followed by a path')
  if (path.startsWith('~')) throw new InvalidValue(`${JSON.stringify(path.slice(0, 60))} would be a folder named ~; write the whole path`)
  const [, folder = path, mounted] = /^(.+)\?mounted=(true|false)$/s.exec(path) ?? []
  return { kind: 'file', text, path: folder, ...(mounted !== undefined && { mounted: mounted === 'true' }) }
}

/** The folder on this machine that holds a store; undefined for other kinds. */
export function folderOf(destination: Destination): string | undefined {
  return isFile(destination) ? destination.path : undefined
}

function isFile(destination: Destination): destination is FileDestination {
  return destination.kind === 'file'
}
