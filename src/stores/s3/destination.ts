import { InvalidValue } from '../../error.ts'
import type { Destination } from '../kind.ts'
import { checkedEndpoint, readUrl, secretsOfUrl, shownParameters } from '../../net/url.ts'

/** A bucket of an S3 service, or a part of one. */
export interface S3Destination extends Destination {
  kind: 's3'
  bucket: string
  /** Every key begins with it: empty, or with a slash at its end. */
  prefix: string
  /** Undefined leaves it to the environment and profiles of AWS. */
  region: string | undefined
  /** Undefined is AWS itself. */
  endpoint: string | undefined
  /** `https://endpoint/bucket/key` instead of `https://bucket.endpoint/key`. */
  pathStyle: boolean
  storageClass: string | undefined
  encryption: 'AES256' | 'aws:kms' | 'aws:kms:dsse' | undefined
  kmsKey: string | undefined
  /** Undefined leaves them to the environment, profiles and roles of AWS. */
  credentials: { accessKeyId: string; secretAccessKey: string; sessionToken: string | undefined } | undefined
}

const SHOWN = ['region', 'endpoint', 'path-style', 'storage-class', 'sse', 'sse-kms-key-id']
const SECRET = ['access-key-id', 'secret-access-key', 'session-token']
const ENCRYPTIONS = ['AES256', 'aws:kms', 'aws:kms:dsse'] as const

/** Reads the whole text, with the kind's name. Throws `InvalidValue`. */
export function parseS3(text: string): S3Destination {
  const { user, password, host: bucket, port, path, parameters } = readUrl(text, [...SHOWN, ...SECRET])
  if (user !== undefined || password !== undefined) {
    throw new InvalidValue('s3:// takes no user and password; give access-key-id= and secret-access-key= as parameters')
  }
  // The service's own rules (Amazon S3, "General purpose bucket naming rules"); others allow more, and capitals.
  if (port !== undefined || !/^[A-Za-z0-9][A-Za-z0-9._-]{1,253}$/.test(bucket)) {
    throw new InvalidValue('s3:// is followed by the name of a bucket; the host of a service goes into endpoint=')
  }
  const prefix = prefixIn(path)
  return {
    kind: 's3',
    text: `s3://${bucket}${prefix && `/${encodeURI(prefix)}`}${shownParameters(parameters, SHOWN)}`,
    bucket,
    prefix: prefix && `${prefix}/`,
    region: parameters['region'],
    pathStyle: pathStyleIn(parameters),
    ...encryptionIn(parameters),
    endpoint: checkedEndpoint(parameters['endpoint']),
    storageClass: parameters['storage-class'],
    credentials: credentialsIn(parameters),
  }
}

type Parameters = ReturnType<typeof readUrl>['parameters']

/** Without slashes at its ends. */
function prefixIn(path: string): string {
  const prefix = path.replace(/^\/+|\/+$/g, '')
  if (prefix.split('/').some((part) => part === '.' || part === '..' || (part === '' && prefix !== ''))) {
    throw new InvalidValue('the path has an empty part, . or ..')
  }
  return prefix
}

function pathStyleIn({ 'path-style': given = 'false' }: Parameters): boolean {
  if (given !== 'true' && given !== 'false') throw new InvalidValue('path-style is neither true nor false')
  return given === 'true'
}

function encryptionIn({ sse, 'sse-kms-key-id': kmsKey }: Parameters): Pick<S3Destination, 'encryption' | 'kmsKey'> {
  const encryption = ENCRYPTIONS.find((one) => one === sse)
  if (sse !== undefined && encryption === undefined) throw new InvalidValue(`sse is not one of ${ENCRYPTIONS.join(', ')}`)
  if (kmsKey !== undefined && (encryption ?? 'AES256') === 'AES256') throw new InvalidValue('sse-kms-key-id needs sse=aws:kms')
  return { encryption, kmsKey }
}

export function s3Secrets(text: string): string[] {
  return secretsOfUrl(text, SHOWN)
}

function credentialsIn(parameters: Parameters): S3Destination['credentials'] {
  const { 'access-key-id': accessKeyId, 'secret-access-key': secretAccessKey, 'session-token': sessionToken } = parameters
  if (accessKeyId !== undefined && secretAccessKey !== undefined) return { accessKeyId, secretAccessKey, sessionToken }
  if (accessKeyId === undefined && secretAccessKey === undefined && sessionToken === undefined) return undefined
  throw new InvalidValue('access-key-id and secret-access-key are given together or not at all')
}

export function isS3(destination: Destination): destination is S3Destination {
  return destination.kind === 's3'
}
