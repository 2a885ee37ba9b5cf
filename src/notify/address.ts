import { isIP } from 'node:net'
import { InvalidValue } from '../error.ts'

/** An address on the web that messages are posted to. The path of most is a secret. Throws `InvalidValue`, which quotes nothing. */
export function webAddress(text: string, { user = false } = {}): URL {
  const url = URL.parse(text)
  if (!url || !/^https?:\/\/[^/]/i.test(text)) throw new InvalidValue('after the colon is no URL https://host/path')
  if (url.protocol === 'http:' && !isNear(url.hostname)) {
    throw new InvalidValue('the URL begins with http://, and everyone on the way could read it; use https://')
  }
  if (!user && (url.username || url.password)) throw new InvalidValue('the URL has a user or a password, which this service does not take')
  url.hash = ''
  return url
}

/** A host of this machine or of its own network. */
function isNear(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '')
  if (isIP(bare) === 4) return /^(?:127|10|192\.168|169\.254|172\.(?:1[6-9]|2\d|3[01]))\./.test(bare)
  if (isIP(bare) === 6) return bare === '::1' || /^f[cd]/i.test(bare)
  return !bare.includes('.') || /\.(?:localhost|local|internal|lan|home\.arpa)$/i.test(bare)
}

/** Shorter parts of a path are words. */
const LONG = 12

/** Everything in the text of a target that is masked, well-formed or not: the URL, its path, the long parts of it, passwords and values. */
export function addressSecrets(text: string): string[] {
  const [, address = ''] = /^[^\s:]*:(?:\s*(?=[a-z]+:\/\/))?(\S+)/i.exec(text.trim()) ?? []
  const [, origin = '', rest = ''] = /^([a-z][a-z0-9+.-]*:\/\/[^/?#]*)?(.*)$/is.exec(address)!
  const [, login = ''] = /:\/\/(.*)@/s.exec(origin) ?? []
  const [, name = '', password = ''] = /^([^:]*):?(.*)$/s.exec(login)!
  const path = rest.length > 1 ? [rest, rest.replace(/[?#].*$/s, '')] : []
  const parts = rest.split(/[/?&#=]/).filter((part) => part.length >= LONG && !isAddressList(part))
  const url = URL.parse(address)
  const written = url && url.pathname.length > 1 ? [url.href, url.pathname, url.pathname + url.search] : []
  const pairs = password === '' ? [] : [password, Buffer.from(`${decoded(name)}:${decoded(password)}`).toString('base64')]
  const users = password === '' ? [name] : []
  const all = [...(path.length > 0 || login !== '' ? [address] : []), ...path, ...parts, ...pairs, ...users, ...written]
  return [...new Set(all.flatMap((one) => [one, decoded(one)]))].filter((one) => one.replace(/^\//, '').length >= 4)
}

/** Addresses of people are no secrets, and `from` and `to` are shown by mail programs anyway. */
function isAddressList(part: string): boolean {
  return /^[^\s@]+(?:@|%40)[^\s@]+$/i.test(part)
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // A stray % decodes to nothing: there is only the raw spelling.
    return text
  }
}

/** A user or a password of a URL. Throws `InvalidValue` for a stray %. */
export function decodedLogin(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new InvalidValue('the user or the password has a % that is not followed by two hex digits; write %25 for a % itself')
  }
}
