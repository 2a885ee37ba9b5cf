import { InvalidValue } from '../../error.ts'
import type { Destination } from '../kind.ts'
import { readUrl } from '../../net/url.ts'

/** A folder on an SFTP server. */
export interface SftpDestination extends Destination {
  kind: 'sftp'
  user: string
  password: string | undefined
  host: string
  port: number
  /** Absolute, or relative to the folder a login starts in; empty is that folder itself. */
  path: string
}

/** Reads the whole text, with the kind's name. Throws `InvalidValue`. */
export function parseSftp(text: string): SftpDestination {
  const { user, password, host, port = 22, path } = readUrl(text, [])
  if (user === undefined) throw new InvalidValue('sftp:// is not followed by user@host')
  const parts = path.split('/').filter((part) => part !== '')
  if (parts.length === 0) {
    throw new InvalidValue('the host is not followed by a path: /srv/backups, or /~/backups for a folder where a login starts')
  }
  if (parts.some((part) => part === '.' || part === '..')) throw new InvalidValue('the path has a part . or ..')
  const shownHost = host.includes(':') ? `[${host}]` : host
  return {
    kind: 'sftp',
    text: `sftp://${encodeURIComponent(user)}@${shownHost}${port === 22 ? '' : `:${port}`}/${encodeURI(parts.join('/'))}`,
    user,
    password,
    host,
    port,
    path: parts[0] === '~' ? parts.slice(1).join('/') : `/${parts.join('/')}`,
  }
}
