import { isAbsolute, resolve } from 'node:path'
import type { Environment } from '../../environment.ts'
import { InvalidValue } from '../../error.ts'
import type { Destination, StoreWarning } from '../kind.ts'

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
  if (path.startsWith('$')) {
    throw new InvalidValue(
      `${JSON.stringify(path.slice(0, 60))} would be a folder with a $ in its name: variables are not replaced here; write the whole path`,
    )
  }
  const [, given = path, mounted] = /^(.+)\?mounted=(true|false)$/s.exec(path) ?? []
  if (/\?(?:mounted|[A-Za-z][\w-]*=[^/?]*)$/.test(given)) {
    throw new InvalidValue('the text after the path is neither ?mounted=true nor ?mounted=false, which are the parameters of file:')
  }
  const folder = isAbsolute(given) ? given : resolve(given)
  return {
    kind: 'file',
    text: `file:${folder}${mounted === undefined ? '' : `?mounted=${mounted}`}`,
    path: folder,
    ...(mounted !== undefined && { mounted: mounted === 'true' }),
  }
}

/** A warning if the folder is on a disk that is deleted after the job, as on the runners that GitHub hosts. */
export function lossWarning({ text, mounted }: FileDestination, variables: Environment['variables']): StoreWarning | undefined {
  if (variables['RUNNER_ENVIRONMENT'] !== 'github-hosted' || mounted) return undefined
  return {
    message: `this runner and its disk are deleted after the job, and with them the backup in ${text}`,
    hint: 'Use artifact, S3 or another destination, or upload the folder in a later step. If the folder is a mount of another machine, ' +
      'add ?mounted=true.',
  }
}

/** The folder on this machine that holds a store; undefined for other kinds. */
export function folderOf(destination: Destination): string | undefined {
  return isFile(destination) ? destination.path : undefined
}

function isFile(destination: Destination): destination is FileDestination {
  return destination.kind === 'file'
}
