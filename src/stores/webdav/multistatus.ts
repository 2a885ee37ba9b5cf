import { XMLParser } from 'fast-xml-parser'
import { z } from 'zod'
import { LifeboatError } from '../../error.ts'
import { Transient } from '../../net/retry.ts'

/** One resource in the answer to a PROPFIND. */
export interface Resource {
  /** The last part of its path, decoded; empty for what the request itself was for, where `self` is that one's path. */
  name: string
  collection: boolean
  size: number
  modified: Date
  etag: string | undefined
  /** Bytes that may still be stored (RFC 4331). */
  available: number | undefined
}

export const WANTED = ['resourcetype', 'getcontentlength', 'getlastmodified'] as const
export const VERSION_PROPERTIES = ['getetag'] as const
export const QUOTA = ['quota-available-bytes'] as const

export function propfindBody(properties: readonly string[]): string {
  const elements = properties.map((name) => `<${name}/>`).join('')
  return `<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><prop>${elements}</prop></propfind>`
}

// Entities stay as they are, but for the quotes of an ETag: no name, size or time of ours has one.
const parser = new XMLParser({
  removeNSPrefix: true,
  ignoreAttributes: true,
  parseTagValue: false,
  processEntities: false,
  isArray: (name) => name === 'response' || name === 'propstat',
})

const text = z.union([z.string(), z.number()]).transform(String)
const properties = z.looseObject({
  resourcetype: z.unknown().optional(),
  getcontentlength: text.optional(),
  getlastmodified: text.optional(),
  getetag: text.optional(),
  'quota-available-bytes': text.optional(),
})
const response = z.looseObject({
  href: text,
  status: text.optional(),
  propstat: z.array(z.looseObject({ status: text.optional(), prop: z.union([z.literal(''), properties]) })).default([]),
})
type Response = z.infer<typeof response>
const answer = z.object({
  multistatus: z.union([
    z.literal('').transform(() => ({ response: [] })),
    z.looseObject({ response: z.array(response).default([]) }),
  ]),
})

const END = /<\/(?:[\w.-]+:)?multistatus\s*>\s*$|<(?:[\w.-]+:)?multistatus\b[^<>]*\/>\s*$/

/**
 * Reads the body of a 207 (RFC 4918, section 14.16) to a PROPFIND on `self`. Throws when it is none, and a `Transient` when it breaks off
 * or tells of trouble.
 */
export function readMultistatus(body: Buffer, self: URL): Resource[] {
  return responsesIn(body.toString('utf8'), self.host).flatMap((response) => resourceIn(response, self) ?? [])
}

function responsesIn(xml: string, host: string): Response[] {
  // rclone's server, when its remote fails in the middle, closes the list and writes the error after it.
  if (/multistatus/.test(xml) && !END.test(xml)) throw new Transient(`${host} broke off in the middle of a list`)
  let parsed
  try {
    parsed = answer.safeParse(parser.parse(xml))
  } catch (cause) {
    throw new LifeboatError(`${host} answered with XML that cannot be read`, { cause })
  }
  if (parsed.success) return parsed.data.multistatus.response
  throw new LifeboatError(`${host} answered with XML that is no list of a folder: ${z.prettifyError(parsed.error)}`)
}

/** Undefined for a resource that is not there. */
function resourceIn({ href, status, propstat }: Response, self: URL): Resource | undefined {
  const path = pathOf(href, self)
  if (path === undefined) return undefined
  // A resource that the server cannot describe just now exists all the same: left out, it would seem to be gone.
  if (isTrouble(status) || propstat.some(({ status, prop }) => isTrouble(status) && prop !== '' && 'resourcetype' in prop)) {
    throw new Transient(`${self.host} has trouble with a part of a list`)
  }
  if (!isGood(status)) return undefined
  const good = propstat.flatMap(({ status, prop }) => (prop !== '' && isGood(status) ? [prop] : []))
  if (good.length === 0 && propstat.length > 0) return undefined
  const found: Partial<z.infer<typeof properties>> = good.reduce((all, prop) => ({ ...all, ...prop }), {})
  const { resourcetype } = found
  return {
    name: path === pathOf(self.href, self) ? '' : path.slice(path.lastIndexOf('/') + 1),
    collection: typeof resourcetype === 'object' && resourcetype !== null && 'collection' in resourcetype,
    size: Number(found.getcontentlength ?? 0),
    modified: new Date(found.getlastmodified ?? 0),
    etag: found.getetag?.replaceAll('&quot;', '"').replaceAll('&#34;', '"'),
    available: numberOr(found['quota-available-bytes']),
  }
}

/** A status that is not given is good. */
const isGood = (status?: string): boolean => status === undefined || / 2\d\d\b/.test(status)
const isTrouble = (status = ''): boolean => / 5\d\d\b/.test(status)

/** Decoded and without a slash at its end, so that every way of writing it is one; undefined for what cannot be decoded. */
function pathOf(href: string, self: URL): string | undefined {
  const url = URL.parse(href, self.href)
  try {
    return url ? decodeURIComponent(url.pathname).replace(/\/+$/, '') : undefined
  } catch {
    // A URIError: bytes of another encoding, in a name that is not ours.
    return undefined
  }
}

function numberOr(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined
}
