import { InvalidValue } from '../../error.ts'
import { marked } from '../../marks.ts'
import { readUrl, secretsOfUrl } from '../url.ts'
import type { SshTarget } from './connection.ts'

/** A folder on another machine, which its `ssh`, `tar` and `find` give access to. */
export interface SshPlace extends SshTarget {
  /** Absolute, or, beginning with `.`, relative to the folder a login starts in. */
  path: string
}

/** Reads `ssh://user@host:port/path`; `/~/path` is relative to the folder a login starts in. Throws `InvalidValue`. */
export function parseSshPlace(text: string): SshPlace {
  const { path, ...target } = read(text)
  const parts = path.split('/').filter((part) => part !== '')
  if (path === '') throw new InvalidValue('the host is not followed by a path: /srv/files, or /~/files for a folder where a login starts')
  if (parts.some((part) => part === '.' || part === '..')) throw new InvalidValue('the path has a part . or ..')
  return { ...target, path: parts[0] === '~' ? ['.', ...parts.slice(1)].join('/') : `/${parts.join('/')}` }
}

/** Reads `user@host` or `user@host:port`. Throws `InvalidValue`. */
export function parseSshTarget(text: string): SshTarget {
  if (text.includes('://')) throw new InvalidValue('it is no URL, only user@host or user@host:port')
  const { path, ...target } = read(`ssh://${text}`)
  if (path !== '') throw new InvalidValue('it ends with the host or its port')
  return target
}

function read(text: string): SshPlace {
  const { user, password, host, port = 22, path } = readUrl(text, [])
  if (user === undefined) throw new InvalidValue('there is no user@ before the host')
  // Process lists and logs show more of these than of an input that is a secret.
  if (password !== undefined) throw new InvalidValue(marked`there is a password in it; give it as ‹ssh-password›`)
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]*$|^[0-9A-Fa-f:.]+$/.test(host)) throw new InvalidValue('the host is neither a name nor an address')
  if (user.startsWith('-')) throw new InvalidValue('no user begins with -')
  return { user, host, port, path }
}

/** `user@host`, with the port where it is not 22. */
export function targetText({ user, host, port }: SshTarget): string {
  return `${user}@${host.includes(':') ? `[${host}]` : host}${port === 22 ? '' : `:${port}`}`
}

/** As it is written, but for what can be written in several ways. */
export function placeText({ path, ...target }: SshPlace): string {
  return `ssh://${targetText(target)}${path.startsWith('/') ? path : `/~${path.slice(1)}`}`
}

/** Passwords, which are not allowed there, in lines with addresses of SSH servers that may not be well-formed. */
export function addressSecrets(text: string): string[] {
  return text.split(/\r?\n/).flatMap((line) => {
    const start = line.indexOf('ssh://')
    return start < 0 && line.includes('://') ? [] : secretsOfUrl(start < 0 ? `ssh://${line.trim()}` : line.slice(start), [])
  })
}
