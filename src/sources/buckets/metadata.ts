import type { GetObjectCommandOutput } from '@aws-sdk/client-s3'

/** Metadata of an object, by keyword of the archive; texts are not encoded. */
export type Metadata = Readonly<Record<string, string>>

/** Prefixes of the keywords in an archive (docs/format.md, 4.1). */
const VENDOR = 'LIFEBOAT.'
const USER = 'meta.'

/** Headers that are restored with the object: by keyword, their names in the client. */
const KEPT = {
  'content-type': 'ContentType',
  'cache-control': 'CacheControl',
  'content-disposition': 'ContentDisposition',
  'content-encoding': 'ContentEncoding',
  'content-language': 'ContentLanguage',
  expires: 'ExpiresString',
  'storage-class': 'StorageClass',
  'website-redirect-location': 'WebsiteRedirectLocation',
} as const

export function metadataOf(key: string, answer: GetObjectCommandOutput): Metadata {
  const headers = Object.entries(KEPT).flatMap(([keyword, name]) => (answer[name] === undefined ? [] : [[keyword, answer[name]] as const]))
  return {
    key,
    ...(answer.ETag !== undefined && { etag: bare(answer.ETag) }),
    ...(answer.VersionId !== undefined && answer.VersionId !== 'null' && { version: answer.VersionId }),
    ...Object.fromEntries(headers),
    ...Object.fromEntries(Object.entries(answer.Metadata ?? {}).map(([name, value]) => [USER + name, value])),
  }
}

/** As records of an extended header, in which a latin1 character is a byte of UTF-8. */
export function recordsOf(metadata: Metadata): Record<string, string> {
  return Object.fromEntries(Object.entries(metadata).map(([keyword, value]) => [VENDOR + latin1(keyword), latin1(value)]))
}

/** The metadata among all records of a member. */
export function metadataIn(attributes: ReadonlyMap<string, string>): Metadata {
  return Object.fromEntries(
    [...attributes].flatMap(([name, value]) => (name.startsWith(VENDOR) ? [[utf8(name.slice(VENDOR.length)), utf8(value)]] : [])),
  )
}

/** The headers to put an object with. */
export function headersOf(metadata: Metadata): {
  [name: string]: string | Date | Record<string, string> | undefined
  Metadata?: Record<string, string>
} {
  const headers = Object.entries(KEPT).flatMap(([keyword, name]) =>
    metadata[keyword] === undefined || name === 'ExpiresString' ? [] : [[name, metadata[keyword]] as const],
  )
  const expires = new Date(metadata['expires'] ?? '')
  const own = Object.entries(metadata).flatMap(([keyword, value]) =>
    keyword.startsWith(USER) ? [[keyword.slice(USER.length), value] as const] : [],
  )
  return {
    ...Object.fromEntries(headers),
    ...(!Number.isNaN(expires.getTime()) && { Expires: expires }),
    ...(own.length > 0 && { Metadata: Object.fromEntries(own) }),
  }
}

/** An ETag without its quotes. */
export function bare(etag: string): string {
  return etag.replace(/^(?:W\/)?"(.*)"$/, '$1')
}

const latin1 = (text: string): string => Buffer.from(text).toString('latin1')
const utf8 = (text: string): string => Buffer.from(text, 'latin1').toString()
