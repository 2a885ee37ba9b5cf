import { createHash, createHmac } from 'node:crypto'
import { LifeboatError, InvalidValue } from '../../error.ts'

/** One line of a known_hosts file: sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT". */
export interface KnownHost {
  marker: 'revoked' | 'cert-authority' | undefined
  /** Whether the line is about a name: `host`, or `[host]:port` for another port than 22. */
  names: (name: string) => boolean
  /** `ssh-ed25519`, for instance. */
  type: string
  key: Buffer
}

export interface HostAddress {
  host: string
  port: number
}

/** Reads known_hosts lines that someone gave for this very purpose. Throws `InvalidValue` for an invalid line. */
export function parseKnownHosts(text: string): KnownHost[] {
  return linesOf(text).map(([number, line]) => {
    const host = parseLine(line)
    if (!host) throw new InvalidValue(`line ${number} is not a line of a known_hosts file`)
    return host
  })
}

/** Reads a known_hosts file of others; as ssh does, what it does not understand is passed over, for it makes nothing known. */
export function readKnownHosts(text: string): KnownHost[] {
  return linesOf(text).flatMap(([, line]) => parseLine(line) ?? [])
}

function linesOf(text: string): [number: number, line: string][] {
  const lines = text.split('\n').map((line, index): [number, string] => [index + 1, line.trim()])
  return lines.filter(([, line]) => line !== '' && !line.startsWith('#'))
}

function parseLine(line: string): KnownHost | undefined {
  const fields = line.split(/\s+/)
  const marker = ({ '@revoked': 'revoked', '@cert-authority': 'cert-authority' } as const)[fields[0]!]
  if (marker) fields.shift()
  const [names, type, encoded] = fields
  if (!names || names.startsWith('@') || !type || !encoded) return undefined
  const key = Buffer.from(encoded, 'base64')
  const matcher = names.startsWith('|') ? hashedName(names) : namePatterns(names)
  if (!matcher || typeOf(key) !== type) return undefined
  return { marker, names: matcher, type, key }
}

/** The type that a key itself names, in its first field (RFC 4253, section 6.6). */
function typeOf(key: Buffer): string | undefined {
  if (key.length < 4) return undefined
  return key.toString('latin1', 4, 4 + key.readUInt32BE(0))
}

/** `|1|salt|hash`: one name, its HMAC-SHA-1 under the salt. */
function hashedName(text: string): KnownHost['names'] | undefined {
  const [, salt, hash] = /^\|1\|([A-Za-z0-9+/]+=*)\|([A-Za-z0-9+/]+=*)$/.exec(text) ?? []
  if (!salt || !hash) return undefined
  return (name) => createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest().equals(Buffer.from(hash, 'base64'))
}

/** Names separated by commas, with `*` and `?` for any characters; one after `!` takes away what others match. */
function namePatterns(text: string): KnownHost['names'] {
  const patterns = text.split(',').map((pattern) => {
    const name = pattern.replace(/^!/, '')
    const source = name
      .replace(/[.+^${}()|[\]\\]/g, String.raw`\$&`)
      .replaceAll('*', '.*')
      .replaceAll('?', '.')
    return { negated: pattern.startsWith('!'), matches: new RegExp(`^${source}$`, 'i') }
  })
  return (name) => {
    const matching = patterns.filter(({ matches }) => matches.test(name))
    return matching.length > 0 && matching.every(({ negated }) => !negated)
  }
}

/** The lines about a host: those for its port, and where there are none, those that name no port, as ssh takes them. */
export function linesAbout(known: readonly KnownHost[], { host, port }: HostAddress): KnownHost[] {
  const bare = host.toLowerCase()
  const exact = known.filter(({ names }) => names(`[${bare}]:${port}`) || (port === 22 && names(bare)))
  return exact.length > 0 ? exact : known.filter(({ names }) => names(bare))
}

/**
 * Throws unless `key`, which a server shows, is one that `known` has for it. Nothing is trusted because it is seen for the first time.
 * `where`: how messages name the place that the lines come from.
 */
export function checkHostKey(known: readonly KnownHost[], address: HostAddress, key: Buffer, where: string): void {
  const lines = linesAbout(known, address)
  const type = typeOf(key) ?? 'unknown'
  const shown = `${type} ${sshFingerprint(key)}`
  const name = nameOf(address)
  const same = lines.filter((line) => line.key.equals(key))
  const everywhere = [
    ...lines,
    ...linesAbout(
      known.filter(({ marker }) => marker === 'revoked'),
      address,
    ),
  ]
  if (everywhere.some((line) => line.marker === 'revoked' && line.key.equals(key))) {
    throw new LifeboatError(`${name} shows a host key that ${where} marks as revoked: ${shown}`, {
      hint: 'Do not connect to it: another machine may have the revoked key. Ask whoever runs the server.',
    })
  }
  if (same.some(({ marker }) => marker === undefined)) return

  const own = `${name} ${type} ${key.toString('base64')}`
  const keys = lines.filter(({ marker }) => marker === undefined)
  if (keys.length > 0) {
    throw new LifeboatError(
      `${name} shows another host key than the one that is known: ${shown}; known: ` +
        keys.map((line) => `${line.type} ${sshFingerprint(line.key)}`).join(', '),
      {
        hint:
          'Another machine may be answering in its place. If the server was set up again, get its fingerprint from whoever runs it, and ' +
          `if it is the one shown, replace the line in ${where} by: ${own}`,
      },
    )
  }
  const authority = lines.some(({ marker }) => marker === 'cert-authority')
  throw new LifeboatError(
    `the host key of ${name} is not known: it shows ${shown}, and ${where} ` +
      (authority ? 'has only a @cert-authority for it, but certificates of hosts are not supported' : 'has no key for it'),
    {
      hint:
        `Compare the fingerprint with what \`ssh-keygen -lf /etc/ssh/ssh_host_${fileTypeOf(type)}_key.pub\` prints on the server. ` +
        `If it is the same, add this line to ${where}: ${own}`,
    },
  )
}

/** The key as OpenSSH names it to people. */
export function sshFingerprint(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`
}

/** The known keys of one host, as a known_hosts file of its own. */
export function knownHostsText(known: readonly KnownHost[], address: HostAddress): string {
  const lines = new Set([
    ...linesAbout(known, address),
    ...linesAbout(
      known.filter(({ marker }) => marker === 'revoked'),
      address,
    ),
  ])
  const name = nameOf({ ...address, host: address.host.toLowerCase() })
  return [...lines]
    .map(({ marker, type, key }) => `${marker === undefined ? '' : `@${marker} `}${name} ${type} ${key.toString('base64')}\n`)
    .join('')
}

/** A host as known_hosts spells it. */
function nameOf({ host, port }: HostAddress): string {
  return port === 22 ? host : `[${host}]:${port}`
}

/** As ssh-keygen names the type of a key in the names of its files. */
function fileTypeOf(type: string): string {
  return type.replace(/^(?:ssh|ecdsa)-([a-z0-9]+).*/, (_, kind: string) => (kind === 'sha2' ? 'ecdsa' : kind))
}
