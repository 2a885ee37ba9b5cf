import { InvalidValue } from '../../error.ts'
import type { Destination } from '../kind.ts'

/** A folder of a remote in the user's own configuration of rclone. */
export interface RcloneDestination extends Destination {
  kind: 'rclone'
  /** The name of the remote. */
  remote: string
  /** Within the remote; may be empty. */
  path: string
}

/** Reads the whole text, with the kind's name. Throws `InvalidValue`. */
export function parseRclone(text: string): RcloneDestination {
  const [, remote, path] = /^rclone:([^:]*):(.*)$/s.exec(text) ?? []
  if (remote === undefined || path === undefined) {
    throw new InvalidValue('rclone: is followed by the name of a remote, a colon and a path: rclone:drive:backups/app')
  }
  // rclone's own rule for names ("rclone config", "Valid remote names"). The other forms that rclone takes there may hold
  // secrets, which arguments would show.
  if (!/^[\p{L}\p{N}_.+@][\p{L}\p{N}_.+@ -]*$/u.test(remote)) {
    throw new InvalidValue(
      'between rclone: and the next colon there is no name of a remote; settings belong into the configuration of rclone',
    )
  }
  // oxlint-disable-next-line no-control-regex -- just these are refused
  if (path.split('/').includes('..') || /[\u0000-\u001f\u007f]/.test(path)) {
    throw new InvalidValue('the path has a part .. or a control character')
  }
  return { kind: 'rclone', text, remote, path }
}

/** A well-formed one has none; settings that someone wrote into it might. */
export function rcloneSecrets(text: string): string[] {
  return [...text.matchAll(/[,:][\w-]+=("[^"]*"|'[^']*'|[^,:]*)/g)].flatMap(([, value]) =>
    value ? [value, value.replaceAll(/^["']|["']$/g, '')] : [],
  )
}
