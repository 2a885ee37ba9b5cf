import { LifeboatError } from '../../error.ts'
import { Transient } from '../../net/retry.ts'
import { type Operation, operationText } from '../operation.ts'

/** A failure, as a service of S3 reports it. */
interface Told {
  /** Of the service, such as `AccessDenied`; empty when it gave none. */
  code: string
  message: string
  /** 0 when there was no answer. */
  status: number
}

const PERMISSIONS: Record<Operation, string> = {
  put: 's3:PutObject on the objects of the bucket (and kms:GenerateDataKey and kms:Decrypt on the key, where it encrypts with one)',
  // Amazon S3, "GetObject": without s3:ListBucket, an object that is not there is answered by 403 instead of 404.
  get:
    's3:GetObject on the objects of the bucket (and kms:Decrypt on the key, where it encrypts with one), and s3:ListBucket on the ' +
    'bucket, without which an object that is not there is refused as well',
  head:
    's3:GetObject on the objects of the bucket, and s3:ListBucket on the bucket, without which an object that is not there is refused as ' +
    'well',
  list: 's3:ListBucket on the bucket',
  delete:
    's3:DeleteObject on the objects of the bucket. Where an object lock or a policy keeps them on purpose, they can be deleted when it ' +
      'ends',
}

const PASSING = [
  'SlowDown',
  'SlowDownRead',
  'SlowDownWrite',
  'Throttling',
  'ThrottlingException',
  'RequestLimitExceeded',
  'RequestThrottled',
  'RequestThrottledException',
  'TooManyRequests',
  'TooManyRequestsException',
  'BandwidthLimitExceeded',
  'RequestTimeout',
  'InternalError',
  'ServiceUnavailable',
  'OperationAborted',
  'IncompleteBody',
  // Bytes that were changed on their way.
  'BadDigest',
  'XAmzContentSHA256Mismatch',
  'XAmzContentChecksumMismatch',
]
const SKEWED = ['RequestTimeTooSkewed', 'RequestExpired', 'RequestInTheFuture']
const EXPIRED = ['ExpiredToken', 'ExpiredTokenException', 'TokenRefreshRequired']

/** Hints for codes that mean the same whatever was asked. */
const HINTS: Readonly<Record<string, string>> = {
  NoSuchBucket: 'Make the bucket first, or correct its name, the region or the endpoint.',
  InvalidBucketName: 'Correct the name of the bucket in the destination.',
  InvalidAccessKeyId: 'The service does not know the access key. Is it one of this service (endpoint=), and still active?',
  SignatureDoesNotMatch:
    'The secret access key is wrong, or the endpoint is reached by another name than it is told. In a destination, % must be written %25.',
  InvalidToken: 'The session token does not belong to the access key; set AWS_SESSION_TOKEN only with temporary credentials.',
  InvalidObjectState:
    'Its storage class is an archive, which cannot be read at once: restore the objects in the bucket first, and use a class that can be ' +
      'read for backups.',
  InvalidStorageClass: 'Correct storage-class= in the destination; not every service has each of them.',
  AuthorizationHeaderMalformed: 'Give the region of the bucket as region= in the destination.',
  PermanentRedirect: 'Give the region of the bucket as region= in the destination, or its endpoint as endpoint=.',
  IllegalLocationConstraintException: 'Give the region of the bucket as region= in the destination.',
  NotImplemented: 'The service does not have what was asked of it; leave out storage-class= and sse= in the destination.',
  ExpiredToken:
    'Temporary credentials end after their hour or so. Give them again; in a workflow, set AWS_ROLE_ARN and `permissions: id-token: ' +
      'write` instead, and they are renewed while the backup runs.',
}

/** The error of a person for one of the SDK's or of ours. A `Transient` may be tried again. */
export function explained(error: unknown, operation: Operation, key: string, store: string): unknown {
  if (error instanceof LifeboatError || !(error instanceof Error)) return error
  const told = toldBy(error)
  const says = `${told.code || `status ${told.status}`}${told.message && told.message !== told.code ? `: ${told.message}` : ''}`
  if (PASSING.includes(told.code)) return new Transient(says, { cause: error })
  if (SKEWED.includes(told.code)) {
    return new Transient(says, {
      cause: error,
      hint: 'Set the clock of this machine (NTP): it differs from that of the service by more than a quarter of an hour.',
    })
  }
  if (told.status === 0) return withoutAnswer(error, store)
  const code = EXPIRED.includes(told.code) ? 'ExpiredToken' : told.code
  const denied = told.status === 403 && !Object.hasOwn(HINTS, code)
  const hint = denied
    ? `Give the credentials ${PERMISSIONS[operation]}.`
    : (HINTS[code] ??
      (told.status === 404
        ? HINTS['NoSuchBucket']
        : 'Check the destination: the endpoint must be that of an S3 service, and path-style=true is right for many that are not Amazon.'))
  return new LifeboatError(`cannot ${operationText(operation, key, store)}: ${says}`, { cause: error, hint })
}

export function isAbsent(error: unknown, operation: Operation): boolean {
  const { code, status } = toldBy(error)
  // An answer to HEAD has no body, and so no code.
  return status === 404 && (code === 'NoSuchKey' || code === 'NotFound' || (operation === 'head' && code !== 'NoSuchBucket'))
}

export function isExpired(error: unknown): boolean {
  return EXPIRED.includes(toldBy(error).code)
}

/** Objects of a bucket with object lock are taken only with a checksum in the header that every service knows. */
export function wantsMd5(error: unknown): boolean {
  const { code, message, status } = toldBy(error)
  return (
    status === 400 &&
    (code === 'InvalidRequest' || code === 'InvalidArgument' || code === 'MissingContentMD5') &&
    /content-md5/i.test(message)
  )
}

function toldBy(error: unknown): Told {
  if (!(error instanceof Error)) return { code: '', message: '', status: 0 }
  const metadata: unknown = '$metadata' in error ? error.$metadata : undefined
  const status =
    typeof metadata === 'object' && metadata !== null && 'httpStatusCode' in metadata && typeof metadata.httpStatusCode === 'number'
      ? metadata.httpStatusCode
      : 0
  const code = ['Error', 'Unknown', 'UnknownError', 'SyntaxError', `${status}`].includes(error.name) ? '' : error.name
  // The SDK's own words on an answer that is not XML are of use to programmers alone.
  const message = code === '' || /^(UnknownError|Deserialization error)/.test(error.message) ? '' : error.message
  return { code, message, status }
}

/** A failure of the SDK itself, before it asks anything. */
function withoutAnswer(error: Error, store: string): unknown {
  const credentials = /credential|token|profile|role|sso/i
  if (
    error.name === 'CredentialsProviderError' ||
    error.name === 'TokenProviderError' ||
    (error.name === 'Error' && credentials.test(error.message))
  ) {
    return new LifeboatError(`there are no credentials for ${store}: ${error.message}`, {
      cause: error,
      hint:
        'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; or in a workflow AWS_ROLE_ARN, with `permissions: id-token: write`; or give ' +
        'access-key-id= and secret-access-key= in the destination.',
    })
  }
  if (/region is missing/i.test(error.message)) {
    return new LifeboatError(`the region of ${store} is not known`, {
      cause: error,
      hint: 'Give region= in the destination, or set AWS_REGION.',
    })
  }
  return error
}
