import { createHash } from 'node:crypto'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type StorageClass,
} from '@aws-sdk/client-s3'
import { LifeboatError } from '../../error.ts'
import type { S3Destination } from './destination.ts'
import { TooLong } from '../../net/http.ts'
import { Transient } from '../../net/retry.ts'
import { isAbsent, wantsMd5 } from './errors.ts'
import { inLanes } from './lanes.ts'
import { openSession, type S3Environment, type S3Session } from './session.ts'
import { checkKey, type GetOptions, isKey, tooLarge, type Store, type StoredObject } from '../store.ts'

/**
 * A store in a bucket of Amazon S3 or of a service that speaks its protocol. Each object is one put, so that it is there as a whole or not.
 */
export class S3Store implements Store {
  readonly name: string
  readonly #destination: S3Destination
  readonly #session: S3Session
  /** Buckets with object lock take no put without it; to others it would be work for nothing, as the signature covers the bytes. */
  #md5 = false
  /** Services that encrypt may have something else there. */
  #etagIsMd5 = true

  constructor(destination: S3Destination, session: S3Session) {
    this.name = session.name
    this.#destination = destination
    this.#session = session
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    const { storageClass, encryption: ServerSideEncryption, kmsKey: SSEKMSKeyId } = this.#destination
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- services have classes that the SDK does not know
    const StorageClass = storageClass as StorageClass | undefined
    await this.#session.try('put', key, async (requestTimeout) => {
      const ContentMD5 = this.#md5 ? createHash('md5').update(bytes).digest('base64') : undefined
      try {
        const command = new PutObjectCommand({
          ...this.#at(key),
          Body: bytes,
          ContentLength: bytes.length,
          ContentMD5,
          StorageClass,
          ServerSideEncryption,
          SSEKMSKeyId,
        })
        const { ETag } = await this.#session.client.send(command, { requestTimeout })
        if (!ETag) throw new Transient('the answer is not that of an S3 service')
      } catch (error) {
        if (this.#md5 || !wantsMd5(error)) throw error
        this.#md5 = true
        throw new Transient('the bucket wants checksums', { cause: error })
      }
    })
  }

  async get(key: string, most: number, { authenticated = false }: GetOptions = {}): Promise<Buffer> {
    let unexpected: string | undefined
    return this.#session.try('get', key, async (requestTimeout) => {
      const { bytes, etag } = await this.#fetch(key, most, requestTimeout).catch((error: unknown) => {
        throw error instanceof TooLong ? tooLarge(most, key, this.name) : error
      })
      const expected = /^"?([0-9a-f]{32})"?$/.exec(etag ?? '')?.[1]
      if (etag === undefined) throw new Transient('the answer is not that of an S3 service')
      if (authenticated || !this.#etagIsMd5 || expected === undefined) return bytes
      const md5 = createHash('md5').update(bytes).digest('hex')
      if (md5 === expected) return bytes
      if (md5 !== unexpected) {
        unexpected = md5
        throw new Transient('its bytes are not those of its checksum')
      }
      // Twice the same: an ETag that is no checksum. The code that sealed an object checks it as well.
      this.#etagIsMd5 = false
      return bytes
    })
  }

  async #fetch(key: string, maximum: number, requestTimeout: number): Promise<{ bytes: Buffer; etag: string | undefined }> {
    const { Bucket, Key } = this.#at(key)
    const limits = { requestTimeout, maximum }
    const answer = await this.#session.direct.ask('GET', Key, limits)
    if (answer) return { bytes: answer.body, etag: answer.headers.get('etag') ?? undefined }
    const { Body, ETag: etag } = await this.#session.client.send(new GetObjectCommand({ Bucket, Key }), limits)
    const { buffer, byteOffset, length } = (await Body?.transformToByteArray()) ?? new Uint8Array()
    return { bytes: Buffer.from(buffer, byteOffset, length), etag }
  }

  async head(key: string): Promise<StoredObject> {
    return this.#session.try('head', key, async (requestTimeout) => {
      const answer = await this.#session.direct.ask('HEAD', this.#at(key).Key, { requestTimeout })
      const [length, changed] = [
        Number(answer?.headers.get('content-length') ?? NaN),
        Date.parse(answer?.headers.get('last-modified') ?? ''),
      ]
      if (!Number.isNaN(length) && !Number.isNaN(changed)) return { key, size: length, modified: new Date(changed) }
      const { ContentLength: size, LastModified: modified } = await this.#session.client.send(new HeadObjectCommand(this.#at(key)), {
        requestTimeout,
      })
      if (size === undefined || modified === undefined) throw new Transient('the answer is not that of an S3 service')
      return { key, size, modified }
    })
  }

  list(prefix: string): AsyncGenerator<StoredObject, void, void> {
    return inLanes(prefix, (lane) => this.#page(prefix, lane.after, lane.token))
  }

  async #page(
    prefix: string,
    after: string | undefined,
    token: string | undefined,
  ): Promise<{ objects: StoredObject[]; next: string | undefined }> {
    const { bucket: Bucket, prefix: own } = this.#destination
    return this.#session.try('list', '', async (requestTimeout) => {
      const command = new ListObjectsV2Command({
        Bucket,
        Prefix: own + prefix,
        StartAfter: after === undefined ? undefined : own + after,
        ContinuationToken: token,
      })
      const { Contents = [], IsTruncated, NextContinuationToken: next } = await this.#session.client.send(command, { requestTimeout })
      // Another server that answers with status 200, a login page for instance, would read as an empty store.
      if (IsTruncated === undefined) throw new Transient('the answer is not that of an S3 service')
      if (IsTruncated && (!next || next === token)) {
        throw new LifeboatError(`${this.name} does not say how its listing goes on`, {
          hint: 'The service lacks ListObjectsV2, which is needed.',
        })
      }
      const objects = Contents.flatMap(({ Key = '', Size: size = 0, LastModified: modified = new Date(0) }) =>
        Key.startsWith(own) && isKey(Key.slice(own.length)) ? [{ key: Key.slice(own.length), size, modified }] : [],
      )
      return { objects, next: IsTruncated ? next : undefined }
    })
  }

  async delete(key: string): Promise<void> {
    await this.#session.try('delete', key, async (requestTimeout) => {
      try {
        await this.#session.client.send(new DeleteObjectCommand(this.#at(key)), { requestTimeout })
      } catch (error) {
        if (!isAbsent(error, 'delete')) throw error
      }
    })
  }

  async close(): Promise<void> {
    this.#session.client.destroy()
  }

  #at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.#destination.bucket, Key: this.#destination.prefix + checkKey(key) }
  }
}

/** Nothing is asked of the service yet. */
export function openS3(destination: S3Destination, options: S3Environment): S3Store {
  return new S3Store(destination, openSession(destination, options))
}
