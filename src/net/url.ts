import { InvalidValue } from '../error.ts'
import { nearest } from '../nearest.ts'

/** A destination written as a URL, its parts decoded. */
export interface DestinationUrl {
  user: string | undefined
  password: string | undefined
  /** Bucket, account or host; an IPv6 address without its brackets. */
  host: string
  port: number | undefined
  /** From its slash on; empty when there is none. */
  path: string
  parameters: Readonly<Record<string, string | undefined>>
}

/**
 * Reads `scheme://user:password@host:port/path?name=value`. A `+` is a plus, and only `%` needs encoding (`@`, `/`, `?` and `&` where they
 * would end their part). Throws `InvalidValue`, which shows no value, and of names only those that resemble one of `known`.
 */
export function readUrl(text: string, known: readonly string[]): DestinationUrl {
  const parts =
    /^([a-z][a-z0-9]*):\/\/(?:([^:@/?]*)(?::([^@/?]*))?@)?(\[[0-9A-Fa-f:.]+\]|[^:@/?[\]]*)(?::(\d{1,5}))?(\/[^?]*)?(?:\?(.*))?$/s.exec(text)
  // Without a colon, @, ? or =, no part of it is a secret.
  const [, kind, name] = /^([a-z][a-z0-9]*):\/?([A-Za-z0-9][A-Za-z0-9._/-]*)$/.exec(text) ?? []
  if (name !== undefined) throw new InvalidValue(`${kind}: is not followed by //; did you mean ${kind}://${name}?`)
  if (!parts) {
    throw new InvalidValue(
      `the text after ${/^[a-z0-9]*/.exec(text)![0]}: cannot be read; a user, a password and a value are percent-encoded (%40 for @, %2F ` +
        'for /, %3F for ?)',
    )
  }
  const [, scheme, user, password, host, port, path = '', query] = parts
  // All before the last @ may be a password that was not encoded.
  if (password !== undefined && path.includes('@')) {
    throw new InvalidValue('there is a second @, so it is not clear where the password ends; write %40 for each that does not end it')
  }
  if (!host) throw new InvalidValue(`${scheme}:// is followed by no name`)
  if (port !== undefined && !(Number(port) >= 1 && Number(port) <= 65_535)) {
    throw new InvalidValue('the port is not a number from 1 to 65535')
  }
  return {
    user: user ? decode('the user', user) : undefined,
    password: password ? decode('the password', password) : undefined,
    host: decode('the name after ://', host).replace(/^\[|\]$/g, ''),
    port: port === undefined ? undefined : Number(port),
    path: decode('the path', path),
    parameters: readParameters(query, known),
  }
}

function readParameters(query: string | undefined, known: readonly string[]): DestinationUrl['parameters'] {
  if (query?.includes('?')) throw new InvalidValue('there is a second ?; parameters are separated by &, and %3F is one within a value')
  const parameters: Record<string, string> = {}
  for (const pair of query ? query.split('&') : []) {
    const [, name = '', value] = /^([^=]*)(?:=(.*))?$/s.exec(pair)!
    if (!known.includes(name)) {
      const meant = known.find((one) => bare(one) === bare(name))
      const near = nearest(name, known.filter(({ length }) => length >= LONG))
      // Without quotation marks: its value counts as a secret, beside which nothing quoted is shown.
      if (!meant && near) throw new InvalidValue(`it has no parameter ${name}; did you mean ${near}?`)
      throw new InvalidValue(
        meant
          ? `${JSON.stringify(name)} is not a parameter of it; did you mean ${meant}?`
          : `it has an unknown parameter; supported: ${known.join(', ')}`,
      )
    }
    if (!value) throw new InvalidValue(`the parameter ${name} has no value`)
    if (Object.hasOwn(parameters, name)) throw new InvalidValue(`the parameter ${name} is given twice`)
    parameters[name] = decode(`the value of ${name}`, value)
  }
  return parameters
}

/** A name that is nearly one so long is a slip, and no part of a secret. */
const LONG = 6

const bare = (text: string): string => text.toLowerCase().replaceAll(/[^a-z]/g, '')

function decode(what: string, text: string): string {
  let decoded
  try {
    decoded = decodeURIComponent(text)
  } catch {
    // A URIError is how this is said; it shows the text.
    throw new InvalidValue(`${what} has a % that is not followed by the two hex digits of a UTF-8 byte; write %25 for a % itself`)
  }
  // oxlint-disable-next-line no-control-regex -- just these are refused
  if (/[\u0000-\u001f\u007f]/.test(decoded)) throw new InvalidValue(`${what} has a control character`)
  return decoded
}

/**
 * The parts of a URL, well-formed or not, that are to be masked: a password, and the value of every parameter that is not in `open`, or
 * that looks like several.
 */
export function secretsOfUrl(url: string, open: readonly string[]): string[] {
  const texts = [url, decoded(url)]
  // A password with an @ or / that should have been encoded: up to the first and up to the last @.
  const pairs = texts.flatMap((text) =>
    [/^[^:/]*:\/\/([^:@/]*):([^@/]+)@/, /^[^:/]*:\/\/([^:@/]*):(.+)@/].map((pattern) => pattern.exec(text)),
  )
  const passwords = pairs.flatMap((pair) => {
    if (!pair) return []
    const [user, password] = [decoded(pair[1]!), decoded(pair[2]!)]
    // HTTP's basic authentication sends both together.
    return [pair[2]!, password, Buffer.from(`${user}:${password}`).toString('base64')]
  })
  const values = [...url.matchAll(/[?&]([^=&]*)=([^&]*)/g)].flatMap(([, name = '', value]) =>
    value && (!open.includes(name) || /[?=]/.test(value)) ? [value, decoded(value)] : [],
  )
  return [...new Set([...passwords, ...values])]
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // A stray % decodes to nothing: there is only the raw spelling.
    return text
  }
}

/** `?name=value&…` of those parameters that have a value, encoded as little as readers need. */
export function shownParameters(parameters: Readonly<Record<string, string | undefined>>, names: readonly string[]): string {
  const pairs = names.flatMap((name) =>
    parameters[name] === undefined ? [] : [`${name}=${encodeURIComponent(parameters[name]).replace(/%(3A|2F)/g, decodeURIComponent)}`],
  )
  return pairs.length > 0 ? `?${pairs.join('&')}` : ''
}

/** The URL of a service, which may be given as its host alone. */
export function checkedEndpoint(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const url = URL.parse(/^[a-z]+:\/\//i.test(text) ? text : `https://${text}`)
  if (!url || !['http:', 'https:'].includes(url.protocol) || url.username || url.password || url.search || url.hash) {
    throw new InvalidValue('endpoint is not the URL of a service, https://host or https://host:port')
  }
  return url.href.replace(/\/$/, '')
}
