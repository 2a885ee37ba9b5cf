import { InvalidValue } from '../../error.ts'
import { marked } from '../../marks.ts'
import type { Destination } from '../kind.ts'
import { readUrl } from '../../net/url.ts'

/** A folder (collection) of a WebDAV server. */
export interface WebdavDestination extends Destination {
  kind: 'webdav' | 'webdavs'
  /** `http://host:port/path/`: with a slash at its end, and without user and password. */
  base: string
  user: string | undefined
  password: string | undefined
}

/** Reads the whole text, with the kind's name. Throws `InvalidValue`. */
export function parseWebdav(text: string): WebdavDestination {
  const kind = text.startsWith('webdavs:') ? 'webdavs' : 'webdav'
  const { user, password, host, port, path } = readUrl(text, [])
  if ((user === undefined) !== (password === undefined)) {
    throw new InvalidValue(marked`${kind}://user:password@host has a user or a password alone; for a token, give ‹webdav-token›`)
  }
  const parts = path.split('/').filter((part) => part !== '')
  if (parts.some((part) => part === '.' || part === '..')) throw new InvalidValue('the path has a part . or ..')
  const server = `${host.includes(':') ? `[${host}]` : host}${port === undefined ? '' : `:${port}`}`
  const place = `${server}/${parts.map((part) => `${encodeURIComponent(part)}/`).join('')}`
  const base = URL.parse(`${kind === 'webdavs' ? 'https' : 'http'}://${place}`)
  if (!base) throw new InvalidValue('the name after :// is not that of a host')
  return { kind, text: `${kind}://${place.replace(/\/$/, '')}`, base: base.href, user, password }
}
