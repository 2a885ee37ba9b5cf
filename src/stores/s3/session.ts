import { S3Client } from '@aws-sdk/client-s3'
import type { S3Destination } from './destination.ts'
import type { StoreEnvironment } from '../kind.ts'
import { Attempts, type AttemptOptions } from '../attempts.ts'
import { Transient } from '../../net/retry.ts'
import { type Operation, operationText } from '../operation.ts'
import { NotFound } from '../store.ts'
import { Direct } from './direct.ts'
import { explained, isAbsent, isExpired } from './errors.ts'
import { workflowIdentity } from './identity.ts'
import { Requests } from './requests.ts'

export type S3Environment = Pick<StoreEnvironment, 'variables' | 'signal' | 'report'> & AttemptOptions

/** Amazon's client for one bucket, and how patiently it is asked. */
export class S3Session {
  readonly client: S3Client
  /** Its quick way to what is there. */
  readonly direct: Direct
  /** The bucket, or the part of it, as people know it. */
  readonly name: string
  readonly #attempts: Attempts

  constructor(name: string, client: S3Client, requests: Requests, options: AttemptOptions) {
    this.name = name
    this.client = client
    this.direct = new Direct(client, requests)
    this.#attempts = new Attempts(options)
  }

  /**
   * Calls `attempt` until it ends with anything but trouble that passes. Throws NotFound for an object that is not there, and
   * LifeboatError.
   */
  async try<T>(operation: Operation, key: string, attempt: (silence: number) => Promise<T>): Promise<T> {
    const what = operationText(operation, key, this.name)
    return this.#attempts.try(
      what,
      async (silence) => {
        try {
          return await attempt(silence)
        } catch (error) {
          if (isAbsent(error, operation)) throw new NotFound(key, this.name, { cause: error })
          if (isExpired(error) && (await this.#renewed())) throw new Transient('the credentials have expired', { cause: error })
          throw explained(error, operation, key, this.name)
        }
      },
      { upload: operation === 'put' },
    )
  }

  /** Asks for credentials again; false when they are the same as before. */
  async #renewed(): Promise<boolean> {
    const credentials = this.client.config.credentials
    const before = await credentials()
    return (await credentials({ forceRefresh: true })).accessKeyId !== before.accessKeyId
  }
}

/** Nothing is asked of the service yet. */
export function openSession(destination: S3Destination, options: S3Environment): S3Session {
  const { variables, signal, report, timeout } = options
  for (const name of ['AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'ACTIONS_ID_TOKEN_REQUEST_TOKEN']) {
    if (variables[name]) report.mask(variables[name])
  }
  const { endpoint, pathStyle: forcePathStyle, credentials } = destination
  // Services other than Amazon seldom have regions, but every signature names one.
  const region =
    destination.region ?? (variables['AWS_REGION'] || variables['AWS_DEFAULT_REGION'] || (endpoint === undefined ? undefined : 'us-east-1'))
  const identity = workflowIdentity({ variables, signal, timeout, region: region ?? 'us-east-1', mask: (secret) => report.mask(secret) })
  const requests = new Requests(signal, timeout / 5)
  const client = new S3Client({
    region,
    endpoint,
    forcePathStyle,
    credentials: credentials ?? identity,
    requestHandler: requests,
    // Trailers with checksums are beyond many services.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    followRegionRedirects: true,
    expectContinueHeader: false,
    // Tried again in one place, by `Attempts`.
    maxAttempts: 1,
  })
  return new S3Session(destination.text, client, requests, options)
}
